"""Train a classifier from a config to a run folder.

`train` calls the stages one after another. The training step and the loop are in
`rnncls.training.trainer`.
"""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from rnncls.config.sections import (
    Config,
    DataSection,
    DataSettings,
    ModelSection,
    TextSection,
)
from rnncls.data.datasets import columns_of, find_test_file
from rnncls.data.label_sets import count_labels
from rnncls.data.loading import TrainingData, build_training_data
from rnncls.data.readers import find_texts
from rnncls.data.sources import Sources
from rnncls.machine.processes import init_process_group
from rnncls.runs.companions import load_vocab
from rnncls.runs.data_check import check_not_trained_on
from rnncls.runs.pretrained import Pretrained, choose_cleaning, load_pretrained
from rnncls.text.char_ngrams import choose_char_ngrams
from rnncls.text.display import list_names
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import Vocab
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.continuation import load_run_data
from rnncls.training.distillation import add_distillation_targets
from rnncls.training.initialization import build_model, prepare_torch
from rnncls.training.open_run import open_run
from rnncls.training.recording import record_training
from rnncls.training.resume import NEW_RUN, ResumeOptions
from rnncls.training.summary import finish_run

logger = logging.getLogger(__name__)

_MAX_TEXTS_READ_AGAIN = 1000
"""Texts that are looked at again to tell whether they were cut."""


def train(
    config: Config,
    path: Path,
    options: ResumeOptions = NEW_RUN,
    *,
    use_cache: bool = True,
    becomes_latest: bool = True,
    sources: Sources | None = None,
) -> dict[str, Any]:
    """Train a model and write its run folder at `path`; return its summary.

    Args:
        config: All settings.
        path: The run folder.
        options: Whether to continue the run at `path`, and how.
        use_cache: Read and write the cache of tokenised files (rnncls.data.cache).
        becomes_latest: Whether `runs/latest` becomes a link to the run.
        sources: The rows, if they have been read; only of a new run that starts from no
            other one.

    Raises:
        RnnclsError: The config, the data, the device or the run folder is wrong.
        Interrupted: The user stopped the run; it is saved and can be resumed.
    """
    earlier_run = path if options.resume else Path(config.model.pretrained or path)
    config = config.replace(text=choose_cleaning(config.text, earlier_run))
    processes = init_process_group()
    with open_run(config.model_dump(), path, processes, options) as run:
        with processes.raise_everywhere():
            device = prepare_torch(
                config.device,
                config.seed,
                config.model,
                config.train,
                deterministic=config.deterministic,
            )
        with processes.local_main_first():  # it fills the cache for the others
            resumed = path if run.is_resumed else None
            pretrained, vocab = load_start(
                config.text, config.model, resumed, may_change=options.may_change
            )
            settings = config.data_settings
            if sources is not None:
                data = build_training_data(sources, settings)
            else:
                data = load_run_data(
                    settings,
                    vocab,
                    pretrained,
                    config.train.replay,
                    resumed,
                    use_cache=use_cache,
                )
            log_notes(data, config.model, settings)
            check_pretraining_data(pretrained, config.data, data)
            if config.train.teachers:
                data = add_distillation_targets(
                    config.train, settings, data, device, use_cache=use_cache
                )
            model = build_model(
                config.model,
                config.text.vectors,
                data,
                pretrained,
                is_fresh=not run.is_resumed,
            ).to(device)
            trainer = build_classifier_trainer(config.train, model, data, config.seed)
        run.begin(trainer)
        with record_training(trainer, path) as record:
            for step in trainer.steps():  # batch → gradients → update → validation
                record(step)  # metric rows, best weights, state
        return finish_run(
            trainer,
            config.model,
            config.train,
            path,
            was_finished=run.was_finished,
            has_current_results=run.has_current_results,
            becomes_latest=becomes_latest,
        )


def load_start(
    text: TextSection, model: ModelSection, resumed: Path | None, *, may_change: bool
) -> tuple[Pretrained | None, Vocab | None]:
    """Load the model to start from, and the words to keep, if there are any.

    Args:
        text: How texts are read.
        model: The network, and the language model or the run to start from.
        resumed: The folder of a run to resume, which has weights of its own; None: the
            run is new.
        may_change: Whether the data of a resumed run may have other words than the run.

    Raises:
        RnnclsError: A file is missing or damaged, or the network has another shape.
    """
    if resumed is not None:
        is_learned = text.tokenizer == "subwords" or text.vector_words > 0
        keeps_words = model.pretrained is not None or may_change or is_learned
        if not keeps_words:
            return None, None
        return None, load_vocab(resumed).with_ngrams(choose_char_ngrams(text))
    if model.pretrained is None:
        return None, None
    pretrained = load_pretrained(text, model)
    return pretrained, pretrained.vocab


def check_pretraining_data(
    pretrained: Pretrained | None, section: DataSection, data: TrainingData
) -> None:
    """Check that a language model to start from was not trained on held-out rows.

    A run to start from has been considered when the rows were chosen.

    Raises:
        RunError: It is not finished.
        ConfigError: It may have been trained on rows for validation or testing.
    """
    if pretrained is None or pretrained.label_names is not None:
        return
    test_file = find_test_file(section)
    check_not_trained_on(pretrained.path, data.fingerprint, test_file, may_differ=True)


def log_notes(
    data: TrainingData, section: ModelSection, settings: DataSettings
) -> None:
    """Log what a user may not expect of this data and of this config."""
    log_unused_keys(section)
    note_cut_texts(data, settings.data, settings.text)
    log_unvalidated(data)
    if data.continuation is not None and section.ngrams is not None:
        logger.info(
            "model.ngrams: the n-grams are fitted anew, on the %s rows that are trained"
            " on",
            f"{len(data.train.labels):,}",
        )


def log_unvalidated(data: TrainingData) -> None:
    """Log which classes have no validation row, so that no score is about them."""
    counts = count_labels(data.valid.labels, len(data.label_names))
    names = [data.label_names[index] for index in np.flatnonzero(counts == 0)]
    if names:
        logger.info(
            "no validation row, so the validation scores do not cover: %s",
            list_names(names),
        )


def log_unused_keys(section: ModelSection) -> None:
    """Log the keys that have no effect without a recurrent cell."""
    if section.cell == "none" and section.has_network:
        logger.info(
            "cell: none is the mean of the embeddings: hidden_size, num_layers,"
            " bidirectional, tokens_per_step and pooling have no effect"
        )


def note_cut_texts(data: TrainingData, section: DataSection, text: TextSection) -> None:
    """Log how many training texts `text.max_tokens` cuts, and what to set.

    Texts are cut when they are read, so those that fill it are read again. Of very many
    a sample is, and the number is an estimate.
    """
    max_tokens = text.max_tokens
    file = data.fingerprint["files"]["train"]
    full = data.train.rows[data.train.texts.lengths == max_tokens]  # [n]
    full = full[full < file["num_rows"]]  # others are from the files of another run
    if not len(full):
        return
    step = -(-len(full) // _MAX_TEXTS_READ_AGAIN)
    path = Path(file["path"])
    texts = find_texts(path, columns_of(section), full[::step].tolist())
    tokenized = tokenize_texts(texts, text.replace(max_tokens=max_tokens + 1))
    longer = data.vocab.with_max_tokens(max_tokens + 1).divide(tokenized)
    num_cut = round((longer.lengths > max_tokens).mean() * len(full))
    if num_cut:
        logger.info(
            "text.max_tokens: %s%s of %s training texts have more than %d tokens; the"
            " rest of these texts is not read: set it higher, e.g. to %d; 'rnncls"
            " inspect' says how much is cut off",
            "about " if step > 1 else "",
            f"{num_cut:,}",
            f"{len(data.train.rows):,}",
            max_tokens,
            2 * max_tokens,
        )
