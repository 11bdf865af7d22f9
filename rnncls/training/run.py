"""A training from its config to its run folder: begun, held, saved, gone on with and
finished.

`train` is the whole; what happens in between is `Trainer.steps`
(rnncls.training.trainer).

Shapes: N texts, C classes.
"""

import contextlib
import logging
import platform
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError

import rnncls
from rnncls import ConfigError, Interrupted, RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.data.checksums import checksum
from rnncls.data.datasets import find_test_file
from rnncls.data.loading import load_training_data
from rnncls.evaluation.calibration import fit_temperature
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import wilson_interval
from rnncls.machine import files as storage
from rnncls.machine.processes import init_process_group, torchrun_id
from rnncls.machine.signals import stop_on_signal
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.data_check import check_not_trained_on
from rnncls.runs.folder import (
    CONFIG,
    MODEL,
    RUNS_DIR,
    STATE,
    RunFolder,
    lock_run,
    point_latest_at,
)
from rnncls.runs.manifest import COMPANIONS, Manifest
from rnncls.runs.metric_rows import append_row, checksum_of_rows, keep_rows, read_rows
from rnncls.runs.model_card import model_card
from rnncls.runs.pretrained import load_pretrained
from rnncls.runs.progress import TrainingBar
from rnncls.runs.run import change_config, create_run, load_uncalibrated
from rnncls.runs.tensorboard import event_log
from rnncls.runs.weights import (
    load_labels,
    load_verified,
    load_vocab,
    pop_temperature,
    save_model,
    save_temperature,
)
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.distillation import add_distillation_targets
from rnncls.training.initialization import build_model, start_torch
from rnncls.training.state import TrainerState
from rnncls.training.trainer import Trainer

logger = logging.getLogger(__name__)


def train(
    config: Config,
    path: Path,
    *,
    resume: bool = False,
    may_change: bool = False,
    use_cache: bool = True,
) -> dict[str, Any]:
    """Train a model and leave a run folder at `path`; return its summary.

    Args:
        config: All settings.
        path: The run folder, which must not exist unless `resume` is set.
        resume: Go on exactly where the run at `path` stopped.
        may_change: Go on, not exactly, where the config or the data is another.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        RnnclsError: The config, the data, the device or the run folder is wrong.
        Interrupted: The user stopped the run; it is saved and can be resumed.
    """
    processes = init_process_group()
    resume = processes.broadcast_from_main(
        lambda: check_run_folder(config, path, resume=resume, may_change=may_change)
    )
    with processes.raise_everywhere():
        device = start_torch(config, config.train, config.model)
    if config.model.cell == "none":
        logger.info(
            "cell: none is the mean of the embeddings: hidden_size, num_layers,"
            " bidirectional and pooling do nothing"
        )
    with processes.local_main_first():  # its work is in the cache for the others
        trainer = build_trainer(
            config,
            path,
            device,
            resume=resume,
            may_change=may_change,
            use_cache=use_cache,
        )
    with hold_run(trainer, config, path, resume=resume, may_change=may_change):
        run_to_end(trainer, path)
        with processes.main_first():
            if not processes.is_main:
                return storage.read_json(RunFolder(path).summary)
            return finish_run(trainer, config, path)


def build_trainer(
    config: Config,
    path: Path,
    device: torch.device,
    *,
    resume: bool,
    may_change: bool,
    use_cache: bool,
) -> Trainer[TextClassifier]:
    """Read the data and build the model of a run at `path`, with its first weights.

    Raises:
        RnnclsError: The config, the data or the run folder is wrong.
    """
    pretrained, vocab = None, None
    if resume and (config.model.pretrained or may_change):
        vocab = load_vocab(path)  # all else has come over
    elif config.model.pretrained:
        pretrained = load_pretrained(config.text, config.model)
        vocab = pretrained.vocab
    data = load_training_data(config, vocab, use_cache=use_cache)
    if pretrained is not None:
        start = Path(config.model.pretrained or "")
        check_not_trained_on(
            start, data.fingerprint, find_test_file(config.data), may_differ=True
        )
    if config.train.teachers:
        data = add_distillation_targets(config, data, device, use_cache=use_cache)
    model = build_model(config, data, pretrained, is_fresh=not resume)
    return build_classifier_trainer(config.train, model.to(device), data, config.seed)


@contextlib.contextmanager
def hold_run(
    trainer: Trainer[Any],
    config: Config,
    path: Path,
    *,
    resume: bool,
    may_change: bool = False,
) -> Iterator[None]:
    """Hold a run folder, in which a trainer starts or resumes; of several processes the
    first one holds and writes it.

    Raises:
        ConfigError: The folder has been taken since it was looked at.
        RunError: Another training is at it, or the run cannot be gone on with.
    """
    is_first = trainer.processes.is_main
    with contextlib.ExitStack() as held:
        with trainer.processes.main_first():
            if is_first:
                held.enter_context(lock_run(path))
                if launch := torchrun_id():
                    storage.write_atomic(RunFolder(path).launch, launch.encode())
            # The others take over what the first one has written: so all of them stand
            # at the same point.
            start_or_resume(
                trainer,
                config,
                path,
                resume=resume or not is_first,
                may_change=may_change,
            )
        yield


def start_or_resume(
    trainer: Trainer[Any],
    config: Config,
    path: Path,
    *,
    resume: bool,
    may_change: bool = False,
) -> None:
    """Make the run folder of a fresh trainer, or bring the trainer to where the run at
    `path` stopped.

    Raises:
        ConfigError: The folder has been taken since it was looked at.
        RunError: The run cannot be gone on with.
    """
    if resume:
        load_state(trainer, path, may_change=may_change)
        if load_config(RunFolder(path).config) != config:
            change_config(path, config, trainer.file)
        if trainer.is_finished:
            logger.info(
                "%s",
                f"nothing is left to do after epoch {trainer.num_validations}:"
                f" {trainer.why_finished}",
            )
        return
    if not RunFolder(path).has_no_checkpoint():
        raise ConfigError(
            f"{path}: another process has just begun a run here; choose another --out"
        )
    create_run(path, config, trainer.data.vocab, trainer.label_names)
    save_state(trainer, path)


def run_to_end(trainer: Trainer[Any], path: Path) -> None:
    """Train to the end with a bar on a terminal; write rows, the best weights and the
    state as they come.
    """
    clock = SaveClock(trainer.options.save_every)
    tokens_per_text = float(trainer.data.train.texts.lengths.mean())
    is_first = trainer.processes.is_main
    events = (
        RunFolder(path).events if trainer.options.tensorboard and is_first else None
    )
    with (
        event_log(events, trainer.step + 1) as add_event,
        stop_on_signal(is_announced=is_first) as stop,
        TrainingBar(
            trainer.num_texts, trainer.options.max_epochs, tokens_per_text
        ) as bar,
    ):
        bar.resume_at(trainer.num_texts_seen)
        for step in trainer.steps():
            bar.update(step.epoch, step.num_texts, step.loss)
            must_stop = trainer.processes.any(flag=stop.requested)
            if is_first:
                if step.validation is not None:
                    record(step.validation, trainer, path)
                    add_event(step.validation)
                    bar.show_row(step.validation)
                if step.validation is not None or must_stop or clock.is_time:
                    with clock.saving():
                        save_state(trainer, path)
            if must_stop:
                with (
                    trainer.processes.raise_everywhere()
                ):  # none leaves before the first one has saved
                    raise Interrupted(
                        f"stopped in epoch {step.epoch}; all is saved: go on with"
                        f" --resume --out {path}"
                    )


def record(row: dict[str, Any], trainer: Trainer[Any], path: Path) -> None:
    """Write the row of a validation, and the weights if they are the best so far."""
    append_row(RunFolder(path).metrics, row)
    if row["is_best"]:
        save_model(path, trainer.eval_model, trainer.file)


class SaveClock:
    """When to save within an epoch: every so often, but never so often that it takes
    more than its share of time.
    """

    SHARE = 0.02

    def __init__(self, save_every: float) -> None:
        """Start counting, for a save every so many minutes."""
        self.save_every = save_every
        self.saved_at = time.monotonic()
        self.save_s = 0.0

    @classmethod
    def spacing(cls, save_every: float, save_s: float) -> float:
        """Return the seconds from one save to the next, where one takes `save_s`."""
        return max(60 * save_every, save_s / cls.SHARE)

    @property
    def is_time(self) -> bool:
        """Whether a save is due."""
        return time.monotonic() - self.saved_at >= self.spacing(
            self.save_every, self.save_s
        )

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """Time a save, and count from its end."""
        start = time.monotonic()
        yield
        self.saved_at = time.monotonic()
        self.save_s = self.saved_at - start


class SavedState(BaseModel):
    """What stands in a saved state beside the tensors, and what an exact resume must
    find unchanged.
    """

    model_config = ConfigDict(strict=True)

    place: TrainerState
    steps_per_epoch: PositiveInt
    fingerprint: dict[str, Any]
    precision: str
    metrics_sha256: str


def save_state(trainer: Trainer[Any], path: Path) -> None:
    """Write all that an exact resume needs.

    Raises:
        DivergedError: A number of it is not finite; what was saved before stays.
        RunError: It cannot be written.
    """
    trainer.check_weights()
    tensors, values = trainer.state_dict()
    meta = {
        "files": Manifest.of(path, COMPANIONS[trainer.file]).to_metadata(),
        "place": values,
        "steps_per_epoch": trainer.steps_per_epoch,
        "fingerprint": _data_seal(trainer.data.fingerprint),
        "precision": str(trainer.dtype),
        "metrics_sha256": checksum_of_rows(
            RunFolder(path).metrics, trainer.num_validations
        ),
    }
    storage.save_tensors(RunFolder(path).state, tensors, meta)


def load_state(trainer: Trainer[Any], path: Path, *, may_change: bool = False) -> None:
    """Take back what `save_state` wrote.

    Raises:
        RunError: A file is missing or damaged, or the data is not that of this run and
            may not be.
    """
    tensors, saved = read_state(path, trainer.file)
    own, other = (
        dict(_flatten(each))
        for each in (_data_seal(trainer.data.fingerprint), saved.fingerprint)
    )
    differing = sorted(
        key for key in own.keys() | other.keys() if own.get(key) != other.get(key)
    )
    if differing and not may_change:
        raise RunError(
            f"{path}: cannot resume exactly: the data differs in"
            f" {', '.join(differing)}; {_HOW_TO_CHANGE}"
        )
    if saved.precision != str(trainer.dtype) and not may_change:
        raise RunError(
            f"{path}: began in {saved.precision}, this machine goes on in"
            f" {trainer.dtype}; {_HOW_TO_CHANGE}"
        )
    if load_vocab(path).words != trainer.data.vocab.words:
        raise RunError(
            f"{RunFolder(path).vocab}: not the words that this version finds in the"
            " data: cannot resume"
        )
    if (
        trainer.label_names is not None
        and (found := load_labels(path)) != trainer.label_names
    ):
        raise RunError(
            f"{RunFolder(path).labels}: has the classes {found}, the data has"
            f" {trainer.label_names}"
        )
    trainer.load_state_dict(tensors, saved.place.model_dump(), RunFolder(path).state)
    if saved.place.best_epoch:  # nothing else has the best weights so far
        best, *_ = load_verified(path, trainer.file)
        pop_temperature(best, path)
        if _shapes_of(best) != _shapes_of(trainer.model.state_dict()):
            raise RunError(
                f"{path / trainer.file}: damaged, or not the weights of this run"
            )
    keep_rows(RunFolder(path).metrics, trainer.num_validations, saved.metrics_sha256)
    if differing or trainer.steps_per_epoch != saved.steps_per_epoch:
        logger.info(
            "the data or the batches have changed: epoch %d begins anew",
            trainer.num_validations + 1,
        )
        trainer.restart_epoch()


def read_state(path: Path, file: str) -> tuple[dict[str, torch.Tensor], SavedState]:
    """Return the state of a run, verified with the files that it is sealed with.

    Args:
        path: The run folder.
        file: Where its best weights go.

    Raises:
        RunError: A file is missing or damaged.
    """
    tensors, meta = storage.load_tensors(RunFolder(path).state)
    Manifest.from_metadata(meta).verify(path, STATE, COMPANIONS[file])
    try:
        return tensors, SavedState.model_validate(meta)
    except ValidationError as error:
        raise RunError(
            f"{RunFolder(path).state}: damaged: not the state of a training: {error}"
        ) from error


def _shapes_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


_HOW_TO_CHANGE = "--with-changes goes on all the same"


def finish_run(trainer: Trainer[Any], config: Config, path: Path) -> dict[str, Any]:
    """Write the summary and the model card, and make this run the latest; return the
    summary.
    """
    temperature = calibrate(
        trainer, config, path
    )  # which is kept with the weights, whose checksum the summary has
    summary = {
        **summarise(trainer, path, ("accuracy", "macro_f1", "loss")),
        "temperature": temperature,
    }
    num_valid_rows = len(trainer.data.valid.labels)
    num_right = round(summary["valid"]["accuracy"] * num_valid_rows)
    summary["valid"]["accuracy_interval"] = wilson_interval(num_right, num_valid_rows)
    summary["label_names"] = trainer.data.label_names
    storage.write_atomic(
        RunFolder(path).card, model_card(config.model, summary, path).encode()
    )
    try:
        point_latest_at(path)
    finally:
        storage.write_json(
            RunFolder(path).summary, summary
        )  # last: it says that nothing is left to do
    return summary


def calibrate(trainer: Trainer[Any], config: Config, path: Path) -> float:
    """Keep with the best weights the temperature at which their logits fit the
    validation
    rows best; return it.

    It is 1 where the config does not ask for it.
    """
    temperature = 1.0
    if config.train.calibrate:
        model = load_uncalibrated(path).classifier.model.to(trainer.device)
        logits = compute_logits(model, trainer.data.valid.texts)  # [N, C]
        temperature = fit_temperature(
            logits, torch.from_numpy(trainer.data.valid.labels)
        )
    save_temperature(path, temperature)
    return temperature


def summarise(
    trainer: Trainer[Any], path: Path, scores: Sequence[str]
) -> dict[str, Any]:
    """Return what there is to say of a run at its end, with these scores of its best
    epoch.

    Raises:
        RunError: That epoch's row is damaged.
    """
    rows = read_rows(RunFolder(path).metrics)
    best = rows[trainer.best_epoch - 1]
    names = {name: f"valid_{name}" for name in scores}
    if not isinstance(best, dict) or not best.keys() >= set(names.values()):
        raise RunError(
            f"{RunFolder(path).metrics}: damaged: row {trainer.best_epoch} lacks the"
            " validation's scores"
        )
    return {
        "best_epoch": trainer.best_epoch,
        "num_epochs": trainer.num_validations,
        "valid": {name: best[key] for name, key in names.items()},
        "num_parameters": sum(
            parameter.numel() for parameter in trainer.model.parameters()
        ),
        "train_s": round(trainer.elapsed_s, 3),
        "data": trainer.data.fingerprint,
        "weights_sha256": checksum(path / trainer.file, "sha256"),
        "seed": trainer.seed,
        "precision": str(trainer.dtype).removeprefix("torch."),
        "device": str(trainer.device),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "num_processes": trainer.processes.world_size,
        "num_threads": trainer.workers.num_threads,
        "versions": {
            "rnncls": rnncls.__version__,
            "python": platform.python_version(),
            **{
                name: version(name)
                for name in ("torch", "torchtext", "numpy", "pyarrow", "safetensors")
            },
        },
        "git_revision": _git_revision(),
    }


def check_run_folder(
    config: Config,
    path: Path,
    *,
    resume: bool,
    may_change: bool = False,
    file: str = MODEL,
) -> bool:
    """See that a new run has a place of its own, or that a resumed one is there and has
    the same config.

    Args:
        config: All settings.
        path: The run folder.
        resume: Whether a run is to go on there.
        may_change: Whether its config may be another; a run may always be given more or
            fewer epochs.
        file: Where its best weights go.

    Returns:
        Whether there is a state to go on from: a run that was killed before its first
        save begins anew.

    Raises:
        ConfigError: The folder is taken, or its config differs and may not.
        RunError: There is nothing to resume, it is damaged, or another process is at
            it.
    """
    if not resume:
        if path.exists() and (path.is_file() or any(path.iterdir())):
            raise ConfigError(
                f"{path}: already there; choose another --out, or go on with it with"
                " --resume"
            )
        return False
    if not RunFolder(path).state.is_file():
        if not RunFolder(path).has_no_checkpoint():
            raise RunError(f"{path}: nothing to resume: has no {STATE}")
        logger.info(
            "%s: nothing had been saved here yet: the run begins at its start", path
        )
        return False
    with lock_run(path):
        read_state(path, file)
        try:
            before = load_config(RunFolder(path).config)
        except ConfigError as error:
            raise RunError(
                f"{path}: cannot be used with this version of rnncls: {error}"
            ) from error
    differing = [
        key
        for key, value in _flatten(config.model_dump())
        if dict(_flatten(before.model_dump()))[key] != value
    ]
    refused = [key for key in differing if key not in _NOT_IN_THE_WEIGHTS]
    if refused and not may_change:
        raise ConfigError(
            f"{path}: cannot resume exactly: the config differs in"
            f" {', '.join(refused)}; {_HOW_TO_CHANGE}"
        )
    return True


_NOT_IN_THE_WEIGHTS = (
    *("train.max_epochs", "pretrain.max_epochs", "train.patience"),
    *("train.save_every", "train.tensorboard", "train.calibrate"),
)
"""What may always be another when a run goes on: how long, how often it is saved, and
what is made of it at the end."""


def find_unfinished(config: Config) -> Path:
    """Return the newest run folder under `runs/` that training with this config has
    left
    unfinished.

    Raises:
        RunError: There is none.
    """
    configs = [
        path for path in RUNS_DIR.glob(f"*/{CONFIG}") if not path.parent.is_symlink()
    ]
    runs = [
        path.parent
        for path in configs
        if RunFolder(path.parent).labels.exists()
        and not RunFolder(path.parent).summary.exists()
        and _holds(path, config)
    ]
    if not runs:
        raise RunError(
            f"no unfinished run of this config in {RUNS_DIR}/ to resume;"
            " name one with --out"
        )
    return max(runs, key=_changed_at)


def _holds(path: Path, config: Config) -> bool:
    """Return whether a file is this config, whichever version of rnncls wrote it."""
    try:
        return load_config(path) == config
    except ConfigError:
        return False


def _changed_at(path: Path) -> float:
    state = RunFolder(path).state
    return (state if state.exists() else RunFolder(path).config).stat().st_mtime


def _flatten(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _data_seal(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same for an exact resume: the data, wherever it lies."""
    files = {
        split: {**file, "path": None} for split, file in fingerprint["files"].items()
    }
    return {**fingerprint, "files": files}


def _git_revision() -> str | None:
    """Return the revision of the checkout that this package runs from, or None."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
