"""Going on: after a kill at any point between two writes, with another config, and
where another process is."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rnncls import ConfigError, RunError
from rnncls.config.sections import Config
from rnncls.machine import arrays, files, tensors
from rnncls.machine.files import read_json, write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.runs import run as run_module
from rnncls.runs.data_check import load_data_fingerprint
from rnncls.runs.folder import LANGUAGE_MODEL, MODEL, STATE, RunFolder
from rnncls.runs.lock import lock_run
from rnncls.runs.metric_rows import read_rows
from rnncls.runs.run import load_run
from rnncls.runs.unfinished import find_unfinished
from rnncls.runs.weights import save_model
from rnncls.training import open_run as opening
from rnncls.training import recording, summary
from rnncls.training import resume as resuming
from rnncls.training import run as training
from rnncls.training.initialization import build_model
from rnncls.training.pretraining import pretrain
from rnncls.training.resume import ResumeOptions
from rnncls.training.run import train
from tests.builders import RESUME, RESUME_WITH_CHANGES

MakeConfig = Callable[..., Config]
TIMES = {"elapsed_s", "tokens_per_s"}
EVERYTHING = (
    "train.max_epochs=2",
    "train.patience=null",
    "train.monitor=loss",
    "model.dropout=0.3",
    "model.word_dropout=0.2",
    "train.average=0.9",
)


class Killed(BaseException):
    """What stands for a SIGKILL: nothing catches it."""


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs a training until its n-th write, or counts its writes
    where n is none of them."""

    def run(number: int, train_once: Callable[[], object]) -> int:
        writes = 0

        def counted(write: Callable[..., Any]) -> Callable[..., Any]:
            def write_or_die(*arguments: Any, **options: Any) -> Any:
                nonlocal writes
                writes += 1
                if writes == number:
                    raise Killed
                return write(*arguments, **options)

            return write_or_die

        with monkeypatch.context() as patch:
            for module, name in (
                (arrays, "write_atomic"),
                (files, "write_atomic"),
                (tensors, "write_atomic"),
                (run_module, "write_atomic"),
                (opening, "save_overridden_keys"),
                (recording, "append_row"),
                (resuming, "keep_rows"),
                (summary, "point_latest_at"),
                (RunFolder, "create"),
                (RunFolder, "delete_results"),
                (summary, "write_atomic"),
            ):
                patch.setattr(module, name, counted(getattr(module, name)))
            with contextlib.suppress(Killed):
                train_once()
        return writes

    return run


@pytest.fixture
def whole(make_config: MakeConfig) -> Path:
    """The untouched run of `EVERYTHING`."""
    train(make_config(*EVERYTHING), Path("runs/whole"))
    return Path("runs/whole")


def result_of(
    path: Path, model: str = MODEL
) -> tuple[bytes, list[dict[str, Any]], set[str]]:
    """Return the weights' file, the rows without their times, and the names of all
    files."""
    rows = [
        json.loads(line) for line in RunFolder(path).metrics.read_text().splitlines()
    ]
    names = {file.relative_to(path).as_posix() for file in path.rglob("*")}
    plain = [
        {key: value for key, value in row.items() if key not in TIMES} for row in rows
    ]
    return (path / model).read_bytes(), plain, names


# Killed


def begin_or_go_on(config: Config, path: Path) -> None:
    is_begun = path.exists() and any(path.iterdir())
    train(config, path, ResumeOptions(resume=is_begun))


def test_a_run_killed_again_and_again_ends_as_if_nothing_had_been(
    make_config: MakeConfig, kill_at: Callable[..., int]
) -> None:
    # Each part is killed before one write more than the part before it, until one comes
    # to the end.
    config = make_config(*EVERYTHING, "train.save_every=1e-9")
    train(config, Path("whole"))
    kills = 0
    while kill_at(kills + 1, lambda: begin_or_go_on(config, Path("killed"))) > kills:
        kills += 1
        assert kills < 100
    assert kills > 5
    assert result_of(Path("killed")) == result_of(Path("whole"))


@pytest.mark.parametrize("number", range(1, 14))
def test_a_run_killed_before_any_one_write_ends_as_if_nothing_had_been(
    make_config: MakeConfig, kill_at: Callable[..., int], whole: Path, number: int
) -> None:
    config, path = make_config(*EVERYTHING), Path("runs/killed")
    assert kill_at(number, lambda: begin_or_go_on(config, path)) == number
    begin_or_go_on(config, path)
    assert result_of(path) == result_of(whole)
    assert Path("runs/latest").resolve() == path.resolve()


def test_what_a_killed_process_has_half_written_goes(make_config: MakeConfig) -> None:
    config = make_config(*EVERYTHING)
    for name in (".model.safetensors.part-abc", "last/.state.safetensors.part-abc"):
        (Path("run") / name).parent.mkdir(parents=True, exist_ok=True)
        (Path("run") / name).write_bytes(b"half")
    train(config, Path("run"), RESUME)
    assert not [file for file in Path("run").rglob("*") if "part" in file.name]


def test_a_run_that_was_never_saved_is_found_and_begins_at_its_start(
    make_config: MakeConfig, caplog: pytest.LogCaptureFixture
) -> None:
    config = make_config("train.max_epochs=1")
    train(config, Path("runs/one"))
    for name in (
        STATE,
        MODEL,
        "metrics.jsonl",
        "summary.json",
        "README.md",
    ):
        (Path("runs/one") / name).unlink()
    with caplog.at_level("INFO"):
        train(config, find_unfinished(config.model_dump()), RESUME)
    assert (
        "runs/one: nothing was saved here yet: the run starts from the beginning"
        in caplog.text
    )
    assert RunFolder(Path("runs/one")).summary.exists()


@pytest.mark.parametrize("left", [MODEL, "metrics.jsonl", "thesis.txt"])
def test_a_folder_that_has_lost_its_state_is_not_begun_anew(
    make_config: MakeConfig, left: str
) -> None:
    Path("run").mkdir()
    (Path("run") / left).write_bytes(b"mine")
    with pytest.raises(
        RunError, match=r"run: nothing to resume: has no last/state\.safetensors"
    ):
        train(make_config(), Path("run"), RESUME)
    assert (Path("run") / left).read_bytes() == b"mine"


# More epochs, another config, other data


def test_a_finished_run_can_be_given_more_epochs(
    make_config: MakeConfig, kill_at: Callable[..., int]
) -> None:
    # With a constant rate, more epochs are the run that had as many from the start.
    constant = "train.schedule=constant", "train.warmup_fraction=0.0"
    short, long = (
        make_config(*EVERYTHING, *constant, f"train.max_epochs={number}")
        for number in (1, 3)
    )
    train(long, Path("long"))
    train(short, Path("short"))
    # Killed wherever it can be while its config is changed, and after.
    kills = 0
    while kill_at(kills + 1, lambda: train(long, Path("short"), RESUME)) > kills:
        kills += 1
        load_run(Path("short"))
    assert kills > 8
    assert result_of(Path("short")) == result_of(Path("long"))
    assert json.loads(Path("short/summary.json").read_text())["num_epochs"] == 3


def test_a_run_that_is_to_go_on_is_no_longer_finished(
    make_config: MakeConfig, kill_at: Callable[..., int]
) -> None:
    train(make_config("train.max_epochs=1"), Path("runs/one"))
    config = make_config("train.max_epochs=2")
    kill_at(8, lambda: train(config, Path("runs/one"), RESUME))
    assert find_unfinished(config.model_dump()) == Path("runs/one")


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("train.max_epochs=2", " (to train further, raise train.max_epochs)"),
        (
            "train.max_epochs=9",
            " without improvement (to train further, raise train.patience)",
        ),
    ],
)
def test_a_run_that_is_at_its_end_says_why(
    make_config: MakeConfig, override: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    options = "train.patience=1", "train.lr=1e-12"
    train(make_config("train.max_epochs=2", *options), Path("run"))
    with caplog.at_level("INFO"):
        train(make_config(override, *options), Path("run"), RESUME)
    assert f"already finished: stopped after epoch 2{why}" in caplog.text


def test_a_finished_run_that_is_not_trained_further_keeps_its_results(
    make_config: MakeConfig,
) -> None:
    options = "train.patience=1", "train.lr=1e-12"
    train(make_config("train.max_epochs=2", *options), Path("runs/one"))
    train(make_config("train.max_epochs=1"), Path("runs/two"))
    results = [Path("runs/one") / name for name in ("report.html", "eval-test.json")]
    for file in results:
        file.write_text("{}")
    train(make_config("train.max_epochs=9", *options), Path("runs/one"), RESUME)
    assert [file.exists() for file in results] == [True, True]
    assert Path("runs/latest").readlink() == Path("two")
    assert load_run(Path("runs/one")).config.train.max_epochs == 9
    load_data_fingerprint(Path("runs/one"))  # the summary is that of the weights
    changed = make_config("train.max_epochs=9", "train.calibrate=false", *options)
    train(changed, Path("runs/one"), RESUME)
    assert [file.exists() for file in results] == [False, False]


def test_another_config_is_taken_when_asked_for(make_config: MakeConfig) -> None:
    train(make_config("train.max_epochs=1"), Path("run"))
    changed = make_config("train.max_epochs=2", "train.lr=0.001", "train.batch_size=40")
    with pytest.raises(
        ConfigError,
        match=(
            r"differs in train\.batch_size .*, train\.lr .*0\.001 now\); the command"
            " line can resume anyway"
        ),
    ):
        train(changed, Path("run"), RESUME)
    train(changed, Path("run"), RESUME_WITH_CHANGES)
    rows = read_rows(RunFolder(Path("run")).metrics)
    assert [row["step"] for row in rows] == [
        10,
        8,
    ]  # 160 rows: one epoch is 4 steps of 40, so two are 8
    assert load_run(Path("run")).config == changed


def test_weights_are_averaged_from_where_that_is_asked_for(
    make_config: MakeConfig,
) -> None:
    train(make_config("train.max_epochs=1"), Path("run"))
    config = make_config("train.max_epochs=2", "train.average=0.9")
    train(config, Path("run"), RESUME_WITH_CHANGES)
    rows = read_rows(RunFolder(Path("run")).metrics)
    assert rows[1]["valid_loss"] < rows[0]["valid_loss"]


def test_a_run_goes_on_when_its_vectors_have_gone(make_config: MakeConfig) -> None:
    Path("vectors.txt").write_text(
        "the 0.1 0.2 0.3\ncrowd 0.3 0.1 0.2\n", encoding="utf-8"
    )
    train(make_config("train.max_epochs=1", "text.vectors=vectors.txt"), Path("run"))
    Path("vectors.txt").unlink()
    train(
        make_config("train.max_epochs=2", "text.vectors=vectors.txt"),
        Path("run"),
        RESUME,
    )
    assert len(read_rows(RunFolder(Path("run")).metrics)) == 2


def test_a_config_that_does_not_fit_the_weights_is_refused(
    make_config: MakeConfig,
) -> None:
    train(make_config("train.max_epochs=1", "train.optimizer=sgd"), Path("run"))
    before = result_of(Path("run"))
    for override, message in (
        ("model.hidden_size=9", "the weights do not fit the config"),
        ("train.optimizer=adam", "the optimizer's state does not fit the config"),
    ):
        with pytest.raises(RunError, match=message):
            train(
                make_config("train.optimizer=sgd", override),
                Path("run"),
                RESUME_WITH_CHANGES,
            )
    assert result_of(Path("run")) == before


def test_other_data_is_taken_when_asked_for_and_the_words_stay(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    train(make_config("train.max_epochs=1"), Path("run"))
    words = RunFolder(Path("run")).vocab.read_bytes()
    toy_csv.write_text(
        toy_csv.read_text(encoding="utf-8").replace("waits", "sings"), encoding="utf-8"
    )
    config = make_config("train.max_epochs=2")
    with pytest.raises(
        RunError,
        match=(
            r"the data differs in files\.train\.sha256, .*vocab_sha256;"
            r" .*can resume anyway"
        ),
    ):
        train(config, Path("run"), RESUME)
    train(config, Path("run"), RESUME_WITH_CHANGES)
    assert RunFolder(Path("run")).vocab.read_bytes() == words
    assert len(read_rows(RunFolder(Path("run")).metrics)) == 2


def test_a_language_model_goes_on_like_a_classifier(
    make_config: MakeConfig, kill_at: Callable[..., int]
) -> None:
    config = make_config("pretrain.max_epochs=2")
    pretrain(config, Path("whole"))
    kill_at(8, lambda: pretrain(config, Path("lm")))
    pretrain(config, Path("lm"), RESUME)
    assert result_of(Path("lm"), LANGUAGE_MODEL) == result_of(
        Path("whole"), LANGUAGE_MODEL
    )
    with pytest.raises(ConfigError, match=r"differs in pretrain\.lr \(.*, 0\.01 now\)"):
        pretrain(
            make_config("pretrain.max_epochs=3", "pretrain.lr=0.01"),
            Path("lm"),
            RESUME,
        )
    changed = make_config("pretrain.max_epochs=3", "pretrain.lr=0.01")
    assert pretrain(changed, Path("lm"), RESUME_WITH_CHANGES)["num_epochs"] == 3


# Two at once


def test_a_second_process_is_told_that_the_folder_is_taken(
    make_config: MakeConfig,
) -> None:
    config = make_config("train.max_epochs=1")
    train(config, Path("run"))
    before = result_of(Path("run"))
    with (
        lock_run(Path("run")),
        pytest.raises(
            RunError, match="run: another process is training here: wait for it"
        ),
    ):
        train(config, Path("run"), RESUME)
    assert result_of(Path("run")) == before


def test_the_one_of_two_beginners_that_is_later_leaves_the_other_alone(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, build = make_config("train.max_epochs=1"), build_model
    with (
        monkeypatch.context() as patch
    ):  # the other one begins and ends while this one is reading its data

        def train_in_between(*arguments: Any, **options: Any) -> Any:
            patch.setattr(training, "build_model", build)
            train(config, Path("run"))
            return build(*arguments, **options)

        patch.setattr(training, "build_model", train_in_between)
        with pytest.raises(
            ConfigError, match="run: another process has just begun a run here"
        ):
            train(config, Path("run"))
    load_run(Path("run"))


# A state that someone has made


@pytest.mark.parametrize(
    "change",
    [
        {"place": None},
        {"place": {}},
        {"precision": 3},
        {"files": None},
        {"files": []},
        {"metrics_sha256": None},
        {"place": {"step": -1}},
        {"fingerprint": []},
    ],
)
def test_a_sealed_state_of_another_form_is_damage(
    make_config: MakeConfig, toy_run: Path, change: dict[str, Any]
) -> None:
    tensors, meta = load_tensors(RunFolder(toy_run).state)
    place = (
        {**meta["place"], **change["place"]}
        if change.get("place")
        else change.get("place", meta["place"])
    )
    save_tensors(RunFolder(toy_run).state, tensors, {**meta, **change, "place": place})
    with pytest.raises(RunError, match="damaged"):
        train(make_config(), toy_run, RESUME)


@pytest.mark.parametrize(
    "name", ["epoch_loss", "optimizer.rows.moments", "model.linear.bias"]
)
@pytest.mark.parametrize(
    "tensor", [None, torch.zeros(3)], ids=["missing", "of another shape"]
)
def test_a_sealed_state_of_other_tensors_is_refused(
    make_config: MakeConfig, toy_run: Path, name: str, tensor: torch.Tensor | None
) -> None:
    tensors, meta = load_tensors(RunFolder(toy_run).state)
    del tensors[name]
    save_tensors(
        RunFolder(toy_run).state,
        tensors | ({} if tensor is None else {name: tensor}),
        meta,
    )
    with pytest.raises(
        RunError, match=r"last/state\.safetensors: .* not fit the config"
    ):
        train(make_config(), toy_run, RESUME)


@pytest.mark.parametrize("labels", [None, "sport", [], [1, 2]])
def test_sealed_labels_of_another_form_are_damage(
    toy_run: Path, labels: object
) -> None:
    model = load_run(toy_run).classifier.model
    write_json(RunFolder(toy_run).labels, {"labels": labels})
    save_model(toy_run, model)
    with pytest.raises(
        RunError, match=r"labels\.json: damaged: expected a list of class names"
    ):
        load_run(toy_run)


# Differences


def change_state(path: Path, **change: str) -> None:
    """Change values in the metadata of a saved state."""
    tensors, metadata = load_tensors(RunFolder(path).state)
    save_tensors(RunFolder(path).state, tensors, {**metadata, **change})


def test_another_precision_is_refused(make_config: MakeConfig, toy_run: Path) -> None:
    change_state(toy_run, precision="torch.bfloat16")
    message = (
        r"it was trained in torch\.bfloat16, but this machine uses torch\.float32;"
        " the command line"
    )
    with pytest.raises(RunError, match=message):
        train(make_config(), toy_run, RESUME)
    train(make_config(), toy_run, RESUME_WITH_CHANGES)


def test_all_differences_are_in_one_error(
    make_config: MakeConfig, toy_run: Path, toy_csv: Path
) -> None:
    change_state(toy_run, precision="torch.bfloat16")
    text = toy_csv.read_text(encoding="utf-8")
    toy_csv.write_text(text.replace("meet", "greet"), encoding="utf-8")
    with pytest.raises(RunError) as raised:
        train(make_config(), toy_run, RESUME)
    message = str(raised.value)
    parts = (
        "the data differs in files.train.sha256",
        "it was trained in torch.bfloat16",
    )
    for part in (*parts, "vocab.txt has other words", "can resume anyway"):
        assert part in message
    assert raised.value.suggestions == {"with_changes": ""}


# What described the weights before


RESULTS = ["eval-test.json", "label-issues.json", "report.html", "bag-of-words"]


def write_results(path: Path) -> None:
    """Write what other commands leave in a run folder."""
    for name in RESULTS[:-1]:
        (path / name).write_text("old", encoding="utf-8")
    (path / RESULTS[-1]).mkdir()


def test_results_of_the_weights_before_are_deleted_by_another_training(
    make_config: MakeConfig, toy_run: Path
) -> None:
    write_results(toy_run)
    more = make_config("train.max_epochs=6", "train.lr=0.01")
    train(more, toy_run, RESUME_WITH_CHANGES)
    assert not [name for name in RESULTS if (toy_run / name).exists()]
    assert RunFolder(toy_run).summary.exists()


def test_results_are_kept_by_a_stop_before_the_first_new_epoch(
    make_config: MakeConfig, toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise Killed

    write_results(toy_run)
    card = RunFolder(toy_run).card.read_bytes()
    more = make_config("train.max_epochs=6")
    monkeypatch.setattr(recording, "append_row", stop)
    with pytest.raises(Killed):
        train(more, toy_run, RESUME)
    assert [name for name in RESULTS if (toy_run / name).exists()] == RESULTS
    assert RunFolder(toy_run).card.read_bytes() == card
    assert not RunFolder(toy_run).summary.exists()  # it is no longer finished


def test_results_are_kept_where_no_later_epoch_is_better(
    make_config: MakeConfig, toy_run: Path
) -> None:
    options = ("train.lr=0.01", "train.patience=20")
    more = make_config("train.max_epochs=6", *options)
    train(more, toy_run, RESUME_WITH_CHANGES)
    write_results(toy_run)
    epochs = read_json(RunFolder(toy_run).summary)
    longer = make_config("train.max_epochs=7", *options)
    train(longer, toy_run, RESUME)
    summary = read_json(RunFolder(toy_run).summary)
    assert (summary["best_epoch"], summary["num_epochs"]) == (epochs["best_epoch"], 7)
    assert [name for name in RESULTS if (toy_run / name).exists()] == RESULTS


def test_results_are_deleted_where_only_the_data_has_changed(
    make_config: MakeConfig, toy_run: Path, toy_csv: Path
) -> None:
    write_results(toy_run)
    text = toy_csv.read_text(encoding="utf-8")
    toy_csv.write_text(text.replace("meet", "greet"), encoding="utf-8")
    train(make_config(), toy_run, RESUME_WITH_CHANGES)
    assert not [name for name in RESULTS if (toy_run / name).exists()]


def test_results_are_kept_where_nothing_is_left_to_do(
    make_config: MakeConfig, toy_run: Path
) -> None:
    write_results(toy_run)
    train(make_config(), toy_run, RESUME)
    assert [name for name in RESULTS if (toy_run / name).exists()] == RESULTS
