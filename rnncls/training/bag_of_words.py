"""The bag of words of a run: the same training, with `model.cell: none`."""

import logging
import shutil
import tempfile
from pathlib import Path

from rnncls import RunError
from rnncls.config.loading import load_config, parse_config
from rnncls.config.sections import Config, ModelSection, TrainSection
from rnncls.config.yaml_format import dump_config
from rnncls.data.continued import load_continued_data
from rnncls.data.loading import load_training_data
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.companions import load_vocab
from rnncls.runs.continuation import load_continuation
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import Run, create_run, load_run
from rnncls.runs.weights import save_model, save_temperature
from rnncls.training.calibration import calibrate
from rnncls.training.classification import build_fresh_trainer
from rnncls.training.initialization import prepare_torch
from rnncls.training.trainer import Trainer

BATCH_FACTOR = 4
"""A bag of words uses batches this many times larger than its run's, and a learning
rate larger by the square root of it …"""
MIN_STEPS = 100
"""… if an epoch still has at least this many steps."""
logger = logging.getLogger(__name__)


def train_or_load_bag(run: Run, overrides: list[str], *, use_cache: bool = True) -> Run:
    """Return the bag of words in a run's folder; train it if there is none yet.

    Args:
        run: The run.
        overrides: Changes to the config of the bag of words, KEY.PATH=VALUE each.
        use_cache: Whether to use the cache of tokenised data.

    Raises:
        RnnclsError: The config or the data is invalid, or the folder is not writable.
    """
    config = bag_config(run, overrides)
    path = RunFolder(run.path).bag_of_words
    changed_keys = {override.partition("=")[0].strip() for override in overrides}
    may_enlarge = not changed_keys & {"train.batch_size", "train.lr"}
    accepted = [config]
    if may_enlarge:
        accepted.append(config.replace(train=with_larger_batches(config.train)))
    folder = RunFolder(path)
    if not folder.model.exists() or load_config(folder.config) not in accepted:
        train_bag(config, path, may_enlarge=may_enlarge, use_cache=use_cache)
    return load_run(path)


def bag_config(run: Run, overrides: list[str]) -> Config:
    """Return a run's config without recurrent cell, pretrained model and teachers.

    The loss selects the best epoch, and nothing stops the training early: the accuracy
    of a bag of words can stay the same for many epochs while its loss still falls.
    """
    changes = [
        "model.cell=none",
        "model.pretrained=null",
        "model.ngrams=null",
        "train.teachers=[]",
        "train.precision=float32",
        "train.monitor=loss",
        "train.patience=null",
        *overrides,
        "model.cell=none",
    ]
    source = str(RunFolder(run.path).config)
    return parse_config(dump_config(run.config), source, changes)


def with_larger_batches(section: TrainSection) -> TrainSection:
    """Return the section with larger batches and a higher learning rate.

    A step of a bag of words mostly updates word vectors. Larger batches take a third of
    the time, with the same accuracy (docs/results/performance.md).
    """
    return section.replace(
        batch_size=BATCH_FACTOR * section.batch_size,
        lr=BATCH_FACTOR**0.5 * section.lr,
    )


def train_bag(
    config: Config, path: Path, *, may_enlarge: bool, use_cache: bool
) -> None:
    """Train a bag of words and save it at `path`, replacing an earlier one.

    Args:
        config: Its config.
        path: Its folder.
        may_enlarge: Whether to use larger batches where the data is large enough.
        use_cache: Whether to use the cache of tokenised data.

    Raises:
        RnnclsError: The config or the data is invalid, or the folder is not writable.
    """
    logger.info(
        "training a bag of words with the same embedding size; it is saved in %s", path
    )
    device = prepare_torch(
        config.device,
        config.seed,
        config.model,
        config.train,
        deterministic=config.deterministic,
    )
    settings = config.data_settings
    continuation = load_continuation(path.parent)
    if continuation is None:
        data = load_training_data(settings, use_cache=use_cache)
    else:  # the rows and words of the run, which its config does not give
        vocab = load_vocab(path.parent)
        data = load_continued_data(continuation, settings, vocab, use_cache=use_cache)
    if may_enlarge:
        larger = with_larger_batches(config.train)
        if len(data.train.texts) >= MIN_STEPS * larger.batch_size:
            config = config.replace(train=larger)
    trainer = build_fresh_trainer(
        config.model, config.train, config.text.vectors, config.seed, device, data
    )
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".bag-") as name:
            unfinished = Path(name) / path.name
            create_run(
                unfinished,
                dump_config(config),
                data.vocab,
                data.label_names,
                data.continuation,
            )
            _save_best(trainer, unfinished)
            if config.model.has_several_labels:
                _add_thresholds(trainer, config.model, config.train, unfinished)
            shutil.rmtree(path, ignore_errors=True)
            unfinished.rename(path)
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written: {error.strerror}: train a run with"
            " model.cell: none elsewhere, and give it with --baseline"
        ) from error


def _add_thresholds(
    trainer: Trainer[TextClassifier],
    model: ModelSection,
    train: TrainSection,
    path: Path,
) -> None:
    """Choose the thresholds of the labels as for the run, and save them."""
    calibration = calibrate(trainer, model, train, path)
    save_temperature(path, calibration.temperature, thresholds=calibration.thresholds)


def _save_best(trainer: Trainer[TextClassifier], path: Path) -> None:
    """Train to the end, and save the model after each best validation so far."""
    for step in trainer.steps():
        if step.validation is not None and step.validation["is_best"]:
            num_vector_words = trainer.data.vocab.num_vector_words
            save_model(path, trainer.eval_model, num_vector_words=num_vector_words)
