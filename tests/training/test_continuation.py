"""A run that continues another one on new rows, with new words and classes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import rnncls
from rnncls import ConfigError, DataError, RunError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.data.loading import load_split
from rnncls.evaluation.drift_sample import draw_validation_rows
from rnncls.evaluation.label_evaluation import summarize_labels
from rnncls.evaluation.run_evaluation import evaluate_run, summarize
from rnncls.inference.predictor import Predictor
from rnncls.machine.files import read_json
from rnncls.runs.continuation import load_continuation
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import Run, load_run
from rnncls.training.run import train
from tests.builders import RESUME, RESUME_WITH_CHANGES

CONFIG = """
device: cpu
data: {train: old.csv, text: [text], valid_fraction: 0.2}
text: {min_freq: 1}
model: {embedding_dim: 8, hidden_size: 4, dropout: 0.0, word_dropout: 0.0}
train: {max_epochs: 2, batch_size: 8, lr: 0.02, patience: null}
"""
EARLIER = {"billing": "invoice", "access": "login"}


def write(name: str, words: dict[str, str], numbers: range) -> None:
    """Write rows whose word says the class."""
    lines = [
        f"{word} {number} is wrong,{label}"
        for label, word in words.items()
        for number in numbers
    ]
    Path(name).write_text("\n".join(["text,label", *lines]) + "\n")


def make(*overrides: str) -> Config:
    return parse_config(CONFIG, "tickets.yaml", overrides)


@pytest.fixture(scope="module")
def _earlier_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("earlier")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        write("old.csv", EARLIER, range(20))
        train(make(), Path("a"), becomes_latest=False)
    return path


@pytest.fixture
def earlier(_earlier_run: Path, tmp_path: Path) -> Run:
    """A run on `old.csv`, and new rows of one of its classes and of a new one."""
    shutil.copytree(_earlier_run, tmp_path, dirs_exist_ok=True)
    write("new.csv", {"access": "login", "shipping": "parcel"}, range(20, 40))
    return load_run(Path("a"))


def continue_run(*overrides: str, path: str = "b") -> tuple[dict[str, Any], Run]:
    config = make("data.train=new.csv", "model.pretrained=a", *overrides)
    summary = train(config, Path(path), becomes_latest=False)
    return summary, load_run(Path(path))


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    return run.classifier.model.state_dict()


def test_words_classes_and_weights_of_the_run_come_first(earlier: Run) -> None:
    summary, run = continue_run("train.lr=1e-9", "train.max_epochs=1")
    known = earlier.classifier.vocab.words
    words = run.classifier.vocab.words
    assert words[: len(known)] == known
    assert "parcel" in words[len(known) :]
    assert earlier.classifier.label_names == ["access", "billing"]
    assert run.classifier.label_names == ["access", "billing", "shipping"]
    before, after = weights_of(earlier), weights_of(run)
    for name, weight in before.items():
        rows = after[name][: len(weight)]
        torch.testing.assert_close(rows, weight, rtol=0, atol=1e-6)
    assert after["embedding.weight"][len(known) :].std() > 0.01
    assert summary["from"]["num_new_words"] == len(words) - len(known)
    assert summary["from"]["new_classes"] == ["shipping"]


@pytest.mark.usefixtures("earlier")
def test_earlier_and_new_classes_are_scored_apart() -> None:
    summary, _ = continue_run("train.max_epochs=8", "train.replay=1")
    groups = summary["from"]["valid"]
    assert [group["name"] for group in groups] == ["earlier", "new"]
    assert [group["num_rows"] for group in groups] == [12, 4]
    assert summary["data"]["num_valid_rows"] == 16
    assert summary["from"]["num_replayed_rows"] == 32
    assert min(group["accuracy"] for group in groups) == 1.0
    assert summary["from"]["earlier_valid"].keys() == {"accuracy", "macro_f1"}
    result = summarize(evaluate_run(Path("b"), split="valid")).to_dict()
    assert [group["num_rows"] for group in result["class_groups"]] == [4, 4]


@pytest.mark.usefixtures("earlier")
def test_no_row_is_replayed_but_all_validation_rows_count() -> None:
    summary, _ = continue_run("train.replay=0", "train.max_epochs=1")
    assert summary["from"]["num_replayed_rows"] == 0
    assert summary["from"]["num_reused_valid_rows"] == 8
    assert summary["data"]["num_train_rows"] == 32


@pytest.mark.usefixtures("earlier")
def test_rows_that_were_appended_keep_the_split() -> None:
    old = Path("old.csv").read_text()
    added = Path("new.csv").read_text().split("\n", 1)[1]
    Path("old.csv").write_text(old + added)
    config = make("model.pretrained=a", "train.max_epochs=1")
    summary = train(config, Path("b"), becomes_latest=False)
    continuation = load_continuation(Path("b"))
    assert continuation is not None
    (own,), (first,) = continuation.own_files, continuation.earlier_files
    assert (own.num_rows, first.num_rows) == (80, 40)
    valid = [row for row in own.valid_rows.tolist() if row < 40]
    assert valid == first.valid_rows.tolist()
    assert len(valid) == 8
    assert summary["from"]["num_replayed_rows"] == 0
    assert summary["data"]["num_valid_rows"] == len(own.valid_rows)


@pytest.mark.usefixtures("earlier")
def test_the_rows_of_each_split_are_those_of_the_training() -> None:
    shutil.copy("new.csv", "more.csv")
    with Path("more.csv").open("a") as file:
        file.write("".join(f"invoice {row} is wrong,billing\n" for row in range(20)))
    _, run = continue_run("data.train=more.csv", "train.max_epochs=1")
    continuation = load_continuation(Path("b"))
    assert continuation is not None
    for split in ("train", "valid"):
        rows, _ = load_split(
            run.data_settings,
            split,
            run.classifier.vocab,
            run.classifier.label_names,
        )
        (own,) = continuation.own_files
        expected = own.train_rows if split == "train" else own.valid_rows
        assert rows.rows.tolist() == expected.tolist()


@pytest.mark.usefixtures("earlier")
def test_a_missing_file_is_named_and_done_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Path("old.csv").unlink()
    with caplog.at_level("INFO"):
        summary, _ = continue_run("train.max_epochs=1")
    assert "old.csv: is missing, or has changed since the earlier run" in caplog.text
    assert "none of its rows is trained on again" in caplog.text
    assert "no training row, so the run will forget: 'billing'" in caplog.text
    assert "to prevent this, restore old.csv, and train on rows" in caplog.text
    assert summary["from"]["num_replayed_rows"] == 0
    assert "1 new class beside its 2: 'shipping'" in caplog.text

    caplog.clear()
    with caplog.at_level("INFO"):
        continue_run("train.max_epochs=1", "train.replay=0", path="c")
    assert "old.csv: is missing, or has changed since the earlier run" in caplog.text
    assert "trained on again" not in caplog.text


@pytest.mark.usefixtures("earlier")
def test_drift_compares_with_all_validation_rows_of_the_training(
    caplog: pytest.LogCaptureFixture,
) -> None:
    summary, run = continue_run("train.max_epochs=1")
    caplog.clear()
    sample = draw_validation_rows(run, 100, use_cache=False)
    assert sample.num_rows == len(sample.texts) == summary["data"]["num_valid_rows"]
    assert (sample.source, sample.earlier_sources) == ("new.csv", ("old.csv",))
    lines = Path("new.csv").read_text().splitlines()
    earlier_lines = Path("old.csv").read_text().splitlines()
    rows = zip(sample.texts, sample.labels, sample.rows, strict=True)
    for index, (text, labels, row) in enumerate(rows):
        line = lines[row] if index < 8 else earlier_lines[row]
        assert line == f"{text},{(labels or ('',))[0]}"
    drawn = draw_validation_rows(run, 10, use_cache=False)
    assert (drawn.num_rows, len(drawn.texts)) == (16, 10)
    assert set(drawn.texts) < set(sample.texts)
    assert not caplog.messages


@pytest.mark.usefixtures("earlier")
def test_drift_names_an_earlier_file_that_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    write("new.csv", {"access": "login", "shipping": "parcel"}, range(20, 60))
    _, run = continue_run("train.max_epochs=1")
    Path("old.csv").write_text("text,label\nlogin,access\n")
    with caplog.at_level("INFO"):
        sample = draw_validation_rows(run, 100, use_cache=False)
    assert (sample.num_rows, sample.earlier_sources) == (16, ())
    assert "old.csv: is missing, or has changed since the training" in caplog.text

    Path("old.csv").unlink()
    _, run = continue_run("train.max_epochs=1", path="c")
    caplog.clear()
    with caplog.at_level("INFO"):
        draw_validation_rows(run, 100, use_cache=False)
    assert "c: continues a, whose files were missing" in caplog.text


@pytest.mark.usefixtures("earlier")
def test_rows_that_the_config_asks_for_must_exist() -> None:
    Path("old.csv").unlink()
    with pytest.raises(DataError, match=r"^old\.csv: is missing, .*replay: 0\.1"):
        continue_run("train.replay=0.1")


@pytest.mark.usefixtures("earlier")
def test_a_run_that_continues_another_needs_nothing_of_it() -> None:
    continue_run("train.max_epochs=1")
    config = make("data.train=new.csv", "model.pretrained=a", "train.max_epochs=2")
    shutil.copytree("b", "c")
    train(config, Path("b"), RESUME, becomes_latest=False)
    shutil.rmtree("a")
    train(config, Path("c"), RESUME, becomes_latest=False)
    first, second = (load_run(Path(name)) for name in "bc")
    for name, weight in weights_of(first).items():
        assert torch.equal(weight, weights_of(second)[name])
    text = "parcel 3 is wrong"
    predictor = Predictor(first.classifier, torch.device("cpu"))
    assert set(predictor.predict([text])[0].probs) == {"access", "billing", "shipping"}


@pytest.mark.usefixtures("earlier")
def test_a_stopped_run_resumes_exactly() -> None:
    options = ["train.lr=0.01", "train.schedule=constant", "train.warmup_fraction=0"]
    continue_run(*options, "train.max_epochs=2", path="complete")
    continue_run(*options, "train.max_epochs=1", path="stopped")
    config = make("data.train=new.csv", "model.pretrained=a", *options)
    train(config, Path("stopped"), RESUME, becomes_latest=False)
    complete, stopped = (load_run(Path(name)) for name in ("complete", "stopped"))
    for name, weight in weights_of(complete).items():
        assert torch.equal(weight, weights_of(stopped)[name])


@pytest.mark.usefixtures("earlier")
def test_a_run_that_continues_another_can_be_continued() -> None:
    continue_run("train.max_epochs=1")
    write("third.csv", {"refund": "money"}, range(40, 50))
    config = make("data.train=third.csv", "model.pretrained=b", "train.replay=1")
    summary = train(config, Path("c"), becomes_latest=False)
    run = load_run(Path("c"))
    names = ["access", "billing", "shipping", "refund"]
    assert run.classifier.label_names == names
    assert summary["from"]["num_replayed_rows"] == 32 + 32
    assert summary["from"]["num_reused_valid_rows"] == 8 + 8


@pytest.mark.usefixtures("earlier")
def test_a_file_that_changed_cannot_be_resumed() -> None:
    continue_run("train.max_epochs=1")
    Path("old.csv").write_text("text,label\na,b\n")
    config = make("data.train=new.csv", "model.pretrained=a", "train.max_epochs=3")
    with pytest.raises(RunError, match=r"^old\.csv: has changed since the run began"):
        train(config, Path("b"), RESUME)


@pytest.mark.usefixtures("earlier")
def test_a_continued_run_has_no_teachers() -> None:
    with pytest.raises(ConfigError, match=r"^train\.teachers: a run that continues"):
        continue_run("train.teachers=[a]")


@pytest.mark.usefixtures("earlier")
def test_the_data_of_a_continued_run_cannot_change() -> None:
    continue_run("train.max_epochs=1")
    config = make("data.train=old.csv", "model.pretrained=a", "train.max_epochs=2")
    with pytest.raises(RunError, match=r"^b: continues a, so its rows are fixed"):
        train(config, Path("b"), RESUME_WITH_CHANGES)


@pytest.mark.usefixtures("earlier")
def test_an_evaluation_says_that_earlier_rows_were_trained_on() -> None:
    continue_run("train.max_epochs=1")
    evaluation = evaluate_run(Path("b"), data=Path("old.csv"))
    assert evaluation.origin["used_for"] == "training"


@pytest.mark.usefixtures("earlier")
def test_keys_that_differ_from_the_run_are_all_named() -> None:
    message = (
        r"^a cannot be continued with this config, which differs in text\.tokenizer"
        r" \(basic_english in the run, words here\), model\.cell \(lstm in the run, gru"
        r" here\), model\.embedding_dim \(8 in the run, 9 here\): give these keys"
    )
    with pytest.raises(ConfigError, match=message):
        continue_run("text.tokenizer=words", "model.cell=gru", "model.embedding_dim=9")


@pytest.mark.usefixtures("earlier")
def test_ngrams_alone_cannot_continue_a_run() -> None:
    with pytest.raises(ConfigError, match=r"^model\.ngrams: alone: n-grams alone"):
        continue_run("model.ngrams=alone")


@pytest.mark.usefixtures("earlier")
def test_an_unfinished_run_cannot_be_continued() -> None:
    RunFolder(Path("a")).summary.unlink()
    with pytest.raises(RunError, match=r"^a: not finished: resume its training"):
        continue_run()


@pytest.mark.parametrize("tokenizer", ["characters", "subwords"])
@pytest.mark.usefixtures("earlier")
def test_a_tokenizer_of_pieces_is_kept(tokenizer: str) -> None:
    options = [f"text.tokenizer={tokenizer}", "text.subwords=400"]
    train(make(*options, "train.max_epochs=1"), Path("d"), becomes_latest=False)
    _, run = continue_run(*options, "model.pretrained=d", "train.max_epochs=1")
    words = load_run(Path("d")).classifier.vocab.words
    assert run.classifier.vocab.words == words


@pytest.mark.usefixtures("earlier")
def test_vectors_of_character_ngrams_stay_those_of_their_ngrams() -> None:
    options = ["text.char_ngrams=[3, 4]", "text.ngram_buckets=50"]
    train(make(*options, "train.max_epochs=1"), Path("d"), becomes_latest=False)
    _, run = continue_run(
        *options, "model.pretrained=d", "train.max_epochs=1", "train.lr=1e-9"
    )
    before = weights_of(load_run(Path("d")))["embedding.weight"][-50:]
    after = weights_of(run)["embedding.weight"][-50:]
    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)


@pytest.mark.usefixtures("earlier")
def test_the_ngrams_are_fitted_on_the_rows_that_are_trained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"):
        summary, run = continue_run(
            "model.ngrams=auto", "train.max_epochs=1", "train.replay=1"
        )
    message = "the n-grams are fitted anew, on the 64 rows that are trained on"
    assert message in caplog.text
    assert run.classifier.model.ngrams is not None
    assert len(summary["from"]["valid"]) == 2


@pytest.mark.usefixtures("earlier")
def test_several_labels_a_text_can_be_continued() -> None:
    for name in ("old.csv", "new.csv"):
        text = Path(name).read_text()
        Path(name).write_text(text.replace(",access", ",access;billing"))
    options = ["model.task=several_labels", "data.label_separator=;"]
    train(make(*options), Path("d"), becomes_latest=False)
    summary, run = continue_run(*options, "model.pretrained=d", "train.replay=1")
    assert run.classifier.label_names == ["access", "billing", "shipping"]
    assert [group["name"] for group in summary["from"]["valid"]] == ["earlier", "new"]
    evaluation = evaluate_run(Path("b"), split="valid")
    groups = summarize_labels(evaluation).to_dict()["class_groups"]
    assert [group["num_classes"] for group in groups] == [2, 1]


@pytest.mark.usefixtures("earlier")
def test_python_programs_can_continue_a_run() -> None:
    run = rnncls.train(
        write_config(),
        {"data.train": "new.csv"},
        out="b",
        from_run="a",
        replay=1,
    )
    assert run.summary["from"]["replay"] == 1.0
    assert read_json(Path("b/from.json"))["run"] == "a"


def write_config() -> str:
    Path("tickets.yaml").write_text(CONFIG)
    return "tickets.yaml"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replay": 0.5}, r"^replay is only allowed with from_run$"),
        ({"from_run": "a", "replay": 2}, r"^replay: expected a number from 0 to 1"),
        ({"from_run": "a", "resume": True}, r"^from_run starts a new run"),
    ],
)
@pytest.mark.usefixtures("earlier")
def test_wrong_arguments_of_python_programs_are_named(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        rnncls.train(write_config(), **arguments)
