"""The section `model` of the config."""

from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Le, MinLen
from pydantic import Field, model_validator

from rnncls.config.data_section import Section
from rnncls.config.field_types import Count, Probability, Text

Pooling = Literal["last", "max", "mean", "attention"]


class ModelSection(Section):
    """The network: embedding → recurrent layers → pooling → dropout → linear layer."""

    task: Literal["one_label", "several_labels"] = "one_label"
    """`one_label`: each text has one of the classes. `several_labels`: each text has
    any number of labels, also none; each label is decided on its own."""
    cell: Literal["rnn", "lstm", "gru", "grid_lstm", "none"] = "lstm"
    """Type of recurrent cell. `grid_lstm` also has gates along the depth (Kalchbrenner,
    Danihelka and Graves 2016). `none` is the bag-of-words baseline: the mean of the
    word vectors, without recurrent layers."""
    embedding_dim: Count = 100
    """Size of a word vector."""
    hidden_size: Count = 128
    """Size of the hidden state in each direction."""
    num_layers: Annotated[int, Ge(1), Le(1000)] = 1
    """Number of stacked recurrent layers."""
    bidirectional: bool = True
    """Read each text in both directions."""
    tokens_per_step: Annotated[int, Ge(1), Le(16)] = 1
    """Number of neighbouring tokens that the recurrent layers read in one step, as the
    sum of their word vectors. With 2, texts are half as long and a step of training
    takes half the time, like time reduction in speech recognition (Chan et al. 2016).
    `rnncls pretrain` always reads one. 1: each token in a step of its own."""
    pooling: Annotated[list[Pooling], MinLen(1)] = Field(
        default=["last", "max", "mean"]
    )
    """How the hidden states of a text become one vector. Several poolings are
    concatenated. Padding is always excluded."""
    dropout: Probability = 0.5
    """Dropout before the linear layer and between recurrent layers. Between layers, one
    mask is used for all tokens of a text."""
    word_dropout: Probability = 0.1
    """Fraction of words that are replaced by `<unk>` in training."""
    input_dropout: Probability = 0.0
    """Dropout on word vectors, with one mask for all tokens of a text (Gal and
    Ghahramani 2016)."""
    recurrent_dropout: Probability = 0.0
    """Dropout on the hidden-to-hidden weights, with a new mask each training step
    (Merity, Keskar and Socher 2018)."""
    pretrained: Annotated[Text, MinLen(1)] | None = None
    """Run folder to start from, with the same `text` settings, cell and sizes. Of
    `rnncls pretrain`: its vocabulary, embedding and recurrent weights are used, and
    `min_freq`, `max_vocab` and `vectors` are ignored. Of `rnncls train`: this run is
    continued, with its words and classes and with new ones; see `train --from`."""
    ngrams: Literal["auto", "alone"] | Annotated[int, Ge(1), Le(8)] | None = None
    """A linear model of n-grams of tokens beside the network, whose logits are added
    to those of the network: with `auto` of up to 2 words, 3 subwords or 4 characters,
    with a number N of up to N tokens. It adds at most 2 MB to the run. `alone`: the
    linear model without a network; `cell` is then `none` and `embedding_dim` 1. null:
    only the network."""

    @model_validator(mode="before")
    @classmethod
    def _leave_out_network(cls, values: Any) -> Any:
        """Make the network, which nothing uses, as small as possible."""
        if isinstance(values, dict) and values.get("ngrams") == "alone":
            return {**values, "cell": "none", "embedding_dim": 1}
        return values

    @property
    def has_network(self) -> bool:
        """Whether the network's logits are used."""
        return self.ngrams != "alone"

    @property
    def has_several_labels(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.task == "several_labels"

    @model_validator(mode="after")
    def _check_poolings(self) -> Self:
        if len(set(self.pooling)) < len(self.pooling):
            raise ValueError("model.pooling must name each pooling once")
        return self
