"""Pretraining: a language model from texts without labels, for a classifier of the same
shape to start from.

Shapes: B texts, T tokens.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnncls import ConfigError, DataError
from rnncls.config.describe import get_default
from rnncls.config.sections import Config, ModelSection, TrainSection
from rnncls.data.loading import TrainingData, load_language_data
from rnncls.evaluation.evaluator import BATCH_SIZE
from rnncls.machine import files as storage
from rnncls.nn.language_model import LanguageModel
from rnncls.runs import checkpoint
from rnncls.text.batching import Batch, iter_batches, plan_in_order_of_length
from rnncls.training.initialization import explain_sizes, start_torch, use_vectors
from rnncls.training.loss import Draws
from rnncls.training.run import check_run_folder, run_to_end, start_or_resume, summarise
from rnncls.training.trainer import Trainer


class LanguageTrainer(Trainer):
    """A trainer whose loss is the surprise at each next word."""

    file = checkpoint.LANGUAGE_MODEL
    section_name = "pretrain"

    def __init__(
        self, section: TrainSection, model: LanguageModel, data: TrainingData, seed: int
    ) -> None:
        """Take a model on its device, and the data on the host."""
        super().__init__(section, model, data, seed)  # type: ignore[arg-type]  # what differs is overridden below
        self.language_model = model
        if not self._count(data.train.texts.lengths) or not self._count(
            data.valid.texts.lengths
        ):
            raise DataError(
                "no text of the training or of the validation rows has two words:"
                " nothing to guess"
            )

    def draw(self, batch: Batch, generator: torch.Generator) -> Draws:
        """Draw what is dropped."""
        return Draws(self.language_model.sample_dropout(len(batch), generator))

    def loss(
        self, whole: Batch, read: Batch, table: torch.Tensor, draws: Draws
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the summed surprise at all words of some texts but the first; nothing
        is judged right or wrong.
        """
        options = {"word_vectors": table, "dropout": draws.dropout, "dtype": self.dtype}
        words = whole.token_ids  # [B, T]
        loss = self.language_model(
            read.token_ids, words, read.lengths, is_ragged=read.is_ragged, **options
        )
        return loss, torch.zeros((), dtype=torch.int64, device=self.device)

    def count_targets(self, rows: npt.NDArray[np.int64]) -> int:
        """Return how many words are guessed in the training texts with these numbers,
        once for each direction.
        """
        return max(1, self._count(self.data.train.texts.lengths[rows]))

    def score(self) -> dict[str, float]:
        """Return the mean surprise in nats at a word of the validation rows, and its
        exponential, the perplexity.
        """
        texts = self.data.valid.texts

        @torch.inference_mode()
        def read(batch: Batch) -> float:
            ids, lengths = (
                batch.token_ids.to(self.device),
                batch.lengths.to(self.device),
            )
            loss: torch.Tensor = self.language_model(
                ids, ids, lengths, is_ragged=batch.is_ragged
            )
            return loss.item()

        num_texts = (
            BATCH_SIZE // 2
            # for there are logits of the head's words at each position, in both directions
        )
        batches = list(
            iter_batches(texts, plan_in_order_of_length(texts.lengths, num_texts))
        )[::-1]
        loss = math.fsum(self.workers.map(read, batches)) / self._count(texts.lengths)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def _count(self, lengths: npt.NDArray[np.int64]) -> int:
        return int((lengths - 1).sum()) * (
            2 if self.language_model.section.bidirectional else 1
        )


def pretrain(
    config: Config,
    path: Path,
    *,
    resume: bool = False,
    may_change: bool = False,
    use_cache: bool = True,
) -> dict[str, Any]:
    """Train a language model and leave it at `path`, for `model.pretrained`; return its
    summary.

    Args:
        config: All settings.
        path: The folder, which must not exist unless `resume` is set.
        resume: Go on exactly where an earlier call stopped.
        may_change: Go on, not exactly, where the config or the data is another.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        RnnclsError: The config, the data, the device or the folder is wrong.
        Interrupted: The user stopped it; it is saved and can be resumed.
    """
    file = checkpoint.LANGUAGE_MODEL
    resume = check_run_folder(
        config, path, resume=resume, may_change=may_change, file=file
    )
    if (
        config.model.pretrained
        and Path(config.model.pretrained).resolve() != path.resolve()
    ):
        raise ConfigError(
            "model.pretrained: a language model starts afresh: leave it out, or name"
            f" --out, {path}"
        )
    section, model_section = _sections(config)
    device = start_torch(config, section, model_section)
    vocab = checkpoint.load_vocab(path) if resume and may_change else None
    data = load_language_data(config, vocab, use_cache=use_cache)
    with explain_sizes():
        model = LanguageModel(model_section, len(data.vocab))
    if config.text.vectors is not None and not resume:
        use_vectors(model.embedding, config, data.vocab)
    trainer = LanguageTrainer(section, model.to(device), data, config.seed)
    with checkpoint.hold(path):
        start_or_resume(trainer, config, path, resume=resume, may_change=may_change)
        run_to_end(trainer, path)
        summary = summarise(trainer, path, ("loss", "perplexity"))
        storage.write_json(path / checkpoint.SUMMARY, summary)
    return summary


def _sections(config: Config) -> tuple[TrainSection, ModelSection]:
    """Return how to train the language model, and its shape.

    Raises:
        ConfigError: The network cannot be one.
    """
    if config.model.cell == "none":
        raise ConfigError(
            "model.cell: none has no states to guess the next word from: use rnn, lstm"
            " or gru"
        )
    mixes_directions = config.model.cell != "grid_lstm"
    if mixes_directions and config.model.bidirectional and config.model.num_layers > 1:
        raise ConfigError(
            "model.num_layers: a second layer over both directions would see the word"
            " that it is to guess: pretrain with num_layers: 1, or with bidirectional:"
            " false"
        )
    own = config.pretrain
    train = {
        "max_epochs": own.max_epochs,
        "batch_size": own.batch_size,
        "lr": own.lr,
        "schedule": "one_cycle",
    }
    for_the_classifier = (
        *("layer_lr_decay", "freeze_encoder", "freeze_embedding", "average"),
        *("class_weights", "sampling", "focal_gamma"),
    )
    train |= {key: get_default(TrainSection, key) for key in for_the_classifier}
    dropout = {"dropout": own.dropout, "word_dropout": own.word_dropout}
    return (
        config.train.replace(**train, monitor="loss", patience=None),
        config.model.replace(**dropout),
    )
