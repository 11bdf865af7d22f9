"""A run with subwords is trained, resumed and loaded like any other."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rnncls import ConfigError, RunError, load
from rnncls.config.sections import Config
from rnncls.data.inspection import inspect_data
from rnncls.data.loading import load_training_data
from rnncls.runs.companions import load_vocab
from rnncls.runs.folder import MODEL, RunFolder
from rnncls.runs.run import load_run
from rnncls.runs.weights import load_verified
from rnncls.text.subwords import SubwordVocab
from rnncls.training.run import train
from tests.builders import RESUME, RESUME_WITH_CHANGES

MakeConfig = Callable[..., Config]
SUBWORDS = ("text.tokenizer=subwords", "text.subwords=600")


@pytest.fixture
def run(make_config: MakeConfig) -> Path:
    """A trained run."""
    path = Path("run")
    train(make_config(*SUBWORDS), path)
    return path


def test_no_token_of_a_new_text_is_unknown(run: Path) -> None:
    (prediction,) = load(run)(["zanzibar 很好吃 😀"])
    assert prediction.num_unknown == 0
    assert (prediction.num_tokens or 0) > 3


def test_the_run_has_the_pieces_of_its_training_rows(
    make_config: MakeConfig, run: Path
) -> None:
    data = load_training_data(make_config(*SUBWORDS).data_settings)
    vocab = load_vocab(run)
    assert isinstance(vocab, SubwordVocab)
    assert isinstance(data.vocab, SubwordVocab)
    assert vocab.words == data.vocab.words
    assert vocab.merges == data.vocab.merges


def test_a_resumed_run_has_the_same_weights(make_config: MakeConfig, run: Path) -> None:
    path = Path("resumed")
    train(make_config(*SUBWORDS, "train.max_epochs=1"), path)
    train(make_config(*SUBWORDS), path, RESUME_WITH_CHANGES)
    resumed = load_run(path).classifier
    assert resumed.vocab.words == load_run(run).classifier.vocab.words
    assert json.loads(RunFolder(path).tokenizer.read_text("utf-8"))


def test_an_unchanged_resume_is_exact(make_config: MakeConfig, run: Path) -> None:
    before, *_ = load_verified(run, MODEL)
    train(make_config(*SUBWORDS), run, RESUME)
    after, *_ = load_verified(run, MODEL)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


@pytest.mark.parametrize("damage", ["change", "delete"])
def test_a_damaged_tokenizer_is_rejected(run: Path, damage: str) -> None:
    file = RunFolder(run).tokenizer
    if damage == "change":
        content = file.read_text("utf-8").replace(
            '"max_length": 256', '"max_length": 9'
        )
        file.write_text(content, encoding="utf-8")
    else:
        file.unlink()
    with pytest.raises(RunError, match=r"tokenizer\.json"):
        load_run(run)


def test_a_shorter_limit_cuts_more_pieces(make_config: MakeConfig, run: Path) -> None:
    path = Path("short")
    train(make_config(*SUBWORDS, "text.max_tokens=2"), path)
    text = "unheard words of another kind"
    (long,) = load(run)([text])
    (short,) = load(path)([text])
    assert short.num_tokens == 2
    assert short.num_cut == (long.num_tokens or 0) - 2


def test_inspection_counts_pieces(make_config: MakeConfig) -> None:
    config = make_config(*SUBWORDS, "text.max_tokens=2")
    found = inspect_data(config.data, config.text, config.seed)
    data = load_training_data(make_config(*SUBWORDS).data_settings)
    assert found.lengths["train"].longest == data.train.texts.lengths.max()
    assert found.coverage["valid"].unknown_share == 0
    assert found.vocab_size == len(data.vocab)


def test_vectors_of_words_are_refused(make_config: MakeConfig) -> None:
    config = make_config(*SUBWORDS, "text.vectors=glove.6B.100d")
    with pytest.raises(ConfigError, match=r"text\.vectors are for words"):
        load_training_data(config.data_settings)
