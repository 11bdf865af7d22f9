"""The benchmark: it counts tokens and not padding, and runs the same shapes on both
sides."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rnncls import ConfigError
from rnncls.config.sections import Config, ModelSection
from rnncls.data.loading import load_training_data
from rnncls.inference.predictor import Predictor
from rnncls.reporting import benchmark
from rnncls.reporting.benchmark import (
    BareCell,
    compare_commands,
    compare_prediction,
    compare_training,
    compare_vocabularies,
    measure_saving,
)
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import encode_texts
from rnncls.text.tokenizer import tokenize_texts
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model

MakeConfig = Callable[..., Config]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "NUM_PAIRS", 3)
    monkeypatch.setattr(benchmark, "STEPS_A_PAIR", 2)


def test_training_is_compared_with_the_bare_cell(make_config: MakeConfig) -> None:
    config = make_config()
    data = load_training_data(config)
    trainer = build_classifier_trainer(
        config.train, build_model(config, data), data, config.seed
    )
    result = compare_training(trainer, config.model)
    assert (
        trainer.step == 12
    )  # three pairs of two steps, each first taken once as a warm-up
    assert result.ratio_spread[0] <= result.ratio <= result.ratio_spread[1]
    assert result.tokens_per_s > result.samples_per_s > 0
    assert 0 <= result.padding_share < 0.5


@pytest.mark.parametrize(("tokens_per_s", "num_saves"), [(1e6, 1), (0.1, 4)])
def test_what_saving_costs_is_its_share_of_an_epoch(
    make_config: MakeConfig, tokens_per_s: float, num_saves: int
) -> None:
    config = make_config("train.save_every=100.0")
    data = load_training_data(config)
    trainer = build_classifier_trainer(
        config.train, build_model(config, data), data, config.seed
    )
    # As for an epoch of 2,000 tokens: at 0.1 a second 20,000 s, which is 3 times 100
    # minutes.
    found = measure_saving(
        trainer, config, tokens_per_s * int(data.train.texts.lengths.sum()) / 2000
    )
    spent_s = num_saves * found.save_s + found.save_best_s
    assert found.save_share == pytest.approx(spent_s / (2000 / tokens_per_s + spent_s))
    assert found.save_mib > 0
    assert not list(Path().glob(".rnncls-benchmark*"))


def test_more_words_are_the_same_texts_in_more_rows(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark, "VOCAB_SIZE", 50)
    config = make_config()
    data = load_training_data(config)
    ratio, lowest, highest = compare_vocabularies(config, data)
    assert 0 < lowest <= ratio <= highest
    many = benchmark._scattered(config, data, 500)
    before, after = data.train.texts.token_ids, many.data.train.texts.token_ids
    assert len(set(after)) == len(set(before))
    assert max(after) > max(before)
    assert list(after == 1) == list(before == 1)  # <unk> is still <unk>


def test_prediction_is_compared_with_the_bare_cell(make_config: MakeConfig) -> None:
    config = make_config()
    data = load_training_data(config)
    run = Classifier(
        text=config.text,
        vocab=data.vocab,
        label_names=data.label_names,
        model=build_model(config, data),
    )
    predictor = Predictor(run, torch.device("cpu"))
    texts = ["oslo meet rovers", "rovers", "the crowd waits again"] * 10
    encoded = encode_texts(tokenize_texts(texts, config.text), data.vocab)
    result = compare_prediction(predictor, texts, encoded)
    assert result.bare_tokens_per_s > 0
    assert result.samples_per_s > 0


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_bare_cell_is_of_the_configured_kind_and_size(cell: str) -> None:
    bare = BareCell(
        ModelSection.model_validate(
            {"cell": cell, "embedding_dim": 3, "hidden_size": 5}
        )
    )
    (values,) = bare.inputs([(4, 7)])
    assert values.shape == (7, 4, 3)
    assert bare.cell(values)[0].shape == (7, 4, 10)


@pytest.mark.parametrize("cell", ["grid_lstm", "none"])
def test_a_cell_that_torch_does_not_have_is_refused(cell: str) -> None:
    with pytest.raises(
        ConfigError,
        match=f"model.cell: {cell} is no cell of torch.nn to compare with: use rnn",
    ):
        BareCell(ModelSection.model_validate({"cell": cell}))


def test_the_bare_cell_forgets_its_gradients() -> None:
    bare = BareCell(ModelSection(embedding_dim=3, hidden_size=5))
    bare.train(bare.inputs([(2, 3)]))
    assert all(parameter.grad is None for parameter in bare.cell.parameters())


def test_the_bare_cell_predicts_in_evaluation_mode() -> None:
    bare = BareCell(ModelSection(embedding_dim=3, hidden_size=5))
    bare.infer(bare.inputs([(2, 3)]))
    assert not bare.cell.training


def test_commands_are_timed_as_whole_processes() -> None:
    seconds, other_s, ratio = compare_commands(
        ["sleep", "0.2"], ["sleep", "0.05"], num_pairs=3
    )
    assert seconds > 0.2
    assert 0.05 < other_s < 0.2
    assert ratio > 1
