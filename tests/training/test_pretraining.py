"""Pretraining: its data, perplexity and exact resume, and the classifier from it."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls import ConfigError, DataError, DivergedError, Interrupted, RunError
from rnncls.cli.train import name_resume_command
from rnncls.config.sections import Config
from rnncls.data.loading import load_language_data, load_training_data
from rnncls.inference.predictor import Predictor
from rnncls.machine import signals
from rnncls.machine.signals import StopRequest
from rnncls.machine.tensors import load_tensors
from rnncls.nn.language_model import LanguageModel
from rnncls.runs.companions import load_run_config
from rnncls.runs.folder import LANGUAGE_MODEL, RunFolder, find_run
from rnncls.runs.metric_rows import read_rows
from rnncls.runs.pretrained import load_pretrained
from rnncls.runs.run import load_run
from rnncls.runs.unfinished import find_unfinished
from rnncls.text.batching import Batch, assemble
from rnncls.training.initialization import build_model
from rnncls.training.pretraining import build_language_model_trainer, pretrain
from rnncls.training.run import train
from rnncls.training.trainer import Trainer
from tests.builders import RESUME

MakeConfig = Callable[..., Config]
QUICK = "pretrain.max_epochs=3", "pretrain.batch_size=16", "pretrain.lr=0.02"


@pytest.fixture
def pretrained(make_config: MakeConfig, tmp_path: Path) -> Path:
    path = tmp_path / "pretrained"
    pretrain(make_config(*QUICK), path)
    return path


def test_perplexity_falls_below_that_of_a_guess(pretrained: Path) -> None:
    rows = read_rows(RunFolder(pretrained).metrics)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert (
        rows[-1]["valid_perplexity"] < rows[0]["valid_perplexity"] < 20
    )  # 17 words, each as likely: 17
    assert rows[-1]["valid_perplexity"] == pytest.approx(
        math.exp(rows[-1]["valid_loss"])
    )
    assert rows[-1]["train_loss"] == pytest.approx(rows[-1]["valid_loss"], rel=0.3)
    assert "train_accuracy" not in rows[-1]


def test_unlabelled_files_bring_words_and_rows(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    (tmp_path / "more.txt").write_text(
        "kiruna is cold\nkiruna is dark\n", encoding="utf-8"
    )
    (tmp_path / "more.jsonl").write_text(
        '{"title": "tromso", "description": "is far"}\n', encoding="utf-8"
    )
    plain = load_language_data(make_config().data_settings)
    more = load_language_data(
        make_config("data.unlabelled=[more.txt, more.jsonl]").data_settings
    )
    assert {"kiruna", "tromso", "far"} <= set(more.vocab.words) - set(plain.vocab.words)
    assert len(more.train.texts) == len(plain.train.texts) + 3
    assert len(more.valid.texts) == len(plain.valid.texts)
    assert set(more.train.labels) == {-1}
    assert more.fingerprint["files"]["unlabelled:more.txt"]["num_rows"] == 2
    last = more.train.texts.select(np.array([len(more.train.texts) - 1]))
    words = [
        more.vocab.words[token]
        for token in last.token_ids[last.starts[0] : last.starts[0] + last.lengths[0]]
    ]
    assert words == ["tromso", "is", "far"]


def test_the_validation_rows_are_the_classifiers(make_config: MakeConfig) -> None:
    language, labelled = (
        load_language_data(make_config().data_settings),
        load_training_data(make_config().data_settings),
    )
    assert language.vocab.words == labelled.vocab.words
    assert language.valid.labels.tolist() == labelled.valid.labels.tolist()
    assert language.train.texts.starts.tolist() == labelled.train.texts.starts.tolist()


def test_an_empty_unlabelled_file_is_refused(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    (tmp_path / "none.txt").touch()
    with pytest.raises(DataError, match=r"none\.txt: has no rows"):
        pretrain(make_config("data.unlabelled=[none.txt]"), tmp_path / "pretrained")


@pytest.mark.parametrize("key", ["data.valid", "data.test", "data.train"])
def test_a_labelled_file_is_not_taken_for_unlabelled(
    make_config: MakeConfig, toy_csv: Path, key: str
) -> None:
    rows = toy_csv.read_text(encoding="utf-8").splitlines()
    Path("other.csv").write_text("\n".join(rows[:40]), encoding="utf-8")
    with pytest.raises(
        ConfigError,
        match=r"data\.unlabelled: other\.csv is the training, validation or test file",
    ):
        pretrain(
            make_config(f"{key}=other.csv", "data.unlabelled=[other.csv]"),
            Path("pretrained"),
        )


def test_texts_of_one_word_leave_nothing_to_guess(make_config: MakeConfig) -> None:
    with pytest.raises(DataError, match="no next word to predict"):
        pretrain(make_config("text.max_tokens=1"), Path("pretrained"))


def test_another_split_of_the_same_file_is_refused(
    make_config: MakeConfig, pretrained: Path
) -> None:
    for override in ("seed=1", "data.valid_fraction=0.3"):
        with pytest.raises(
            ConfigError,
            match="may have been trained on the validation or test rows",
        ):
            train(make_config(f"model.pretrained={pretrained}", override), Path("run"))
    train(
        make_config(f"model.pretrained={pretrained}", "seed=1", "data.split_seed=0"),
        Path("run"),
    )


@pytest.mark.parametrize(
    "overrides", [[], ["data.test=null", "data.test_fraction=0.2"]]
)
def test_other_labels_of_the_same_file_draw_other_rows_and_are_refused(
    make_config: MakeConfig, toy_csv: Path, overrides: list[str]
) -> None:
    header, *rows = toy_csv.read_text(encoding="utf-8").splitlines()
    text = "\n".join(
        f"{row},{'ab'[number % 3 == 0]}" for number, row in enumerate(rows)
    )
    toy_csv.write_text(f"{header},other\n{text}\n", encoding="utf-8")
    pretrain(make_config(*QUICK, *overrides), Path("pretrained"))
    with pytest.raises(
        ConfigError, match=r"may have been trained on .* the same data\.label"
    ):
        train(
            make_config("model.pretrained=pretrained", *overrides, "data.label=other"),
            Path("run"),
        )


@pytest.mark.parametrize("key", ["data.train", "data.valid", "data.test"])
def test_a_language_model_that_has_read_a_labelled_file_is_refused(
    make_config: MakeConfig, toy_csv: Path, key: str
) -> None:
    Path("more.csv").write_text(toy_csv.read_text(encoding="utf-8"), encoding="utf-8")
    rows = toy_csv.read_text(encoding="utf-8").splitlines()
    toy_csv.write_text("\n".join(rows[:-10]), encoding="utf-8")
    pretrain(make_config(*QUICK, "data.unlabelled=[more.csv]"), Path("pretrained"))
    with pytest.raises(
        ConfigError, match=r"^pretrained was trained on more\.csv \(data\.unlabelled\)"
    ):
        train(
            make_config("model.pretrained=pretrained", f"{key}=more.csv"), Path("run")
        )


def test_a_language_model_starts_from_no_other(make_config: MakeConfig) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^model\.pretrained: a language model cannot start from another one",
    ):
        pretrain(make_config("model.pretrained=other"), Path("pretrained"))
    assert not Path("pretrained").exists()
    pretrain(make_config(*QUICK, "model.pretrained=./pretrained"), Path("pretrained"))


def test_a_language_model_larger_than_the_memory_is_refused(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^model: the network cannot be built: its sizes are too large",
    ):
        pretrain(make_config("model.hidden_size=1000000000"), Path("pretrained"))


def test_a_language_model_of_other_texts_is_taken_with_a_note(
    make_config: MakeConfig,
    pretrained: Path,
    toy_csv: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = toy_csv.read_text(encoding="utf-8")
    toy_csv.write_text(text + "sport,one,more\nworld,one,more\n", encoding="utf-8")
    with caplog.at_level("INFO"):
        train(make_config(f"model.pretrained={pretrained}"), Path("run"))
    assert "was trained on another file" in caplog.text


def test_a_run_goes_on_when_its_pretrained_folder_has_gone(
    make_config: MakeConfig, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, request = make_config(f"model.pretrained={pretrained}"), StopRequest()
    train(config, Path("whole"))
    monkeypatch.setattr(signals, "StopRequest", lambda **_: request)
    request.requested = True
    with pytest.raises(Interrupted):
        train(config, Path("stopped"))
    request.requested = False
    shutil.rmtree(pretrained)
    train(config, Path("stopped"), RESUME)
    for name in ("model.safetensors", "vocab.txt"):
        assert (Path("stopped") / name).read_bytes() == (
            Path("whole") / name
        ).read_bytes()


def test_a_diverged_pretraining_names_its_own_key(make_config: MakeConfig) -> None:
    with pytest.raises(DivergedError, match=r"a lower pretrain\.lr"):
        pretrain(make_config("pretrain.lr=3e38"), Path("pretrained"))


def test_a_language_model_has_no_vectors_of_character_ngrams(
    make_config: MakeConfig, pretrained: Path
) -> None:
    config = make_config(f"model.pretrained={pretrained}", "text.char_ngrams=[3, 5]")
    message = (
        r"^text\.char_ngrams and model\.pretrained: a language model has no vectors of"
        r" n-grams: set one of them to null$"
    )
    with pytest.raises(ConfigError, match=message):
        train(config, Path("run"))


def test_a_classifier_starts_from_its_words_and_weights(
    make_config: MakeConfig, pretrained: Path
) -> None:
    config = make_config(f"model.pretrained={pretrained}", "text.min_freq=1000")
    found = load_pretrained(config.text, config.model)
    data = load_training_data(config.data_settings, found.vocab)
    model = build_model(config.model, config.text.vectors, data, found)
    assert data.vocab.words == found.vocab.words
    fresh = build_model(
        make_config().model,
        make_config().text.vectors,
        load_training_data(make_config().data_settings),
    )
    for name, weight in model.state_dict().items():
        expected = fresh if name.startswith("linear") else found.weights
        expected = expected if isinstance(expected, dict) else expected.state_dict()
        assert name.startswith("linear") == (name not in found.weights)
        if name in found.weights:
            torch.testing.assert_close(weight, expected[name], rtol=0, atol=0)
            assert not torch.equal(weight, fresh.state_dict()[name])


def test_a_run_from_a_pretrained_model_predicts_without_it(
    make_config: MakeConfig, pretrained: Path
) -> None:
    train(make_config(f"model.pretrained={pretrained}"), Path("run"))
    shutil.rmtree(pretrained)
    run = load_run(Path("run"))
    assert run.config.model.pretrained == str(pretrained)
    (prediction,) = Predictor(run.classifier, torch.device("cpu")).predict(
        ["oslo meets bergen"]
    )
    assert sum(prediction.probs.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.hidden_size=9",
            r"model\.hidden_size: .* was pretrained with 8, the config has 9",
        ),
        (
            "model.bidirectional=false",
            r"model\.bidirectional: .* was pretrained with True, the config has False",
        ),
        (
            "text.clean=false",
            r"text\.clean: .* was pretrained with html, the config has False",
        ),
        (
            "text.mark_case=true",
            r"text\.mark_case: .* was pretrained with False, the config has True",
        ),
        (
            "text.same_digits=true",
            r"text\.same_digits: .* was pretrained with False, the config has True",
        ),
    ],
)
def test_another_shape_is_refused(
    make_config: MakeConfig, pretrained: Path, override: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(make_config(f"model.pretrained={pretrained}", override), Path("run"))
    assert not Path("run").exists()


def test_a_folder_without_a_language_model_is_refused(
    make_config: MakeConfig, toy_run: Path
) -> None:
    RunFolder(toy_run).model.unlink()  # with it, the run would be continued
    with pytest.raises(
        RunError,
        match=(
            r"toy-run: has no language_model\.safetensors: make one with 'rnncls"
            r" pretrain"
        ),
    ):
        train(make_config(f"model.pretrained={toy_run}"), Path("run"))


@pytest.mark.parametrize(
    "name", ["language_model.safetensors", "vocab.txt", "config.yaml"]
)
def test_a_damaged_file_is_named(
    make_config: MakeConfig, pretrained: Path, name: str
) -> None:
    path = pretrained / name
    path.write_bytes(path.read_bytes()[:-3] + b"abc")
    with pytest.raises(RunError, match=name):
        train(make_config(f"model.pretrained={pretrained}"), Path("run"))


def test_a_language_model_does_not_predict(pretrained: Path) -> None:
    with pytest.raises(
        RunError,
        match=(
            r"a language model, not a classifier: use it with 'rnncls train --set"
            r" model\.pretrained="
        ),
    ):
        find_run(pretrained)


def test_an_unfinished_language_model_is_no_run_to_resume(
    make_config: MakeConfig,
) -> None:
    config = make_config(*QUICK)
    pretrain(config, Path("runs/language-model"))
    Path("runs/language-model/summary.json").unlink()
    with pytest.raises(RunError, match="no unfinished run of this config"):
        find_unfinished(config.model_dump())


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.cell=none", r"model\.cell: none cannot predict"),
        (
            "model.num_layers=2",
            (
                r"model\.num_layers: a second layer over both directions would see the"
                r" word"
            ),
        ),
    ],
)
def test_a_network_that_cannot_guess_is_refused(
    make_config: MakeConfig, tmp_path: Path, override: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        pretrain(make_config(override), tmp_path / "pretrained")
    assert not (tmp_path / "pretrained").exists()


@pytest.mark.parametrize("steps", [1, 10, 13])
def test_a_stopped_pretraining_resumes_exactly(
    make_config: MakeConfig,
    pretrained: Path,
    monkeypatch: pytest.MonkeyPatch,
    steps: int,
) -> None:
    config, path, request = make_config(*QUICK), Path("stopped"), StopRequest()
    monkeypatch.setattr(signals, "StopRequest", lambda **_: request)
    train_step = Trainer.train_step

    def stop_after(trainer: Trainer[LanguageModel], batch: Batch) -> torch.Tensor:
        request.requested = trainer.step + 1 == steps
        return train_step(trainer, batch)

    monkeypatch.setattr(Trainer, "train_step", stop_after)
    with (
        pytest.raises(
            Interrupted,
            match=(
                r"everything is saved in stopped: continue with rnncls pretrain"
                r" --resume --out stopped$"
            ),
        ),
        name_resume_command("pretrain", path),
    ):
        pretrain(config, path)
    pretrain(config, path, RESUME)
    for name in ("language_model.safetensors", "vocab.txt"):
        assert (path / name).read_bytes() == (pretrained / name).read_bytes()


def test_pretrained_vectors_are_where_it_starts(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    (tmp_path / "vectors.txt").write_text("oslo 1.5 2.5 3.5\n", encoding="utf-8")
    config = make_config(
        "text.vectors=vectors.txt", "pretrain.lr=1e-12", "pretrain.max_epochs=1"
    )
    pretrain(config, tmp_path / "pretrained")
    config = make_config(f"model.pretrained={tmp_path / 'pretrained'}")
    found = load_pretrained(config.text, config.model)
    row = found.vocab.words.index("oslo")
    assert found.weights["embedding.weight"][row, :3].tolist() == [1.5, 2.5, 3.5]


def test_perplexity_is_over_each_word_once_a_direction(make_config: MakeConfig) -> None:
    config = make_config()
    data = load_language_data(config.data_settings)
    model = LanguageModel(config.model, len(data.vocab))
    trainer = build_language_model_trainer(
        config.pretrain, config.train, config.seed, model, data
    )
    texts, loss, num_predictions = data.valid.texts, 0.0, 0
    for row in range(len(texts)):
        batch = assemble(texts, np.array([row]))
        token_ids, lengths = batch.token_ids, batch.lengths
        loss += model(token_ids, token_ids, lengths, is_ragged=False).item()
        num_predictions += 2 * (int(lengths) - 1)
    scores = trainer.task.evaluate(model)
    assert scores["loss"] == pytest.approx(loss / num_predictions, rel=1e-5)
    assert scores["perplexity"] == pytest.approx(
        math.exp(loss / num_predictions), rel=1e-4
    )


def test_a_stacked_grid_lstm_is_a_language_model_in_both_directions(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    shape = "model.cell=grid_lstm", "model.num_layers=2", "model.recurrent_dropout=0.1"
    pretrain(make_config(*QUICK, *shape), tmp_path / "grid")
    rows = read_rows(RunFolder(tmp_path / "grid").metrics)
    assert rows[-1]["valid_perplexity"] < rows[0]["valid_perplexity"] < 20
    config = make_config(*shape, f"model.pretrained={tmp_path / 'grid'}")
    taken = load_pretrained(config.text, config.model)
    model = build_model(
        config.model,
        config.text.vectors,
        load_training_data(config.data_settings, taken.vocab),
        taken,
    )
    assert all(
        torch.equal(model.state_dict()[name], weight)
        for name, weight in taken.weights.items()
    )


@pytest.mark.parametrize(
    "balance",
    [
        ["train.class_weights=balanced"],
        ["train.class_weights=[1, 2]", "train.sampling=balanced"],
    ],
)
def test_the_options_of_a_classifier_do_not_change_a_language_model(
    make_config: MakeConfig, pretrained: Path, tmp_path: Path, balance: list[str]
) -> None:
    options = [
        "train.freeze_encoder=1",
        "train.freeze_embedding=2",
        "train.layer_lr_decay=0.5",
        "train.average=0.9",
        "train.adversarial=1.0",
        "train.virtual_adversarial=1.0",
        "train.r_drop=1.0",
        *balance,
        "train.focal_gamma=2.0",
        "train.label_smoothing=0.3",
        "train.monitor=accuracy",
        "train.patience=1",
    ]
    pretrain(make_config(*QUICK, *options), tmp_path / "other")
    folders = [RunFolder(path) for path in (pretrained, tmp_path / "other")]
    rows, other_rows = (read_rows(folder.metrics) for folder in folders)
    for name in ("train_loss", "valid_loss"):
        assert [row[name] for row in other_rows] == [row[name] for row in rows]
    weights, other_weights = (
        load_tensors(folder.path / LANGUAGE_MODEL)[0] for folder in folders
    )
    torch.testing.assert_close(other_weights, weights, rtol=0, atol=0)


def test_a_language_model_is_trained_for_all_epochs_whatever_the_patience(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    options = "pretrain.max_epochs=4", "pretrain.lr=1e-12", "train.patience=1"
    summary = pretrain(make_config(*options), tmp_path / "pretrained")
    assert summary["num_epochs"] == 4


def test_an_epoch_of_a_language_model_has_each_row_once(
    make_config: MakeConfig,
) -> None:
    config = make_config("train.sampling=balanced")
    data = load_language_data(config.data_settings)
    torch.manual_seed(0)
    model = LanguageModel(config.model, len(data.vocab))
    trainer = build_language_model_trainer(
        config.pretrain, config.train, config.seed, model, data
    )
    rows = np.concatenate(trainer.planner.plan(0))
    assert sorted(rows) == list(range(len(data.train.texts)))


@pytest.mark.parametrize("clean", ["true", "false", "html"])
def test_a_classifier_reads_as_its_language_model_unless_its_config_says_how(
    make_config: MakeConfig, tmp_path: Path, clean: str
) -> None:
    path = tmp_path / "lm"
    pretrain(make_config(f"text.clean={clean}"), path)
    config = make_config(f"model.pretrained={path}", "train.max_epochs=1")
    assert "clean" not in config.text.model_fields_set
    train(config, tmp_path / "run")
    expected = make_config(f"text.clean={clean}").text.clean
    assert load_run_config(tmp_path / "run").text.clean == expected


@pytest.mark.parametrize("clean", ["true", "false"])
def test_a_run_is_resumed_with_its_cleaning_where_the_config_names_none(
    make_config: MakeConfig, tmp_path: Path, clean: str
) -> None:
    train(make_config(f"text.clean={clean}", "train.max_epochs=1"), tmp_path / "run")
    config = make_config("train.max_epochs=1")
    train(config, tmp_path / "run", RESUME)
    config = make_config("text.clean=html", "train.max_epochs=1")
    with pytest.raises(ConfigError, match=r"text\.clean"):
        train(config, tmp_path / "run", RESUME)
