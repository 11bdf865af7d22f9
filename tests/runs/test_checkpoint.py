"""Run folders: whole or refused, and never half written."""

import errno
import json
import os
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any, NoReturn

import pytest
import safetensors.torch
import torch

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config, parse_config
from rnncls.config.sections import Config
from rnncls.machine import arrays
from rnncls.machine import files as storage
from rnncls.machine.files import read_json, write_atomic, write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import RunFolder, find_run, lock_run, point_latest_at
from rnncls.runs.model_card import model_card
from rnncls.runs.run import load_run, load_uncalibrated
from rnncls.runs.weights import load_weights, save_model, save_temperature
from tests.builders import write_run

FOUR = ["config.yaml", "vocab.txt", "labels.json", "model.safetensors"]
WORDS = [
    "oslo",
    "Zürich",
    "\U0001f468\u200d",
    *(f"word{number}" for number in range(10)),
]
TOKEN_IDS, LENGTHS = torch.tensor([[2, 3, 4], [4, 4, 0]]), torch.tensor([3, 2])
each_of_the_four = pytest.mark.parametrize("name", FOUR)


@pytest.fixture
def model(tmp_path: Path) -> TextClassifier:
    """The model of the run folder `run`."""
    torch.manual_seed(0)
    return write_run(tmp_path / "run", labels=["sport", "welt: 世界"], words=WORDS)


@pytest.fixture
def run(tmp_path: Path, model: TextClassifier) -> Path:  # noqa: ARG001 - it writes the folder
    """A run folder."""
    return tmp_path / "run"


@pytest.fixture
def other_run(tmp_path: Path) -> Path:
    """A run folder of which every file differs."""
    torch.manual_seed(1)
    write_run(
        tmp_path / "other",
        labels=["sport", "world"],
        words=["a", "b", "c"],
        hidden_size=5,
    )
    return tmp_path / "other"


def flip(path: Path, position: int) -> None:
    """Change one bit of the byte at a position, counted from the end if negative."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def disk_is_full(_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


# Round trip


def test_a_loaded_run_has_the_same_logits_to_the_bit(
    run: Path, model: TextClassifier
) -> None:
    loaded = load_run(run).classifier.model
    assert torch.equal(
        loaded(TOKEN_IDS, LENGTHS, is_ragged=True),
        model(TOKEN_IDS, LENGTHS, is_ragged=True),
    )


def test_the_four_files_alone_are_enough_anywhere(
    run: Path, model: TextClassifier, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "else" / "where"
    elsewhere.mkdir(parents=True)
    for name in FOUR:
        shutil.copy(run / name, elsewhere)
    shutil.rmtree(run)
    loaded = load_run(elsewhere).classifier.model
    assert torch.equal(
        loaded(TOKEN_IDS, LENGTHS, is_ragged=True),
        model(TOKEN_IDS, LENGTHS, is_ragged=True),
    )


def test_a_temperature_divides_the_logits_and_is_kept_apart_from_the_weights(
    run: Path, model: TextClassifier
) -> None:
    save_temperature(run, 2.5)
    loaded = load_run(run)
    logits = model(TOKEN_IDS, LENGTHS, is_ragged=True)
    assert loaded.classifier.temperature == 2.5
    torch.testing.assert_close(
        loaded.classifier.model(TOKEN_IDS, LENGTHS, is_ragged=True), logits / 2.5
    )
    trained = load_uncalibrated(run).classifier.model
    assert torch.equal(trained(TOKEN_IDS, LENGTHS, is_ragged=True), logits)


def test_a_temperature_that_was_tampered_with_is_damage(run: Path) -> None:
    save_temperature(run, 2.5)
    tensors = safetensors.torch.load_file(run / "model.safetensors")
    tensors["temperature"] *= 2
    with safetensors.safe_open(run / "model.safetensors", framework="pt") as file:
        safetensors.torch.save_file(tensors, run / "model.safetensors", file.metadata())
    with pytest.raises(RunError, match="do not match its checksum"):
        load_run(run)


def test_a_better_model_has_no_temperature_yet(
    run: Path, model: TextClassifier
) -> None:
    save_temperature(run, 2.5)
    save_model(run, model)
    assert load_run(run).classifier.temperature == 1.0


def test_words_labels_and_config_are_loaded_as_they_were(run: Path) -> None:
    loaded = load_run(run)
    assert loaded.classifier.vocab.words == ["<pad>", "<unk>", *WORDS]
    assert loaded.classifier.label_names == ["sport", "welt: 世界"]
    assert (loaded.config.model.embedding_dim, loaded.config.model.hidden_size) == (
        3,
        4,
    )


def test_a_loaded_model_is_in_evaluation_mode_on_the_cpu(run: Path) -> None:
    loaded = load_run(run).classifier.model
    assert (loaded.training, loaded.linear.weight.device.type) == (False, "cpu")


def test_the_config_of_a_run_has_every_key(run: Path) -> None:
    written = load_config(run / "config.yaml").model_dump()
    assert written == load_run(run).config.model_dump()
    assert written.keys() == Config.model_fields.keys()
    assert all(
        f"  {key}:" in (run / "config.yaml").read_text() for key in written["train"]
    )


def test_a_better_model_replaces_one_file(run: Path, model: TextClassifier) -> None:
    before = {name: (run / name).read_bytes() for name in FOUR}
    with torch.no_grad():
        model.linear.bias.add_(1)
    save_model(run, model)
    assert [name for name in FOUR if (run / name).read_bytes() != before[name]] == [
        "model.safetensors"
    ]
    assert torch.equal(load_run(run).classifier.model.linear.bias, model.linear.bias)


def test_a_run_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        RunError, match=r"file/run: the run folder cannot be created: Not a directory"
    ):
        write_run(tmp_path / "file" / "run", labels=["a", "b"], words=[])


def test_a_run_cannot_take_the_place_of_the_link_to_the_newest() -> None:
    with pytest.raises(
        ConfigError,
        match=r"runs/latest: is the link to the newest run; choose another --out",
    ):
        write_run(Path("runs/latest"), labels=["a", "b"], words=[])


# Damage


@each_of_the_four
def test_a_missing_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(RunError, match=rf"{name}: missing$"):
        load_run(run)


@each_of_the_four
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_named(run: Path, name: str, share: float) -> None:
    path = run / name
    os.truncate(path, int(share * path.stat().st_size))
    with pytest.raises(RunError, match=rf"{name}: damaged"):
        load_run(run)


@each_of_the_four
@pytest.mark.parametrize("position", [0, 7, 8, 9, 40, 70, -70, -2, -1])
def test_a_file_with_one_flipped_bit_is_named(
    run: Path, name: str, position: int
) -> None:
    flip(run / name, position)
    with pytest.raises(RunError, match=rf"{name}: damaged"):
        load_run(run)


@pytest.mark.parametrize(
    "text",
    [
        "__metadata__",
        "schema_version",
        "files",
        "F32",
        "data_offsets",
        "shape",
        "linear",
    ],
)
def test_a_flipped_bit_anywhere_in_the_header_of_the_weights_is_seen(
    run: Path, text: str
) -> None:
    path = run / "model.safetensors"
    flip(path, path.read_bytes().index(text.encode()))
    with pytest.raises(RunError, match=r"model\.safetensors: damaged"):
        load_run(run)


def test_a_flipped_bit_in_any_tensor_is_seen(run: Path) -> None:
    path = run / "model.safetensors"
    (header_size,) = struct.unpack("<Q", path.read_bytes()[:8])
    flip(path, 8 + header_size)
    with pytest.raises(
        RunError,
        match=r"model\.safetensors: damaged: its contents do not match its checksum",
    ):
        load_run(run)


@each_of_the_four
def test_bytes_added_to_a_file_are_seen(run: Path, name: str) -> None:
    with (run / name).open("ab") as stream:
        stream.write(b"\n")
    with pytest.raises(RunError, match=rf"{name}: damaged"):
        load_run(run)


@each_of_the_four
def test_a_file_of_another_run_is_named(run: Path, other_run: Path, name: str) -> None:
    shutil.copy(other_run / name, run)
    with pytest.raises(
        RunError,
        match=(
            rf"damaged, or not from the run .*{name}|{name}: damaged, or not from"
            r" the run"
        ),
    ):
        load_run(run)


@each_of_the_four
def test_a_folder_in_the_place_of_a_file_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    (run / name).mkdir()
    with pytest.raises(RunError, match=rf"{name}: damaged or not readable"):
        load_run(run)


def test_weights_of_another_tool_are_refused(run: Path, model: TextClassifier) -> None:
    safetensors.torch.save_file(model.state_dict(), run / "model.safetensors")
    with pytest.raises(RunError, match=r"model\.safetensors: damaged"):
        load_run(run)


class Bomb:
    """What leaves a file behind when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("exploded"),)


@each_of_the_four
def test_a_pickle_is_refused_and_not_run(run: Path, name: str) -> None:
    (run / name).write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(RunError):
        load_run(run)
    assert not Path("exploded").exists()


def reseal(run: Path, name: str, content: str) -> None:
    """Put another file into a run folder and make the weights name it, as a stranger
    could."""
    tensors, _ = load_tensors(run / "model.safetensors")
    (run / name).write_text(content)
    seals = {each: storage.sha256_of((run / each).read_bytes()) for each in FOUR[:3]}
    save_tensors(run / "model.safetensors", tensors, {"files": seals})


@pytest.mark.parametrize("size", [1000, 10**9, 10**15, 10**30])
@pytest.mark.parametrize("key", ["embedding_dim", "hidden_size"])
def test_a_network_that_the_weights_do_not_fill_is_refused_before_it_takes_memory(
    run: Path, key: str, size: int
) -> None:
    sizes = {"embedding_dim": 3, "hidden_size": 4, key: size}
    reseal(
        run, "config.yaml", json.dumps({"data": {"train": "none.csv"}, "model": sizes})
    )
    with pytest.raises(
        RunError,
        match=r"the weights do not fit the config|names a network that cannot be built",
    ):
        load_run(run)


@pytest.mark.parametrize(
    "labels", [None, [], "ab", [1, 2], ["a", "a"], {"a": 1, "b": 2}]
)
def test_classes_that_are_no_list_of_different_texts_are_refused(
    run: Path, labels: object
) -> None:
    write_json(run / "labels.json", {"labels": labels})
    reseal(run, "labels.json", (run / "labels.json").read_text())
    with pytest.raises(RunError, match=r"labels\.json: damaged: "):
        load_run(run)


@pytest.mark.parametrize("text", ["[]", "1", "x", "[" * 100_000])
def test_sealed_metadata_that_is_no_object_is_refused(
    tmp_path: Path, text: str
) -> None:
    seal = storage.sha256_of(text.encode())
    safetensors.torch.save_file({}, tmp_path / "x", {"rnncls": f"{seal} {text}"})
    with pytest.raises(RunError, match=r"x: damaged: its metadata is no"):
        load_tensors(tmp_path / "x")


def test_a_shape_too_large_for_torch_is_refused(tmp_path: Path) -> None:
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [0, 2**64 - 1], "data_offsets": [0, 0]}}
    ).encode()
    (tmp_path / "x").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(RunError, match=r"x: damaged or not readable: .*\Z"):
        load_tensors(tmp_path / "x")


@pytest.mark.parametrize("files", [None, [], "config.yaml", {"config.yaml": 1}])
def test_weights_that_name_no_files_are_refused(run: Path, files: object) -> None:
    tensors, _ = load_tensors(run / "model.safetensors")
    save_tensors(run / "model.safetensors", tensors, {"files": files})
    with pytest.raises(
        RunError,
        match=(
            r"config\.yaml: damaged, or not from the run|damaged: has no checksum for"
            r" config\.yaml"
        ),
    ):
        load_run(run)


def test_json_nested_nearly_too_deep_to_be_read_is_damaged(tmp_path: Path) -> None:
    for depth in range(900, 1100):
        (tmp_path / "x").write_text(
            '{"sha256": "", "a": ' + "[" * depth + "]" * depth + "}"
        )
        with pytest.raises(RunError, match="x: damaged"):
            read_json(tmp_path / "x")


def test_weights_under_a_name_that_is_not_utf_8_are_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "x\udcff", {}, {})
    with pytest.raises(RunError, match="not readable"):
        load_tensors(tmp_path / "x\udcff")


def test_a_config_that_this_version_does_not_know_is_a_matter_of_the_run(
    run: Path, model: TextClassifier
) -> None:
    with (run / "config.yaml").open("a") as stream:
        stream.write("key_of_the_future: 1\n")
    save_model(run, model)
    with pytest.raises(
        RunError,
        match=r"cannot be used with this version of rnncls: .*key_of_the_future",
    ):
        load_run(run)


def test_a_vocabulary_with_a_word_twice_is_a_matter_of_the_run(
    run: Path, model: TextClassifier
) -> None:
    (run / "vocab.txt").write_text("<pad>\n<unk>\na\na\nb\n")
    save_model(run, model)
    with pytest.raises(
        RunError, match=r"cannot be used .* the vocabulary has a word twice"
    ):
        load_run(run)


# Weights


def test_weights_of_another_shape_name_file_and_tensor(model: TextClassifier) -> None:
    weights = {**model.state_dict(), "linear.bias": torch.zeros(7)}
    with pytest.raises(
        RunError,
        match=(
            r"^some\.file: the weights do not fit the config: size mismatch for"
            r" linear\.bias"
        ),
    ):
        load_weights(model, weights, Path("some.file"))


def test_weights_with_a_tensor_missing_name_it(model: TextClassifier) -> None:
    weights = model.state_dict()
    del weights["linear.bias"]
    with pytest.raises(
        RunError, match=r'do not fit the config: Missing key.* "linear\.bias"'
    ):
        load_weights(model, weights, Path("some.file"))


# Tensors and JSON


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(6.0).reshape(2, 3),
        torch.arange(6.0).reshape(2, 3).T,
        torch.tensor(2**62),
        torch.tensor([True, False]),
        torch.tensor([1.5, -0.0, float("nan"), float("inf")], dtype=torch.float64),
        torch.tensor([0.1], dtype=torch.bfloat16),
        torch.zeros(0, 3),
        torch.get_rng_state(),
    ],
    ids=[
        "matrix",
        "transposed",
        "scalar",
        "bool",
        "float64",
        "bfloat16",
        "empty",
        "random state",
    ],
)
def test_tensors_are_read_as_they_were_written(
    tmp_path: Path, tensor: torch.Tensor
) -> None:
    save_tensors(tmp_path / "x", {"t": tensor}, {})
    tensors, _ = load_tensors(tmp_path / "x")
    torch.testing.assert_close(tensors["t"], tensor, rtol=0, atol=0, equal_nan=True)


def test_metadata_of_tensors_is_read_as_it_was_written(tmp_path: Path) -> None:
    meta = {
        "values": {"score": 0.1 + 0.2, "none": None, "text": "日本"},
        "list": [1, [2]],
    }
    save_tensors(tmp_path / "x", {}, meta)
    assert load_tensors(tmp_path / "x")[1] == {"schema_version": 1, **meta}


def test_the_same_tensors_make_the_same_file(tmp_path: Path) -> None:
    tensors = {"b": torch.ones(2), "a": torch.zeros(3)}
    save_tensors(tmp_path / "x", tensors, {"k": 1, "l": 2})
    save_tensors(tmp_path / "y", dict(reversed(tensors.items())), {"l": 2, "k": 1})
    assert (tmp_path / "x").read_bytes() == (tmp_path / "y").read_bytes()


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    document = {
        "labels": ["welt", "日本"],
        "score": 0.1 + 0.2,
        "none": None,
        "inner": {"n": 2**60},
    }
    write_json(tmp_path / "x", document)
    assert read_json(tmp_path / "x") == document


def test_json_is_plain_to_other_readers(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"labels": ["日本"]})
    text = (tmp_path / "x").read_text(encoding="utf-8")
    assert "日本" in text
    assert json.loads(text)["schema_version"] == 1


def test_json_keeps_a_path_that_is_no_utf8(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"path": "data \udcff.csv"})
    assert read_json(tmp_path / "x") == {"path": "data \udcff.csv"}


def test_another_order_and_layout_of_json_is_no_damage(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"a": 1, "b": 2})
    document = json.loads((tmp_path / "x").read_text())
    (tmp_path / "x").write_text(json.dumps(dict(reversed(document.items()))))
    assert read_json(tmp_path / "x") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '"text"',
        "{}",
        '{"schema_version": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_sealed_object_is_damage(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(
        RunError, match=r"x: damaged: not a JSON object with a checksum"
    ):
        read_json(tmp_path / "x")


def test_a_changed_value_is_damage(tmp_path: Path) -> None:
    write_json(tmp_path / "x", {"accuracy": 0.91})
    (tmp_path / "x").write_text((tmp_path / "x").read_text().replace("0.91", "0.99"))
    with pytest.raises(
        RunError, match=r"x: damaged: its contents do not match its checksum"
    ):
        read_json(tmp_path / "x")


def test_tensors_of_another_schema_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(arrays, "SCHEMA_VERSION", 2)
        save_tensors(tmp_path / "x", {}, {})
    with pytest.raises(
        RunError, match=r"x: written in format 2, this version of rnncls reads 1"
    ):
        load_tensors(tmp_path / "x")


def test_json_of_another_schema_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(storage, "SCHEMA_VERSION", 2)
        write_json(tmp_path / "x", {})
    with pytest.raises(
        RunError, match=r"x: written in format 2, this version of rnncls reads 1"
    ):
        read_json(tmp_path / "x")


# Atomic writing


def test_a_write_replaces_the_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"old")
    write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"new")
    ]


def test_whoever_reads_the_old_file_keeps_it_whole(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"old")
    with (tmp_path / "x").open("rb") as reader:
        write_atomic(tmp_path / "x", b"new")
        assert reader.read() == b"old"


def test_others_may_read_what_was_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / "x", b"")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(
        RunError, match=r"x: cannot be written: No space left on device"
    ):
        write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"old")
    ]


def test_a_full_disk_leaves_no_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(RunError):
        write_atomic(tmp_path / "x", b"new")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object) -> NoReturn:
        raise KeyboardInterrupt

    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"old")
    ]


def test_the_new_file_is_on_the_disk_before_it_takes_its_name_and_its_name_is_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    write_atomic(tmp_path / "x", b"old")
    monkeypatch.setattr(
        os, "fsync", lambda _: seen.append((tmp_path / "x").read_bytes())
    )
    write_atomic(tmp_path / "x", b"new")
    assert seen == [b"old", b"new"]  # the file, then its folder


@pytest.mark.parametrize("name", ["missing/x", "folder"])
def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunError, match=rf"{name}: cannot be written: "):
        write_atomic(tmp_path / name, b"")


def test_a_disk_that_gives_back_other_bytes_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "x", b"old")
    fsync = os.fsync

    def spoil(file: int) -> None:
        os.pwrite(file, b"N", 0)
        fsync(file)

    monkeypatch.setattr(os, "fsync", spoil)
    with pytest.raises(
        RunError,
        match=r"x: not written: what was read back differs; check the disk",
    ):
        write_atomic(tmp_path / "x", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("x", b"old")
    ]


@pytest.mark.parametrize("data", [b"", b"abc" * 1_000_000])
def test_files_of_any_size_are_written_whole(tmp_path: Path, data: bytes) -> None:
    write_atomic(tmp_path / "x", data)
    assert (tmp_path / "x").read_bytes() == data


# The lock


def test_a_folder_is_held_by_one_at_a_time_and_let_go_after(tmp_path: Path) -> None:
    with lock_run(tmp_path / "run"):
        with (
            pytest.raises(RunError, match="run: another process is training here"),
            lock_run(tmp_path / "run"),
        ):
            pass
        assert RunFolder(tmp_path / "run").has_no_checkpoint()
    with lock_run(tmp_path / "run"):
        pass


# Finding runs


def test_no_run_at_all_says_how_to_get_one() -> None:
    with pytest.raises(
        RunError,
        match=(
            r"no finished run at runs/latest: train one with 'rnncls train --config …'"
        ),
    ):
        find_run(None)


def test_a_latest_run_that_was_deleted_is_none(run: Path) -> None:
    point_latest_at(run)
    shutil.rmtree(run)
    with pytest.raises(RunError, match=r"no finished run at runs/latest"):
        find_run(None)


@pytest.mark.parametrize("name", ["missing", "file"])
def test_what_is_no_folder_is_no_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=rf"{name}: no such run folder"):
        find_run(tmp_path / name)


def test_a_folder_without_weights_is_no_finished_run(run: Path) -> None:
    (run / "model.safetensors").unlink()
    with pytest.raises(
        RunError,
        match=r"run: has no model\.safetensors: not a run folder, or stopped before",
    ):
        find_run(run)


def test_a_named_run_is_found(run: Path) -> None:
    assert find_run(run) == run


def test_the_default_is_the_newest_run_under_its_own_name(run: Path) -> None:
    point_latest_at(run)
    assert find_run(None) == run


# The link to the newest run


def test_the_link_to_a_run_inside_runs_survives_moving_all_of_runs() -> None:
    Path("runs/one").mkdir(parents=True)
    point_latest_at(Path("runs/one"))
    assert Path("runs/latest").readlink() == Path("one")


def test_the_link_to_a_run_elsewhere_is_absolute(tmp_path: Path) -> None:
    Path("elsewhere").mkdir()
    point_latest_at(Path("elsewhere"))
    assert Path("runs/latest").readlink() == tmp_path / "elsewhere"


def test_the_link_moves_on_to_a_newer_run() -> None:
    Path("runs/one").mkdir(parents=True)
    Path("runs/two").mkdir()
    point_latest_at(Path("runs/one"))
    point_latest_at(Path("runs/two"))
    assert Path("runs/latest").resolve() == Path("runs/two").resolve()


def test_the_link_is_the_only_thing_left_in_runs() -> None:
    Path("runs/one").mkdir(parents=True)
    point_latest_at(Path("runs/one"))
    point_latest_at(Path("runs/one"))
    assert sorted(path.name for path in Path("runs").iterdir()) == ["latest", "one"]


def test_the_old_link_stands_until_the_new_one_takes_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("runs/one").mkdir(parents=True)
    Path("runs/two").mkdir()
    point_latest_at(Path("runs/one"))
    monkeypatch.setattr(Path, "replace", lambda *_: disk_is_full(None))
    with pytest.raises(
        RunError,
        match=r"cannot be made to point at runs/two, which is complete: No space left",
    ):
        point_latest_at(Path("runs/two"))
    assert Path("runs/latest").readlink() == Path("one")
    assert sorted(path.name for path in Path("runs").iterdir()) == [
        "latest",
        "one",
        "two",
    ]


def test_a_folder_in_the_place_of_the_link_is_left_alone(run: Path) -> None:
    Path("runs/latest/mine").mkdir(parents=True)
    with pytest.raises(
        RunError,
        match=r"runs/latest: cannot be made to point at .*/run, which is complete",
    ):
        point_latest_at(run)
    assert [path.name for path in Path("runs").iterdir()] == ["latest"]
    assert Path("runs/latest/mine").is_dir()


def test_a_file_in_the_place_of_the_folder_of_runs_is_named(run: Path) -> None:
    Path("runs").write_text("")
    with pytest.raises(
        RunError,
        match=(
            r"runs/latest: cannot be made to point at .*/run, which is complete: File"
            r" exists"
        ),
    ):
        point_latest_at(run)


# The model card

SUMMARY: dict[str, Any] = {
    "best_epoch": 3,
    "num_epochs": 5,
    "valid": {
        "accuracy": 0.91237,
        "accuracy_interval": (0.905, 0.9193),
        "macro_f1": 0.90128,
        "loss": 0.234567,
    },
    "num_parameters": 1_234_567,
    "label_names": ["sport", "world"],
    "data": {
        "files": {"train": {"path": "toy.csv", "num_rows": 120_000}},
        "num_train_rows": 114_000,
        "num_valid_rows": 6_000,
    },
    "versions": {"rnncls": "9.8.7"},
    "temperature": 0.7284,
}


@pytest.mark.parametrize(
    "fact",
    [
        "# my run\n",
        "rnncls 9.8.7",
        "cell `gru`",
        "embedding 7, hidden size 9, 2 layer(s)",
        "one direction,\n1,234,567 parameters",
        "Classes: sport, world.",
        "- train: `toy.csv`, 120,000 rows",
        "114,000 rows were trained on, 6,000 picked the best epoch.",
        (
            "Validation, epoch 3 of 5: accuracy 91.24%\n(95% interval 90.50% to"
            " 91.93%), macro-F1 90.13%, loss 0.2346"
        ),
        "Probabilities are of the logits divided by 0.728, which",
        "rnncls predict \"a text\" --run 'runs/my run'\n",
    ],
)
def test_the_model_card_says(fact: str) -> None:
    text = """
    data: {train: none.csv}
    model: {cell: gru, embedding_dim: 7, hidden_size: 9, num_layers: 2, bidirectional: false}
    """
    assert fact in model_card(
        parse_config(text, "test.yaml").model, SUMMARY, Path("runs/my run")
    )


def test_the_model_card_says_where_probabilities_are_not_calibrated() -> None:
    card = model_card(
        parse_config("data: {train: none.csv}", "test.yaml").model,
        {**SUMMARY, "temperature": 1.0},
        Path("run"),
    )
    assert "\nProbabilities are not calibrated.\n" in card


def test_the_model_card_of_a_run_whose_name_is_no_utf8_can_be_written() -> None:
    card = model_card(
        parse_config("data: {train: none.csv}", "test.yaml").model,
        SUMMARY,
        Path("run \udcff"),
    )
    assert card.encode().startswith(b"# run \\udcff\n")
