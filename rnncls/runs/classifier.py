"""A classifier: a network with all that it needs to read a text."""

from dataclasses import dataclass

import torch

from rnncls.config.sections import TextSection
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.ngrams import NgramClassifier
from rnncls.nn.scope import ScopeRule
from rnncls.runs.portable import PortableClassifier
from rnncls.text.vocab import Vocab


@dataclass(frozen=True)
class Classifier:
    """A trained network with its tokenizer settings, words and classes.

    Attributes:
        text: How a text becomes tokens.
        vocab: The words.
        label_names: The classes, in the order of the logits.
        model: The network. That of `load_run` divides its logits by the temperature.
        temperature: The number that calibrates the logits
            (rnncls.evaluation.calibration); 1 if none was fitted.
        thresholds: From which probability on a text has a label, for each label; None:
            a text has one label.
        scope_rule: By which a text fits one of the classes, or none (see
            `rnncls.nn.scope`); None: the run has none.
    """

    text: TextSection
    vocab: Vocab
    label_names: list[str]
    model: TextClassifier
    temperature: float = 1.0
    thresholds: list[float] | None = None
    scope_rule: ScopeRule | None = None

    @property
    def has_several_labels(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.model.section.has_several_labels

    @property
    def reads_unknown(self) -> bool:
        """Whether unknown words have vectors, of their character n-grams."""
        return self.vocab.char_ngrams is not None


def build_classifier(portable: PortableClassifier) -> Classifier:
    """Return the network in torch of a classifier in NumPy.

    It is on the CPU, in evaluation mode, and divides its logits by the temperature.
    """
    vocab, label_names = portable.vocab, portable.label_names
    model = TextClassifier(portable.model, vocab.num_rows, len(label_names))
    tensors = {
        name: torch.from_numpy(array) for name, array in portable.weights.items()
    }
    model.load_state_dict(tensors)
    model.temperature = portable.temperature
    if portable.ngrams is not None:
        model.ngrams = NgramClassifier(portable.ngrams, vocab.num_rows)
    return Classifier(
        portable.text,
        vocab,
        label_names,
        model.eval(),
        portable.temperature,
        portable.thresholds,
        portable.scope_rule,
    )
