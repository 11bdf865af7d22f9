"""Distillation: the targets, and which runs can be teachers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnncls import ConfigError, RunError
from rnncls.config.sections import Config
from rnncls.data.checksums import checksum
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.predictor import Predictor
from rnncls.machine.files import read_json, write_json
from rnncls.machine.seeds import seed_everything
from rnncls.runs.run import load_run
from rnncls.runs.weights import save_model
from rnncls.text.batching import assemble
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.distillation import add_distillation_targets
from rnncls.training.initialization import build_model
from rnncls.training.run import train
from tests.builders import RESUME

MakeConfig = Callable[..., Config]
CPU = torch.device("cpu")
SPLIT = "data.split_seed=3"


@pytest.fixture
def teachers(make_config: MakeConfig) -> list[str]:
    """Two teachers of other seeds, and one of another shape and tokenizer."""
    train(make_config(SPLIT, "seed=1", "train.max_epochs=1"), Path("one"))
    train(
        make_config(
            SPLIT,
            "seed=2",
            "model.cell=gru",
            "text.tokenizer=whitespace",
            "train.max_epochs=1",
        ),
        Path("two"),
    )
    return ["one", "two"]


def test_targets_are_the_labels_mixed_with_the_mean_opinion(
    make_config: MakeConfig, teachers: list[str]
) -> None:
    config = make_config(
        SPLIT, f"train.teachers={teachers}", "train.teacher_weight=0.25"
    )
    data = load_training_data(config.data_settings)
    targets = torch.from_numpy(
        np.asarray(
            add_distillation_targets(
                config.train, config.data_settings, data, CPU
            ).targets
        )
    )
    assert targets.shape == (len(data.train.labels), 2)
    opinions = []
    for name in teachers:
        run = load_run(Path(name))
        texts = texts_of(config, data.train.texts.starts)
        probs = [
            list(prediction.probs.values())
            for prediction in Predictor(run.classifier, CPU).predict(texts)
        ]
        opinions.append(torch.tensor(probs))
    expected = 0.75 * F.one_hot(
        torch.from_numpy(data.train.labels), 2
    ) + 0.25 * torch.stack(opinions).mean(dim=0)
    torch.testing.assert_close(targets, expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(len(targets)))


def texts_of(config: Config, starts: np.ndarray) -> list[str]:
    """Return the training texts, by their starts in the flat array of tokens."""
    from rnncls.data.datasets import columns_of
    from rnncls.data.readers import read_rows
    from rnncls.text.tokenizer import tokenize_texts

    texts = [
        text
        for rows in read_rows(Path(str(config.data.train)), columns_of(config.data))
        for text in rows.texts
    ]
    lengths = tokenize_texts(texts, config.text).lengths
    places = {int(start): row for row, start in enumerate(np.cumsum(lengths) - lengths)}
    return [texts[places[int(start)]] for start in starts]


def test_a_teacher_reads_its_own_columns(make_config: MakeConfig) -> None:
    train(make_config("data.text=[title]", "train.max_epochs=4"), Path("one"))
    config = make_config(
        "data.text=[description]", "train.teachers=[one]", "train.teacher_weight=1.0"
    )
    data = load_training_data(config.data_settings)
    opinions = add_distillation_targets(
        config.train, config.data_settings, data, CPU
    ).targets
    assert opinions is not None
    assert (
        opinions.argmax(axis=1) == data.train.labels
    ).mean() > 0.9  # the descriptions say nothing


def test_the_loss_is_that_against_the_targets(
    make_config: MakeConfig, teachers: list[str]
) -> None:
    config = make_config(
        SPLIT,
        f"train.teachers={teachers}",
        "model.dropout=0",
        "train.label_smoothing=0.2",
    )
    data = load_training_data(config.data_settings)
    seed_everything(0)
    model = build_model(config.model, config.text.vectors, data)
    taught = add_distillation_targets(config.train, config.data_settings, data, CPU)
    trainer = build_classifier_trainer(config.train, model, taught, config.seed)
    batch = assemble(data.train.texts, np.arange(20))
    logits = model(batch.token_ids, batch.lengths, is_ragged=batch.is_ragged).detach()
    assert taught.targets is not None
    targets = 0.8 * torch.from_numpy(taught.targets[:20]) + 0.2 / 2
    expected = -(targets * logits.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(trainer.train_step(batch), expected)
    assert (
        trainer.epoch_sums.num_correct
        == (logits.argmax(dim=1) == torch.from_numpy(data.train.labels[:20])).sum()
    )


def test_a_student_is_one_run_that_needs_no_teacher(
    make_config: MakeConfig, teachers: list[str]
) -> None:
    train(make_config(SPLIT, f"train.teachers={teachers}"), Path("student"))
    for name in teachers:
        (Path(name) / "model.safetensors").unlink()
    assert load_run(Path("student")).config.train.teachers == teachers


def test_a_teacher_that_may_have_seen_the_validation_rows_is_refused(
    make_config: MakeConfig,
) -> None:
    train(make_config("seed=1", "train.max_epochs=1"), Path("one"))
    with pytest.raises(
        ConfigError,
        match=r"^one may have been trained on the validation or test rows",
    ):
        train(make_config("seed=2", "train.teachers=[one]"), Path("run"))
    with pytest.raises(ConfigError, match=r"^one may have been trained on"):
        train(
            make_config("seed=1", "data.valid_fraction=0.3", "train.teachers=[one]"),
            Path("run"),
        )
    assert not Path("run").exists()
    train(make_config("seed=1", "train.teachers=[one]"), Path("run"))


def test_a_teacher_of_the_same_rows_in_another_order_is_refused(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    train(make_config("train.max_epochs=1"), Path("one"))
    head, *rows = toy_csv.read_text(encoding="utf-8").splitlines()
    toy_csv.write_text("\n".join([head, *reversed(rows)]) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^one may have been trained on"):
        train(make_config("train.teachers=[one]"), Path("run"))


def test_where_no_split_is_drawn_seeds_may_differ(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    Path("valid.csv").write_text(
        toy_csv.read_text(encoding="utf-8").replace("waits", "sings"), encoding="utf-8"
    )
    own = "data.valid=valid.csv", "train.max_epochs=1"
    train(make_config(*own, "seed=1"), Path("one"))
    train(
        make_config(*own, "seed=2", "train.teachers=[one]", "data.test=null"),
        Path("run"),
    )


def test_an_unfinished_teacher_is_refused(make_config: MakeConfig) -> None:
    train(make_config("train.max_epochs=1"), Path("one"))
    Path("one/summary.json").unlink()
    with pytest.raises(
        RunError, match="one: not finished: resume its training first"
    ) as caught:
        train(make_config("train.teachers=[one]"), Path("run"))
    assert caught.value.suggestions == {"resume": "", "out": "one"}


def test_a_teacher_of_other_classes_is_refused(make_config: MakeConfig) -> None:
    train(make_config("train.max_epochs=1"), Path("one"))
    labels, run = read_json(Path("one/labels.json"))["labels"], load_run(Path("one"))
    write_json(Path("one/labels.json"), {"labels": ["other", *labels[1:]]})
    save_model(Path("one"), run.classifier.model)
    summary = read_json(Path("one/summary.json"))
    write_json(
        Path("one/summary.json"),
        summary | {"weights_sha256": checksum(Path("one/model.safetensors"), "sha256")},
    )
    with pytest.raises(
        ConfigError,
        match=r"one has the classes \['other', 'world'\], the data has \['sport',",
    ):
        train(make_config("train.teachers=[one]"), Path("run"))


def test_a_teacher_that_was_trained_anew_cannot_teach_the_rest_of_a_run(
    make_config: MakeConfig,
) -> None:
    train(make_config("train.max_epochs=1"), Path("one"))
    config = make_config("train.teachers=[one]")
    train(config, Path("run"))
    Path("run/summary.json").unlink()
    shutil.rmtree("one")
    train(make_config("train.max_epochs=1", "train.lr=0.01"), Path("one"))
    with pytest.raises(
        RunError,
        match="cannot resume exactly: the data differs in teachers; the command line",
    ) as caught:
        train(config, Path("run"), RESUME)
    assert caught.value.suggestions == {"with_changes": ""}


def test_no_cache_is_for_the_teachers_texts_too(make_config: MakeConfig) -> None:
    config = make_config("train.max_epochs=1", "text.tokenizer=whitespace")
    train(config, Path("one"), use_cache=False)
    train(make_config("train.teachers=[one]"), Path("run"), use_cache=False)
    assert not list(Path(".cache").rglob("*.safetensors"))


def test_a_teacher_that_is_not_there_is_named(make_config: MakeConfig) -> None:
    with pytest.raises(RunError, match="nobody: no such run folder"):
        train(make_config("train.teachers=[nobody]"), Path("run"))


def test_one_split_seed_is_one_split_for_all_seeds(make_config: MakeConfig) -> None:
    splits = [
        load_training_data(
            make_config(*overrides).data_settings
        ).valid.texts.starts.tolist()
        for overrides in ([SPLIT, "seed=1"], [SPLIT, "seed=2"], ["seed=3"], ["seed=2"])
    ]
    assert splits[0] == splits[1] == splits[2] != splits[3]


def test_a_teacher_and_its_student_can_have_ngrams(make_config: MakeConfig) -> None:
    changes = [SPLIT, "model.ngrams=auto", "train.max_epochs=1"]
    train(make_config(*changes), Path("both"))
    student = make_config(*changes, "train.teachers=[both]", "train.teacher_weight=1")
    data = load_training_data(student.data_settings)
    taught = add_distillation_targets(student.train, student.data_settings, data, CPU)
    model = load_run(Path("both")).classifier.model
    expected = compute_logits(model, data.train.texts).softmax(dim=1)
    assert model.ngrams is not None
    assert torch.equal(torch.from_numpy(np.asarray(taught.targets)), expected)
    assert train(student, Path("student"))["ngrams"]["num_ngrams"] > 0
