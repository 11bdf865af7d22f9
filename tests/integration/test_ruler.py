"""The script that compares configs by paired cross-validation."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ruler import (
    compare_rows,
    digest,
    find_titles,
    list_contenders,
    load_language_model,
    main,
    read_options,
)

from rnncls import ConfigError
from rnncls.config.sections import Config
from tests.builders import write_ag_news, write_run

CONFIG = """
data: {name: ag_news, root: data, valid_fraction: 0.2}
model: {cell: lstm, embedding_dim: 8, hidden_size: 8, word_dropout: 0.0}
train: {max_epochs: 2, batch_size: 16, lr: 0.02}
pretrain: {max_epochs: 1, batch_size: 16}
"""


@pytest.fixture
def config_file() -> Path:
    """A config of 60 rows in the form of AG News, a third of them without a title."""
    write_ag_news(Path("data"), num_rows=60)
    train = Path("data/ag_news/train.csv")
    lines = train.read_text(encoding="utf-8").splitlines()
    for row in range(0, 60, 3):
        label, _, description = lines[row].split(",", 2)
        lines[row] = f'{label},"",{description}'
    train.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = Path("small.yaml")
    path.write_text(CONFIG, encoding="utf-8")
    return path


def run_ruler(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *arguments: str,
) -> tuple[str, str]:
    """Run the script, and return what it printed on both streams."""
    monkeypatch.setattr("sys.argv", ["ruler", *arguments])
    main()
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_rows_that_differ_decide_the_difference_and_its_interval() -> None:
    baseline = np.array([[1, 1, 0, 0, 1, 0, 1, 1, 1, 1]], dtype=np.bool_)
    is_correct = np.array([[1, 1, 1, 1, 0, 1, 1, 1, 1, 1]], dtype=np.bool_)
    found = compare_rows(baseline, is_correct)
    assert (found.gained, found.lost) == (3, 1)
    assert found.difference == pytest.approx(0.2)
    # The gains are 1 three times, -1 once and 0 six times: variance (4 - 0.4) / 9.
    margin = 1.959964 * (3.6 / 9 / 10) ** 0.5
    assert found.interval == pytest.approx((0.2 - margin, 0.2 + margin))
    assert found.p == pytest.approx(2 * 5 / 16)


def test_a_row_counts_with_its_mean_over_the_seeds() -> None:
    baseline = np.array([[1, 0, 1], [0, 0, 1]], dtype=np.bool_)
    is_correct = np.array([[1, 1, 1], [0, 1, 0]], dtype=np.bool_)
    found = compare_rows(baseline, is_correct)
    assert (found.gained, found.lost) == (1, 1)
    assert found.difference == pytest.approx((0 + 1 - 0.5) / 3)
    assert found.of_seed == pytest.approx([1 / 3, 0])
    # Gains of 0, 1 and -1/2 vary by 7/12; the differences of the seeds by 1/18.
    margin = 1.959964 * (7 / 12 / 3 + 1 / 18 / 2) ** 0.5
    assert found.interval == pytest.approx((1 / 6 - margin, 1 / 6 + margin))


def test_all_rows_are_scored_and_those_with_a_title_apart(
    config_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [str(config_file), "--variant", "model.dropout=0.1", "--json"]
    out, _ = run_ruler(monkeypatch, capsys, *arguments)
    result = json.loads(out)
    assert result["data"]["num_scored_rows"] == 60
    first, variant = result["configs"]
    assert (first["name"], variant["name"]) == ("small.yaml", "model.dropout=0.1")
    assert first["all"]["difference"] == 0
    assert variant["titled"]["num_rows"] == 40
    gained, lost = variant["all"]["gained"], variant["all"]["lost"]
    assert variant["all"]["difference"] == pytest.approx((gained - lost) / 60)


def test_a_finished_fold_is_not_trained_again(
    config_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [str(config_file), "--rows", "40", "--seeds", "3"]
    out, err = run_ruler(monkeypatch, capsys, *arguments)
    assert err.count("seed 3, fold") == 2
    again, err = run_ruler(monkeypatch, capsys, *arguments)
    assert again == out
    assert "seed 3" not in err
    (fold,) = Path("build/ruler").glob("*/fold-2")
    fold.unlink()
    again, err = run_ruler(monkeypatch, capsys, *arguments)
    assert err.count("seed 3") == err.count("seed 3, fold 2") == 1
    assert again.split("|")[:-2] == out.split("|")[:-2]  # all but the seconds


def test_each_fold_has_a_language_model_that_variants_share(
    config_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = [str(config_file), "--set", "model.pretrained=any"]
    arguments += ["--variant", "train.lr=0.01"]
    _, err = run_ruler(monkeypatch, capsys, *arguments)
    assert err.count("language model of a fold") == 2
    assert err.count("seed 0, fold") == 4


def test_a_language_model_has_no_words_of_a_file_of_vectors(
    config_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = "oil 1 2 3\nrain 1 2 3\nsnow 1 2 3\n"
    Path("vectors.txt").write_text(lines, encoding="utf-8")
    arguments = [str(config_file), "--set", "model.pretrained=any"]
    arguments += ["--set", "text.vectors=vectors.txt", "--set", "text.vector_words=2"]
    run_ruler(monkeypatch, capsys, *arguments)
    words = [
        load_language_model(path).vocab.words
        for path in Path("build/ruler").glob("*/*")
        if not path.name.startswith("fold-")
    ]
    assert len(words) == 2
    assert all(not {"rain", "snow"} & set(known) for known in words)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("model: {task: several_labels}", "expected one label a text"),
        ("train: {teachers: [runs/a]}", "train.teachers: was trained on the rows"),
        ("model: {pretrained: runs/a}", "runs/a is a classifier"),
    ],
)
def test_what_cannot_be_compared_is_an_error(section: str, message: str) -> None:
    write_run(Path("runs/a"), labels=["x", "y"], words=["word"])
    Path("other.yaml").write_text(f"data: {{train: a.csv}}\n{section}\n")
    with pytest.raises(ConfigError, match=message):
        list_contenders(read_options(["other.yaml"]))


def test_a_text_of_one_column_has_no_title(make_config: Callable[..., Config]) -> None:
    config = make_config("data.text=[title]")
    assert find_titles(Path("none.csv"), config, np.arange(2)) is None


def test_a_folder_has_another_name_for_another_config() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
