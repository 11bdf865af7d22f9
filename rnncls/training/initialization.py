"""Prepare torch for a training, and build the classifier with its first weights."""

import contextlib
import logging
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from rnncls import ConfigError
from rnncls.config.sections import ModelSection, TextSection, TrainSection
from rnncls.data.loading import TrainingData
from rnncls.data.splits import Labels
from rnncls.machine.device import (
    resolve_device,
    resolve_precision,
    use_deterministic_kernels,
)
from rnncls.machine.memory import tune_malloc
from rnncls.machine.processes import init_process_group
from rnncls.machine.seeds import seed_everything
from rnncls.nn.classifier import TextClassifier, add_ngrams
from rnncls.nn.initialization import start_from_vectors, start_vector_words
from rnncls.runs.pretrained import Pretrained, load_pretrained
from rnncls.runs.run import Run
from rnncls.text.vectors import load_vectors
from rnncls.text.vocab import Vocab
from rnncls.training.linear_targets import compute_log_odds

logger = logging.getLogger(__name__)
_VECTORS_FOUND = "vectors: %s of %s different words of the vocabulary found in %s%s"


def prepare_torch(
    device_name: str,
    seed: int,
    model: ModelSection,
    train: TrainSection,
    *,
    deterministic: bool,
) -> torch.device:
    """Set the seed, the kernels and the memory allocator, and return the device.

    Args:
        device_name: As `device` in the config names it.
        seed: The seed of the run.
        model: Gives the cell, which may not support each precision.
        train: Gives the precision.
        deterministic: Whether to use only deterministic GPU kernels.

    Raises:
        DeviceError: The device does not exist.
        ConfigError: The device does not support `train.precision`.
    """
    device = init_process_group().local_device(resolve_device(device_name))
    resolve_precision(train.precision, device, model.cell)
    use_deterministic_kernels(wanted=deterministic)
    tune_malloc()
    seed_everything(seed)
    return device


def build_model(
    section: ModelSection,
    vectors: str | None,
    data: TrainingData,
    pretrained: Pretrained | None = None,
    *,
    is_fresh: bool = True,
) -> TextClassifier:
    """Return the network with its first weights.

    They are those of a pretrained language model or of an earlier run, or random ones
    with pretrained word vectors, if there are any. New words and classes have random
    ones.

    Args:
        section: The shape of the network.
        vectors: The pretrained word vectors, as `text.vectors` names them.
        data: For the number of words and of classes.
        pretrained: The language model or the run to start from.
        is_fresh: Whether to load pretrained vectors. A resumed run loads weights of its
            own.

    Raises:
        ConfigError: The network does not fit into memory, or the vectors are wider than
            the embedding.
    """
    with explain_sizes():
        model = TextClassifier(section, data.vocab.num_rows, len(data.label_names))
    needs_vectors = section.has_network and _lacks_words(pretrained, data.vocab)
    if vectors is not None and needs_vectors and is_fresh:
        train_tokens = data.train.texts.flat_tokens()
        copy_vectors(model.embedding, vectors, data.vocab, train_tokens)
    if section.has_several_labels and is_fresh:
        start_from_frequencies(model, data.train.labels)
    if pretrained is not None:
        start_from_pretrained(model, pretrained, len(data.vocab))
    return model


def _lacks_words(pretrained: Pretrained | None, vocab: Vocab) -> bool:
    """Return whether there may be words that a pretrained model has no vectors for."""
    is_language_model = pretrained is not None and pretrained.label_names is None
    return not is_language_model or vocab.num_vector_words > 0


def start_from_pretrained(
    model: TextClassifier, pretrained: Pretrained, num_words: int
) -> None:
    """Copy the weights of a language model or of an earlier run.

    The words and the classes that the pretrained model has come first; those that
    follow keep their weights, as do words of a file of vectors. The vectors of n-grams
    are after those of the words.

    Args:
        model: A network with its first weights.
        pretrained: The weights of a network of the same form.
        num_words: The words of the network, `<pad>` and `<unk>` included.
    """
    weights = dict(pretrained.weights)
    num_known = len(pretrained.vocab.trained_words)
    vectors = weights.pop("embedding.weight")  # [rows of the pretrained model, E]
    with torch.no_grad():
        model.embedding.weight[:num_known] = vectors[:num_known]
        model.embedding.weight[num_words:] = vectors[len(pretrained.vocab) :]
        if pretrained.label_names is not None:
            num_classes = len(pretrained.label_names)
            model.linear.weight[:num_classes] = weights.pop("linear.weight")
            model.linear.bias[:num_classes] = weights.pop("linear.bias")
    model.load_state_dict(weights, strict=False)


def start_from_frequencies(model: TextClassifier, labels: Labels) -> None:
    """Set the output bias to the log odds of each label (Lin et al. 2017).

    Otherwise the first steps would learn mostly that labels are rare.

    Args:
        model: A network with its first weights.
        labels: [N, C] bool, the label sets of the training rows.
    """
    with torch.no_grad():
        model.linear.bias.copy_(compute_log_odds(torch.from_numpy(labels)))


@contextlib.contextmanager
def explain_sizes() -> Iterator[None]:
    """Turn torch's errors about sizes of a network into one about the config.

    Raises:
        ConfigError: The network does not fit into memory, or its sizes overflow.
    """
    try:
        yield
    except (RuntimeError, OverflowError, TypeError, ValueError, MemoryError) as error:
        first_line = str(error).splitlines()[0]
        raise ConfigError(
            f"model: the network cannot be built: its sizes are too large: {first_line}"
        ) from error


def copy_vectors(
    embedding: nn.Embedding,
    vectors_name: str,
    vocab: Vocab,
    token_ids: npt.NDArray[np.int32] | None = None,
) -> None:
    """Copy pretrained vectors into the first columns of an embedding.

    Args:
        embedding: One row for each word of the vocabulary.
        vectors_name: As `text.vectors` names them.
        vocab: The words.
        token_ids: [M] int32, those of the training rows, of which the message says how
            many have a vector; None: it does not.

    Raises:
        ConfigError: The vectors are wider than the embedding.
    """
    vectors, has_vector = load_vectors(vectors_name, vocab.words)
    if vectors.shape[1] > embedding.embedding_dim:
        raise ConfigError(
            f"text.vectors: {vectors_name} has {vectors.shape[1]} columns, more than"
            f" model.embedding_dim: {embedding.embedding_dim}; make the embedding as"
            " wide or wider"
        )
    start_from_vectors(embedding, vectors, has_vector)
    if vocab.num_vector_words:
        _start_vector_words(embedding, vectors[-vocab.num_vector_words :], vectors_name)
    num_trained = len(vocab.trained_words)
    logger.info(
        _VECTORS_FOUND,
        f"{has_vector[:num_trained].sum():,}",
        f"{num_trained:,}",
        vectors_name,
        _describe_vector_words(vocab)
        + ("" if token_ids is None else _describe_coverage(has_vector, token_ids)),
    )


def _describe_vector_words(vocab: Vocab) -> str:
    """Return in words how many words a vocabulary has from a file of vectors."""
    if not vocab.num_vector_words:
        return ""
    return f", and {vocab.num_vector_words:,} further words of it added"


def _start_vector_words(
    embedding: nn.Embedding, vectors: torch.Tensor, vectors_name: str
) -> None:
    """Set the vectors of words that no training row has. [X, D] float32.

    Raises:
        ConfigError: A number is too large to be stored.
    """
    rounded = vectors.half()
    if not rounded.isfinite().all():
        raise ConfigError(
            f"text.vector_words: {vectors_name}: a vector has a number beyond 65504,"
            " the largest one in float16: set text.vector_words to 0"
        )
    start_vector_words(embedding, rounded)


def _describe_coverage(
    has_vector: torch.Tensor, token_ids: npt.NDArray[np.int32]
) -> str:
    """Return the share of the training rows' tokens that have a vector, in words.

    Args:
        has_vector: [V] bool, whether each word has one.
        token_ids: [M] int32.
    """
    is_word = token_ids < len(has_vector)  # other ids are those of rare words
    num_found = has_vector.numpy()[token_ids[is_word]].sum()
    share = num_found / max(len(token_ids), 1)
    return f" ({share:.1%} of the tokens of the training rows)"


@contextlib.contextmanager
def log_vectors_once() -> Iterator[None]:
    """Log for one network only how many words have vectors, not for each fold."""
    was_logged = False

    def is_new(record: logging.LogRecord) -> bool:
        nonlocal was_logged
        if record.msg != _VECTORS_FOUND:
            return True
        is_first, was_logged = not was_logged, True
        return is_first

    logger.addFilter(is_new)
    try:
        yield
    finally:
        logger.removeFilter(is_new)


def initial_model(
    section: ModelSection,
    text: TextSection,
    seed: int,
    vocab: Vocab,
    label_names: list[str],
    label_sets: Labels | None = None,
) -> TextClassifier:
    """Return the network with the first weights of a training with these settings.

    Args:
        section: The shape of the network.
        text: For its pretrained vectors.
        seed: The seed of the training.
        vocab: The words.
        label_names: The C classes.
        label_sets: [N, C] bool, of the training rows; None: a text has one label.

    Raises:
        RnnclsError: Its pretrained model or vectors no longer exist.
    """
    pretrained = None
    if section.pretrained:
        pretrained = load_pretrained(text, section)
    seed_everything(seed)
    model = TextClassifier(section, vocab.num_rows, len(label_names)).eval()
    needs_vectors = section.has_network and _lacks_words(pretrained, vocab)
    if text.vectors is not None and needs_vectors:
        copy_vectors(model.embedding, text.vectors, vocab)
    if label_sets is not None:
        start_from_frequencies(model, label_sets)
    if pretrained is not None:
        start_from_pretrained(model, pretrained, len(vocab))
    return add_ngrams(model, vocab.word_ngrams)


def initial_model_of(run: Run, label_sets: Labels | None = None) -> TextClassifier:
    """Return a run's network before training.

    For a run with teachers, it is another random draw of such weights.

    Args:
        run: The run.
        label_sets: [N, C] bool, of its training rows; None: a text has one label.
    """
    config, classifier = run.config, run.classifier
    return initial_model(
        config.model,
        config.text,
        config.seed,
        classifier.vocab,
        classifier.label_names,
        label_sets,
    )
