"""Sealed files: what was written is read, and what a disk or a stranger has changed is
refused under its name."""

import hashlib
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import strategies as st

from rnncls import RunError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.data.cache import cache_dir, load_cached
from rnncls.data.datasets import load_labelled
from rnncls.machine.arrays import load_arrays
from rnncls.machine.files import read_json, write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.run import create_run, load_run
from rnncls.runs.weights import save_model
from rnncls.text.vocab import Vocab
from tests.fuzz.cases import attempt, damaged, flip, fuzz, places, texts, written

FOUR = ["config.yaml", "labels.json", "model.safetensors", "vocab.txt"]
TOKEN_IDS, LENGTHS = torch.tensor([[2, 3, 1], [1, 2, 0]]), torch.tensor([3, 2])
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_subnormal=False)
    | texts(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3)
    ),
    max_leaves=6,
)
documents = st.dictionaries(
    texts().filter(lambda name: name not in {"sha256", "schema_version"}),
    json_values,
    max_size=4,
)
dtypes = st.sampled_from(
    [
        torch.float32,
        torch.float64,
        torch.bfloat16,
        torch.int8,
        torch.int64,
        torch.uint8,
        torch.bool,
    ]
)
shapes = st.lists(st.integers(0, 3), max_size=3)
changes = st.lists(st.tuples(places(), st.integers(1, 255)), min_size=1, max_size=3)


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    """Draw tensors under any names."""
    names = draw(
        st.lists(
            texts().filter(lambda name: name != "__metadata__"), max_size=3, unique=True
        )
    )
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    return {
        name: torch.randint(0, 2, draw(shapes), generator=generator).to(draw(dtypes))
        for name in names
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder with fresh weights."""
    path = tmp_path / "run"
    text = "data: {train: none.csv}\nmodel: {embedding_dim: 3, hidden_size: 4}"
    config, vocab = (
        parse_config(text, "fuzz.yaml"),
        Vocab(["<pad>", "<unk>", "oslo", "\u200d"]),
    )
    create_run(path, dump_config(config), vocab, ["sport", "world"])
    save_model(path, TextClassifier(config.model, len(vocab), 2))
    return path


def logits_of(path: Path) -> torch.Tensor:
    logits: torch.Tensor = load_run(path).classifier.model(
        TOKEN_IDS, LENGTHS, is_ragged=True
    )
    return logits.detach()


def seal(path: Path, name: str, content: bytes) -> None:
    """Put a file into a copy of a run folder and have the weights name it, as a
    stranger can."""
    (path / name).write_bytes(content)
    weights, _ = load_tensors(path / "model.safetensors")
    seals = {
        file: hashlib.sha256((path / file).read_bytes()).hexdigest()
        for file in FOUR
        if not file.startswith("mod")
    }
    save_tensors(path / "model.safetensors", weights, {"files": seals})


# Round trips


@fuzz(document=documents)
def test_an_object_is_read_as_it_was_written(document: dict[str, Any]) -> None:
    write_json(Path("x.json"), document)
    assert read_json(Path("x.json")) == document


@fuzz(values=tensors(), meta=documents)
def test_tensors_are_read_as_they_were_written(
    values: dict[str, torch.Tensor], meta: dict[str, Any]
) -> None:
    save_tensors(Path("x.safetensors"), values, meta)
    found, found_meta = load_tensors(Path("x.safetensors"))
    assert found.keys() == values.keys()
    assert all(
        found[name].dtype == values[name].dtype
        and torch.equal(found[name], values[name])
        for name in values
    )
    assert {
        key: value for key, value in found_meta.items() if key != "schema_version"
    } == meta


# Damage


@fuzz(document=documents, where=changes)
def test_a_changed_byte_of_an_object_is_seen_or_changes_nothing(
    document: dict[str, Any], where: list[tuple[float, int]]
) -> None:
    write_json(Path("x.json"), document)
    written("x.json", flip(Path("x.json").read_bytes(), where))
    result = attempt(lambda: read_json(Path("x.json")), RunError)
    assert (
        str(result).startswith("x.json: ")
        if isinstance(result, RunError)
        else result == document
    )


@fuzz(values=tensors(), where=changes)
def test_a_changed_byte_of_tensors_is_seen_or_changes_nothing(
    values: dict[str, torch.Tensor], where: list[tuple[float, int]]
) -> None:
    save_tensors(Path("x.safetensors"), values, {})
    written("x.safetensors", flip(Path("x.safetensors").read_bytes(), where))
    result = attempt(lambda: load_tensors(Path("x.safetensors")), RunError)
    if isinstance(result, RunError):
        assert str(result).startswith("x.safetensors: ")
    else:
        assert all(torch.equal(result[0][name], values[name]) for name in values)
    attempt(lambda: load_arrays(Path("x.safetensors")), RunError)


@fuzz(
    content=st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_no_object_and_no_tensors(content: bytes) -> None:
    cases = [
        (read_json, "x.json"),
        (load_tensors, "x.safetensors"),
        (load_arrays, "x.safetensors"),
    ]
    for load, name in cases:
        path = written(name, content)
        with pytest.raises(RunError, match=rf"^{name}: "):
            load(path)


@pytest.mark.parametrize("name", FOUR)
@fuzz(share=0.25, data=st.data())
def test_a_damaged_file_of_a_run_is_named_or_the_same(
    run: Path, name: str, data: st.DataObject
) -> None:
    whole = (run / name).read_bytes()
    expected = logits_of(run)
    content = data.draw(damaged(st.just(whole)))
    try:
        (run / name).write_bytes(content)
        result = attempt(lambda: logits_of(run), RunError)
        if isinstance(result, RunError):
            assert name in str(result)
        else:
            assert content == whole
            assert torch.equal(result, expected)
    finally:
        (run / name).write_bytes(whole)


# Files of strangers: sealed, so that the checksum says nothing


@fuzz(
    text=texts(surrogates=False) | json_values.map(json.dumps),
    names=st.lists(texts(), max_size=2, unique=True),
)
def test_sealed_metadata_of_any_text_is_refused(text: str, names: list[str]) -> None:
    seal_of_none = hashlib.sha256(text.encode()).hexdigest()
    safetensors.torch.save_file(
        {},
        "x.safetensors",
        {"rnncls": f"{seal_of_none} {text}", **dict.fromkeys(names, "")},
    )
    with pytest.raises(RunError, match=r"^x\.safetensors: "):
        load_tensors(Path("x.safetensors"))


headers = st.dictionaries(
    st.sampled_from(["a", "b", "__metadata__"]),
    st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(
                ["F32", "F64", "BF16", "I8", "BOOL", "F4", "F8_E5M2", "C64", "?"]
            ),
            "shape": st.lists(
                st.sampled_from([0, 1, 2, 4, 2**31, 2**62, 2**64 - 1]), max_size=3
            ),
            "data_offsets": st.lists(
                st.sampled_from([0, 4, 8, 16, 2**40, 2**63]), min_size=2, max_size=2
            ),
        }
    ),
)


@fuzz(
    header=headers,
    size=st.sampled_from([0, 4, 8, 16]),
    claimed=st.none() | st.integers(0, 2**64 - 1),
)
def test_a_header_of_any_sizes_is_refused_and_takes_no_memory(
    header: dict[str, Any], size: int, claimed: int | None
) -> None:
    text = json.dumps(header).encode()
    written(
        "x.safetensors",
        struct.pack("<Q", len(text) if claimed is None else claimed)
        + text
        + b"\1" * size,
    )
    with pytest.raises(RunError, match=r"^x\.safetensors: "):
        load_tensors(Path("x.safetensors"))
    with pytest.raises(RunError, match=r"^x\.safetensors: "):
        load_arrays(Path("x.safetensors"))


@fuzz(
    key=st.sampled_from(
        [
            "embedding_dim",
            "hidden_size",
            "num_layers",
            "cell",
            "bidirectional",
            "pooling",
        ]
    ),
    value=st.one_of(
        st.integers(1, 2**70),
        st.sampled_from(
            [
                "rnn",
                "lstm",
                "gru",
                "grid_lstm",
                "none",
                True,
                False,
                ["max"],
                ["attention", "mean"],
            ]
        ),
    ),
)
def test_a_sealed_config_of_another_network_is_refused(
    run: Path, key: str, value: object
) -> None:
    sizes = {"embedding_dim": 3, "hidden_size": 4, key: value}
    shutil.rmtree("copy", ignore_errors=True)
    copy = Path(shutil.copytree(run, "copy"))
    seal(
        copy,
        "config.yaml",
        json.dumps({"data": {"train": "none.csv"}, "model": sizes}).encode(),
    )
    result = attempt(lambda: logits_of(copy), RunError)
    assert (
        "copy" in str(result)
        if isinstance(result, RunError)
        else torch.equal(result, logits_of(run))
    )


@pytest.mark.parametrize("name", ["config.yaml", "labels.json", "vocab.txt"])
@fuzz(share=0.25, data=st.data())
def test_a_sealed_file_of_any_content_is_refused_or_a_run(
    run: Path, name: str, data: st.DataObject
) -> None:
    shutil.rmtree("copy", ignore_errors=True)
    copy = Path(shutil.copytree(run, "copy"))
    seal(
        copy,
        name,
        data.draw(damaged(st.just((run / name).read_bytes())) | st.binary(max_size=50)),
    )
    result = attempt(lambda: logits_of(copy), RunError)
    assert (
        "copy" in str(result)
        if isinstance(result, RunError)
        else result.shape == (2, 2)
    )


@fuzz(labels=json_values)
def test_sealed_labels_of_any_kind_are_refused_or_two_texts(
    run: Path, labels: object
) -> None:
    shutil.rmtree("copy", ignore_errors=True)
    copy = Path(shutil.copytree(run, "copy"))
    write_json(copy / "labels.json", {"labels": labels})
    seal(copy, "labels.json", (copy / "labels.json").read_bytes())
    result = attempt(lambda: load_run(copy).classifier.label_names, RunError)
    assert "copy" in str(result) if isinstance(result, RunError) else result == labels


# The cache


def cached(
    config: Config,
) -> tuple[list[int], list[int], list[str], list[int], list[str]]:
    """Return all of a tokenised file as plain lists."""
    found = load_cached(Path("own.csv"), config.data, config.text, use_cache=True)
    texts_ = found.texts
    return (
        texts_.word_ids.tolist(),
        texts_.lengths.tolist(),
        texts_.words,
        found.labels.tolist(),
        found.label_names,
    )


@fuzz(data=st.data())
def test_whatever_happens_to_the_cache_the_rows_are_those_of_the_file(
    data: st.DataObject,
) -> None:
    config = parse_config("data: {train: own.csv, text: [text]}", "fuzz.yaml")
    written("own.csv", "text,label\nUne élève,b\nthe cat's hat,a\n,b\n".encode())
    expected = cached(config)
    [entry] = cache_dir().glob("*.safetensors")
    entry.write_bytes(data.draw(damaged(st.just(entry.read_bytes()))))
    assert cached(config) == expected


@fuzz(
    name=st.sampled_from(["type_ids", "lengths", "labels", "types"]), values=tensors()
)
def test_a_sealed_cache_entry_of_any_tensors_gives_the_rows_of_the_file(
    name: str, values: dict[str, torch.Tensor]
) -> None:
    config = parse_config("data: {train: own.csv, text: [text]}", "fuzz.yaml")
    written("own.csv", b"text,label\none two three,b\nfour five,a\n")
    expected = cached(config)
    [entry] = cache_dir().glob("*.safetensors")
    whole, meta = load_tensors(entry)
    for value in values.values():
        save_tensors(entry, {**whole, name: value}, meta)
        type_ids, lengths, types, labels, _ = cached(config)
        same_kind = (
            value.dtype == whole[name].dtype and value.shape == whole[name].shape
        )
        assert same_kind or (type_ids, lengths, types, labels) == expected[:4]
        assert max(type_ids) < len(types)


def test_a_file_is_tokenised_as_without_the_cache() -> None:
    config = parse_config("data: {train: own.csv, text: [text]}", "fuzz.yaml")
    written("own.csv", b"text,label\none two three,b\nfour five,a\n")
    without = load_labelled(Path("own.csv"), config.data, config.text)
    np.testing.assert_array_equal(cached(config)[0], without.texts.word_ids)
