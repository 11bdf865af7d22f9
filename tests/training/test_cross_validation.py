"""Cross-validation: no row is judged by a model that has learnt from it, and each fold
is a training like any other."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import accuracy_score, f1_score

from rnncls import ConfigError, DataError, Interrupted
from rnncls.config.sections import Config
from rnncls.data.loading import load_split
from rnncls.data.sources import Sources, load_sources
from rnncls.evaluation.evaluator import compute_logits
from rnncls.machine.signals import StopRequest
from rnncls.runs.run import load_uncalibrated
from rnncls.text.vocab import Vocab
from rnncls.training import cross_validation as folds
from rnncls.training.classification import build_fresh_trainer
from rnncls.training.cross_validation import cross_validate, run_folds
from rnncls.training.folds import draw_folds, hold_out, log_small_classes
from rnncls.training.run import train
from rnncls.training.step_data import Step

MakeConfig = Callable[..., Config]


def sources_of(config: Config) -> Sources:
    """Read the files of a config."""
    return load_sources(config.data, config.text, config.seed)


def parts_of(
    config: Config, num_folds: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return draw_folds(sources_of(config), num_folds, config.seed)


def write_unequal(path: Path, num_rare: int) -> None:
    lines = [
        "label,title,description",
        *(f"common,word{number % 7},the crowd" for number in range(60)),
    ]
    path.write_text(
        "\n".join([*lines, *(f"rare,odd{number},here" for number in range(num_rare))])
        + "\n"
    )


def test_the_folds_have_the_classes_in_like_shares(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    write_unequal(toy_csv, num_rare=11)
    parts = parts_of(make_config(), 5)
    labels = sources_of(make_config()).train.labels
    assert [
        np.bincount(labels[parts == number]).tolist() for number in range(1, 6)
    ] == [[12, 3], *([[12, 2]] * 4)]


@pytest.mark.parametrize("override", ["seed=1", "seed=9223372036854775807"])
def test_the_folds_are_drawn_by_the_seed(
    make_config: MakeConfig, override: str
) -> None:
    first, second, other = (
        parts_of(make_config(*overrides), 4) for overrides in ([], [], [override])
    )
    assert (first == second).all()
    assert (first != other).any()


def test_a_class_with_fewer_rows_than_folds_is_in_some_folds_only(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    write_unequal(toy_csv, num_rare=3)
    parts = parts_of(make_config(), 4)
    labels = sources_of(make_config()).train.labels
    assert parts.min() == 1
    rare_parts = parts[labels == 1].tolist()
    assert len(set(rare_parts)) == 3


def test_the_only_row_of_a_class_is_always_trained_on(
    make_config: MakeConfig, toy_csv: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_unequal(toy_csv, num_rare=1)
    config = make_config()
    sources = sources_of(config)
    assert parts_of(config, 5)[-1] == 0
    with caplog.at_level("INFO", "rnncls"):
        found = cross_validate(config, 5)
    assert found.rows.tolist() == list(range(60))
    assert found.label_names == ["common", "rare"]
    for fold in found.folds:
        data, _ = hold_out(config.data_settings, sources, fold.rows)
        assert 60 in data.train.rows
    assert [line for line in caplog.messages if "'rare'" in line] == [
        f"{toy_csv}: one row only, so it stays in training and the class cannot be"
        " scored: 'rare'"
    ]
    scores = found.scores()
    assert np.isfinite([scores.accuracy, scores.macro_f1, scores.loss]).all()


def test_the_folds_without_the_only_row_of_a_class_are_those_of_the_other_rows(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    write_unequal(toy_csv, num_rare=0)
    expected = parts_of(make_config(), 5).tolist()
    write_unequal(toy_csv, num_rare=1)
    assert parts_of(make_config(), 5).tolist() == [*expected, 0]


@pytest.mark.filterwarnings("error")
def test_more_folds_than_rows_of_any_class_is_an_error(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    toy_csv.write_text("label,title,description\n" + "a,x,y\nb,z,y\n" * 3)
    with pytest.raises(
        DataError,
        match=(
            r"toy\.csv: no class has as many rows as there are folds, 4: the largest"
            r" has 3: use --folds 3, or add rows"
        ),
    ):
        cross_validate(make_config(), 4)


@pytest.mark.parametrize("num_folds", [3, 4])
def test_a_class_with_fewer_rows_than_folds_is_noted_with_the_folds_that_work(
    make_config: MakeConfig,
    toy_csv: Path,
    caplog: pytest.LogCaptureFixture,
    num_folds: int,
) -> None:
    write_unequal(toy_csv, num_rare=3)
    with caplog.at_level("INFO", "rnncls"):
        log_small_classes(sources_of(make_config()), num_folds)
    notes = [line for line in caplog.messages if "fewer rows than folds" in line]
    assert len(notes) == (num_folds > 3)
    assert all(
        ": 'rare'; --folds 3 puts at least one of each class into each fold" in line
        for line in notes
    )


def test_rows_kept_for_testing_are_in_no_fold_and_are_learnt_by_none(
    make_config: MakeConfig,
) -> None:
    config = make_config("data.test=null", "data.test_fraction=0.3")
    found, sources = cross_validate(config, 2), sources_of(config)
    test, _ = load_split(
        config.data_settings,
        "test",
        Vocab(["<pad>", "<unk>"]),
        sources.train.label_names,
    )
    assert (
        len(test.rows),
        len(found.rows),
        np.intersect1d(found.rows, test.rows).tolist(),
    ) == (60, 140, [])
    assert (
        np.sort(np.concatenate([fold.rows for fold in found.folds])).tolist()
        == found.rows.tolist()
    )
    data, _ = hold_out(config.data_settings, sources, found.folds[0].rows)
    learnt = np.concatenate([data.train.rows, data.valid.rows])
    assert (
        np.sort(learnt).tolist()
        == np.setdiff1d(found.rows, found.folds[0].rows).tolist()
    )


def test_not_even_the_words_of_a_fold_are_learnt(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    write_unequal(toy_csv, num_rare=11)
    sources = sources_of(make_config())
    (rows,) = np.nonzero(sources.train.labels == 1)
    data, held_out = hold_out(make_config().data_settings, sources, rows[:4])
    odd = {word for word in data.vocab.words if word.startswith("odd")}
    assert odd < {f"odd{number}" for number in range(4, 11)}  # some validate
    assert len(data.train.labels) + len(data.valid.labels) + len(held_out.labels) == 71


def test_a_validation_file_picks_the_epoch_instead_of_rows_of_the_others(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    config = make_config(f"data.valid={toy_csv}")
    data, _ = hold_out(config.data_settings, sources_of(config), np.arange(50))
    assert (len(data.train.labels), len(data.valid.labels)) == (150, 200)


def test_a_fold_is_judged_as_by_a_run_on_a_file_without_it(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    config = make_config("model.dropout=0.3", "train.average=0.5")
    found = cross_validate(config, 2)
    header, *lines = toy_csv.read_text(encoding="utf-8").splitlines()
    for name, part in (("left", found.folds[1].rows), ("held", found.folds[0].rows)):
        Path(f"{name}.csv").write_text(
            "\n".join([header, *(lines[row] for row in part)]) + "\n", encoding="utf-8"
        )
    summary = train(
        make_config("model.dropout=0.3", "train.average=0.5", "data.train=left.csv"),
        Path("run"),
    )
    run = load_uncalibrated(Path("run"))
    held, _ = load_split(
        run.config.data_settings,
        "test",
        run.classifier.vocab,
        run.classifier.label_names,
        Path("held.csv"),
    )
    np.testing.assert_allclose(
        found.folds[0].logits,
        compute_logits(run.classifier.model, held.texts),
        rtol=1e-5,
        atol=1e-6,
    )
    assert found.folds[0].best_epoch == summary["best_epoch"]


def test_the_scores_are_those_of_scikit_learn(make_config: MakeConfig) -> None:
    found = cross_validate(make_config("train.max_epochs=1"), 3)
    predictions = found.logits.argmax(axis=1)
    scores = found.scores()
    assert sorted(np.concatenate([fold.rows for fold in found.folds]).tolist()) == list(
        range(200)
    )
    assert scores.accuracy == pytest.approx(accuracy_score(found.labels, predictions))
    assert scores.macro_f1 == pytest.approx(
        f1_score(found.labels, predictions, average="macro")
    )
    expected = F.cross_entropy(
        torch.from_numpy(found.logits), torch.from_numpy(found.labels)
    )
    assert scores.loss == pytest.approx(expected.item())
    each = [
        accuracy_score(found.labels[fold.rows], fold.logits.argmax(axis=1))
        for fold in found.folds
    ]
    assert found.mean_and_std()["accuracy"] == pytest.approx(
        (np.mean(each), np.std(each, ddof=1))
    )


@pytest.mark.parametrize(
    "override", ["train.teachers=[runs/a]", "model.pretrained=runs/a"]
)
def test_what_has_seen_all_rows_is_refused(
    make_config: MakeConfig, override: str
) -> None:
    with pytest.raises(
        ConfigError,
        match=r"(teachers|pretrained): was trained on the rows of every fold",
    ):
        cross_validate(make_config(override), 2)


def test_the_vectors_are_counted_once_not_for_each_fold(
    make_config: MakeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the 1.5 2.5 3.5\n", encoding="utf-8")
    with caplog.at_level("INFO", "rnncls"):
        cross_validate(make_config(f"text.vectors={vectors}", "train.max_epochs=1"), 2)
    assert sum(line.startswith("vectors: ") for line in caplog.messages) == 1
    assert sum(line.startswith("fold ") for line in caplog.messages) == 2


def test_ngrams_alone_train_one_epoch(make_config: MakeConfig) -> None:
    config = make_config("model.ngrams=alone", "train.max_epochs=3")
    build_trainer = partial(
        build_fresh_trainer, config.model, config.train, None, 0, torch.device("cpu")
    )
    steps: list[Step] = []
    folds = run_folds(
        config.data_settings,
        sources_of(config),
        2,
        build_trainer,
        steps.append,
        config.train,
    )
    assert len(list(folds)) == 2
    assert {step.epoch for step in steps} == {1}


def test_the_user_can_stop_it(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextlib.contextmanager
    def stop_at_once() -> Iterator[StopRequest]:
        stop = StopRequest()
        stop.requested = True
        yield stop

    monkeypatch.setattr(folds, "stop_on_signal", stop_at_once)
    with pytest.raises(Interrupted, match="stopped in fold 1 of 2; nothing is saved"):
        cross_validate(make_config(), 2)


def write_copies(path: Path, num_rare: int) -> None:
    """Write 30 texts twice, and one text of a rare class several times."""
    texts = [f"{'ab'[row % 2]},word{row},the crowd" for row in range(30)]
    lines = [
        *texts,
        *(text.upper().replace("A,", "a,", 1).replace("B,", "b,", 1) for text in texts),
    ]
    lines += ["rare,odd,one"] * num_rare
    path.write_text("\n".join(["label,title,description", *lines, ""]))


def test_the_copies_of_a_text_are_in_one_fold_and_never_learnt_for_it(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    write_copies(toy_csv, num_rare=0)
    config = make_config("data.split=texts", "data.test=null", "data.test_fraction=0.2")
    sources = sources_of(config)
    parts = draw_folds(sources, 4, seed=0)
    texts = sources.own_rows % 30
    for number in range(1, 5):
        rows = sources.own_rows[parts == number]
        data, _ = hold_out(config.data_settings, sources, rows)
        sides = [texts[parts == number], data.train.rows % 30, data.valid.rows % 30]
        assert sum(len(set(side.tolist())) for side in sides) == 24
        assert all(len(side) for side in sides)
    assert sorted(parts.tolist()) == sorted([1, 2, 3, 4] * 12)


def test_the_only_text_of_a_class_stays_in_training_with_its_copies(
    make_config: MakeConfig, toy_csv: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_copies(toy_csv, num_rare=3)
    config = make_config("data.split=texts")
    with caplog.at_level("INFO", "rnncls"):
        found = cross_validate(config, 3)
    assert found.rows.tolist() == list(range(60))
    assert any("one text only" in line and "'rare'" in line for line in caplog.messages)


def test_more_folds_than_texts_of_any_class_is_an_error(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    toy_csv.write_text("label,title,description\n" + "a,x,y\na,v,w\nb,z,y\n" * 9)
    with pytest.raises(
        DataError, match="no class has as many different texts as there are folds, 3"
    ):
        draw_folds(sources_of(make_config("data.split=texts")), 3, seed=0)
