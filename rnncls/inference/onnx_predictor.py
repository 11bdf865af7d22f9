"""Predictions of an exported ONNX file. Does not import torch.

Shapes: N texts, M tokens in all of them, C classes.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError, RunError
from rnncls.config.sections import DataSection
from rnncls.inference.export.onnx_file import OnnxFile, load_onnx
from rnncls.inference.labelling import decide_fits, find_thresholds, label_texts
from rnncls.inference.prediction import Prediction
from rnncls.inference.texts import check_texts
from rnncls.inference.windows import tokenize_windows
from rnncls.nn.scope import ScopeRule
from rnncls.text.encoded_texts import EncodedTexts, count_tokens, encode_pieces
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_State = tuple[OnnxFile, float, dict[str, float] | None]


class OnnxPredictor:
    """A classifier of an ONNX file. Several threads may use it, and it can be pickled.

    Attributes:
        file: The file's bytes and metadata.
        min_confidence: Below this probability there is no answer.
        thresholds: From which probability on a text has a label, for each label; None:
            a text has one label.
    """

    def __init__(
        self,
        file: OnnxFile,
        *,
        min_confidence: float = 0.0,
        threshold: float | None = None,
    ) -> None:
        """Start a session of ONNX Runtime.

        Args:
            file: What `load_onnx` returned.
            min_confidence: Below this probability there is no answer.
            threshold: The threshold of all labels; None: those of the file.

        Raises:
            ConfigError: ONNX Runtime is not installed; or a threshold was given for a
                file with one label a text.
            RunError: ONNX Runtime cannot read the file, or it has other classes than
                its metadata say.
        """
        metadata = file.metadata
        self.file = file
        self.min_confidence = min_confidence
        self.thresholds = find_thresholds(
            metadata.label_names, metadata.thresholds, threshold
        )
        self._session = _start_session(file)

    def __getstate__(self) -> _State:
        """Return what the session was made of; a session cannot be pickled."""
        return self.file, self.min_confidence, self.thresholds

    def __setstate__(self, state: _State) -> None:
        """Start a new session."""
        self.file, self.min_confidence, self.thresholds = state
        self._session = _start_session(self.file)

    @property
    def label_names(self) -> list[str]:
        """The C classes, in the order of the probabilities."""
        return self.file.metadata.label_names

    @property
    def has_several_labels(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.file.metadata.thresholds is not None

    @property
    def scope_rule(self) -> ScopeRule | None:
        """By which a text fits a class, or none; None: the file cannot tell."""
        return self.file.metadata.scope_rule

    @property
    def data(self) -> DataSection:
        """Where the texts of a file are found: the columns of the run."""
        return self.file.metadata.data

    def predict(self, texts: str | Iterable[str]) -> list[Prediction]:
        """Return one prediction per text, in the order of the texts.

        Args:
            texts: One text, or a list, tuple, generator, array or Series of texts.

        Raises:
            TypeError: An item is not a string.
        """
        checked = check_texts(texts)
        metadata = self.file.metadata
        tokenized = tokenize_texts(checked, metadata.text)
        return self._predict(checked, metadata.vocab.divide(tokenized))

    def stream(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions for all texts in their order, one window at a time."""
        metadata = self.file.metadata
        windows = tokenize_windows(chunks, metadata.text, metadata.vocab)
        for texts, tokenized in windows:
            yield self._predict(texts, tokenized)

    def stream_live(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions for each chunk before the next chunk is read."""
        for chunk in chunks:
            yield self.predict(chunk)

    def _predict(self, texts: list[str], tokenized: TokenizedTexts) -> list[Prediction]:
        """Return the predictions for texts and their tokens."""
        encoded = encode_pieces(tokenized, self.file.metadata.vocab)
        logits, probs = self._compute_outputs(encoded)  # [N, C], [N, C]
        counts = count_tokens(tokenized, encoded)  # [N, 3]
        scope_rule = self.file.metadata.scope_rule
        fits = decide_fits(logits, counts, scope_rule, reads_unknown=False)
        return label_texts(
            texts,
            probs.tolist(),
            counts.tolist(),
            self.label_names,
            self.min_confidence,
            self.thresholds,
            fits,
        )

    def compute_logits(self, encoded: EncodedTexts) -> npt.NDArray[np.float32]:
        """Return the logits of encoded texts. [N, C] float32.

        Several threads may call it at once.
        """
        from rnncls.inference.export.predict_script import (
            batch_rows,
            get_max_batch,
            pad,
        )

        texts = _split_texts(encoded.flat_tokens(), encoded.lengths)
        logits = np.zeros((len(texts), len(self.label_names)), np.float32)  # [N, C]
        for rows in batch_rows(texts, get_max_batch(self._session)):
            token_ids = pad([texts[row] for row in rows])  # [B, T]
            inputs = {"token_ids": token_ids}
            (batch_logits,) = self._session.run(["logits"], inputs)  # [B, C]
            logits[rows] = batch_logits
        return logits

    def _compute_outputs(
        self, encoded: EncodedTexts
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the logits and the probabilities. [N, C] float32 each."""
        from rnncls.inference.export.predict_script import compute_outputs

        texts = _split_texts(encoded.token_ids, encoded.lengths)
        return compute_outputs(self._session, texts)


def _split_texts(
    token_ids: npt.NDArray[np.int32], lengths: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.int32]]:
    """Return the token ids of each text, which follow each other. [M], [N]."""
    if not len(lengths):
        return []
    ends = np.cumsum(lengths)
    return np.split(token_ids, ends[:-1])


def load_onnx_predictor(
    path: str | Path,
    *,
    min_confidence: float = 0.0,
    threshold: float | None = None,
) -> OnnxPredictor:
    """Load a file that `rnncls export` wrote.

    Raises:
        RunError: The file is missing or damaged, or it is another model.
        ConfigError: ONNX Runtime is not installed; or an option does not fit the number
            of labels of a text.
    """
    file = load_onnx(Path(path))
    return OnnxPredictor(file, min_confidence=min_confidence, threshold=threshold)


def _start_session(file: OnnxFile) -> "InferenceSession":
    """Return a session that computes what the metadata of the file say.

    Raises:
        ConfigError: ONNX Runtime is not installed.
        RunError: ONNX Runtime cannot read the file, or it has other outputs.
    """
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as errors

        from rnncls.inference.export.predict_script import open_session
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{file.path}: needs the package onnxruntime: pip install 'rnncls[onnx]'"
        ) from error
    refused = (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NotImplemented,
        errors.RuntimeException,
    )
    try:
        session = open_session(file.model)
    except refused as error:
        reason = str(error).partition("\n")[0]
        raise RunError(f"{file.path}: ONNX Runtime refuses it: {reason}") from error
    inputs = [node.name for node in session.get_inputs()]
    shapes = {node.name: node.shape for node in session.get_outputs()}
    num_classes = len(file.metadata.label_names)
    if inputs != ["token_ids"] or shapes.get("probs", [0])[-1] != num_classes:
        raise RunError(
            f"{file.path}: damaged: expected the input token_ids and the output probs"
            f" of {num_classes} classes, found {inputs} and {shapes}"
        )
    return session
