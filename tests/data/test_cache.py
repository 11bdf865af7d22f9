"""The cache of tokenised files gives what reading gives, is verified and bounded."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnncls
from rnncls import DataError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.data import cache
from rnncls.data.cache import (
    READING_VERSION,
    cache_dir,
    compute_key,
    load_cached,
)
from rnncls.data.datasets import LabelledTexts, load_labelled
from rnncls.data.detected import _note_format
from rnncls.machine.arrays import load_arrays, save_arrays
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.text.tokenizer import build_tokenizer

CONFIG = "data: {train: own.csv, text: [text], label: label}\ntext: {clean: true}\n"


def configure(*overrides: str) -> Config:
    return parse_config(CONFIG, "own.yaml", overrides)


@pytest.fixture(autouse=True)
def own_file() -> Path:
    path = Path("own.csv")
    path.write_text(
        "text,label\nUne élève,b\nthe cat's hat,a\nthe end,b\n", encoding="utf-8"
    )
    return path


def load(*overrides: str) -> LabelledTexts:
    config = configure(*overrides)
    return load_cached(Path("own.csv"), config.data, config.text, use_cache=True)


def entries() -> list[Path]:
    return sorted(cache_dir().glob("*.safetensors"))


def assert_same(found: LabelledTexts, expected: LabelledTexts) -> None:
    assert (found.path, found.sha256, found.label_names) == (
        expected.path,
        expected.sha256,
        expected.label_names,
    )
    assert found.texts.words == expected.texts.words
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.texts.word_ids, expected.texts.word_ids)
    np.testing.assert_array_equal(found.texts.lengths, expected.texts.lengths)


def test_the_second_time_gives_what_the_first_gave() -> None:
    first = load()
    assert len(entries()) == 1
    assert_same(load(), first)


def test_the_second_time_does_not_read_the_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    load()
    monkeypatch.setattr(cache, "load_labelled", None)
    load()


def test_an_entry_read_in_another_encoding_is_not_used(
    own_file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    own_file.write_text("text;label\nCustomer É;b\nthe end;a\n", encoding="cp1252")
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_find_encodings", lambda _: [])  # as earlier versions
        load()
    load()
    assert len(entries()) == 2
    _note_format.cache_clear()
    caplog.clear()
    load()
    message = "own.csv: read as semicolon-delimited, encoding cp1252"
    assert caplog.messages == [message]


def test_without_the_cache_nothing_is_kept() -> None:
    config = configure()
    load_cached(Path("own.csv"), config.data, config.text, use_cache=False)
    assert not cache_dir().exists()


@pytest.mark.parametrize(
    "override",
    [
        "text.max_tokens=2",
        "text.clean=false",
        "text.tokenizer=whitespace",
        "text.mark_case=true",
        "text.same_digits=true",
    ],
)
def test_another_way_of_reading_is_another_entry(override: str) -> None:
    load()
    load(override)
    assert len(entries()) == 2


def test_a_change_that_does_not_touch_the_tokens_uses_the_same_entry() -> None:
    load()
    load("text.min_freq=3", "model.hidden_size=4", "seed=9")
    assert len(entries()) == 1


def test_a_changed_file_is_read_anew(own_file: Path) -> None:
    load()
    own_file.write_text("text,label\nnew,a\n", encoding="utf-8")
    assert load().texts.words == ["new"]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("type_ids", lambda values: values + 99),
        ("type_ids", lambda values: values - 99),
        ("type_ids", lambda values: values[:-1]),
        ("lengths", lambda values: values[:-1]),
        ("lengths", lambda values: values - values.min()),
        ("labels", lambda values: values + 9),
        ("labels", lambda values: values.float()),
        ("types", lambda values: values[:0]),
        ("types", lambda values: values | 255),
    ],
)
def test_a_sealed_entry_whose_parts_do_not_fit_together_is_replaced(
    name: str, change: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    first = load()
    tensors, meta = load_tensors(entries()[0])
    save_tensors(entries()[0], {**tensors, name: change(tensors[name])}, meta)
    assert_same(load(), first)


@pytest.mark.parametrize(
    "overrides", [[], ["data.label_separator=;", "model.task=several_labels"]]
)
def test_a_sealed_entry_with_labels_of_the_other_kind_is_replaced(
    overrides: list[str],
) -> None:
    first = load(*overrides)
    tensors, meta = load_tensors(entries()[0])
    labels = tensors["labels"]  # [3] int64, or [3, 2] bool for sets
    if labels.ndim == 1:
        other = torch.eye(2, dtype=torch.bool)[labels]  # [3, 2]
    else:
        other = labels.int().argmax(dim=1)  # [3]
    save_tensors(entries()[0], {**tensors, "labels": other}, meta)
    assert_same(load(*overrides), first)


def test_a_sealed_entry_of_something_else_is_replaced() -> None:
    first = load()
    save_tensors(entries()[0], {}, {})
    assert_same(load(), first)


@pytest.mark.parametrize("damage", ["flip", "truncate", "empty"])
def test_a_damaged_entry_is_logged_and_replaced(
    damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = load()
    whole = entries()[0].read_bytes()
    flipped = whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]
    entries()[0].write_bytes(
        {"flip": flipped, "truncate": whole[:-9], "empty": b""}[damage]
    )
    with caplog.at_level(logging.INFO, logger="rnncls.data.cache"):
        assert_same(load(), first)
    assert "cache: replaced" in caplog.text
    assert entries()[0].read_bytes() == whole


def test_a_place_that_cannot_be_written_to_is_told_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("RNNCLS_CACHE", "own.csv/folder")
    with caplog.at_level(logging.INFO, logger="rnncls.data.cache"):
        load()
    assert "cache: not saved" in caplog.text


def test_the_entry_used_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    load()
    (first,) = entries()
    load("text.max_tokens=3")
    (second,) = set(entries()) - {first}
    os.utime(first, (1, 1))
    load()  # used again: now the second is the oldest
    os.utime(second, (2, 2))
    monkeypatch.setattr(
        cache, "MAX_BYTES", first.stat().st_size + second.stat().st_size
    )
    load("text.max_tokens=4")
    assert first in entries()
    assert second not in entries()


def test_an_entry_too_large_for_the_cache_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "MAX_BYTES", 100)
    load()
    assert entries() == []


def test_a_missing_file_is_named() -> None:
    config = configure()
    with pytest.raises(DataError, match=r"^none\.csv: no such file; looked in /"):
        load_cached(Path("none.csv"), config.data, config.text, use_cache=True)


def test_the_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RNNCLS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "elsewhere")
    assert cache_dir() == Path("elsewhere/rnncls")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "rnncls"


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    own_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = load_labelled

    def change_and_load(*arguments: Any) -> LabelledTexts:
        own_file.write_text("text,label\nnew,a\n", encoding="utf-8")
        return plain(*arguments)

    monkeypatch.setattr(cache, "load_labelled", change_and_load)
    load()
    assert entries() == []


def test_an_entry_under_the_name_of_another_is_replaced(
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = load()
    (first,) = entries()
    load("text.max_tokens=1")
    (second,) = set(entries()) - {first}
    first.write_bytes(second.read_bytes())
    with caplog.at_level(logging.INFO, logger="rnncls.data.cache"):
        found = load()
    assert "damaged: the entry of another file" in caplog.text
    assert_same(found, expected)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("type_ids", lambda ids: ids + 1000),
        ("type_ids", lambda ids: ids - 1000),
        ("type_ids", lambda ids: ids.long()),
        ("type_ids", lambda ids: ids[1:]),
        ("lengths", lambda lengths: lengths * 0),
        ("lengths", lambda lengths: lengths[1:]),
        ("labels", lambda labels: labels + 1),
        ("labels", lambda labels: labels[:0]),
        ("types", lambda types: types[:0]),
        ("types", lambda types: types.float()),
        ("types", None),
    ],
)
def test_a_sealed_entry_of_another_form_is_replaced(
    name: str,
    change: Callable[[torch.Tensor], torch.Tensor] | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = load()
    (entry,) = entries()
    tensors, meta = load_tensors(entry)
    changed = {} if change is None else {name: change(tensors.pop(name))}
    tensors.pop(name, None)
    save_tensors(entry, tensors | changed, meta)
    with caplog.at_level(logging.INFO, logger="rnncls.data.cache"):
        found = load()
    assert "cache: replaced: " in caplog.text
    assert_same(found, expected)


@pytest.mark.parametrize(("age_s", "stays"), [(0.0, True), (7200.0, False)])
def test_what_a_killed_process_was_writing_goes_after_a_while(
    age_s: float, stays: bool
) -> None:
    cache_dir().mkdir(parents=True)
    half = cache_dir() / ".abc.safetensors.part-xyz"
    half.write_bytes(b"half")
    os.utime(half, (time.time() - age_s,) * 2)
    load()
    assert half.exists() == stays


# What entries of earlier versions depend on


@pytest.mark.parametrize(
    ("yaml", "key"),
    [
        (CONFIG, "22beaaa73725a39d2313b194427ca515"),
        (
            "data: {name: ag_news}\n"
            "text: {mark_case: true, same_digits: true, max_tokens: 99}",
            "e337faafdefcd84bbcb43f777201297c",
        ),
        (
            "data: {train: a.TSV, text: [a, b], label: c, delimiter: semicolon,"
            " columns: [a, b, c]}\ntext: {tokenizer: whitespace, clean: false}",
            "340af1e3b68825b9ce4af4ba506b0199",
        ),
    ],
)
def test_the_key_is_that_of_the_first_version(
    yaml: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "version", lambda name: f"{name} 1")
    monkeypatch.setattr(rnncls, "__version__", "0.1.0")
    config = parse_config(yaml, "own.yaml")
    path = Path(config.data.train or "train.csv")
    assert compute_key(path, "0" * 64, config.data, config.text) == key


TRICKY_TEXTS = [
    "Wall St. #39;s Bears, quot;Hi,quot; &lt;b&gt;said&lt;/b&gt; R&amp;D amp; B",
    "one\\two <!-- x --> 5 &lt; 6 &#x3c; lt;b gt; #1234567; &nbsp;",
    "USA Today in 1998: a 3G (eBay-Inc) McDONALD'S \u00c9TATS \u0663",
    "tab\tnew\nline\x0bfeed\u2003em\xa0nbsp\u2028end\r\x85",
    "\u00dcBER \u0130stanbul \u1e9e \U0001f600 \u4e2d\u6587 a.b.c...d"
    " don't! <unk> <pad>",
    "",
    "<br/>",
    " ".join(f"w{number}" for number in range(300)),
]
READINGS = {
    "csv": ("utf-8-sig", 'text,label\n"a ""b"",\nc",x\n\nd\'s, y \n,x\n'),
    "tsv": ("utf-8", 'label\ttext\r\nx\ta "b" c\r\n10\t"d\te"\r\n9\tf\r\n'),
    "jsonl": (
        "utf-8",
        '{"text": "a\\u00e9", "label": 1}\n{"label": true, "text": null}\n',
    ),
}


def digest_readings() -> str:
    """Return a checksum of the tokens and labels of tricky texts and files."""
    readings: list[Any] = []
    for override in (
        "text.clean=true",
        "text.clean=false",
        "text.tokenizer=whitespace",
        "text.mark_case=true",
        "text.same_digits=true",
    ):
        tokenize = build_tokenizer(configure(override).text)
        readings += [tokenize(text) for text in TRICKY_TEXTS]
    for suffix, (encoding, content) in READINGS.items():
        path = Path(f"tricky.{suffix}")
        path.write_bytes(content.encode(encoding))
        found = load_labelled(path, configure().data, configure().text)
        readings += [found.texts.words, found.texts.word_ids.tolist()]
        readings += [found.texts.lengths.tolist()]
        readings += [found.labels.tolist(), found.label_names]
    return hashlib.sha256(json.dumps(readings).encode()).hexdigest()


def test_the_reading_version_stands_for_these_tokens_and_labels() -> None:
    """If this fails, entries of the cache are wrong: change READING_VERSION with it."""
    assert (READING_VERSION[0][:8], digest_readings()) == (
        "ef0170b6",
        "59bc8228b7cc0bc8a13ee353840ab561b4af0a5675ffcd3e869f3b13db99104c",
    )


def test_an_entry_with_labels_that_were_not_normalised_is_replaced() -> None:
    load()
    [entry] = entries()
    tensors, meta = load_tensors(entry)
    save_tensors(entry, tensors, {**meta, "label_names": ["a", "cafe\u0301"]})
    assert load().label_names == ["a", "b"]


def test_copies_are_numbered_only_if_rows_are_split_by_text() -> None:
    Path("own.csv").write_text("text,label\nOne,b\none,a\ntwo,b\n", encoding="utf-8")
    assert load().text_ids is None
    by_text = load("data.split=texts")
    assert by_text.text_ids is not None
    assert by_text.text_ids.tolist() == [0, 0, 2]
    assert len(entries()) == 1  # that of rows was replaced: the tokens are the same
    assert_same(by_text, load())
    assert load().text_ids is None


def test_numbered_copies_are_read_from_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = load("data.split=texts").text_ids
    monkeypatch.setattr(cache, "load_labelled", None)
    second = load("data.split=texts").text_ids
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "text_ids", [[0, 1], [0, 2, 2], [-1, 1, 2], [0.0, 1.0, 2.0]], ids=str
)
def test_an_entry_with_impossible_copies_is_replaced(text_ids: list[float]) -> None:
    expected = load("data.split=texts")
    (entry,) = entries()
    arrays, metadata = load_arrays(entry)
    save_arrays(entry, arrays | {"text_ids": np.array(text_ids)}, metadata)
    found = load("data.split=texts")
    assert_same(found, expected)
    np.testing.assert_array_equal(found.text_ids, expected.text_ids)


@pytest.mark.parametrize(
    ("text", "is_used"),
    [
        ("plain words", True),
        ("R&D", True),
        ("R&amp;D", True),
        ("x; y", True),
        ("a<b>c", False),
        ("a<b c", False),
        ("&lt;b&gt;", False),
        ("a #39; b", False),
        ("C:\\new", False),
    ],
)
def test_an_entry_of_the_earlier_cleaning_serves_a_file_without_markup(
    text: str, *, is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("own.csv").write_text(f'text,label\n"{text}",a\nother,b\n', encoding="utf-8")
    expected = load("text.clean=true")
    if is_used:
        monkeypatch.setattr(cache, "load_labelled", None)
        assert_same(load("text.clean=html"), expected)
    assert load("text.clean=html").texts.words is not None
    assert len(entries()) == (1 if is_used else 2)


def test_a_damaged_compressed_file_is_named() -> None:
    Path("own.csv.gz").write_bytes(b"no gzip")
    config = configure("data.train=own.csv.gz")
    with pytest.raises(DataError, match=r"own\.csv\.gz: cannot be read: "):
        load_cached(Path("own.csv.gz"), config.data, config.text, use_cache=True)
