"""Predictions as lines, JSON and files: each text is read back unchanged."""

import csv
import errno
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest

from rnncls import DataError
from rnncls.cli.reporting.prediction_output import (
    choose_separator,
    prediction_json,
    prediction_line,
    save_predictions,
)
from rnncls.inference.prediction import Prediction

COUNTS = ("num_tokens", "num_unknown", "num_cut")
PREDICTIONS = [
    Prediction("plain", {"sport": 0.75, "world": 0.25}),
    Prediction('comma, "quotes"\tand a tab', {"sport": 0.125, "world": 0.875}),
    Prediction("two\nlines\r\nor\rmore", {"sport": 0.5, "world": 0.5}),
    Prediction("a lone\rreturn", {"sport": 0.75, "world": 0.25}),
    Prediction("日本 \U0001f468\u200d\U0001f469 \0", {"sport": 1.0, "world": 0.0}),
    Prediction("", {"sport": 0.0, "world": 1.0}),
]
LABELS_AND_TEXTS = [(prediction.label, prediction.text) for prediction in PREDICTIONS]


def read_csv(path: Path, delimiter: str) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [tuple(row) for row in csv.reader(stream, delimiter=delimiter)]


def test_a_line_names_the_tokens_that_were_attended_to_most() -> None:
    attention = [
        (word, weight / 21)
        for weight, word in enumerate(["a", "b", "c", "d", "e\tf"], start=1)
    ]
    prediction = Prediction("the text", {"sport": 1.0}, attention)
    assert (
        prediction_line(prediction, 1)
        == "sport\t1.0000\te f:0.24 d:0.19 c:0.14 b:0.10 a:0.05\tthe text"
    )
    assert json.loads(prediction_json(prediction, 3))["attention"] == [
        list(item) for item in attention
    ]


def test_a_prediction_is_label_prob_and_text_between_tabs() -> None:
    assert (
        prediction_line(Prediction("rovers win", {"world": 0.25, "sport": 0.75}), 1)
        == "sport\t0.7500\trovers win"
    )


def test_top_k_puts_more_labels_before_the_text() -> None:
    prediction = Prediction("rovers win", {"a": 0.125, "b": 0.625, "c": 0.25})
    assert prediction_line(prediction, 2) == "b\t0.6250\tc\t0.2500\trovers win"


@pytest.mark.parametrize(
    "space", ["\n", "\r\n", "\r", "\t", "\v", "\f", "\x1c", "\x85", "\u2028"]
)
def test_white_space_in_a_text_does_not_break_its_line(space: str) -> None:
    line = prediction_line(Prediction(f" one{space}two ", {"sport": 1.0}), 1)
    assert line == "sport\t1.0000\tone two"


@pytest.mark.parametrize("space", ["\n", "\t", "\u2028"])
def test_white_space_in_a_label_does_not_break_its_line(space: str) -> None:
    assert (
        prediction_line(Prediction("text", {f"team{space}sport": 1.0}), 1)
        == "team sport\t1.0000\ttext"
    )


def test_a_byte_that_was_no_utf8_is_printed_as_a_question_mark() -> None:
    assert (
        prediction_line(Prediction("bad \udcff", {"sport": 1.0}), 1)
        == "sport\t1.0000\tbad ?"
    )


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_json_says_text_label_prob_and_probs(prediction: Prediction) -> None:
    assert json.loads(prediction_json(prediction, 3)) == {
        "text": prediction.text,
        "label": prediction.label,
        "prob": prediction.prob,
        "probs": prediction.probs,
        "num_tokens": prediction.num_tokens,
        "num_unknown": prediction.num_unknown,
        "num_cut": prediction.num_cut,
        "row": 3,
    }


@pytest.mark.parametrize("text", ["two\nlines\u2028\x85", "bad \udcff", "日本"])
def test_json_is_one_line_of_ascii_that_keeps_the_text(text: str) -> None:
    line = prediction_json(Prediction(text, {"sport": 1.0}), 1)
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line)["text"] == text


@pytest.mark.parametrize(
    ("name", "delimiter"),
    [
        ("out.csv", ","),
        ("out.tsv", "\t"),
        ("OUT.CSV", ","),
        ("out.with.dots.tsv", "\t"),
    ],
)
def test_a_delimited_file_is_read_back_with_each_text_unchanged(
    tmp_path: Path, name: str, delimiter: str
) -> None:
    save_predictions(tmp_path / name, PREDICTIONS, 1)
    assert read_csv(tmp_path / name, delimiter) == [
        ("label", "prob", "text", "row", *COUNTS),
        ("sport", "0.750000", "plain", "1", "", "", ""),
        ("world", "0.875000", 'comma, "quotes"\tand a tab', "2", "", "", ""),
        ("sport", "0.500000", "two\nlines\r\nor\rmore", "3", "", "", ""),
        ("sport", "0.750000", "a lone\rreturn", "4", "", "", ""),
        ("sport", "1.000000", "日本 \U0001f468\u200d\U0001f469 \0", "5", "", "", ""),
        ("world", "1.000000", "", "6", "", "", ""),
    ]


def test_a_table_has_the_labels_in_the_order_of_the_run(tmp_path: Path) -> None:
    thresholds = {"joy": 0.5, "anger": 0.5, "fear": 0.5}
    predictions = [
        Prediction("a", {"joy": 0.6, "anger": 0.1, "fear": 0.9}, thresholds=thresholds),
        Prediction("b", {"joy": 0.1, "anger": 0.1, "fear": 0.2}, thresholds=thresholds),
    ]
    save_predictions(tmp_path / "out.csv", predictions, None, label_separator=";")
    header, *rows = read_csv(tmp_path / "out.csv", ",")
    assert header[-1] == "labels"
    assert [row[-1] for row in rows] == ["joy;fear", ""]


def test_a_csv_file_means_the_same_to_pyarrow(tmp_path: Path) -> None:
    save_predictions(tmp_path / "out.csv", PREDICTIONS, 1)
    options = pyarrow.csv.ParseOptions(newlines_in_values=True)
    table = pyarrow.csv.read_csv(tmp_path / "out.csv", parse_options=options)
    assert table["text"].to_pylist() == [prediction.text for prediction in PREDICTIONS]


@pytest.mark.parametrize("name", ["out.jsonl", "out.ndjson"])
def test_a_file_of_json_lines_is_read_back(tmp_path: Path, name: str) -> None:
    save_predictions(tmp_path / name, PREDICTIONS, 1)
    rows = [
        json.loads(line)
        for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()
    ]
    assert [(row["label"], row["text"]) for row in rows] == LABELS_AND_TEXTS
    assert [row["probs"] for row in rows] == [
        prediction.probs for prediction in PREDICTIONS
    ]


def test_a_parquet_file_is_read_back(tmp_path: Path) -> None:
    save_predictions(tmp_path / "out.parquet", PREDICTIONS, 1)
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist() == [
        {
            "text": prediction.text,
            "label": prediction.label,
            "prob": prediction.prob,
            "row": row,
            **dict.fromkeys(COUNTS),
        }
        for row, prediction in enumerate(PREDICTIONS, start=1)
    ]


def test_a_parquet_file_may_hold_more_rows_than_are_written_at_once(
    tmp_path: Path,
) -> None:
    many = [Prediction(str(number), {"sport": 1.0}) for number in range(8192 + 3)]
    save_predictions(tmp_path / "out.parquet", many, 1)
    texts = pyarrow.parquet.read_table(tmp_path / "out.parquet")["text"].to_pylist()
    assert texts == [str(number) for number in range(8192 + 3)]


def test_any_other_file_has_a_line_a_prediction(tmp_path: Path) -> None:
    save_predictions(tmp_path / "out.txt", PREDICTIONS, 2)
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "sport\t0.7500\tworld\t0.2500\tplain"
    assert len(lines) == len(PREDICTIONS)


FORMS = ["out.csv", "out.tsv", "out.jsonl", "out.parquet", "out.txt"]
each_form = pytest.mark.parametrize("name", FORMS)


@each_form
def test_the_number_of_predictions_is_returned(tmp_path: Path, name: str) -> None:
    assert save_predictions(tmp_path / name, iter(PREDICTIONS), 1) == 6


@each_form
def test_no_predictions_make_a_file_without_rows(tmp_path: Path, name: str) -> None:
    assert save_predictions(tmp_path / name, [], 1) == 0
    assert (tmp_path / name).is_file()


@each_form
def test_a_byte_that_was_no_utf8_can_be_saved(tmp_path: Path, name: str) -> None:
    assert (
        save_predictions(tmp_path / name, [Prediction("bad \udcff", {"sport": 1.0})], 1)
        == 1
    )


@each_form
def test_only_the_file_is_left_behind(tmp_path: Path, name: str) -> None:
    save_predictions(tmp_path / name, PREDICTIONS, 1)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@each_form
def test_whoever_reads_the_old_file_keeps_it_whole(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old")
    with (tmp_path / name).open() as reader:
        save_predictions(tmp_path / name, PREDICTIONS, 1)
        assert reader.read() == "old"


def failing(error: Exception) -> Iterator[Prediction]:
    yield PREDICTIONS[0]
    raise error


@each_form
@pytest.mark.parametrize(
    "error",
    [DataError("row 2 is wrong"), OSError(errno.ENOSPC, "No space left on device")],
)
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, name: str, error: Exception
) -> None:
    (tmp_path / name).write_text("old")
    with pytest.raises(DataError):
        save_predictions(tmp_path / name, failing(error), 1)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        (name, "old")
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing/out.csv", "No such file or directory"),
        ("missing/out.parquet", ""),
        ("", ""),
    ],
)
def test_a_place_that_cannot_be_written_to_is_named(
    tmp_path: Path, name: str, reason: str
) -> None:
    with pytest.raises(DataError) as caught:
        save_predictions(tmp_path / name, PREDICTIONS, 1)
    assert str(caught.value).startswith(
        f"{tmp_path / name}: cannot be written: {reason}"
    )


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_table_has_the_counts_of_tokens(tmp_path: Path, name: str) -> None:
    prediction = Prediction(
        "a b", {"sport": 1.0}, num_tokens=2, num_unknown=1, num_cut=3
    )
    save_predictions(tmp_path / name, [prediction], 1)
    if name == "out.csv":
        header, row = read_csv(tmp_path / name, ",")
        values: dict[str, Any] = dict(zip(header, row, strict=True))
    else:
        (values,) = pyarrow.parquet.read_table(tmp_path / name).to_pylist()
    assert [int(values[column]) for column in COUNTS] == [2, 1, 3]


@pytest.mark.parametrize(
    ("labels", "separator"),
    [(["a", "b"], "|"), (["a|b", "c"], ";"), (["|;", ",/~"], "||"), ([], "|")],
)
def test_labels_are_separated_by_what_none_of_them_contains(
    labels: list[str], separator: str
) -> None:
    assert choose_separator(labels) == separator
