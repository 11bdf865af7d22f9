"""Lists of labels: which ones are read, recognised by init, and refused."""

import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data import init_config
from rnncls.data.datasets import LabelledTexts, load_labelled
from rnncls.data.hub import read_hub_row
from rnncls.data.init_config import draft_config
from rnncls.data.label_sets import parse_list


def _load_lists(path: Path) -> LabelledTexts:
    section = DataSection(train=str(path), text=["text"], label=["labels"])
    return load_labelled(path, section, TextSection())


def _write_lists(path: Path, lists: list[object]) -> None:
    lines = [
        json.dumps({"text": f"text {number}", "labels": labels})
        for number, labels in enumerate(lists)
    ]
    path.write_text("\n".join(lines))


def test_null_and_empty_items_of_a_list_are_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    _write_lists(path, [["b", None, "", "a"], None, [], "b", [None], ["a|b", 7, True]])
    loaded = _load_lists(path)
    assert loaded.label_names == ["7", "a", "a|b", "b", "true"]
    assert loaded.labels.sum(axis=1).tolist() == [2, 0, 0, 1, 0, 3]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [["a"]],
            r"row 2: 'labels': expected a list of labels, .* found \[\[",
        ),
        ({"a": 1}, r"row 2: 'labels': expected a list of labels"),
        (["\ud800"], "row 2: 'labels': not valid Unicode"),
        ([0, 1, 1], "row 2: expected the names of the labels of a text, found 0, 1, 1"),
        ([True, True], "row 2: expected the names of the labels"),
    ],
)
def test_a_wrong_list_is_named_with_its_row(
    tmp_path: Path, labels: object, message: str
) -> None:
    path = tmp_path / "a.jsonl"
    _write_lists(path, [["a", "b"], labels])
    with pytest.raises(DataError, match=message):
        _load_lists(path)
    with pytest.raises(DataError, match=message):
        draft_config(str(path), tmp_path / "a.yaml", ["text"], "labels")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([b"x", None], pa.list_(pa.binary())),
        (["x", None], pa.list_(pa.string(), 2)),
        (["x"], pa.large_list(pa.large_string())),
        (["x"], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
    ],
)
def test_all_kinds_of_parquet_lists_are_read(
    tmp_path: Path, values: list[object], kind: pa.DataType
) -> None:
    path = tmp_path / "a{0}.parquet"
    lists = pa.array([values, None], type=kind)
    pa_parquet.write_table(pa.table({"text": ["a", "b"], "labels": lists}), path)
    loaded = _load_lists(path)
    assert (loaded.label_names, loaded.labels.tolist()) == (["x"], [[True], [False]])


def test_nan_in_a_list_is_no_label(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    lists = pa.array([[1.0, float("nan")], [2.0]])
    pa_parquet.write_table(pa.table({"text": ["a", "b"], "labels": lists}), path)
    assert _load_lists(path).label_names == ["1.0", "2.0"]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("['joy', \"don't\"]", ["joy", "don't"]),
        ('["caf\\u00e9", "a \\"b\\""]', ["café", 'a "b"']),
        ("['joy' 'love'\n 'a, b']", ["joy", "love", "a, b"]),
        (" [3, 17,] ", ["3", "17"]),
        ("[1.5 -2 nan None null]", ["1.5", "-2"]),
        ("[]", []),
        ("[ ]", []),
        ("[joy]", None),
        ("[draft] a title", None),
        ("['joy'", None),
        ("joy", None),
        ("['a'] ['b']", None),
    ],
)
def test_a_printed_list_is_parsed(text: str, labels: list[str] | None) -> None:
    assert parse_list(text) == labels


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_init_recognises_printed_lists(tmp_path: Path, encoding: str) -> None:
    lists = [["a|é"], ["a|é", "b"], [], ["b", "c"]] * 5
    rows = [f'text number {n},"{labels}"' for n, labels in enumerate(lists)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["text,labels", *rows]), encoding=encoding)
    draft = draft_config(str(path), tmp_path / "c.yaml")
    assert draft.stats.classes == {"a|é": 10, "b": 10, "c": 5}
    assert draft.stats.num_without_labels == 5


def test_a_separator_is_in_no_label_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init_config, "_RECORDS_SAMPLED", 5)
    lines = ["__label__a __label__b text"] * 30
    path = tmp_path / "a.txt"
    path.write_text("\n".join([*lines, "__label__a|;c text", *lines]))
    draft = draft_config(str(path), tmp_path / "c.yaml")
    assert draft.config.data.label_separator == ","
    assert draft.stats.classes == {"a": 60, "b": 60, "a|;c": 1}


@pytest.mark.parametrize("line", ["", "no label"])
def test_a_fasttext_line_without_label_does_not_make_several_labels(
    tmp_path: Path, line: str
) -> None:
    path = tmp_path / "a.txt"
    lines = ["__label__a one text", "__label__b two texts"] * 20
    path.write_text("\n".join([*lines, line, ""]))
    with pytest.raises(DataError, match="row 41: expected __label__CLASS and a text"):
        draft_config(str(path), tmp_path / "c.yaml")


def test_lists_in_a_column_of_another_name_are_found(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "keywords": ["a", "b"][: n % 3]} for n in range(30)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    draft = draft_config(str(path), tmp_path / "c.yaml")
    assert draft.config.data.label == ["keywords"]


def test_tokens_are_not_taken_for_labels(tmp_path: Path) -> None:
    rows = [{"text": f"text {n}", "tokens": list("abcdefghijkl")} for n in range(30)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match="'tokens': lists or objects, which"):
        draft_config(str(path), tmp_path / "c.yaml")


def test_empty_rows_at_the_end_are_no_texts_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,labels\none,a\n,\ntwo,a|b\nthree,\n,\n,\n")
    section = DataSection(
        train="a.csv", text=["text"], label="labels", label_separator="|"
    )
    loaded = load_labelled(path, section, TextSection())
    assert loaded.labels.sum(axis=1).tolist() == [1, 0, 2, 0]


def test_classes_of_lists_of_the_hub_have_their_names() -> None:
    classes = SimpleNamespace(names=["joy", "anger"])
    features = {
        "text": SimpleNamespace(),
        "labels": SimpleNamespace(feature=classes),
        "tags": [classes],
        "label": classes,
    }
    row = {"text": "a text", "labels": [1, 0], "tags": [], "label": 1}
    found = read_hub_row(row, features)
    assert found == {
        "text": "a text",
        "labels": '["anger", "joy"]',
        "tags": "[]",
        "label": "anger",
    }
