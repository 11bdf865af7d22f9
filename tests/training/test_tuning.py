"""The search for better settings: what it tries first, what it leaves out, and that it
goes on where it stopped."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls import ConfigError, DivergedError, Interrupted, RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.machine.files import read_json
from rnncls.machine.signals import StopRequest
from rnncls.training import study, trials, tuning
from rnncls.training.initialization import build_model
from rnncls.training.run import train
from rnncls.training.step_data import Step
from rnncls.training.study import Goal, repair_journal
from rnncls.training.trial_score import TrialScorer, count_parameters
from rnncls.training.trials import Budget
from rnncls.training.tuning import tune

MakeConfig = Callable[..., Config]
ACCURACY = Goal("accuracy")
TIMES = {"seconds"}


@pytest.fixture(autouse=True)
def _small_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search a few small networks, so that a trial takes a moment."""
    choices = {
        "model.cell": ("gru", "none"),
        "model.hidden_size": (4, 8),
        "model.embedding_dim": (4, 200),
    }
    monkeypatch.setattr("rnncls.training.search_space.CHOICES", choices)


@pytest.fixture
def config(make_config: MakeConfig) -> Config:
    return make_config(
        "train.batch_size=32", "model.cell=gru", "train.max_epochs=3", "train.lr=0.01"
    )


def without_times(result: dict[str, Any]) -> dict[str, Any]:
    rows = [
        {key: value for key, value in row.items() if key not in TIMES}
        for row in result["trials"]
    ]
    best = {key: value for key, value in result["best"].items() if key not in TIMES}
    return {**result, "trials": rows, "best": best, "seconds": None}


@contextlib.contextmanager
def stop_after(num_steps: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a user stop the search after so many steps."""
    stop, seen = StopRequest(), []

    class Watched(trials.ProgressBar):
        def show(self, num_trials: int, step: Step | None) -> None:
            super().show(num_trials, step)
            seen.append(step)
            stop.requested = len(seen) >= num_steps

    with monkeypatch.context() as patch:
        patch.setattr(trials, "ProgressBar", Watched)
        patch.setattr(tuning, "stop_on_signal", lambda: contextlib.nullcontext(stop))
        yield


def test_the_first_trial_is_the_config_itself(config: Config) -> None:
    result = tune(config, Path("found"), ACCURACY, Budget(num_trials=1))
    summary = train(config, Path("run"))
    (row,) = result["trials"]
    assert row["scores"]["accuracy"] == summary["valid"]["accuracy"]
    assert row["scores"]["best_epoch"] == summary["best_epoch"]
    assert row["num_parameters"] == summary["num_parameters"]
    assert (result["num_rows"], result["accuracy_interval"]) == (
        40,
        summary["valid"]["accuracy_interval"],
    )
    assert load_config("found/best.yaml") == config


def test_a_trial_with_ngrams_has_the_score_of_both_parts(config: Config) -> None:
    config = config.replace(model=config.model.replace(ngrams="auto"))
    result = tune(config, Path("found"), ACCURACY, Budget(num_trials=1))
    summary = train(config, Path("run"))
    (row,) = result["trials"]
    names = ("accuracy", "macro_f1", "loss")
    assert {name: row["scores"][name] for name in names} == {
        name: summary["valid"][name] for name in names
    }
    assert row["scores"]["best_epoch"] == summary["best_epoch"]
    network = summary["ngrams"]["valid"][0]
    assert network["name"] == "network"
    assert max(row["so_far"]) == network["accuracy"]


def test_ngrams_without_a_network_have_nothing_to_search(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(ConfigError, match=r"model\.ngrams: alone: has no network"):
        tune(
            make_config("model.ngrams=alone"),
            Path("found"),
            ACCURACY,
            Budget(num_trials=1),
        )


def test_the_best_config_is_one_that_trains_to_the_score_that_was_found(
    config: Config,
) -> None:
    result = tune(config, Path("found"), Goal("loss"), Budget(num_trials=4))
    best = load_config("found/best.yaml")
    assert best.train.monitor == "loss"
    assert result["best"]["scores"]["loss"] == min(
        row["scores"]["loss"] for row in result["trials"] if row["ended"] == "completed"
    )
    assert train(best, Path("run"))["valid"]["loss"] == result["best"]["scores"]["loss"]
    assert read_json(Path("found/tuning.json")) == json.loads(json.dumps(result))


def test_a_search_that_is_stopped_goes_on_as_if_nothing_had_been(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tune(config, Path("whole"), ACCURACY, Budget(num_trials=4))
    # A trial has at most 15 steps and a look before them: within the second one, and
    # before the first epoch of all.
    for num_steps, resume in ((3, False), (20, True)):
        with (
            stop_after(num_steps, monkeypatch),
            pytest.raises(Interrupted, match="--resume --out stopped"),
        ):
            tune(config, Path("stopped"), ACCURACY, Budget(num_trials=4), resume=resume)
    with Path("stopped/last/journal.log").open("ab") as journal:
        journal.write(b'{"op_code":6,"tri')  # as a crash leaves it
    resumed = tune(config, Path("stopped"), ACCURACY, Budget(num_trials=4), resume=True)
    assert without_times(resumed) == without_times(whole)


def test_another_seed_is_another_search(config: Config) -> None:
    found = []
    for seed in (0, 1):
        other = config.replace(seed=seed)
        found.append(
            tune(other, Path(f"found{seed}"), ACCURACY, Budget(num_trials=2))["trials"][
                1
            ]["values"]
        )
    assert found[0] != found[1]


def test_the_minutes_end_it_but_not_the_first_trial(config: Config) -> None:
    result = tune(config, Path("found"), ACCURACY, Budget(minutes=1e-9))
    assert [row["ended"] for row in result["trials"]] == ["completed"]
    assert result["num_cut_off"] == 1


def test_folds_can_score_data_with_a_class_of_one_row(
    config: Config, toy_csv: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with toy_csv.open("a", encoding="utf-8") as file:
        file.write("rare,odd,row\n")
    goal = Goal("accuracy", num_folds=2)
    with caplog.at_level("INFO", "rnncls"):
        result = tune(config, Path("found"), goal, Budget(num_trials=2))
    assert len(result["trials"]) == 2
    assert result["num_rows"] == len(toy_csv.read_text().splitlines()) - 2
    said = [line for line in caplog.messages if "cannot be scored: 'rare'" in line]
    assert len(said) == 1


def test_what_is_too_large_is_not_trained_and_does_not_count(config: Config) -> None:
    # 15 words or so: an embedding of 4 columns is small, one of 200 has 12 kB.
    result = tune(
        config, Path("found"), Goal("accuracy", max_size_mb=0.004), Budget(num_trials=3)
    )
    sizes: dict[bool, list[int]] = {False: [], True: []}
    for row in result["trials"]:
        sizes[row["ended"] == "too large"].append(4 * row["num_parameters"])
        assert (row["scores"] is None) == (row["ended"] == "too large")
    assert min(sizes[True]) > 4000 >= max(sizes[False])
    assert len(sizes[False]) == 3


def test_a_limit_that_nothing_meets_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "MAX_TOO_LARGE", 3)
    with pytest.raises(
        RunError, match=r"no trial was completed: .* or allow a larger model"
    ):
        tune(
            config,
            Path("found"),
            Goal("accuracy", max_size_mb=0.0001),
            Budget(num_trials=3),
        )
    assert len(read_json(Path("found/tuning.json"))["trials"]) == 3
    assert not Path("found/best.yaml").exists()


def test_the_size_is_that_of_the_model(config: Config) -> None:
    data = load_training_data(config.data_settings)
    expected = sum(
        parameter.numel()
        for parameter in build_model(
            config.model, config.text.vectors, data
        ).parameters()
    )
    assert count_parameters(config.model, len(data.vocab), 2) == expected


def test_a_trial_that_falls_behind_is_pruned(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "rnncls.training.search_space.LR_FACTOR", 1000.0
    )  # far too slow or too fast for most
    monkeypatch.setattr(study, "NUM_UNPRUNED", 1)
    result = tune(config, Path("found"), Goal("loss"), Budget(num_trials=6))
    ended = [row["ended"] for row in result["trials"]]
    assert {"completed", "pruned"} == set(ended)
    for number, row in enumerate(result["trials"]):
        before = [
            other["so_far"]
            for other in result["trials"][:number]
            if other["ended"] == "completed"
        ]
        behind = [
            min(row["so_far"][:epoch])
            > np.median([values[epoch - 1] for values in before])
            for epoch in range(2, len(row["so_far"]) + 1)
            if before
        ]
        assert (
            behind
            == [*([False] * (len(behind) - 1)), row["ended"] == "pruned"][: len(behind)]
        )


def test_a_trial_that_diverges_is_passed_over(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = TrialScorer.score

    def score(self: TrialScorer, trial: Any, values: Any, on_step: Any) -> float:
        found = honest(self, trial, values, on_step)
        if trial.number == 1:
            raise DivergedError("the loss is not finite")
        return found

    monkeypatch.setattr(TrialScorer, "score", score)
    result = tune(config, Path("found"), ACCURACY, Budget(num_trials=3))
    assert [row["ended"] for row in result["trials"]][:2] == ["completed", "diverged"]


def test_folds_judge_by_the_mean_of_rows_not_seen(config: Config) -> None:
    from rnncls.training.cross_validation import cross_validate

    result = tune(
        config, Path("found"), Goal("macro_f1", num_folds=2), Budget(num_trials=1)
    )
    best = load_config("found/best.yaml")
    found = cross_validate(best, 2).mean_and_std()
    assert result["best"]["scores"] == pytest.approx(
        {name: mean for name, (mean, _) in found.items()}
    )
    assert result["best"]["so_far"][-1] == result["best"]["scores"]["macro_f1"]


def test_with_enough_trials_it_is_said_what_mattered(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "MIN_TRIALS_FOR_IMPORTANCE", 3)
    result = tune(config, Path("found"), Goal("loss"), Budget(num_trials=4))
    assert sum(result["importance"].values()) == pytest.approx(1)
    assert result["importance"].keys() <= result["given"].keys()


@pytest.mark.parametrize(
    ("overrides", "goal", "named"),
    [
        (["train.lr=0.5"], ACCURACY, r"train\.lr: 0\.\d+ there, 0\.5 now; or choose"),
        (
            [],
            Goal("loss"),
            "--metric: accuracy there, loss now: give --metric accuracy; or choose",
        ),
        (
            [],
            Goal("accuracy", 4.5),
            "--max-size-mb: not given there, 4.5 now: leave --max-size-mb out; or",
        ),
        (
            ["data.train=other.csv"],
            ACCURACY,
            "the contents of the train data; in the contents of the valid data; in"
            r" data\.train: .*toy\.csv there, other\.csv now; or choose another --out",
        ),
    ],
)
def test_a_search_for_something_else_is_not_gone_on_with(
    make_config: MakeConfig, toy_csv: Path, overrides: list[str], goal: Goal, named: str
) -> None:
    Path("other.csv").write_text(
        toy_csv.read_text(encoding="utf-8").replace("meet", "met"), encoding="utf-8"
    )
    tune(
        make_config("train.max_epochs=1"), Path("found"), ACCURACY, Budget(num_trials=1)
    )
    with pytest.raises(ConfigError, match=f"found: cannot resume: .*{named}"):
        tune(
            make_config("train.max_epochs=1", *overrides),
            Path("found"),
            goal,
            Budget(num_trials=2),
            resume=True,
        )


def test_there_must_be_a_search_to_go_on_with(config: Config) -> None:
    with pytest.raises(RunError, match="nothing to resume"):
        tune(config, Path("found"), ACCURACY, Budget(num_trials=1), resume=True)


def test_a_damaged_journal_is_told(config: Config) -> None:
    Path("found/last").mkdir(parents=True)
    Path("found/last/journal.log").write_text("{}\nnonsense\n{}\n")
    with pytest.raises(RunError, match=r"journal\.log: damaged"):
        tune(config, Path("found"), ACCURACY, Budget(num_trials=1), resume=True)


def test_a_whole_journal_is_left_alone(tmp_path: Path) -> None:
    journal = tmp_path / "journal.log"
    journal.write_bytes(b"{}\n{}\n")
    repair_journal(journal)
    assert journal.read_bytes() == b"{}\n{}\n"


@pytest.mark.parametrize(
    "override", ["train.teachers=[runs/a]", "model.pretrained=runs/a"]
)
def test_what_holds_on_to_a_shape_is_refused(
    make_config: MakeConfig, override: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be used in a search: leave it out"):
        tune(make_config(override), Path("found"), ACCURACY, Budget(num_trials=1))
