"""A search for better settings: trials of other configs, each judged by rows that it
has
not learnt from.

What to try next is drawn by Optuna's TPE sampler (Bergstra et al. 2011) from what the
finished trials have scored. A trial that has fallen behind the median of the completed
ones at the same epoch, or fold, is pruned. The draw is a function of the config's seed
and of the finished trials alone: a search that was stopped or killed goes on with the
trial that it was at, and a number of trials finds the same each time on the same
machine. With minutes as the budget the trials are the same too, but how many there is
time for is not.

The data files are read and tokenised once. The test file stays closed.
"""

import logging
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import torch
from tqdm import tqdm

from rnncls import ConfigError, DivergedError, Interrupted, RunError
from rnncls.config.sections import Config, ModelSection
from rnncls.config.yaml_format import dump_config
from rnncls.data.fingerprint import describe_file
from rnncls.data.loading import collect_vocab, encode_training_data
from rnncls.data.sources import Sources, load_sources
from rnncls.evaluation.metrics import wilson_interval
from rnncls.machine.files import read_bytes, write_atomic, write_json
from rnncls.machine.seeds import seed_everything
from rnncls.machine.signals import StopRequest, stop_on_signal
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import RunFolder, lock_run
from rnncls.text.vocab import Vocab
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.cross_validation import run_folds
from rnncls.training.initialization import build_model, prepare_torch
from rnncls.training.search_space import build_space, change, draw, read_value
from rnncls.training.step import Step

if TYPE_CHECKING:
    import optuna

logger = logging.getLogger(__name__)

Metric = Literal["accuracy", "macro_f1", "loss"]
Watch = Callable[[Step | None], None]
JOURNAL, BEST, RESULT = "last/journal.log", "best.yaml", "tuning.json"
COMPLETED, PRUNED, TOO_LARGE, DIVERGED, STOPPED = (
    "completed",
    "pruned",
    "too large",
    "diverged",
    "stopped",
)
BYTES_PER_PARAMETER = 4
MAX_TOO_LARGE = 200
"""Draws in a row none of which is small enough, after which a search ends."""
ENOUGH_TO_WEIGH = 10
"""Completed trials from which on it is said how much each key mattered."""
_FIRST_PRUNED = 4
"""Completed trials before which none is pruned."""


@dataclass(frozen=True)
class Goal:
    """What makes a config a good one.

    Attributes:
        metric: The score, of rows that a trial has not learnt from.
        max_size_mb: The most that the parameters may take up, in megabytes of 10^6
            bytes; None: any size.
        num_folds: Judge by so many folds of the training rows; None: by the validation
            rows.
    """

    metric: Metric
    max_size_mb: float | None = None
    num_folds: int | None = None


@dataclass(frozen=True)
class Budget:
    """When a search ends: with so many trials, earlier ones counted in, or after so
    many minutes; None: no such end.
    """

    num_trials: int | None = None
    minutes: float | None = None


class _Bar:
    """A bar over the budget, on a terminal only: trials, or else minutes."""

    def __init__(self, budget: Budget) -> None:
        self.counts_trials = budget.num_trials is not None
        self.total = budget.num_trials or round(60 * (budget.minutes or 0))
        form = "{desc}: {bar}| {elapsed} gone, {remaining} left"
        self.bar = tqdm(
            total=self.total,
            disable=None,
            leave=False,
            dynamic_ncols=True,
            bar_format=form,
        )
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def show(self, num_trials: int, step: Step | None) -> None:
        """Show how many trials are done, and the epoch of the one under way."""
        self.bar.set_description(
            f"trial {num_trials}" + (f", epoch {step.epoch}" if step else ""),
            refresh=False,
        )
        now = (
            num_trials if self.counts_trials else round(time.monotonic() - self.started)
        )
        self.bar.update(min(now, self.total) - self.bar.n)


class _Ended(Exception):  # noqa: N818 - no error
    """A trial is over before it is complete; its text is one of those above."""


def tune(
    config: Config,
    path: Path,
    goal: Goal,
    budget: Budget,
    *,
    resume: bool = False,
    use_cache: bool = True,
) -> dict[str, Any]:
    """Search around a config, and leave the best one found in a folder; return what was
    found.

    Args:
        config: What to begin with: the first trial.
        path: The folder, which must not exist unless `resume` is set.
        goal: What to look for.
        budget: How long to look.
        resume: Go on with the search at `path`.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        RnnclsError: The config, the data, the device or the folder is wrong, or no
            trial was completed.
        Interrupted: The user stopped it; all is saved and can be gone on with.
    """
    deadline = (
        math.inf if budget.minutes is None else time.monotonic() + 60 * budget.minutes
    )
    load_optuna()
    if resume:
        check_journal(path)
    else:
        RunFolder(path).check_is_free()
    config = config.replace(train=config.train.replace(monitor=goal.metric))
    check_config(config)
    device = prepare_torch(config)
    sources = load_sources(config.data, config.text, config.seed, use_cache=use_cache)
    with lock_run(path):
        tuner = Tuner(
            config, goal, sources, device, open_study(path, config, goal, sources)
        )
        with stop_on_signal() as stop:
            tuner.run(budget, deadline, stop)
        result = tuner.save(path)
    how = f"go on with --resume --out {path}"
    if stop.requested:
        raise Interrupted(
            f"stopped after {len(tuner.finished())} trials; all is saved: {how}"
        )
    if result["best"] is None:
        raise RunError(
            f"{path}: no trial was completed: {how} and more --trials, or allow a"
            " larger model"
        )
    return result


def load_optuna() -> None:
    """Import Optuna, and keep it quiet.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ConfigError(
            "rnncls tune needs Optuna: install it with pip install 'optuna>=4'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def check_config(config: Config) -> None:
    """See that nothing in a config holds on to a shape or to words that a search would
    change.

    Raises:
        ConfigError: Something does.
    """
    for key, value in (
        ("train.teachers", config.train.teachers),
        ("model.pretrained", config.model.pretrained),
    ):
        if value:
            raise ConfigError(
                f"{key}: cannot be searched with: leave it out, and add it to the best"
                " config"
            )


def check_journal(path: Path) -> None:
    """See that there is a search to go on with.

    Raises:
        RunError: There is none.
    """
    if not (path / JOURNAL).is_file():
        raise RunError(f"{path}: nothing to resume: has no {JOURNAL}")


def open_study(
    path: Path, config: Config, goal: Goal, sources: Sources
) -> "optuna.Study":
    """Return Optuna's study in a folder that this process holds; what was under way in
    it
    has failed.

    Raises:
        ConfigError: It is a search for something else, around another config or in
            other data.
        RunError: Its file is damaged.
    """
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    journal = path / JOURNAL
    mend_journal(journal)
    try:
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(journal))),
            study_name="rnncls",
            direction="minimize" if goal.metric == "loss" else "maximize",
            pruner=optuna.pruners.MedianPruner(_FIRST_PRUNED, n_warmup_steps=2),
            load_if_exists=True,
        )
    except (ValueError, KeyError) as error:
        raise RunError(f"{journal}: damaged: {error}") from error
    files = {
        "train": describe_file(sources.train)["sha256"],
        "valid": describe_file(sources.valid)["sha256"],
    }
    asked = {"goal": asdict(goal), "data": files, "config": dump_config(config)}
    before = study.user_attrs.get("asked", asked)
    if differing := [name for name, value in asked.items() if before[name] != value]:
        raise ConfigError(
            f"{path}: cannot go on: the {' and the '.join(differing)} differ; choose"
            " another --out"
        )
    study.set_user_attr("asked", asked)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    return study


def mend_journal(journal: Path) -> None:
    """Drop what a kill can leave: a last line that is not whole, and the lock of a
    write.
    """
    if journal.is_file() and not (data := read_bytes(journal)).endswith(b"\n"):
        write_atomic(journal, data[: data.rfind(b"\n") + 1])
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)


def count_parameters(section: ModelSection, vocab_size: int, num_classes: int) -> int:
    """Return how many parameters a network would have, without the memory for them."""
    with torch.device("meta"):
        model = TextClassifier(section, vocab_size, num_classes)
    return sum(parameter.numel() for parameter in model.parameters())


class Tuner:
    """The trials of one search, in files that have been read once."""

    def __init__(
        self,
        config: Config,
        goal: Goal,
        sources: Sources,
        device: torch.device,
        study: "optuna.Study",
    ) -> None:
        """Take what is searched around, for what, with which rows, where, and Optuna's
        study of it so far.
        """
        self.config = config
        self.goal = goal
        self.sources = sources
        self.device = device
        self.study = study
        self.space = build_space(config, has_limit=goal.max_size_mb is not None)
        self.max_bytes = (
            math.inf if goal.max_size_mb is None else goal.max_size_mb * 1e6
        )

    def finished(self) -> "list[optuna.trial.FrozenTrial]":
        """Return the trials that are through: completed or pruned, for whatever reason."""
        from optuna.trial import TrialState

        return self.study.get_trials(
            deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)
        )

    def run(self, budget: Budget, deadline: float, stop: StopRequest) -> None:
        """Make trials until the budget is used up or the user stops it; a trial cut
        short
        by either does not count.

        Nor does one that was too large to begin count as one of so many trials. The
        first trial is finished however long it takes: there is always something to
        compare with.
        """
        with _Bar(budget) as bar:

            def watch(step: Step | None) -> None:
                bar.show(num_judged, step)
                if stop.requested or (num_judged and time.monotonic() > deadline):
                    raise _Ended(STOPPED)

            num_judged = sum(
                trial.user_attrs["ended"] != TOO_LARGE for trial in self.finished()
            )
            in_a_row, ended = 0, ""
            while (
                ended != STOPPED
                and in_a_row < MAX_TOO_LARGE
                and num_judged < (budget.num_trials or math.inf)
            ):
                ended = self.make_trial(watch)
                in_a_row = in_a_row + 1 if ended == TOO_LARGE else 0
                num_judged += ended not in {STOPPED, TOO_LARGE}

    def make_trial(self, watch: Watch) -> str:
        """Make one trial, the first with the config as it is, and return how it ended."""
        from optuna.trial import TrialState

        trial = self.ask()
        start, value, ended = time.perf_counter(), None, COMPLETED
        try:
            watch(None)
            value = self.judge(
                trial, change(self.config, draw(trial, self.config, self.space)), watch
            )
        except _Ended as reason:
            ended = str(reason)
        except DivergedError:
            ended = DIVERGED
        trial.set_user_attr("ended", ended)
        trial.set_user_attr("seconds", round(time.perf_counter() - start, 3))
        states = {COMPLETED: TrialState.COMPLETE, STOPPED: TrialState.FAIL}
        self.study.tell(trial, value, states.get(ended, TrialState.PRUNED))
        number = len(self.finished())
        if ended != STOPPED and (ended != TOO_LARGE or number == 1):
            self.note(self.row(number - 1))
        return ended

    def ask(self) -> "optuna.Trial":
        """Begin a trial: its draw is a function of the seed and of the trials that are
        through.
        """
        import optuna

        finished = self.finished()
        seed = np.random.SeedSequence((self.config.seed, len(finished))).generate_state(
            1
        )[0]
        self.study.sampler = optuna.samplers.TPESampler(seed=int(seed))
        if not finished and not self.study.get_trials(
            states=(optuna.trial.TrialState.WAITING,)
        ):
            self.study.enqueue_trial(
                {key: read_value(self.config, key) for key in self.space}
            )
        return self.study.ask()

    def judge(self, trial: "optuna.Trial", config: Config, watch: Watch) -> float:
        """Return the score of a config.

        Raises:
            _Ended: The trial is pruned or stopped, or the model is too large.
            DivergedError: The loss is not finite.
        """
        source = self.sources.train
        vocab = collect_vocab(source.texts, self.sources.train_rows, config.text)
        num_parameters = count_parameters(
            config.model, len(vocab), len(source.label_names)
        )
        trial.set_user_attr("num_parameters", num_parameters)
        if num_parameters * BYTES_PER_PARAMETER > self.max_bytes:
            raise _Ended(TOO_LARGE)
        if self.goal.num_folds is not None:
            return self.judge_by_folds(trial, config, watch, self.goal.num_folds)
        return self.judge_by_validation(trial, config, watch, vocab)

    def judge_by_validation(
        self, trial: "optuna.Trial", config: Config, watch: Watch, vocab: Vocab
    ) -> float:
        """Return the score of the validation rows after the best epoch; each epoch may
        end the trial.
        """
        data = encode_training_data(
            self.sources, config.data, config.text, config.seed, vocab
        )
        seed_everything(config.seed)
        trainer = build_classifier_trainer(
            config.train, build_model(config, data).to(self.device), data, config.seed
        )
        value = math.nan
        for step in trainer.steps():
            if step.validation is not None:
                scores = {
                    name: step.validation[f"valid_{name}"]
                    for name in ("accuracy", "macro_f1", "loss")
                }
                if step.validation["is_best"]:
                    value = scores[self.goal.metric]
                    trial.set_user_attr("scores", {**scores, "best_epoch": step.epoch})
                self.report(trial, scores[self.goal.metric], step.epoch)
            watch(step)
        return value

    def judge_by_folds(
        self, trial: "optuna.Trial", config: Config, watch: Watch, num_folds: int
    ) -> float:
        """Return the mean score of the folds; each fold may end the trial."""
        found: list[dict[str, float]] = []
        means: dict[str, float] = {}
        for fold in run_folds(config, self.sources, num_folds, self.device, watch):
            found.append(fold.scores)
            means = {
                name: statistics.mean(scores[name] for scores in found)
                for name in fold.scores
            }
            trial.set_user_attr("scores", means)
            self.report(trial, means[self.goal.metric], fold.number)
        return means[self.goal.metric]

    def report(self, trial: "optuna.Trial", value: float, step: int) -> None:
        """Tell Optuna how a trial stands, and end it where it has fallen behind."""
        trial.report(value, step)
        if trial.should_prune():
            raise _Ended(PRUNED)

    def row(self, number: int) -> dict[str, Any]:
        """Return what there is to say of a finished trial, numbered from 0 in the order
        of their end.
        """
        trial = self.finished()[number]
        num_parameters = trial.user_attrs["num_parameters"]
        return {
            "trial": number,
            "ended": trial.user_attrs["ended"],
            "scores": trial.user_attrs.get("scores"),
            "so_far": list(trial.intermediate_values.values()),
            "num_parameters": num_parameters,
            "size_mb": num_parameters * BYTES_PER_PARAMETER / 1e6,
            "seconds": trial.user_attrs["seconds"],
            "values": trial.params,
        }

    def best(self) -> dict[str, Any] | None:
        """Return the best of the completed trials, of equals the first; None where
        there is none.
        """
        rows = [self.row(number) for number in range(len(self.finished()))]
        completed = [row for row in rows if row["ended"] == COMPLETED]
        sign = -1 if self.goal.metric == "loss" else 1
        return max(
            completed,
            key=lambda row: sign * row["scores"][self.goal.metric],
            default=None,
        )

    def note(self, row: dict[str, Any]) -> None:
        """Log how a trial went, on a line."""
        best = self.best()
        place = "fold" if self.goal.num_folds else "epoch"
        scored = ""
        if row["ended"] == COMPLETED:
            scored = f"{self.goal.metric} {row['scores'][self.goal.metric]:.4f}  "
        elif row["so_far"]:
            scored = (
                f"{self.goal.metric} {row['so_far'][-1]:.4f} after {place}"
                f" {len(row['so_far'])}  "
            )
        mark = (
            "  best"
            if best is not None and best["trial"] == row["trial"]
            else f"  {row['ended']}"
        )
        logger.info(
            "trial %d  %s%.1f MB  %.0f s%s",
            row["trial"],
            scored,
            row["size_mb"],
            row["seconds"],
            mark,
        )

    def weigh(self) -> dict[str, float] | None:
        """Return how much each key that all trials have mattered, in shares (PED-ANOVA,
        Watanabe et al. 2023).
        """
        from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

        completed = [
            trial for trial in self.finished() if trial.user_attrs["ended"] == COMPLETED
        ]
        if (
            len(completed) < ENOUGH_TO_WEIGH
            or len({trial.value for trial in completed}) == 1
        ):
            return None
        keys = sorted(set.intersection(*(set(trial.params) for trial in completed)))
        found = get_param_importances(
            self.study, evaluator=PedAnovaImportanceEvaluator(), params=keys
        )
        return {key: float(share) for key, share in found.items()}

    def save(self, path: Path) -> dict[str, Any]:
        """Write what was found, and the best config if there is one; return the former."""
        rows = [self.row(number) for number in range(len(self.finished()))]
        best = self.best()
        num_rows = len(
            self.sources.train.labels
            if self.goal.num_folds
            else self.sources.valid_rows
        )
        result = {
            "goal": asdict(self.goal),
            "seed": self.config.seed,
            "data": describe_file(self.sources.train),
            "num_rows": num_rows,
            "best": best,
            "accuracy_interval": (
                None
                if best is None
                else wilson_interval(
                    round(best["scores"]["accuracy"] * num_rows), num_rows
                )
            ),
            "given": {key: read_value(self.config, key) for key in self.space},
            "importance": self.weigh(),
            "seconds": round(sum(row["seconds"] for row in rows), 3),
            "trials": rows,
        }
        write_json(path / RESULT, result)
        if best is not None:
            score = f"{self.goal.metric} {best['scores'][self.goal.metric]:.4f}"
            head = (
                f"# Found by rnncls tune: trial {best['trial']} of {len(rows)}, {score}"
                f" (see {RESULT}).\n"
            )
            write_atomic(
                path / BEST,
                (head + dump_config(change(self.config, best["values"]))).encode(),
            )
        return result
