"""Drift as a run sees it: the same texts have none, others have."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls.evaluation.drift import measure_drift
from rnncls.evaluation.drift_features import compute_features, compute_states
from rnncls.evaluation.drift_result import AspectDrift, DriftBounds, DriftResult
from rnncls.evaluation.drift_sample import LabelSet, TextSample
from rnncls.runs.run import Run, load_run
from tests.builders import train_label_sets, write_run

WORDS = ["oil", "game", "war", "chip", "talks", "win"]
BOUNDS = DriftBounds()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has not learned anything."""
    path = tmp_path_factory.mktemp("untrained") / "run"
    torch.manual_seed(2)
    write_run(path, labels=["a", "b"], words=WORDS, hidden_size=16)
    return load_run(path)


def draw_sample(seed: int, words: list[str], label: str | None = None) -> TextSample:
    generator = random.Random(seed)
    texts = []
    for _ in range(120):
        num_words = generator.randrange(3, 9)
        texts.append(" ".join(generator.choices(words, k=num_words)))
    rows = list(range(1, 121))
    labels: list[LabelSet] = [None if label is None else (label,)] * 120
    return TextSample(f"{seed}.csv", 500, texts, rows, labels)


def by_aspect(result: DriftResult) -> dict[str, AspectDrift]:
    return {aspect.aspect: aspect for aspect in result.aspects}


def test_texts_of_one_kind_have_not_drifted(run: Run) -> None:
    result = measure_drift(run, draw_sample(0, WORDS), draw_sample(1, WORDS), BOUNDS)
    assert not result.has_drifted
    assert not any(aspect.is_significant for aspect in result.aspects)
    assert (result.words, result.unlike_texts, result.true_labels) == ([], [], [])
    assert result.meaning().startswith("No drift: ")
    assert set(by_aspect(result)) == {
        "length",
        "unknown_words",
        "predicted_labels",
        "confidence",
        "states",
    }


def test_unknown_words_are_found_with_the_texts_that_have_them(run: Run) -> None:
    reference, file = draw_sample(0, WORDS), draw_sample(1, WORDS)
    new_texts = list(range(0, 120, 2))
    for index in new_texts:
        file.texts[index] = f"virus {file.texts[index]} virus virus"
    result = measure_drift(run, reference, file, BOUNDS)
    aspects = by_aspect(result)
    unknown = aspects["unknown_words"]
    assert (unknown.reference, unknown.has_drifted) == (0, True)
    num_words = sum(len(text.split()) for text in file.texts)
    assert unknown.file == pytest.approx(3 * len(new_texts) / num_words)
    (word,) = result.words
    assert (word.word, word.file, word.is_known) == ("virus", 0.5, False)
    assert aspects["states"].has_drifted
    rows = {text.row - 1 for text in result.unlike_texts}
    assert len(rows & set(new_texts)) >= 18
    assert "unknown words" in result.meaning()


def test_true_labels_are_compared_if_both_have_them(run: Run) -> None:
    reference = draw_sample(0, WORDS, label="a")
    same = measure_drift(run, reference, draw_sample(1, WORDS, "a"), BOUNDS)
    assert not by_aspect(same)["true_labels"].has_drifted
    new = measure_drift(run, reference, draw_sample(1, WORDS, "new"), BOUNDS)
    assert by_aspect(new)["true_labels"].effect == pytest.approx(1, abs=0.01)
    shares = [(shift.label, shift.file, shift.is_known) for shift in new.true_labels]
    assert shares[:2] == [("a", 0, True), ("new", 1, False)]


def test_a_small_difference_is_significant_but_no_drift(run: Run) -> None:
    bounds = DriftBounds(min_effect=0.9)
    file = draw_sample(1, [*WORDS, "virus"])
    result = measure_drift(run, draw_sample(0, WORDS), file, bounds)
    assert by_aspect(result)["unknown_words"].is_significant
    assert not result.has_drifted
    assert "Too small to count: unknown words" in result.meaning()


def test_lengths_count_what_is_cut_off(run: Run) -> None:
    texts = ["oil " * 2000, "oil", ""]
    features = compute_features(run.classifier, texts)
    assert features.num_tokens.tolist() == [2000, 1, 0]
    assert features.num_read.tolist() == [run.config.text.max_tokens, 1, 0]


def test_states_are_what_the_linear_layer_reads(run: Run) -> None:
    features = compute_features(run.classifier, ["oil game", "win", "war talks chip"])
    states = compute_states(run.classifier, features.encoded)
    linear = run.classifier.model.linear
    logits = states @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()
    assert logits.argmax(axis=1).tolist() == features.predicted.argmax(axis=1).tolist()
    top = np.exp(logits).max(axis=1) / np.exp(logits).sum(axis=1)
    assert features.confidences == pytest.approx(top, abs=1e-6)


def test_all_values_are_plain(run: Run) -> None:
    file = draw_sample(1, [*WORDS, "virus"], label="a")
    result = measure_drift(run, draw_sample(0, WORDS, label="a"), file, BOUNDS)
    values = json.loads(json.dumps(result.to_dict()))
    assert values["has_drifted"] is True
    assert values["file"]["num_compared"] == 120
    assert values["file"]["num_rows"] == 500
    assert len(values["distributions"][0]["file"]) == 101


def test_several_labels_have_a_test_each(tmp_path: Path) -> None:
    run = load_run(train_label_sets(tmp_path, "train.max_epochs=1"))
    texts = ["the day was happy indeed", "the day was angry afraid"] * 40
    labels: list[LabelSet] = [("joy",), ("anger", "fear")] * 40
    rows = list(range(1, 81))
    reference = TextSample("a.jsonl", 80, texts, rows, labels)
    none: list[LabelSet] = [()] * 80
    result = measure_drift(
        run, reference, TextSample("b.jsonl", 80, texts, rows, none), BOUNDS
    )
    true = by_aspect(result)["true_labels"]
    assert true.test == "Fisher's exact test of each label"
    assert true.has_drifted
    shift = result.true_labels[0]
    assert (shift.label, shift.reference, shift.file) == ("(no label)", 0, 1)
    assert result.meaning().startswith("Drift in true labels")
