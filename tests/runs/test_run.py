"""Runs are loaded as they were saved, or rejected."""

import json
import os
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from tokenizers import Tokenizer

from rnncls import RunError
from rnncls.config.loading import load_config, parse_config
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.machine import files
from rnncls.machine.files import write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import MODEL, STATE, RunFolder, find_owner
from rnncls.runs.run import (
    change_config,
    create_run,
    load_run,
    load_uncalibrated,
)
from rnncls.runs.weights import save_model, save_temperature
from rnncls.text.vocab import Vocab
from tests.runs.conftest import WORDS

FOUR = ["config.yaml", "vocab.txt", "labels.json", "model.safetensors"]

TOKEN_IDS, LENGTHS = torch.tensor([[2, 3, 4], [4, 4, 0]]), torch.tensor([3, 2])

each_of_the_four = pytest.mark.parametrize("name", FOUR)


def flip(path: Path, position: int) -> None:
    """Change one bit of the byte at a position, counted from the end if negative."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


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
    """Replace a file of a run and its checksum in the weights, as anyone could."""
    tensors, _ = load_tensors(run / "model.safetensors")
    (run / name).write_text(content)
    seals = {each: files.sha256_of((run / each).read_bytes()) for each in FOUR[:3]}
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


@pytest.mark.parametrize(
    ("tokenizer", "max_tokens"),
    [("words", 2), ("characters", 3), ("basic_english", 2), ("whitespace", 2)],
)
def test_a_run_has_its_tokenizer_for_other_languages(
    tmp_path: Path, tokenizer: str, max_tokens: int
) -> None:
    path = tmp_path / "run"
    text = "data: {train: none.csv}\ntext: {tokenizer: %s, max_tokens: %d}\n"
    before = parse_config(text % (tokenizer, 9), "a.yaml")
    create_run(path, dump_config(before), Vocab(["<pad>", "<unk>", "a", "b"]), ["x"])
    save_tensors(RunFolder(path).model, {}, {"files": {}})
    file = RunFolder(path).tokenizer
    ids = Tokenizer.from_file(str(file)).encode("A? b c").ids
    after = parse_config(text % (tokenizer, max_tokens), "a.yaml")
    change_config(path, dump_config(after), MODEL)
    assert Tokenizer.from_file(str(file)).encode("A? b c").ids == ids[:max_tokens]
    assert find_owner(file) == path


def test_a_run_of_an_earlier_version_may_lack_it(
    run: Path, model: TextClassifier
) -> None:
    RunFolder(run).tokenizer.unlink()
    save_model(run, model)
    assert load_run(run).classifier.vocab.words[:3] == ["<pad>", "<unk>", "oslo"]


CHANGED = "data: {train: other.csv}\nmodel: {embedding_dim: 3, hidden_size: 4}\n"


def test_a_changed_config_is_that_of_the_run(run: Path, model: TextClassifier) -> None:
    change_config(run, CHANGED, MODEL)
    assert (run / "config.yaml").read_text(encoding="utf-8") == CHANGED
    loaded = load_run(run)
    assert loaded.config.data.train == "other.csv"
    weights = loaded.classifier.model.state_dict()
    torch.testing.assert_close(weights, model.state_dict(), rtol=0.0, atol=0.0)


def test_a_crash_before_the_config_is_replaced_leaves_a_run_that_can_be_loaded(
    run: Path,
) -> None:
    before = (run / "config.yaml").read_bytes()
    change_config(run, CHANGED, MODEL)
    (run / "config.yaml").write_bytes(before)
    assert load_run(run).config.data.train == "none.csv"


def test_the_saved_state_accepts_both_configs_and_stays_the_same(run: Path) -> None:
    tensors = {"weight": torch.ones(2)}
    checksum = files.sha256_of((run / "config.yaml").read_bytes())
    metadata = {"files": {"config.yaml": checksum}, "precision": "torch.float32"}
    (run / STATE).parent.mkdir(exist_ok=True)
    save_tensors(run / STATE, tensors, metadata)
    change_config(run, CHANGED, MODEL)
    new_checksum = files.sha256_of(CHANGED.encode())
    found, new_metadata = load_tensors(run / STATE)
    torch.testing.assert_close(found, tensors)
    tokenizer_checksum = files.sha256_of((run / "tokenizer.json").read_bytes())
    assert new_metadata["files"] == {
        "config.yaml": [checksum, new_checksum],
        "tokenizer.json": tokenizer_checksum,
    }
    assert new_metadata["precision"] == "torch.float32"


def test_the_config_of_a_run_without_weights_can_be_changed(run: Path) -> None:
    (run / MODEL).unlink()
    change_config(run, CHANGED, MODEL)
    assert (run / "config.yaml").read_text(encoding="utf-8") == CHANGED
    assert not (run / MODEL).exists()


def test_a_temperature_of_zero_names_the_file(run: Path) -> None:
    save_temperature(run, 0.0)
    with pytest.raises(RunError, match=r"run.model\.safetensors: damaged: the temper"):
        load_run(run)
