"""A run with character n-grams is trained, resumed and explained like any other."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls import ConfigError, RunError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.data.loading import load_split
from rnncls.evaluation.error_slices import unknown_shares
from rnncls.inference.export.onnx_export import check_exportable
from rnncls.inference.insight.explanation import explain
from rnncls.inference.insight.flags import find_flags
from rnncls.inference.insight.gates import trace_gates
from rnncls.inference.insight.gradients import measure_gradient
from rnncls.inference.insight.invariance import check_invariance
from rnncls.inference.insight.reading import describe_reading
from rnncls.inference.insight.trajectory import Stream, trace_predictions
from rnncls.inference.insight.word_order import evaluate_word_orders, is_right
from rnncls.inference.predictor import Predictor
from rnncls.runs.companions import load_run_config
from rnncls.runs.folder import MODEL
from rnncls.runs.portable import load_portable
from rnncls.runs.run import load_run
from rnncls.runs.weights import load_verified
from rnncls.training.pretraining import pretrain
from rnncls.training.run import train
from tests.builders import RESUME, RESUME_WITH_CHANGES, check_exact_resume
from tests.conftest import toy_yaml, write_toy_csv

MakeConfig = Callable[..., Config]
# Of the toy file's words, <pad>, <unk> and three others are known: none that decides.
NGRAMS = ("text.char_ngrams=[3, 5]", "text.ngram_buckets=500", "text.max_vocab=5")
RUN = Path("run")
TEXT = "rovers meet oslo zzz"
TEXTS = [TEXT, "oslo", "lima meet wolves the crowd waits", "", "rovers again rovers"]


LONGER = ("train.max_epochs=4", "model.word_dropout=0.1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy file and a run that was trained on it once."""
    folder = tmp_path_factory.mktemp("trained")
    write_toy_csv(folder / "toy.csv")
    yaml = toy_yaml(folder / "toy.csv")
    train(parse_config(yaml, "toy.yaml", [*NGRAMS, *LONGER]), folder / RUN)
    return folder


@pytest.fixture
def run(trained: Path) -> Path:
    """A copy of the trained run."""
    shutil.copytree(trained / RUN, RUN)
    return RUN


@pytest.fixture
def config(trained: Path) -> Config:
    """The config of the trained run."""
    return load_run_config(trained / RUN)


def open_predictor(path: Path) -> Predictor:
    return Predictor(load_run(path).classifier, torch.device("cpu"))


def test_unknown_words_are_told_apart(run: Path, make_config: MakeConfig) -> None:
    config = make_config("text.max_vocab=5", *LONGER)
    without = train(config, Path("without"))
    assert without["valid"]["accuracy"] < 0.7
    predictions = open_predictor(run).predict(["rovers meet oslo", "oslo meet rovers"])
    assert [each.label for each in predictions] == ["sport", "world"]
    assert [each.num_unknown for each in predictions] == [2, 2]


def test_a_misspelt_word_is_read_by_its_parts(run: Path) -> None:
    right, wrong = open_predictor(run).predict(
        ["united meet lima", "uniteed meet lima"]
    )
    assert right.label == wrong.label == "sport"


def test_batches_and_padding_do_not_change_a_prediction(run: Path) -> None:
    predictor = open_predictor(run)
    together = predictor.predict(TEXTS)
    alone = [predictor.predict(text)[0] for text in TEXTS]
    for one, other in zip(together, alone, strict=True):
        assert one.probs == pytest.approx(other.probs, abs=1e-6)
    (streamed,) = predictor.stream([TEXTS])
    assert streamed == together


def test_all_checks_of_invariance_hold(run: Path, config: Config) -> None:
    classifier = load_run(run).classifier
    split, _ = load_split(
        config.data_settings, "valid", classifier.vocab, classifier.label_names
    )
    assert unknown_shares(split.texts).min() > 0
    checks = check_invariance(classifier.model, split.texts)
    assert all(check.holds for check in checks)


def test_a_saved_run_has_the_validation_scores_of_its_training(
    run: Path, config: Config
) -> None:
    classifier = load_run(run).classifier
    split, _ = load_split(
        config.data_settings, "valid", classifier.vocab, classifier.label_names
    )
    accuracy = is_right(classifier, split).mean()
    summary = train(config, run, RESUME)
    assert summary["valid"]["accuracy"] == pytest.approx(accuracy)


def test_an_unchanged_resume_is_exact(run: Path, config: Config) -> None:
    before, *_ = load_verified(run, MODEL)
    train(config, run, RESUME)
    after, *_ = load_verified(run, MODEL)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_training_goes_on_exactly_where_it_stopped(
    make_config: MakeConfig,
) -> None:
    config = make_config(*NGRAMS, "model.word_dropout=0.3", "train.average=0.9")
    check_exact_resume(config, RUN)


def test_a_run_starts_from_word_vectors(make_config: MakeConfig) -> None:
    Path("vectors.txt").write_text("meet 1 2 3\nagain 4 5 6\n", encoding="utf-8")
    config = make_config(*NGRAMS, "text.vectors=vectors.txt", "train.max_epochs=1")
    summary = train(config, RUN)
    assert summary["valid"]["accuracy"] > 0.4
    embedding = load_run(RUN).classifier.model.embedding
    assert embedding.num_embeddings == 5 + 500


def test_ngrams_cannot_be_added_to_a_trained_run(
    make_config: MakeConfig,
) -> None:
    train(make_config("text.max_vocab=5", "train.max_epochs=1"), RUN)
    config = make_config(*NGRAMS)
    with pytest.raises(RunError, match="weights do not fit the config"):
        train(config, RUN, RESUME_WITH_CHANGES)


def test_an_explanation_is_complete_and_names_unknown_words(run: Path) -> None:
    explanation = explain(load_run(run).classifier, TEXT)
    assert explanation.is_complete
    assert [token.is_known for token in explanation.tokens] == [
        False,
        True,
        False,
        False,
    ]
    assert abs(explanation.tokens[0].contribution) > 0.01
    (prediction,) = open_predictor(run).predict(TEXT)
    assert explanation.probs == pytest.approx(prediction.probs, abs=1e-6)


@pytest.mark.parametrize("bidirectional", ["true", "false"])
def test_a_trajectory_ends_with_the_prediction(
    make_config: MakeConfig, bidirectional: str
) -> None:
    train(make_config(*NGRAMS, f"model.bidirectional={bidirectional}"), RUN)
    classifier = load_run(RUN).classifier
    trajectory = trace_predictions(classifier, TEXT)
    (prediction,) = open_predictor(RUN).predict(TEXT)
    expected = pytest.approx(list(prediction.probs.values()), abs=1e-5)
    assert trajectory.probs[-1] == expected
    if bidirectional == "false":
        stream = Stream(classifier)
        *_, last = [*stream.feed(TEXT[:9]), *stream.feed(TEXT[9:]), *stream.finish()]
        assert list(last.probs.values()) == expected


def test_ngrams_of_words_leave_unknown_words_out(make_config: MakeConfig) -> None:
    train(make_config(*NGRAMS, "model.ngrams=2"), RUN)
    predictor = open_predictor(RUN)
    # The token ids of unknown words depend on the other texts.
    alone = [predictor.predict(text)[0] for text in TEXTS]
    for one, other in zip(predictor.predict(TEXTS[::-1]), alone[::-1], strict=True):
        assert one.probs == pytest.approx(other.probs, abs=1e-6)
    trajectory = trace_predictions(load_run(RUN).classifier, TEXT)
    expected = pytest.approx(list(alone[0].probs.values()), abs=1e-5)
    assert trajectory.probs[-1] == expected


def test_the_other_commands_read_unknown_words(run: Path, config: Config) -> None:
    classifier = load_run(run).classifier
    model, vocab = classifier.model, classifier.vocab
    split, _ = load_split(config.data_settings, "valid", vocab, classifier.label_names)
    assert trace_gates(classifier, TEXT).tokens == TEXT.split()
    for curve in measure_gradient(model, split):
        assert np.isfinite(curve.norms).all()
    flags = find_flags(classifier, split)
    assert {word.word for flag in flags for word in flag.words} <= set(vocab.words)
    results = evaluate_word_orders(classifier, split, bag=None, num_draws=1, seed=0)
    assert results[0].accuracy > results[-1].accuracy
    assert "character n-grams" in describe_reading(classifier, "zzz yyy")


def test_an_exported_file_cannot_have_ngrams(run: Path) -> None:
    classifier = load_portable(run)
    with pytest.raises(RunError, match=r"do not support text\.char_ngrams=\[3, 5\]"):
        check_exportable(classifier)


def test_a_language_model_has_no_ngrams(make_config: MakeConfig) -> None:
    with pytest.raises(ConfigError, match=r"text\.char_ngrams"):
        pretrain(make_config(*NGRAMS), RUN)
