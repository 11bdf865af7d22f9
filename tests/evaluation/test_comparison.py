"""Comparisons agree with SciPy, and with what is counted by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.evaluation.comparison import (
    Comparison,
    compare_runs,
    compare_with_baseline,
    differing_settings,
)
from rnncls.evaluation.metrics import mcnemar
from rnncls.machine.files import read_json
from rnncls.training.run import train

MakeConfig = Callable[..., Config]


@pytest.fixture
def runs(make_config: MakeConfig) -> list[Path]:
    """Three runs on the toy file, the first of which has learnt least."""
    paths = [Path("runs") / name for name in ("bag", "short", "long")]
    train(make_config("model.cell=none", "train.max_epochs=1"), paths[0])
    train(make_config("train.max_epochs=1"), paths[1])
    train(make_config("train.max_epochs=3", "seed=1", "data.split_seed=0"), paths[2])
    return paths


@pytest.mark.parametrize(
    ("gained", "lost"),
    [(0, 0), (1, 0), (5, 5), (3, 12), (195, 115), (400, 300), (20_100, 19_900)],
)
def test_mcnemars_test_is_scipys_exact_binomial_test(gained: int, lost: int) -> None:
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected)


def test_the_interval_of_the_difference_is_that_of_scipys_paired_bootstrap() -> None:
    generator = np.random.default_rng(3)
    baseline, own = generator.random(400) < 0.7, generator.random(400) < 0.8
    found = compare_with_baseline("own", baseline, own)

    def difference(a: np.ndarray, b: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.asarray(b.mean(axis=axis) - a.mean(axis=axis))

    expected = bootstrap(
        (baseline.astype(float), own.astype(float)),
        difference,
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=2000,
        rng=generator,
    ).confidence_interval
    assert found.interval == pytest.approx((expected.low, expected.high), abs=0.01)
    assert found.difference == pytest.approx(own.mean() - baseline.mean())
    assert found.gained - found.lost == own.sum() - baseline.sum()


def test_equal_runs_differ_by_nothing() -> None:
    rows = np.array([True, False, True])
    found = compare_with_baseline("same", rows, rows)
    assert (found.gained, found.lost, found.difference, found.interval, found.p) == (
        0,
        0,
        0.0,
        (0.0, 0.0),
        1.0,
    )


def test_settings_are_those_that_are_not_the_same_everywhere(
    make_config: MakeConfig,
) -> None:
    configs = [
        make_config().model_dump(),
        make_config("model.cell=gru").model_dump(),
        make_config("train.clip_norm=null").model_dump(),
    ]
    assert differing_settings(configs) == {
        "model.cell": ["lstm", "gru", "lstm"],
        "train.clip_norm": [1.0, 1.0, None],
    }


def test_runs_are_compared_on_the_same_rows(runs: list[Path]) -> None:
    found = compare_runs(runs)
    assert [each.name for each in found.contenders] == [
        "runs/bag",
        "runs/short",
        "runs/long",
    ]
    accuracies = [each.scores.accuracy for each in found.contenders]
    for each, accuracy in zip(found.differences, accuracies[1:], strict=True):
        assert each.difference == pytest.approx(accuracy - accuracies[0])
    assert found.mean_accuracy == pytest.approx(np.mean(accuracies[1:]))
    assert found.deviation == pytest.approx(np.std(accuracies[1:], ddof=1))
    assert found.settings["train.max_epochs"] == [1, 1, 3]
    _check_disagreements(found)


def _check_disagreements(found: Comparison) -> None:
    """See that each text shown is judged right by some, wrong by others, and stands in
    that row of the file."""
    lines = Path("toy.csv").read_text(encoding="utf-8").splitlines()
    assert found.num_disagreements >= len(found.disagreements) > 0
    for each in found.disagreements:
        assert (
            lines[each.row]
            == f"{each.label},{each.text.replace(' the crowd', ',the crowd', 1)}"
        )
        assert 0 < sum(name == each.label for name in each.predicted) < 3
    agreements = []
    for disagreement in found.disagreements:
        is_right = [name == disagreement.label for name in disagreement.predicted]
        agreements.append(is_right.count(is_right[0]))
    assert agreements == sorted(agreements)


def test_size_and_speed_are_those_of_the_run_folder(runs: list[Path]) -> None:
    first = compare_runs(runs[:2]).contenders[0]
    summary = read_json(runs[0] / "summary.json")
    files = ("config.yaml", "vocab.txt", "labels.json", "model.safetensors")
    assert first.size_mib == pytest.approx(
        sum(len((runs[0] / name).read_bytes()) for name in files) / 1024 / 1024
    )
    assert first.tokens_per_s * summary["train_s"] == pytest.approx(
        summary["data"]["num_train_tokens"]
    )


def test_the_validation_rows_are_compared_only_where_they_are_the_same(
    runs: list[Path],
) -> None:
    compare_runs([runs[0], runs[1]], split="valid")
    other = Path("runs/other")
    train(load_config(runs[0] / "config.yaml", ["data.split_seed=7"]), other)
    message = r"its valid rows of \S+ are not those of .*--set data\.split_seed=1"
    with pytest.raises(ConfigError, match=message):
        compare_runs([runs[0], other], split="valid")


def test_another_test_file_is_refused(
    runs: list[Path], make_config: MakeConfig
) -> None:
    Path("other.csv").write_text(
        Path("toy.csv").read_text(encoding="utf-8").replace("meet", "greet"),
        encoding="utf-8",
    )
    train(make_config("data.test=other.csv", "train.max_epochs=1"), Path("runs/other"))
    with pytest.raises(
        ConfigError,
        match=r"other: its test rows of other\.csv are not those of runs/bag; that run"
        r" has the rows of \S*toy\.csv, which is another file: .* with --data$",
    ):
        compare_runs([runs[0], Path("runs/other")])


def test_runs_with_other_fractions_or_classes_are_told_what_differs(
    runs: list[Path],
) -> None:
    config, other = runs[0] / "config.yaml", Path("runs/other")
    changes = ["data.valid_fraction=0.3", "train.max_epochs=1"]
    train(load_config(config, changes), other)
    with pytest.raises(
        ConfigError,
        match=r"they differ in data\.valid_fraction \(\S+ and 0\.3\): train",
    ):
        compare_runs([runs[0], other], split="valid")
    text = Path("toy.csv").read_text(encoding="utf-8")
    Path("renamed.csv").write_text(text.replace("world,", "earth,"), encoding="utf-8")
    renamed = Path("runs/renamed")
    changes = ["data.train=renamed.csv", "data.test=renamed.csv", "train.max_epochs=1"]
    train(load_config(config, changes), renamed)
    with pytest.raises(ConfigError, match="lacks 'world' and only it has 'earth': com"):
        compare_runs([runs[0], renamed])


def test_an_unfinished_run_is_refused(runs: list[Path]) -> None:
    (runs[1] / "summary.json").unlink()
    with pytest.raises(RunError, match="runs/short: not finished"):
        compare_runs(runs)
