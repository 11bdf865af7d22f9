"""Runs, caches and language models made by an earlier version still work.

The files in `tests/data/earlier/` were made by revision 7e387b8. Results may differ in
the last bits from one processor to another.
"""

import json
import shutil
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from rnncls.config.loading import load_config
from rnncls.data import cache
from rnncls.data.cache import load_cached
from rnncls.data.datasets import load_labelled
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.inference.predictor import Predictor
from rnncls.machine.files import read_json
from rnncls.machine.tensors import load_tensors
from rnncls.runs.folder import RunFolder, find_run
from rnncls.runs.metric_rows import read_rows
from rnncls.runs.run import load_run
from rnncls.training.run import train
from tests.builders import RESUME

EARLIER = Path(__file__).parent.parent / "data" / "earlier"
RUNS = sorted(path.name for path in (EARLIER / "runs").iterdir() if path.is_dir())
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the earlier files, which is the current directory."""
    copy = tmp_path / "earlier"
    shutil.copytree(EARLIER, copy)
    monkeypatch.chdir(copy)
    return copy


def read_predictions(name: str) -> list[dict[str, Any]]:
    lines = Path(f"runs/{name}.predict.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_there_is_a_run_of_each_kind() -> None:
    assert len(RUNS) == 8


@pytest.mark.parametrize("name", RUNS)
def test_an_earlier_run_predicts_the_same(name: str) -> None:
    expected = read_predictions(name)
    predictor = Predictor(load_run(find_run(Path("runs") / name)).classifier, CPU)
    predictions = predictor.predict([row["text"] for row in expected])
    assert len(predictions) == len(expected) == 30
    for prediction, row in zip(predictions, expected, strict=True):
        assert prediction.label == row["label"]
        assert prediction.probs == pytest.approx(row["probs"], abs=1e-6)


@pytest.mark.parametrize("name", ["lstm", "bag_of_words"])
def test_an_earlier_run_has_the_same_scores(name: str) -> None:
    expected = json.loads(Path(f"runs/{name}.eval.json").read_text(encoding="utf-8"))
    scores = (
        evaluate_run(Path("runs") / name, split="test", device="cpu").scores().to_dict()
    )
    assert scores["confusion_matrix"] == expected["confusion_matrix"]
    for key in ("accuracy", "macro_f1", "loss"):
        assert scores[key] == pytest.approx(expected[key], abs=1e-6)


def test_a_classifier_can_start_from_an_earlier_language_model() -> None:
    overrides = ["model.pretrained=pretrained", "train.max_epochs=1"]
    train(load_config(Path("tiny.yaml"), overrides), Path("run"))
    vocab = RunFolder(Path("pretrained")).vocab
    assert RunFolder(Path("run")).vocab.read_bytes() == vocab.read_bytes()


@pytest.mark.parametrize("name", ["gru_deep", "from_pretrained"])
def test_an_earlier_run_can_be_continued(name: str) -> None:
    path = Path("runs") / name
    with Path("new.csv").open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        file.writelines(f"the parcel {number} is late,new\n" for number in range(20))
    overrides = ["data.train=new.csv", f"model.pretrained={path}", "train.max_epochs=1"]
    config = load_config(RunFolder(path).config, [*overrides, "train.replay=1"])
    summary = train(config, Path("run"))
    earlier = read_json(RunFolder(path).summary)
    assert summary["label_names"] == [*earlier["label_names"], "new"]
    num_copies = 4  # of validation texts among the training rows, which are left out
    num_replayed = earlier["data"]["num_train_rows"] - num_copies
    assert summary["from"]["num_replayed_rows"] == num_replayed
    assert summary["from"]["num_reused_valid_rows"] == earlier["data"]["num_valid_rows"]


def test_an_earlier_unfinished_run_resumes_to_the_same_weights() -> None:
    path = Path("unfinished")
    num_rows = len(read_rows(RunFolder(path).metrics))
    train(load_config(RunFolder(path).config), path, RESUME)
    rows = read_rows(RunFolder(path).metrics)
    assert num_rows < len(rows) == read_json(RunFolder(path).summary)["num_epochs"]
    tensors, metadata = load_tensors(RunFolder(path).state)
    expected, expected_metadata = load_tensors(Path("resumed-state.safetensors"))
    assert metadata["place"]["step"] == expected_metadata["place"]["step"]
    assert tensors.keys() == expected.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-5, atol=1e-5)


def test_an_earlier_cache_entry_is_used_and_has_the_texts_of_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = load_config(Path("tiny.yaml"))
    path = Path(str(config.data.train))
    expected = load_labelled(path, config.data, config.text)

    def fail(*_: object) -> NoReturn:
        pytest.fail("the file was read although the cache has an entry for it")

    monkeypatch.setenv("RNNCLS_CACHE", "cache")
    # The key has the versions of the packages that were installed then.
    versions = {"torchtext": "0.6.0", "pyarrow": "26.0.1"}
    monkeypatch.setattr(cache, "version", versions.__getitem__)
    monkeypatch.setattr(cache, "load_labelled", fail)
    labelled = load_cached(path, config.data, config.text, use_cache=True)
    assert labelled.sha256 == expected.sha256
    assert labelled.label_names == expected.label_names
    assert labelled.texts.words == expected.texts.words
    np.testing.assert_array_equal(labelled.labels, expected.labels)
    np.testing.assert_array_equal(labelled.texts.lengths, expected.texts.lengths)
    np.testing.assert_array_equal(labelled.texts.word_ids, expected.texts.word_ids)
