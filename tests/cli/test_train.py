"""`rnncls train`: what it prints, what it leaves, and how it stops and goes on."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml

from rnncls.cli.train import can_read_first, describe_parts
from rnncls.config.loading import load_config
from rnncls.config.sections import (
    DataSection,
    ModelSection,
    TextSection,
    TrainSection,
)
from rnncls.data.cache import cache_dir
from rnncls.data.datasets import LabelledTexts, load_labelled
from rnncls.runs.folder import claim_new_folder
from tests.cli.conftest import Cli, Outcome, start

TIMES = {"elapsed_s", "tokens_per_s"}


@pytest.fixture
def train(cli: Cli, workplace: Path) -> Callable[..., Outcome]:  # noqa: ARG001 - it is the current folder
    """Return a function that trains on `toy.yaml` with further arguments."""
    return lambda *arguments: cli("train", "--config", "toy.yaml", *arguments)


def rows_without_times(path: Path) -> list[dict[str, Any]]:
    rows = [
        json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()
    ]
    return [
        {key: value for key, value in row.items() if key not in TIMES} for row in rows
    ]


# What it prints


def test_the_result_goes_to_stdout_as_one_line(train: Callable[..., Outcome]) -> None:
    # 15 words of 8; two directions of 4 gates of 8, each from 8 + 8 inputs and two
    # biases; 48 pooled into 2 classes: 15 * 8 + 2 * 4 * 8 * (8 + 8 + 2) + (48 + 1) * 2
    # = 1,370.
    stdout = train("--out", "runs/a").stdout
    assert re.fullmatch(
        r"runs/a: best epoch [12] of 2, accuracy \d+\.\d\d% on 20 validation rows \(95%"
        r" interval [\d.]+% to [\d.]+%\), "
        r"macro-F1 \d+\.\d\d%, "
        r"1,370 parameters, trained in \d+ s\n",
        stdout,
    )


def test_each_epoch_is_a_line_on_stderr(train: Callable[..., Outcome]) -> None:
    lines = train("--out", "runs/a").stderr.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]


def test_no_bar_goes_to_a_stderr_that_is_no_terminal(
    train: Callable[..., Outcome],
) -> None:
    stderr = train("--out", "runs/a").stderr
    assert "\r" not in stderr
    assert "%|" not in stderr


# What it leaves


def test_a_run_folder_holds_what_is_promised_and_nothing_else(
    train: Callable[..., Outcome],
) -> None:
    train("--out", "runs/a")
    assert sorted(
        str(path.relative_to("runs/a")) for path in Path("runs/a").rglob("*")
    ) == [
        "README.md",
        "config.yaml",
        "labels.json",
        "last",
        "last/lock",
        "last/state.safetensors",
        "metrics.jsonl",
        "model.safetensors",
        "summary.json",
        "tokenizer.json",
        "vocab.txt",
    ]


def test_the_summary_says_what_was_done_with_which_data(
    train: Callable[..., Outcome],
) -> None:
    train("--out", "runs/a", "--set", "seed=5")
    summary = json.loads(Path("runs/a/summary.json").read_text())
    assert (summary["seed"], summary["device"], summary["num_epochs"]) == (5, "cpu", 2)
    assert summary["data"]["files"]["train"]["num_rows"] == 96
    # 20% of the 48 rows of each class are 9.6: 10 each.
    assert (summary["data"]["num_train_rows"], summary["data"]["num_valid_rows"]) == (
        76,
        20,
    )


def test_the_config_of_a_run_holds_the_overrides(train: Callable[..., Outcome]) -> None:
    train(
        "--out",
        "runs/a",
        "--set",
        "model.hidden_size=3",
        "-s",
        "train.lr=1e-2",
        "--device",
        "cpu",
    )
    config = yaml.safe_load(Path("runs/a/config.yaml").read_text())
    assert (
        config["model"]["hidden_size"],
        config["train"]["lr"],
        config["device"],
    ) == (3, 0.01, "cpu")


def test_the_device_option_wins_over_the_config(train: Callable[..., Outcome]) -> None:
    train("--out", "runs/a", "--set", "device=cuda:99", "--device", "cpu")
    assert yaml.safe_load(Path("runs/a/config.yaml").read_text())["device"] == "cpu"


def test_the_run_can_be_read_right_after(
    train: Callable[..., Outcome], cli: Cli
) -> None:
    train()
    assert cli("predict", "rovers meet oslo").exit_code == 0


def test_latest_points_at_a_run_wherever_it_is(
    train: Callable[..., Outcome], tmp_path: Path
) -> None:
    train("--out", "else/where")
    assert Path("runs/latest").resolve() == tmp_path / "else" / "where"


# Names


def test_the_default_name_is_that_of_the_config_and_the_time(
    train: Callable[..., Outcome],
) -> None:
    train()
    (path,) = (path for path in Path("runs").iterdir() if not path.is_symlink())
    assert re.fullmatch(r"toy-\d{8}-\d{6}", path.name)


def test_runs_that_start_at_once_get_a_folder_each() -> None:
    with ThreadPoolExecutor(8) as threads:
        paths = list(
            threads.map(lambda _: claim_new_folder("toy", Path("runs")), range(40))
        )
    assert len(set(paths)) == 40
    assert all(path.is_dir() for path in paths)


@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize(("device", "exit_code"), [("cpu", 3), ("cuda:99", 5)])
def test_a_training_that_fails_leaves_no_empty_folder(
    cli: Cli, device: str, exit_code: int
) -> None:
    Path("toy.csv").write_text("label,title,description\n")
    arguments = ["train", "--config", "toy.yaml", "--device", device]
    assert cli(*arguments).exit_code == exit_code
    assert list(Path("runs").glob("*")) == []


@pytest.mark.usefixtures("workplace")
def test_two_trainings_started_in_the_same_second_both_finish() -> None:
    processes = [
        start("train", "--config", "toy.yaml", "--set", f"seed={seed}")
        for seed in (1, 2)
    ]
    messages = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], messages
    folders = [path for path in Path("runs").iterdir() if not path.is_symlink()]
    seeds = sorted(load_config(path / "config.yaml").seed for path in folders)
    assert seeds == [1, 2]
    assert Path("runs/latest").resolve() in [path.resolve() for path in folders]


def test_resuming_a_finished_run_does_not_make_it_the_newest(
    train: Callable[..., Outcome],
) -> None:
    train("--out", "runs/first")
    train("--out", "runs/second")
    assert train("--out", "runs/first", "--resume").exit_code == 0
    assert Path("runs/latest").resolve() == Path("runs/second").resolve()


@pytest.mark.parametrize("kind", ["run", "folder", "file"])
def test_what_is_already_there_is_never_overwritten(
    train: Callable[..., Outcome], kind: str, tmp_path: Path
) -> None:
    taken = tmp_path / "taken"
    if kind == "run":
        train("--out", "taken")
    elif kind == "folder":
        taken.mkdir()
        (taken / "thesis.txt").write_text("mine")
    else:
        taken.write_text("mine")
    before = {
        path: path.read_bytes() for path in [taken, *taken.rglob("*")] if path.is_file()
    }
    exit_code, stdout, stderr = train("--out", "taken", "--set", "seed=1")
    assert (exit_code, stdout) == (2, "")
    assert (
        stderr
        == "error: taken: already exists; choose another folder, or resume the run in"
        " it (--out FOLDER, --resume)\n"
    )
    assert {
        path: path.read_bytes() for path in [taken, *taken.rglob("*")] if path.is_file()
    } == before


def test_the_link_to_the_newest_run_is_no_place_for_a_run(
    train: Callable[..., Outcome],
) -> None:
    exit_code, _, stderr = train("--out", "runs/latest")
    assert (exit_code, stderr) == (
        2,
        "error: runs/latest: is the link to the newest run; choose another"
        " folder (--out FOLDER)\n",
    )


# Wrong data


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "own.csv: no such file"),
        ("", "own.csv: is empty"),
        ("label,title,description\n", "own.csv: has no rows"),
        (
            "label,titel,description\na,b,c\n",
            "own.csv: no column 'title', found 'label', 'titel', 'description'",
        ),
        (
            "label,title,description\na,b,c\na,b\n",
            "own.csv: row 2: expected 3 columns, found 2",
        ),
        (
            "label,title,description\n" + "a,b,c\n" * 10,
            "own.csv: all 10 rows have the label 'a'",
        ),
    ],
    ids=["missing", "empty", "no rows", "no column", "a short row", "one class"],
)
def test_wrong_data_leaves_with_3_and_no_run_folder(
    train: Callable[..., Outcome], text: str | None, message: str
) -> None:
    if text is not None:
        Path("own.csv").write_text(text)
    exit_code, stdout, stderr = train("--out", "runs/a", "--set", "data.train=own.csv")
    assert (exit_code, stdout) == (3, "")
    assert stderr.startswith(f"error: {message}")
    assert stderr.count("error") == 1
    assert not Path("runs/a").exists()


# The rows are read while torch is imported


@pytest.fixture
def files_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each file that is read and tokenised is added."""
    names = []

    def note(path: Path, data: DataSection, text: TextSection) -> LabelledTexts:
        names.append(path.name)
        return load_labelled(path, data, text)

    monkeypatch.setattr("rnncls.data.cache.load_labelled", note)
    return names


@pytest.mark.parametrize("options", [[], ["--no-cache"]])
def test_each_file_is_read_once(
    train: Callable[..., Outcome], files_read: list[str], options: list[str]
) -> None:
    *lines, _ = Path("toy.csv").read_text().splitlines(keepends=True)
    Path("valid.csv").write_text("".join(lines))
    files = ["--set", "data.valid=valid.csv", *options]
    assert train(*files, "--out", "runs/a").exit_code == 0
    assert files_read == ["toy.csv", "valid.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "taken"], "taken: already exists"),
        (["--device", "cuda:99"], "cuda:99: this machine has"),
        (
            ["--set", "train.precision=bfloat16", "--set", "model.cell=gru"],
            "train.precision: bfloat16 needs CUDA",
        ),
        (["--from", "missing"], "missing: "),
    ],
)
def test_what_is_wrong_with_the_config_is_told_before_the_rows_are_read(
    train: Callable[..., Outcome],
    files_read: list[str],
    options: list[str],
    message: str,
) -> None:
    Path("taken").mkdir()
    Path("taken/thesis.txt").write_text("mine")
    assert train(*options).stderr.startswith(f"error: {message}")
    assert files_read == []


def test_with_torchrun_the_rows_are_not_read_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = ModelSection(), "cpu", TrainSection()
    assert can_read_first(*settings)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not can_read_first(*settings)


@pytest.mark.slow
def test_reading_and_training_import_no_package_at_the_same_time(
    workplace: Path,
) -> None:
    rows = pyarrow.csv.read_csv(workplace / "toy.csv")
    pyarrow.parquet.write_table(rows, workplace / "toy.parquet")
    lines = [json.dumps(row) for row in rows.to_pylist()]
    (workplace / "toy.jsonl").write_text("\n".join(lines))
    read = (
        "from pathlib import Path\n"
        "from rnncls.config.loading import load_config\n"
        "for file in ('toy.csv', 'toy.parquet', 'toy.jsonl'):\n"
        "    config = load_config(Path('toy.yaml'), [f'data.train={file}'])\n"
        "    load_sources(config.data, config.text, config.seed, use_cache=False)\n"
    )
    imported_by_reading = list_imported(read)
    assert "pyarrow.parquet" in imported_by_reading
    imported_by_training = list_imported("import rnncls.training.run")
    assert "torch" in imported_by_training
    assert imported_by_reading & imported_by_training == set()


def list_imported(code: str) -> set[str]:
    """Return which modules of other packages a program imports after `rnncls train`
    has imported its own."""
    program = (
        "import loky, sys, rnncls.cli.train, rnncls.runs.folder\n"
        "from rnncls.data.sources import load_sources\n"
        f"before = set(sys.modules)\n{code}\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    # Modules of this package do not import each other in a circle, and Cython's are not
    # imported at all.
    left_out = {*sys.stdlib_module_names, "rnncls", "__mp_main__"}
    return {
        name
        for name in done.stdout.split()
        if name.split(".")[0] not in left_out and not name.startswith("_cython")
    }


# Going on


def test_there_must_be_something_to_resume(train: Callable[..., Outcome]) -> None:
    exit_code, _, stderr = train("--resume")
    assert (exit_code, stderr) == (
        4,
        (
            "error: no unfinished run of this config in runs/ to resume; name one"
            " (--out FOLDER)\n"
        ),
    )


def test_a_run_that_is_not_there_cannot_be_resumed(
    train: Callable[..., Outcome],
) -> None:
    exit_code, _, stderr = train("--resume", "--out", "runs/a")
    assert exit_code == 4
    assert stderr.startswith("error: runs/a: nothing to resume")


def test_results_that_a_resumed_run_deletes_are_named(
    train: Callable[..., Outcome],
) -> None:
    assert train("--out", "runs/a").exit_code == 0
    Path("runs/a/report.html").write_text("")
    more = ["--out", "runs/a", "--resume", "--set", "train.max_epochs=3"]
    _, _, stderr = train(*more)
    assert "runs/a: deleted, since the run is trained further: report.html" in stderr
    assert not Path("runs/a/report.html").exists()


def test_a_run_is_not_resumed_with_another_config(
    train: Callable[..., Outcome],
) -> None:
    train("--out", "runs/a")
    exit_code, _, stderr = train("--resume", "--out", "runs/a", "--set", "train.lr=0.1")
    assert (exit_code, stderr) == (
        2,
        (
            "error: runs/a: cannot resume exactly: the config differs in train.lr"
            " (0.02 in the run, 0.1 now); the command line can resume anyway"
            " (--with-changes)\n"
        ),
    )


def test_a_run_goes_on_with_changes_when_asked_for(
    train: Callable[..., Outcome],
) -> None:
    train("--out", "runs/a")
    more = "--out", "runs/a", "--set", "train.lr=0.1", "--set", "train.max_epochs=3"
    outcome = train(*more, "--resume", "--with-changes")
    assert (outcome.exit_code, outcome.stdout.split(" ")[5]) == (0, "3,")
    assert yaml.safe_load(Path("runs/a/config.yaml").read_text())["train"]["lr"] == 0.1


def test_with_changes_is_for_a_run_that_goes_on(train: Callable[..., Outcome]) -> None:
    exit_code, _, stderr = train("--out", "runs/a", "--with-changes")
    assert (exit_code, stderr) == (
        2,
        "error: --with-changes is only allowed with --resume\n",
    )


def test_a_run_that_diverges_leaves_with_1_and_names_rows(
    train: Callable[..., Outcome],
) -> None:
    options = (
        "train.optimizer=sgd",
        "train.lr=1e38",
        "train.clip_norm=null",
        "train.warmup_fraction=0",
    )
    exit_code, stdout, stderr = train(
        "--out", "runs/a", *(part for each in options for part in ("--set", each))
    )
    assert (exit_code, stdout) == (1, "")
    (line,) = stderr.splitlines()
    assert re.match(
        r"error: the loss or its gradient is not finite in step \d+ \(epoch 1\), .*"
        r" rows \d+, ",
        line,
    )


LONG = (
    "--set",
    "train.max_epochs=12",
    "--set",
    "train.batch_size=2",
    "--set",
    "train.patience=null",
)


@pytest.mark.usefixtures("workplace")
def test_an_interrupted_run_saves_leaves_with_130_and_goes_on_as_if_nothing_had_been(
    cli: Cli,
) -> None:
    metrics = Path("runs/stopped/metrics.jsonl")
    with start(
        "train", "--config", "toy.yaml", "--out", "runs/stopped", *LONG
    ) as process:
        deadline = time.monotonic() + 60
        while (
            not metrics.exists()
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    *notes, message = stderr.splitlines()
    assert (
        "stopping after this step and saving; press Ctrl-C again to exit immediately"
        in notes
    )
    assert re.fullmatch(
        r"interrupted: stopped in epoch \d+; everything is saved in runs/stopped:"
        r" continue with rnncls train --resume --out runs/stopped",
        message,
    )
    assert 1 <= len(rows_without_times(Path("runs/stopped"))) < 12

    # By default the newest unfinished run goes on.
    assert cli("train", "--config", "toy.yaml", "--resume", *LONG).exit_code == 0
    assert (
        cli("train", "--config", "toy.yaml", "--out", "runs/whole", *LONG).exit_code
        == 0
    )
    assert rows_without_times(Path("runs/stopped")) == rows_without_times(
        Path("runs/whole")
    )
    stopped, whole = (
        Path("runs/stopped/model.safetensors"),
        Path("runs/whole/model.safetensors"),
    )
    assert stopped.read_bytes() == whole.read_bytes()


def test_tokenised_data_is_kept_unless_told_otherwise(
    train: Callable[..., Outcome],
) -> None:
    train("--no-cache", "--out", "runs/plain")
    assert not cache_dir().exists()
    train("--out", "runs/a")
    assert len(list(cache_dir().iterdir())) == 1


def test_texts_that_are_cut_are_counted_once(cli: Cli, workplace: Path) -> None:
    config = ["--config", str(workplace / "toy.yaml"), "--set", "train.max_epochs=1"]
    done = cli("train", *config, "--set", "text.max_tokens=2", "--out", "runs/cut")
    assert done.exit_code == 0
    assert done.stderr.count("text.max_tokens: ") == 1
    assert " training texts have more than 2 tokens" in done.stderr
    assert "e.g. to 4" in done.stderr
    done = cli("train", *config, "--out", "runs/complete")
    assert "text.max_tokens" not in done.stderr


@pytest.mark.parametrize(
    ("num_longer", "note"),
    [(0, None), (1, "1 of 38 training texts"), (7, "7 of 38 training texts")],
)
def test_texts_that_fill_max_tokens_exactly_are_not_cut(
    cli: Cli, workplace: Path, num_longer: int, note: str | None
) -> None:
    texts = ["one two three"] * (38 - num_longer) + ["one two three four"] * num_longer
    rows = [f"{'ab'[row % 2]},{text}" for row, text in enumerate(texts)]
    (workplace / "own.csv").write_text("\n".join(["label,text", *rows, ""]))
    (workplace / "valid.csv").write_text("label,text\na,one\nb,two\n")
    (workplace / "own.yaml").write_text(
        f"data: {{train: {workplace}/own.csv, valid: {workplace}/valid.csv,"
        " text: [text]}\ntext: {max_tokens: 3}\n"
        "model: {hidden_size: 4, embedding_dim: 4}\ntrain: {max_epochs: 1}\n"
    )
    done = cli("train", str(workplace / "own.yaml"), "--out", "runs/full")
    assert done.exit_code == 0
    assert ("more than 3 tokens" in done.stderr) == (note is not None)
    assert (note or "") in done.stderr


def test_a_run_is_resumed_with_its_folder_alone(
    cli: Cli, train: Callable[..., Outcome]
) -> None:
    train("--out", "runs/a", "--set", "seed=3")
    exit_code, stdout, stderr = cli("train", "--resume", "--out", "runs/a")
    assert (exit_code, stdout.split(":")[0]) == (0, "runs/a"), stderr
    assert "already finished" in stderr


def test_a_resume_keeps_what_was_set_for_the_run(
    train: Callable[..., Outcome],
) -> None:
    train("--out", "runs/a", "--set", "train.max_epochs=1")
    Path("runs/a/report.html").write_text("")
    stderr = train("--resume", "--out", "runs/a").stderr
    assert "runs/a: train.max_epochs stays 1, as it was set for this run" in stderr
    assert "already finished: stopped after epoch 1" in stderr
    assert Path("runs/a/report.html").exists()
    again = train("--resume", "--out", "runs/a", "--set", "train.max_epochs=2")
    changed = "the config has changed: train.max_epochs (1 in the run, 2 now)"
    assert changed in again.stderr
    assert len(rows_without_times(Path("runs/a"))) == 2


def test_a_resume_takes_what_was_changed_in_the_file(
    train: Callable[..., Outcome],
) -> None:
    train("--out", "runs/a")
    file = Path("toy.yaml")
    file.write_text(file.read_text().replace("max_epochs: 2", "max_epochs: 3"))
    stderr = train("--resume", "--out", "runs/a").stderr
    assert "the config has changed: train.max_epochs (2 in the run, 3 now)" in stderr
    assert len(rows_without_times(Path("runs/a"))) == 3


def test_a_run_without_a_config_names_what_is_missing(cli: Cli) -> None:
    assert cli("train", "--resume", "--out", "runs/a").stderr == (
        "error: runs/a: nothing to resume: has no config.yaml\n"
    )
    assert "as in rnncls train --resume --out RUN" in cli("train", "--resume").stderr


def test_the_lines_on_the_parts_count_rows_in_plain_english() -> None:
    part = {"name": "network", "accuracy": 0.5, "interval": [0.4, 0.6], "p": 1.0}
    summary = {"ngrams": {"valid": [{**part, "gained": 1, "lost": 0}]}}
    assert describe_parts(summary) == [
        "  network   50.00% of the validation rows (95% interval 40.00% to 60.00%);"
        " together: 1 row gained and no rows lost, compared with this part (McNemar's"
        " test: p = 1)"
    ]


def test_a_network_that_has_learnt_nothing_is_left_out(
    cli: Cli, train: Callable[..., Outcome]
) -> None:
    options = ["--set", "model.ngrams=auto", "--set", "train.lr=1e-12"]
    done = train(*options, "--out", "runs/a")
    assert "the network is left out" in done.stdout
    summary = json.loads(Path("runs/a/summary.json").read_text())
    assert summary["ngrams"]["is_network_used"] is False
    evaluated = cli("eval", "runs/a", "--split", "valid", "--json")
    parts = json.loads(evaluated.stdout)["parts"]
    assert [part["name"] for part in parts] == ["network", "n-grams", "together"]
    exported = cli("export", "runs/a", "--output", "model.onnx")
    assert "labels changed                      0" in exported.stdout + exported.stderr


@pytest.mark.parametrize("ngrams", ["auto", "alone"])
def test_without_calibration_the_temperature_is_1(
    ngrams: str, train: Callable[..., Outcome]
) -> None:
    options = [f"model.ngrams={ngrams}", "train.calibrate=false"]
    train(*(word for key in options for word in ("--set", key)), "--out", "runs/a")
    summary = json.loads(Path("runs/a/summary.json").read_text())
    assert summary["temperature"] == 1
    if ngrams == "alone":
        assert summary["ngrams"]["scale"] == 1
