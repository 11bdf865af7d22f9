"""Each file of a folder is converted in its own format, by the names of its columns."""

import csv
import json
from pathlib import Path

import pytest

from rnncls import DataError
from rnncls.data.conversion import ConversionOptions
from rnncls.data.init_config import Draft, draft_config

SKIP = ConversionOptions(skip_unlabelled=True)
FIRST = [(f"a good day number {row}", "xy"[row % 2]) for row in range(30)]
SECOND = [
    (f"ein schöner Tag {row}", "xy"[row % 2] if row > 2 else "") for row in range(9)
]
OTHERS = {
    "order": ("label,text", "{label},{text}", "utf-8"),
    "delimiter": ("text;label", "{text};{label}", "utf-8-sig"),
    "encoding": ("text,label", "{text},{label}", "cp1252"),
    "more columns": ("row,text,label,suggested", "7,{text},{label},y", "utf-8"),
}


def _write_folder(header: str, pattern: str, encoding: str) -> None:
    Path("L").mkdir()
    first = "".join(f"{text},{label}\n" for text, label in FIRST)
    Path("L/a.csv").write_text("text,label\n" + first)
    rows = [pattern.format(text=text, label=label) for text, label in SECOND]
    Path("L/b.csv").write_text("\n".join([header, *rows]) + "\n", encoding)


def _check_rows(draft: Draft, names: list[str]) -> None:
    with Path(str(draft.config.data.train)).open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == names
    pairs = [(row["text"], row["label"]) for row in rows]
    assert pairs == FIRST + [row for row in SECOND if row[1]]


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize("source", ["L", "L/*.csv"])
def test_each_file_is_converted_by_its_own_header(form: str, source: str) -> None:
    _write_folder(*OTHERS[form])
    draft = draft_config(source, Path("c.yaml"), options=SKIP)
    _check_rows(draft, ["text", "label"])
    left_out = [note for note in draft.notes if "left out" in note]
    assert left_out == ["L/b.csv: left out 3 rows (1, 2, 3): no label"]


def test_a_file_without_the_label_is_an_error_that_names_it() -> None:
    _write_folder("text,kind", "{text},{label}", "utf-8")
    with pytest.raises(DataError, match=r"^L/b\.csv: no column 'label'"):
        draft_config("L", Path("c.yaml"), options=SKIP)


def test_json_lines_are_converted_by_their_keys() -> None:
    Path("L").mkdir()
    for name, rows in (("a", FIRST), ("b", SECOND)):
        objects = [{"text": text, "label": label} for text, label in rows]
        if name == "b":
            objects = [dict(reversed(row.items())) | {"id": "1"} for row in objects]
        lines = "".join(json.dumps(row) + "\n" for row in objects)
        Path(f"L/{name}.jsonl").write_text(lines)
    _check_rows(draft_config("L", Path("c.yaml"), options=SKIP), ["text", "label"])


def test_the_test_file_is_converted_by_its_own_header() -> None:
    first = "".join(f"{text},{label}\n" for text, label in FIRST)
    Path("train.csv").write_text("text,label\n" + first)
    Path("test.csv").write_text("label;text\nx;a day\n;another day\n")
    draft = draft_config("train.csv", Path("c.yaml"), options=SKIP)
    assert Path("c-test.csv").read_text() == '"label","text"\n"x","a day"\n'
    assert "test.csv: left out 1 row (2): no label" in draft.notes


def test_columns_of_several_labels_are_found_by_name() -> None:
    Path("L").mkdir()
    rows = [
        (f"some words {row}", row % 2, row // 2 % 2, row // 4 % 2) for row in range(40)
    ]
    first = "".join(f"{text},{joy},{love},{fear}\n" for text, joy, love, fear in rows)
    second = "".join(f"{love},{text},{fear},{joy}\n" for text, joy, love, fear in rows)
    Path("L/a.csv").write_text("text,joy,love,fear\n" + first)
    Path("L/b.csv").write_text("love,text,fear,joy\n" + second + ",blank,1,1\n")
    draft = draft_config("L", Path("c.yaml"), options=SKIP)
    assert draft.stats.classes == {"joy": 40, "love": 40, "fear": 40}
    assert draft.stats.num_rows == 80
