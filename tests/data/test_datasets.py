"""Labelled data files: their labels, their columns, and where they are."""

import hashlib
import logging
from pathlib import Path
from typing import Any

import pytest

from rnncls import DataError
from rnncls.config.loading import parse_config
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.cache import load_cached
from rnncls.data.datasets import LabelledTexts, columns_of, load_labelled, locate
from rnncls.data.rows import Columns
from rnncls.data.splits import Split

FILES = {
    "train": b'"1","World news","one"\n"2","Sports news","two"\n',
    "test": b'"3","Business news","three"\n',
}
AG_NEWS = DataSection(name="ag_news")
FOLDER = Path("data/ag_news")


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


WORDS = TextSection(tokenizer="whitespace", clean=False)


def own(**values: Any) -> DataSection:
    """Return the section for a file with the columns "text" and "label"."""
    return DataSection(train="train.csv", text=["text"], **values)


def load(labels: list[str], section: DataSection | None = None) -> LabelledTexts:
    """Load a file with these labels."""
    lines = ["text,label", *(f"word{row},{label}" for row, label in enumerate(labels))]
    return load_labelled(
        write(Path("train.csv"), "\n".join(lines)), section or own(), WORDS
    )


def load_ag_news(lines: list[str]) -> LabelledTexts:
    """Load a file of ag_news with these lines."""
    return load_labelled(write(FOLDER / "train.csv", "\n".join(lines)), AG_NEWS, WORDS)


# Labels


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a", "B"], ["B", "a", "b"]),
        (["10", "9", "1"], ["1", "9", "10"]),
        (["2.5", "-1", "10"], ["-1", "2.5", "10"]),
        (["x", "10", "a", "9"], ["9", "10", "a", "x"]),
        (["true", "false"], ["false", "true"]),
        (["two words", "ü"], ["two words", "ü"]),
    ],
)
def test_labels_are_sorted_as_numbers_before_texts(
    labels: list[str], names: list[str]
) -> None:
    assert load(labels).label_names == names


def test_labels_are_numbers_into_their_names() -> None:
    source = load(["b", "a", "b", "c"])
    assert (source.labels.tolist(), source.labels.dtype.name) == ([1, 0, 1, 2], "int64")


def test_the_order_of_the_rows_does_not_change_the_names_of_the_labels() -> None:
    assert load(["3", "1", "2"]).label_names == load(["2", "3", "1"]).label_names


def test_texts_stand_beside_their_labels() -> None:
    source = load(["a", "b", "a"])
    assert (
        [source.texts.words[number] for number in source.texts.word_ids],
        source.labels.tolist(),
    ) == (
        ["word0", "word1", "word2"],
        [0, 1, 0],
    )


def test_rows_of_several_blocks_make_one_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rnncls.data.delimited.BLOCK_BYTES", 40)
    assert load(["a", "b"] * 50).labels.tolist() == [0, 1] * 50


def test_a_source_knows_the_checksum_of_its_file() -> None:
    source = load(["a", "b"])
    assert source.sha256 == hashlib.sha256(source.path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "lines",
    [
        ['"4","a","b"', '"1","a","b"', '"2","a","b"', '"3","a","b"'],
        ["Sci/Tech,a,b", "World,a,b", "Sports,a,b", "Business,a,b"],
        ["label,title,description", "4,a,b", "World,a,b", "2,a,b", "Business,a,b"],
    ],
)
def test_classes_of_a_built_in_data_set_go_by_number_or_by_name(
    lines: list[str],
) -> None:
    source = load_ag_news(lines)
    assert (source.label_names, source.labels.tolist()) == (
        ["World", "Sports", "Business", "Sci/Tech"],
        [3, 0, 1, 2],
    )


def test_classes_of_a_built_in_data_set_that_do_not_occur_are_left_out() -> None:
    assert load_ag_news(["4,a,b", "2,a,b"]).label_names == ["Sports", "Sci/Tech"]


def test_a_built_in_data_set_reads_title_and_description() -> None:
    assert load_ag_news(["1,one two,three"]).texts.words == ["one", "two", "three"]


def test_columns_of_a_built_in_data_set_have_known_positions() -> None:
    columns = columns_of(AG_NEWS)
    assert columns.positions == ("label", "title", "description")
    assert columns.classes == (
        "1",
        "2",
        "3",
        "4",
        "World",
        "Sports",
        "Business",
        "Sci/Tech",
    )


def test_columns_of_ones_own_file_need_a_header() -> None:
    assert columns_of(own(label="class")) == Columns(("text",), "class", ())


@pytest.mark.parametrize("label", ["0", "5", "-1", "1.0", "world", "Music"])
def test_a_class_out_of_range_is_named_with_its_row(label: str) -> None:
    with pytest.raises(DataError) as caught:
        load_ag_news(["1,a,b", "4,a,b", f"{label},a,b", f"{label},a,b"])
    message = str(caught.value)
    assert message.startswith(
        f"{FOLDER / 'train.csv'}: row 3: unknown label '{label}': expected one of"
        " 'World', 'Sports', 'Business', 'Sci/Tech'; "
    )
    assert f"'{label}' (2 rows, first row 3" in message
    assert message.endswith("; correct the file")


@pytest.mark.parametrize("content", ["text,label\n", "text,label"])
def test_a_file_with_a_header_alone_is_named(content: str) -> None:
    with pytest.raises(
        DataError, match=r"^train\.csv: has no rows: expected one labelled text a row$"
    ):
        load_labelled(write(Path("train.csv"), content), own(), WORDS)


@pytest.mark.parametrize(
    ("name", "said"), [("a.csv", "is empty"), ("a.jsonl", "has no rows")]
)
def test_an_empty_file_is_named(name: str, said: str) -> None:
    with pytest.raises(DataError, match=f"^{name}: {said}"):
        load_labelled(write(Path(name), ""), own(), WORDS)


def test_labels_can_be_numbers_into_another_list_of_names() -> None:
    assert load(["b", "a", "b"]).labels_as(["c", "b", "a"]).tolist() == [1, 2, 1]


def test_a_label_that_another_list_of_names_lacks_is_named_with_its_row() -> None:
    with pytest.raises(DataError) as caught:
        load(["b", "a", "d", "e"]).labels_as(["a", "b", "c"])
    assert (
        str(caught.value)
        == "train.csv: row 3: unknown label 'd': expected one of 'a', 'b', 'c';"
        " unknown are 'd' (1 row, first row 3), 'e' (1 row, first row 4); correct the"
        " file"
    )


# Files


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_ones_own_files_are_where_the_config_says(split: Split) -> None:
    section = own(valid="valid.jsonl", test="/elsewhere/test.tsv")
    assert locate(section, split) == Path(
        {"train": "train.csv", "valid": "valid.jsonl"}.get(split, "/elsewhere/test.tsv")
    )


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("valid", "data.valid is not set: name the file in the config"),
        (
            "test",
            "data.test is not set, so there are no test rows: for the next"
            " training, set data.test or data.test_fraction; for this run, choose"
            " another data file, or the validation rows",
        ),
    ],
)
def test_a_file_that_the_config_does_not_name_is_asked_for(
    split: Split, expected: str
) -> None:
    with pytest.raises(DataError) as caught:
        locate(own(), split)
    assert str(caught.value) == expected


def test_a_file_without_a_header_is_read_by_the_names_of_its_columns(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.csv", "x;one;9\ny;two;8\n")
    section = DataSection(
        train=str(path), text=["t"], delimiter="semicolon", columns=["label", "t", "id"]
    )
    labelled = load_labelled(path, section, TextSection())
    assert (labelled.label_names, labelled.texts.words) == (["x", "y"], ["one", "two"])


def test_a_built_in_data_set_has_no_validation_file() -> None:
    with pytest.raises(
        DataError,
        match=(
            r"^ag_news has no validation file: validation rows are taken from the"
            r" training rows"
        ),
    ):
        locate(AG_NEWS, "valid")


def test_files_of_a_built_in_data_set_lie_below_the_root() -> None:
    path = write(Path("elsewhere/quickstart/test.csv"), "1,a,b\n")
    assert locate(DataSection(name="quickstart", root="elsewhere"), "test") == path


def test_spaces_around_a_label_do_not_make_another_class(tmp_path: Path) -> None:
    path = tmp_path / "spaces.csv"
    path.write_text("text,label\na,pos\nb, pos\nc,neg \n", encoding="utf-8")
    assert load_labelled(path, own(label="label"), WORDS).label_names == [
        "neg",
        "pos",
    ]


def test_ones_own_file_is_read_without_a_note(caplog: pytest.LogCaptureFixture) -> None:
    path = write(Path("train.csv"), "text,label\none,1\ntwo,2\n")
    with caplog.at_level(logging.INFO, logger="rnncls.data"):
        load_cached(path, own(), WORDS, use_cache=False)
    assert caplog.messages == []


def test_the_blanks_and_the_form_of_a_label_do_not_matter(tmp_path: Path) -> None:
    labels = ["café", "cafe\u0301", "\u00a0café\u3000", "tea"]
    path = tmp_path / "a.csv"
    rows = "".join(f"some text,{label}\n" for label in labels)
    path.write_text("text,label\n" + rows, encoding="utf-8")
    config = parse_config("data: {train: a.csv, text: [text]}", "a.yaml")
    found = load_labelled(path, config.data, config.text)
    assert found.label_names == ["café", "tea"]
    # A run of an earlier version has stored the decomposed form.
    assert found.labels_as(["cafe\u0301", "tea"]).tolist() == [0, 0, 0, 1]
