"""The classifier that answers requests: loaded, and checked before it answers.

ONNX Runtime computes an exported file, and a run that can be turned into one in memory;
NumPy computes the other runs.

Shapes: N texts, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnncls import RunError
from rnncls.config.sections import TextSection
from rnncls.inference.export.onnx_export import KNOWN_KEYS, build_onnx
from rnncls.inference.export.onnx_file import load_onnx, parse_onnx
from rnncls.inference.export.page.card import describe_run
from rnncls.inference.export.page.template import Fact
from rnncls.inference.export.test_vectors import choose_texts
from rnncls.inference.light.network import compute_outputs
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.light.support import find_unsupported
from rnncls.inference.onnx_predictor import OnnxPredictor
from rnncls.inference.prediction import Prediction
from rnncls.machine.files import read_bytes, sha256_of
from rnncls.nn.scope import ScopeRule
from rnncls.runs.folder import RunFolder, find_run
from rnncls.runs.portable import Array, PortableClassifier, load_portable
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import Vocab

ONNX = ".onnx"
TOLERANCE = 1e-4
"""The largest difference of a probability from that of a test vector."""
_VERSION_DIGITS = 12
_MAX_NAMED = 30
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class ServedModel:
    """A classifier that has passed its test. Several threads may use it.

    Attributes:
        name: The name in the paths of the Open Inference Protocol.
        version: The start of the SHA-256 of its weights.
        predictor: What computes its predictions.
        facts: Its model card.
    """

    name: str
    version: str
    predictor: OnnxPredictor | LightPredictor
    facts: list[Fact]

    @property
    def runtime(self) -> str:
        """The name of the package that computes."""
        is_onnx = isinstance(self.predictor, OnnxPredictor)
        return "onnxruntime" if is_onnx else "numpy"

    @property
    def label_names(self) -> list[str]:
        """The C classes, in the order of the probabilities."""
        if isinstance(self.predictor, OnnxPredictor):
            return self.predictor.label_names
        return self.predictor.classifier.label_names

    @property
    def thresholds(self) -> dict[str, float] | None:
        """The threshold of each label; None: a text has one label."""
        return self.predictor.thresholds

    @property
    def scope_rule(self) -> ScopeRule | None:
        """By which a text fits a class, or none; None: it cannot tell."""
        if isinstance(self.predictor, OnnxPredictor):
            return self.predictor.scope_rule
        return self.predictor.classifier.scope_rule

    @property
    def text(self) -> TextSection:
        """How a text becomes tokens."""
        if isinstance(self.predictor, OnnxPredictor):
            return self.predictor.file.metadata.text
        return self.predictor.classifier.text

    @property
    def vocab(self) -> Vocab:
        """The words."""
        if isinstance(self.predictor, OnnxPredictor):
            return self.predictor.file.metadata.vocab
        return self.predictor.classifier.vocab

    def predict(self, texts: list[str]) -> list[Prediction]:
        """Return one prediction per text, in the order of the texts."""
        return self.predictor.predict(texts)

    def compute_logits(self, encoded: EncodedTexts) -> Array:
        """Return the logits of encoded texts. [N, C] float32."""
        if isinstance(self.predictor, OnnxPredictor):
            return self.predictor.compute_logits(encoded)
        return compute_outputs(self.predictor.classifier, encoded).logits


def load_model(path: Path | None, name: str | None = None) -> ServedModel:
    """Load a classifier and check it.

    Args:
        path: A run folder or an .onnx file; None: the newest finished run.
        name: Its name; None: that of the folder or file.

    Raises:
        RunError: It is missing or damaged, needs torch, or does not reproduce its test
            vectors.
        ConfigError: ONNX Runtime, which an .onnx file needs, is not installed.
    """
    if path is not None and path.suffix.lower() == ONNX and not path.is_dir():
        return _load_file(path, name)
    return _load_run(find_run(path), name)


def _load_file(path: Path, name: str | None) -> ServedModel:
    file = load_onnx(path)
    predictor = OnnxPredictor(file)
    vectors = file.metadata.test_vectors
    texts = [vector.text for vector in vectors]
    expected = np.array([vector.probs for vector in vectors], np.float32)  # [N, C]
    check_predictor(path, predictor, texts, expected)
    version = sha256_of(file.model)[:_VERSION_DIGITS]
    facts = _describe_file(predictor)
    return ServedModel(name or path.stem, version, predictor, facts)


def _load_run(path: Path, name: str | None) -> ServedModel:
    classifier = load_portable(path)
    setting = find_unsupported(classifier.text, classifier.model)
    if setting is not None:
        raise RunError(
            f"{path}: cannot be served: {setting} needs torch: train without it, or use"
            " rnncls predict"
        )
    predictor = _choose_predictor(path, classifier)
    texts = choose_texts(classifier.vocab.words)
    expected = _compute_expected(classifier, texts)  # [N, C]
    check_predictor(path, predictor, texts, expected)
    weights = read_bytes(RunFolder(path).model)
    version = sha256_of(weights)[:_VERSION_DIGITS]
    facts = describe_run(path, classifier)
    return ServedModel(name or path.resolve().name, version, predictor, facts)


def _choose_predictor(
    path: Path, classifier: PortableClassifier
) -> OnnxPredictor | LightPredictor:
    """Return ONNX Runtime if it is there and knows all settings of the run."""
    has_packages = find_spec("onnx") and find_spec("onnxruntime")
    setting = find_unsupported(classifier.text, classifier.model, KNOWN_KEYS)
    if not has_packages or setting is not None:
        return LightPredictor(classifier)
    return OnnxPredictor(parse_onnx(path, build_onnx(classifier)))


def _compute_expected(classifier: PortableClassifier, texts: Sequence[str]) -> Array:
    """Return the probabilities of texts, each alone in NumPy. [N, C] float32."""
    light = LightPredictor(classifier)
    rows = []
    for text in texts:
        (prediction,) = light.predict(text)
        rows.append(list(prediction.probs.values()))
    return np.array(rows, np.float32)


def check_predictor(
    path: Path,
    predictor: OnnxPredictor | LightPredictor,
    texts: Sequence[str],
    expected: npt.NDArray[np.float32],
) -> None:
    """Check that a predictor gives the expected probabilities.

    Args:
        path: What messages name.
        predictor: The predictor.
        texts: N texts, which are predicted in one call.
        expected: [N, C].

    Raises:
        RunError: A probability differs by more than `TOLERANCE`, or is not a number.
    """
    rows = [list(item.probs.values()) for item in predictor.predict(texts)]
    probs = np.array(rows, np.float32)  # [N, C]
    differences = np.abs(probs - expected).max(axis=1)  # [N]
    is_right = differences <= TOLERANCE  # [N]
    if is_right.all():
        return
    first_wrong = int(np.argmin(is_right))
    shown = texts[first_wrong][:_SHOWN_CHARACTERS]
    difference = differences[first_wrong]
    raise RunError(
        f"{path}: does not pass its test on this machine: a probability of {shown!r}"
        f" differs by {difference:.2g}; expected at most {TOLERANCE:g}: export it"
        " again, or report it with rnncls doctor"
    )


def _describe_file(predictor: OnnxPredictor) -> list[Fact]:
    """Return the facts about an ONNX file."""
    metadata = predictor.file.metadata
    labels = predictor.label_names
    names = ", ".join(labels[:_MAX_NAMED])
    num_more = len(labels) - _MAX_NAMED
    more = f" and {num_more} more" if num_more > 0 else ""
    kind = "Labels" if predictor.has_several_labels else "Classes"
    return [
        (kind, f"{len(labels)}: {names}{more}"),
        ("Vocabulary", f"{len(metadata.vocab):,} words"),
        ("Word vectors", f"stored as {metadata.embedding}"),
    ]
