"""A run as one ONNX file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rnncls import ConfigError, RunError
from rnncls.inference.export.onnx_file import seal_model
from rnncls.inference.export.onnx_metadata import (
    ReferenceText,
    describe_classifier,
    describe_vectors,
)
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.inference.export.test_vectors import choose_texts
from rnncls.inference.light.support import find_unsupported
from rnncls.machine.files import write_atomic
from rnncls.runs.portable import PortableClassifier
from rnncls.text.tokenizer import build_tokenizer

if TYPE_CHECKING:
    from onnx import GraphProto

OPSET, IR_VERSION = 17, 8
"""In every ONNX Runtime since 1.12 (2022), and in onnxruntime-web."""
KNOWN_KEYS = {
    *("text.tokenizer", "text.nfkc", "text.lowercase", "text.clean", "text.mark_case"),
    *("text.same_digits", "text.max_tokens", "text.subwords"),
    *("text.min_freq", "text.max_vocab", "text.vectors", "text.vector_words"),
    *("text.ngram_buckets",),
    *("model.task", "model.cell", "model.embedding_dim", "model.hidden_size"),
    *("model.num_layers", "model.bidirectional", "model.pooling"),
    "model.tokens_per_step",
    *("model.pretrained", "model.ngrams", "model.dropout", "model.word_dropout"),
    *("model.input_dropout", "model.recurrent_dropout"),
}
"""The keys that an exported file respects, or that only matter in training."""


def export_onnx(
    classifier: PortableClassifier,
    path: Path,
    *,
    embedding: EmbeddingType = "float32",
    is_single: bool = False,
) -> None:
    """Write a classifier as an ONNX file.

    Args:
        classifier: The classifier.
        path: The file.
        embedding: The type in which the word vectors are stored.
        is_single: Whether to read one text at a time, for runtimes that cannot reverse
            texts within their lengths.

    Raises:
        ConfigError: The package `onnx` or `onnxruntime` is not installed.
        RunError: The run has a setting that an ONNX file cannot have, or the file
            cannot be written.
    """
    model = build_onnx(classifier, embedding=embedding, is_single=is_single)
    write_atomic(path, model)


def build_onnx(
    classifier: PortableClassifier,
    *,
    embedding: EmbeddingType = "float32",
    is_single: bool = False,
) -> bytes:
    """Return a classifier as the bytes of an ONNX file; see `export_onnx`.

    Raises:
        ConfigError: The package `onnx` or `onnxruntime` is not installed.
        RunError: The run has a setting that an ONNX file cannot have.
    """
    check_exportable(classifier)
    graph = _build_graph(classifier, embedding, is_single=is_single)
    model = _serialize(graph)
    metadata = describe_classifier(classifier, embedding=embedding, is_single=is_single)
    vectors = compute_vectors(classifier, model)
    metadata["test_vectors"] = describe_vectors(vectors)
    return seal_model(model, metadata)


def check_exportable(classifier: PortableClassifier) -> None:
    """Check that the classifier has no setting that exported files lack.

    Raises:
        RunError: It has one.
    """
    setting = find_unsupported(classifier.text, classifier.model, KNOWN_KEYS)
    if setting is None:
        return
    advice = "train without it, or predict with the run itself"
    suggestions: dict[str, str] = {}
    if setting.startswith("text.char_ngrams="):
        # A graph of token ids does not see the characters of unknown words.
        advice += ", or export it as a page"
        suggestions = {"to": "page"}
    raise RunError(
        f"the run cannot be exported: ONNX files do not support {setting}: {advice}",
        suggestions,
    )


def compute_vectors(
    classifier: PortableClassifier, model: bytes
) -> list[ReferenceText]:
    """Return the test vectors of a model."""
    from rnncls.inference.export.predict_script import compute_probs, open_session

    texts = choose_texts(classifier.vocab.words)
    encoded = encode_texts(classifier, texts)
    probs = compute_probs(open_session(model), encoded)  # [N, C]
    best = probs.argmax(axis=1).tolist()  # [N]
    labels = [classifier.label_names[index] for index in best]
    columns = zip(texts, encoded, labels, probs.tolist(), strict=True)
    return [ReferenceText(*values) for values in columns]


def encode_texts(
    classifier: PortableClassifier, texts: Sequence[str]
) -> list[list[int]]:
    """Return the token ids of texts."""
    tokenize, vocab = build_tokenizer(classifier.text), classifier.vocab
    encoded = []
    for text in texts:
        tokens = vocab.divide_tokens(tokenize(text))
        encoded.append(vocab.encode(tokens).tolist())
    return encoded


def _build_graph(
    classifier: PortableClassifier, embedding: EmbeddingType, *, is_single: bool
) -> "GraphProto":
    try:
        import onnx  # noqa: F401 - the module below needs it
        import onnxruntime  # noqa: F401 - to compute the test vectors
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"export needs the package {error.name}: pip install 'rnncls[onnx]'"
        ) from error
    from rnncls.inference.export.onnx_graph import build_graph

    return build_graph(classifier, embedding=embedding, is_single=is_single)


def _serialize(graph: "GraphProto") -> bytes:
    """Return a model with a graph, after the checks of the package `onnx`."""
    from onnx import checker, helper

    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="rnncls",
    )
    checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content
