"""What happens before the first step: prepare torch, and build the network with its
first weights.
"""

import contextlib
import logging
from collections.abc import Iterator

import torch
from torch import nn

from rnncls import ConfigError
from rnncls.config.sections import Config, ModelSection, TrainSection
from rnncls.data.loading import TrainingData
from rnncls.machine.device import (
    resolve_device,
    resolve_precision,
    use_deterministic_kernels,
)
from rnncls.machine.memory import tune_malloc
from rnncls.machine.processes import init_process_group
from rnncls.machine.seeds import seed_everything
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.initialization import start_from_vectors
from rnncls.runs.pretrained import Pretrained
from rnncls.text.vectors import load_vectors
from rnncls.text.vocab import Vocab

logger = logging.getLogger(__name__)


def start_torch(
    config: Config, train: TrainSection, model: ModelSection
) -> torch.device:
    """Prepare torch for a training, and return the device.

    Args:
        config: All settings, for the device and the seed.
        train: How it is trained.
        model: What is trained.

    Raises:
        DeviceError: The device is not there.
        ConfigError: It cannot compute as the config wants.
    """
    device = init_process_group().local_device(resolve_device(config.device))
    resolve_precision(train.precision, device, model.cell)
    use_deterministic_kernels(wanted=config.deterministic)
    tune_malloc()
    seed_everything(config.seed)
    return device


def build_model(
    config: Config,
    data: TrainingData,
    pretrained: Pretrained | None = None,
    *,
    is_fresh: bool = True,
) -> TextClassifier:
    """Return the network with its first weights, those of a pretrained model or of
    pretrained vectors included.

    Args:
        config: All settings.
        data: For the number of words and of classes.
        pretrained: Where it starts.
        is_fresh: Whether it needs first weights: a run that goes on has its own.

    Raises:
        ConfigError: The network is larger than the memory, or the vectors are wider
            than the embedding.
    """
    with explain_sizes():
        model = TextClassifier(config.model, len(data.vocab), len(data.label_names))
    if pretrained is not None:
        model.load_state_dict(pretrained.weights, strict=False)
    elif config.text.vectors is not None and is_fresh:
        use_vectors(model.embedding, config, data.vocab)
    return model


@contextlib.contextmanager
def explain_sizes() -> Iterator[None]:
    """Name the config where a network is built that no memory holds.

    Raises:
        ConfigError: It is larger than the memory, or than torch can count.
    """
    try:
        yield
    except (RuntimeError, OverflowError, TypeError, ValueError, MemoryError) as error:
        first = str(error).splitlines()[0]
        raise ConfigError(
            f"model: the network cannot be built: its sizes are too large: {first}"
        ) from error


def use_vectors(embedding: nn.Embedding, config: Config, vocab: Vocab) -> None:
    """Copy pretrained vectors into the first columns of an embedding.

    Raises:
        ConfigError: The vectors are wider than the embedding.
    """
    vectors, found = load_vectors(config.text.vectors or "", vocab.words)
    if vectors.shape[1] > embedding.embedding_dim:
        raise ConfigError(
            f"text.vectors: {config.text.vectors} has {vectors.shape[1]} columns, more"
            f" than model.embedding_dim: {embedding.embedding_dim}; make the embedding"
            " as wide or wider"
        )
    start_from_vectors(embedding, vectors, found)
    logger.info(
        "vectors: %s of %s words found in %s",
        f"{found.sum():,}",
        f"{len(found):,}",
        config.text.vectors,
    )
