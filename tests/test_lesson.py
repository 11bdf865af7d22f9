"""The lesson's page: networks of equal size, verdicts by intervals, and runs that are
kept."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from lesson_page import (
    compare,
    find_clear_words,
    find_neighbours,
    judge_claim,
    read_header,
    table,
)
from lesson_runs import (
    SHAPES,
    Experiment,
    Result,
    count_inner,
    draw_rows,
    match_sizes,
    pad_rows,
    run_all,
)
from scipy.stats import ttest_ind

from rnncls.config.loading import load_config
from rnncls.config.sections import Config, ModelSection
from rnncls.data.loading import EncodedSplit
from rnncls.nn.classifier import TextClassifier
from rnncls.text.encoded_texts import EncodedTexts
from tests.builders import write_ag_news
from tests.conftest import toy_yaml


def result_of(right: npt.ArrayLike) -> Result:
    return Result(Path("a"), np.array(right, dtype=bool), 1, 1, 1, 0.5, 1.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_are_counted_as_the_model_has_them(shape: tuple[int, int]) -> None:
    section = ModelSection(
        cell="lstm",
        embedding_dim=6,
        hidden_size=5,
        num_layers=shape[1],
        bidirectional=shape[0] == 2,
        pooling=["last"],
    )
    model = TextClassifier(section, 9, 4)
    counted = (
        sum(weight.numel() for weight in model.parameters())
        - model.embedding.weight.numel()
    )
    assert count_inner(shape, 5, embedding_dim=6, num_classes=4) == counted


def test_networks_of_one_size_agree_within_a_hundredth() -> None:
    sizes = match_sizes(SHAPES, embedding_dim=64, num_classes=4)
    counts = [
        count_inner(shape, size, 64, 4)
        for shape, size in zip(SHAPES, sizes, strict=True)
    ]
    assert max(counts) / counts[0] < 1.01
    assert min(counts) / counts[0] > 0.99


def test_the_interval_over_seeds_is_students() -> None:
    generator = np.random.default_rng(0)
    one, other = (
        [result_of(generator.random(500) < share) for share in shares]
        for shares in ([0.8, 0.7, 0.75], [0.6, 0.5, 0.6])
    )
    found = compare(one, other)
    expected = ttest_ind(
        [100 * each.accuracy for each in one], [100 * each.accuracy for each in other]
    )
    assert found.by_seed == pytest.approx(
        tuple(expected.confidence_interval()), rel=1e-9
    )
    assert found.points == pytest.approx(sum(found.by_seed) / 2)
    assert found.by_row[0] < found.points < found.by_row[1]


GOOD, BAD = [1] * 90 + [0] * 10, [1] * 50 + [0] * 50


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ([GOOD] * 3, [BAD] * 3, "+40.0 points"),
        ([GOOD] * 3, [BAD] * 3, "**holds**"),
        ([BAD] * 3, [GOOD] * 3, "**is reversed**"),
        ([GOOD] * 3, [GOOD] * 3, "**is undecided**"),
        (
            [GOOD, BAD, BAD],
            [BAD, BAD, BAD],
            "**is undecided**",
        ),  # one seed of three is no proof
    ],
)
def test_the_verdict_goes_by_both_intervals(
    one: list[list[int]], other: list[list[int]], verdict: str
) -> None:
    found = compare(
        [result_of(right) for right in one], [result_of(right) for right in other]
    )
    assert verdict in judge_claim("a is better", found)


def test_a_column_of_numbers_stands_right_and_bars_are_escaped() -> None:
    lines = table(
        ["a|b", "n", "text"], [["x", "1.0", "2 or"], ["y", "> 3", "none"]]
    ).splitlines()
    assert lines[:2] == ["| a\\|b | n | text |", "| --- | --: | --- |"]


def test_a_header_is_one_sentence() -> None:
    assert read_header("keras_lstm").endswith(
        "test accuracy 0.8870 after one epoch on 120,000 rows."
    )


def test_fewer_rows_are_drawn_of_each_class_alike(tmp_path: Path) -> None:
    write_ag_news(tmp_path)
    draw_rows(tmp_path / "ag_news", tmp_path / "small", 40)
    lines = (tmp_path / "small" / "train.csv").read_text(encoding="utf-8").splitlines()
    assert [
        sum(line.startswith(f'"{label}"') for line in lines) for label in (1, 2, 3, 4)
    ] == [10] * 4
    assert set(lines) <= set(
        (tmp_path / "ag_news" / "train.csv").read_text(encoding="utf-8").splitlines()
    )


def test_rows_are_padded_to_the_longest_of_sixteen(
    make_config: Callable[..., Config], toy_csv: Path
) -> None:
    rows = list(pad_rows(toy_csv, make_config()))
    lengths = [len(text.split()) for _, text in rows]
    assert len(rows) == 200
    assert all(
        len(set(lengths[start : start + 16])) == 1 for start in range(0, 200, 16)
    )
    own = [len(text.replace("padpadpad", "").split()) for _, text in rows]
    assert [max(own[start : start + 16]) for start in range(0, 200, 16)] == lengths[
        ::16
    ]
    assert rows[0][0] == "sport"


def test_words_of_one_class_are_found_with_their_class() -> None:
    texts = [[2, 4]] * 60 + [[3, 4]] * 60 + [[5, 4]]
    lengths = np.full(len(texts), 2)
    encoded = EncodedTexts(
        np.concatenate(texts).astype(np.int32), lengths, np.cumsum(lengths) - lengths
    )
    labels = np.array([0] * 60 + [1] * 61)
    words, classes = find_clear_words(
        EncodedSplit(encoded, labels, np.arange(len(labels))),
        vocab_size=6,
        num_classes=2,
    )
    assert (words.tolist(), classes.tolist()) == (
        [2, 3],
        [0, 1],
    )  # 4 stands in both, 5 is rare


def test_the_nearest_word_has_the_smallest_angle() -> None:
    vectors = torch.tensor([[1.0, 0.0], [10.0, 1.0], [0.0, 1.0], [-1.0, 0.0]])
    assert find_neighbours(vectors)[:, 0].tolist() == [1, 0, 1, 2]


def test_a_finished_run_is_kept_until_its_rows_change(
    toy_csv: Path, tmp_path: Path
) -> None:
    path = tmp_path / "toy.yaml"
    path.write_text(toy_yaml(toy_csv), encoding="utf-8")
    experiment = Experiment("toy", path, ("train.max_epochs=1",), (0,))
    (first,) = run_all([experiment], tmp_path)["toy"]
    written = (tmp_path / "toy-0" / "result.json").stat().st_mtime_ns
    (again,) = run_all([experiment], tmp_path)["toy"]
    assert (tmp_path / "toy-0" / "result.json").stat().st_mtime_ns == written
    assert again.right.tolist() == first.right.tolist()
    assert len(first.right) == 200
    assert (
        first.num_inner
        == sum(
            weight.numel()
            for weight in TextClassifier(load_config(path).model, 3, 2).parameters()
        )
        - 3 * 8
    )
    toy_csv.write_text(
        toy_csv.read_text(encoding="utf-8") + "sport,rovers win,again\n",
        encoding="utf-8",
    )
    (other,) = run_all([experiment], tmp_path)["toy"]
    assert len(other.right) == 201
