"""`rnncls eval`: what it measures, on which rows, and where it says so."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rnncls.cli.eval import source_name
from rnncls.machine.files import read_json
from rnncls.runs.folder import UNFINISHED
from rnncls.runs.lock import lock_run
from tests.builders import write_run
from tests.cli.conftest import NEWEST, Cli

pytestmark = pytest.mark.usefixtures("run_path")


def evaluate(cli: Cli, *arguments: str) -> dict[str, Any]:
    """Return what `rnncls eval --json` prints."""
    exit_code, stdout, stderr = cli("eval", *arguments, "--json")
    assert (exit_code, stderr.removeprefix(NEWEST)) == (0, "")
    result: dict[str, Any] = json.loads(stdout)
    return result


def test_json_is_one_object_with_all_that_is_promised(cli: Cli) -> None:
    keys = {
        "accuracy",
        "accuracy_interval",
        "macro_f1",
        "loss",
        "num_rows",
        "per_class",
        "confusion_matrix",
        "data",
    }
    assert keys <= evaluate(cli).keys()


def test_the_accuracy_is_the_share_of_right_predictions(cli: Cli) -> None:
    labels = [
        line.split(",")[0] for line in Path("toy.csv").read_text().splitlines()[1:]
    ]
    lines = cli("predict", "--input", "toy.csv", "--json").stdout.splitlines()
    right = [
        json.loads(line)["label"] == label
        for line, label in zip(lines, labels, strict=True)
    ]
    assert evaluate(cli)["accuracy"] == sum(right) / 96


def test_the_figures_are_those_of_the_confusion_matrix(cli: Cli) -> None:
    result = evaluate(cli)
    (a, b), (c, d) = result["confusion_matrix"]
    assert (a + b, c + d) == (48, 48)
    assert result["accuracy"] == (a + d) / 96
    assert result["macro_f1"] == pytest.approx(
        (2 * a / (2 * a + b + c) + 2 * d / (2 * d + b + c)) / 2
    )
    assert [row["support"] for row in result["per_class"]] == [48, 48]


def test_the_interval_is_wilsons(cli: Cli) -> None:
    result = evaluate(cli)
    p, n, z = result["accuracy"], 96, 1.959964
    middle, half = (p + z**2 / (2 * n)) / (1 + z**2 / n), z / (1 + z**2 / n)
    half *= (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert result["accuracy_interval"] == pytest.approx(
        [middle - half, middle + half], abs=1e-6
    )


def test_the_default_is_the_newest_run_and_its_test_rows(cli: Cli) -> None:
    result = evaluate(cli)
    assert Path(result["run"]) == Path("runs/toy").resolve()
    assert (result["data"]["path"], result["data"]["split"], result["num_rows"]) == (
        "toy.csv",
        "test",
        96,
    )


def test_a_run_can_be_named(cli: Cli) -> None:
    assert evaluate(cli, "runs/toy")["run"] == "runs/toy"


def test_the_validation_rows_score_what_the_best_epoch_scored(cli: Cli) -> None:
    rows = [
        json.loads(line)
        for line in Path("runs/toy/metrics.jsonl").read_text().splitlines()
    ]
    best = next(row for row in reversed(rows) if row["is_best"])
    result = evaluate(cli, "--split", "valid")
    assert (result["accuracy"], result["num_rows"]) == (best["valid_accuracy"], 20)
    assert result["macro_f1"] == pytest.approx(best["valid_macro_f1"], rel=1e-12)
    assert result["raw_loss"] == pytest.approx(best["valid_loss"], rel=1e-6)


def test_training_and_validation_rows_add_up_to_all_rows(cli: Cli) -> None:
    train, valid, both = (
        evaluate(cli, "--split", split)["confusion_matrix"]
        for split in ("train", "valid", "test")
    )
    added = [
        [a + b for a, b in zip(*rows, strict=True)]
        for rows in zip(train, valid, strict=True)
    ]
    assert added == both


def test_another_file_can_be_evaluated(cli: Cli) -> None:
    Path("own.jsonl").write_text(
        '{"label": "sport", "title": "rovers meet oslo", "description": "the crowd'
        ' waits"}\n'
    )
    result = evaluate(cli, "--data", "own.jsonl")
    assert (result["num_rows"], result["data"]["path"], result["data"]["split"]) == (
        1,
        "own.jsonl",
        None,
    )
    assert [row["support"] for row in result["per_class"]] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "label,title,description\nsport,a,b\nwether,a,b\n",
            "own.csv: row 2: unknown label 'wether'",
        ),
        (
            "label,title\nsport,a\n",
            "own.csv: no column 'description', found 'label', 'title'",
        ),
        ("label,title,description\n", "own.csv: has no rows"),
    ],
    ids=["label", "column", "rows"],
)
def test_data_that_does_not_fit_the_run_leaves_with_3(
    cli: Cli, text: str, message: str
) -> None:
    Path("own.csv").write_text(text)
    exit_code, stdout, stderr = cli("eval", "--data", "own.csv")
    assert (exit_code, stdout) == (3, "")
    assert stderr.startswith(f"{NEWEST}error: {message}")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "eval-test.json"),
        (["--split", "valid"], "eval-valid.json"),
        (["--data", "elsewhere/own.csv"], "eval-file-own.json"),
    ],
    ids=["test", "valid", "own"],
)
def test_the_scores_are_kept_in_the_run(
    cli: Cli, arguments: list[str], name: str
) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/own.csv").write_text(Path("toy.csv").read_text())
    result = evaluate(cli, *arguments)
    assert read_json(Path("runs/toy") / name) == result


def test_the_scores_are_kept_although_the_reader_closes_the_pipe(
    run_path: Path,
) -> None:
    command = f"{sys.executable} -m rnncls eval {run_path} | true"
    subprocess.run(command, shell=True, check=True, capture_output=True)
    assert read_json(run_path / "eval-test.json")["num_rows"] == 96


def test_people_get_figures_with_rows_uncertainty_and_unit(cli: Cli) -> None:
    result = evaluate(cli)
    lines = cli("eval").stdout.splitlines()
    low, high = result["accuracy_interval"]
    assert result["macro_f1_interval"] == [1.0, 1.0]
    use = "the run was trained on these rows: its scores here are too optimistic for"
    assert lines[:7] == [
        "toy on toy.csv: 96 rows",
        f"{use} other texts",
        f"accuracy  {result['accuracy']:.2%}  (95% interval {low:.2%} to {high:.2%})",
        (f"macro-F1  {result['macro_f1']:.2%}  (no interval: no error in 96 rows)"),
        f"loss      {result['loss']:.4f}  (cross-entropy: the lower, the better)",
        (
            f"ECE       {result['ece']:.4f}  (expected calibration error, 15 bins of"
            " equal width)"
        ),
        (
            f"          before calibration: ECE {result['raw_ece']:.4f}, loss"
            f" {result['raw_loss']:.4f};"
            f" probabilities = softmax(logits / {result['temperature']:.3f})"
        ),
    ]


def test_people_get_a_table_of_classes_and_one_of_confusions(cli: Cli) -> None:
    stdout = cli("eval").stdout
    assert "Per class" in stdout
    assert "Confusion matrix" in stdout
    assert "By number of tokens" in stdout
    assert "By share of unknown words" in stdout
    assert "--min-confidence" in stdout


def test_the_loss_and_the_calibration_error_are_those_of_what_predict_prints(
    cli: Cli,
) -> None:
    labels = [
        line.split(",")[0] for line in Path("toy.csv").read_text().splitlines()[1:]
    ]
    rows = [
        json.loads(line)
        for line in cli("predict", "--input", "toy.csv", "--json").stdout.splitlines()
    ]
    result = evaluate(cli)
    losses = [
        -math.log(row["probs"][label]) for row, label in zip(rows, labels, strict=True)
    ]
    assert result["loss"] == pytest.approx(sum(losses) / 96, rel=1e-4)
    gaps = [0.0] * 15
    for row, label in zip(rows, labels, strict=True):
        gaps[min(14, int(row["prob"] * 15))] += (row["label"] == label) - row["prob"]
    assert result["ece"] == pytest.approx(sum(map(abs, gaps)) / 96, abs=1e-5)


def test_the_temperature_is_fitted_on_the_validation_rows(cli: Cli) -> None:
    valid = evaluate(cli, "--split", "valid")
    assert (
        read_json(Path("runs/toy/summary.json"))["temperature"]
        == valid["temperature"]
        != 1
    )
    assert valid["loss"] < valid["raw_loss"]


def test_a_run_that_is_not_calibrated_says_so(cli: Cli) -> None:
    write_run(Path("plain"), labels=["sport", "world"], words=["a"])
    stdout = cli("eval", "plain", "--data", "toy.csv").stdout
    reason = "(the training has not finished)"
    assert f"not calibrated: the temperature is 1 {reason}" in stdout
    done = cli("eval", "plain", "--data", "toy.csv", "--device", "cpu", "--json")
    assert done.stderr == f"plain: {UNFINISHED}\n"
    result = json.loads(done.stdout)
    assert (result["temperature"], result["raw_loss"], result["raw_ece"]) == (
        1.0,
        result["loss"],
        result["ece"],
    )


def test_the_surest_mistakes_are_named_by_their_row_and_text(cli: Cli) -> None:
    rows = Path("toy.csv").read_text().splitlines()
    wrong = {3: "sport", 50: "world"}
    for number in wrong:
        label, text = rows[number].split(",", 1)
        rows[number] = f"{'world' if label == 'sport' else 'sport'},{text}"
    Path("noisy.csv").write_text("\n".join(rows) + "\n")
    before = {row["row"] for row in evaluate(cli)["mistakes"]}
    found = {
        row["row"]: row for row in evaluate(cli, "--data", "noisy.csv")["mistakes"]
    }
    assert found.keys() == before ^ wrong.keys()
    for number, row in found.items():
        label, title, description = rows[number].split(",")
        assert (row["label"], row["text"]) == (label, f"{title} {description}")
    probs = [row["prob"] for row in found.values()]
    assert probs == sorted(probs, reverse=True)
    stdout = cli("eval", "--data", "noisy.csv").stdout
    assert f"{len(found)} of {len(found)} errors, those with the highest" in stdout
    assert (
        "rnncls predict --run runs/toy --input noisy.csv --keep label"
        " --output predictions.csv" in stdout
    )


def test_slices_and_coverage_add_up_to_all_rows(cli: Cli) -> None:
    result = evaluate(cli)
    for name in ("by_length", "by_unknown_share", "reliability"):
        assert sum(row["num_rows"] for row in result[name]) == 96
        right = sum(row["num_rows"] * row["accuracy"] for row in result[name])
        assert right / 96 == pytest.approx(result["accuracy"])
    assert result["coverage"][0]["accuracy"] == result["accuracy"]


def test_nothing_but_results_goes_to_stdout(cli: Cli) -> None:
    assert cli("eval", "--json", "--device", "auto").stdout.count("\n") == 1


def test_a_table_of_many_classes_keeps_its_figures_on_a_narrow_screen(cli: Cli) -> None:
    labels = [f"class-{number:02}" for number in range(30)]
    write_run(Path("wide"), labels=labels, words=["a"])
    Path("wide.csv").write_text(
        "label,title,description\n"
        + "".join(f"{label},a,b\n" for label in labels * 123)
    )
    stdout = cli("eval", "wide", "--data", "wide.csv").stdout
    # A model sees one text, so it says one class: 123 of each true class stand in that
    # column.
    assert stdout.count(" 123 ") == 30 + 30
    assert "…" not in stdout


def test_a_damaged_run_leaves_with_4_and_names_the_file(cli: Cli) -> None:
    Path("runs/toy/vocab.txt").write_text("<pad>\n<unk>\n")
    exit_code, stdout, stderr = cli("eval")
    assert (exit_code, stdout) == (4, "")
    assert stderr.endswith(
        "runs/toy/vocab.txt: damaged, or not from the run that wrote"
        " model.safetensors\n"
    )


def test_split_and_data_together_are_refused(cli: Cli) -> None:
    outcome = cli("eval", "--split", "valid", "--data", "toy.csv")
    assert outcome.exit_code == 2
    assert "give one of them" in outcome.stderr


def test_the_rows_of_a_changed_training_file_are_refused(cli: Cli) -> None:
    path = Path("toy.csv")
    path.write_text(
        path.read_text(encoding="utf-8").replace("meet", "greet", 1), encoding="utf-8"
    )
    outcome = cli("eval", "--split", "valid")
    assert outcome.exit_code == 3
    assert "has changed since" in outcome.stderr


def test_label_issues_are_named_by_a_column_of_the_file(cli: Cli) -> None:
    pytest.importorskip("cleanlab", reason="extra clean")
    outcome = cli("eval", "--label-issues", "--folds", "2", "--id", "nope")
    assert outcome.exit_code == 3
    assert "no column 'nope'" in outcome.stderr
    assert "fold" not in outcome.stderr
    cli("eval", "--label-issues", "--folds", "2", "--id", "title")
    found = read_json(Path("runs/toy/label-issues.json"))["label_issues"]
    assert all(issue["text"].startswith(issue["id"]) for issue in found)


def test_label_issues_are_printed_kept_and_part_of_the_report(cli: Cli) -> None:
    pytest.importorskip("cleanlab", reason="extra clean")
    lines = Path("toy.csv").read_text().splitlines()
    outcome = cli("eval", "--label-issues", "--folds", "2")
    assert outcome.exit_code == 0
    assert "fold 2/2" in outcome.stderr
    found = read_json(Path("runs/toy/label-issues.json"))["label_issues"]
    assert f"probably mislabelled ({len(found)} found" in outcome.stdout
    assert all("id" not in issue for issue in found)
    assert all(lines[each["row"]].startswith(each["label"]) for each in found)
    cli("report")
    page = Path("runs/toy/report.html").read_text()
    assert ("probably mislabelled" in page) == bool(found)


UNKNOWN = "label,title,description\n" + (
    "sport,rovers,meet\nSport,rovers,meet\nworld,paris,talks\nwether,a,b\n"
    "Sport,rovers,meet\n"
)


def test_all_unknown_labels_are_reported_with_rows_and_similar_classes(
    cli: Cli,
) -> None:
    Path("own.csv").write_text(UNKNOWN)
    exit_code, _, stderr = cli("eval", "--data", "own.csv")
    assert exit_code == 3
    assert "'Sport' (2 rows, first row 2, similar to 'sport')" in stderr
    assert "'wether' (1 row, first row 4)" in stderr
    assert "skipped or counted as wrong (--unknown-labels skip or wrong)" in stderr


def test_rows_with_unknown_labels_can_be_skipped(cli: Cli) -> None:
    Path("own.csv").write_text(UNKNOWN)
    result = evaluate(cli, "--data", "own.csv", "--unknown-labels", "skip")
    assert result["num_rows"] == 2
    assert [row["support"] for row in result["per_class"]] == [1, 1]
    assert [each["label"] for each in result["data"]["unknown_labels"]] == [
        "Sport",
        "wether",
    ]
    stdout = cli("eval", "--data", "own.csv", "--unknown-labels", "skip").stdout
    assert "unknown labels, skipped: 'Sport' (2 rows" in stdout


def test_rows_with_unknown_labels_can_count_as_wrong(cli: Cli) -> None:
    Path("own.csv").write_text(UNKNOWN)
    skipped = evaluate(cli, "--data", "own.csv", "--unknown-labels", "skip")
    result = evaluate(cli, "--data", "own.csv", "--unknown-labels", "wrong")
    assert result["num_rows"] == 5
    assert result["accuracy"] == skipped["accuracy"] * 2 / 5
    assert [(row["label"], row["support"]) for row in result["per_class"]] == [
        ("sport", 1),
        ("world", 1),
        ("Sport", 2),
        ("wether", 1),
    ]
    # scikit-learn counts each of the unknown labels as a class with an F1 of 0.
    assert result["macro_f1"] == pytest.approx(
        sum(row["f1"] for row in result["per_class"]) / 4
    )
    assert result["loss"] == pytest.approx(skipped["loss"])


def test_rows_without_a_label_can_be_skipped(cli: Cli) -> None:
    rows = "sport,rovers,meet\n,oslo,meets\nworld,oslo,votes\n,rovers,win\n"
    Path("own.csv").write_text(f"label,title,description\n{rows}")
    exit_code, _, stderr = cli("eval", "--data", "own.csv")
    assert exit_code == 3
    assert "or evaluate without them (--unknown-labels skip)" in stderr
    result = evaluate(cli, "--data", "own.csv", "--unknown-labels", "skip")
    assert result["data"]["num_rows"] == 2
    (skipped,) = result["data"]["unknown_labels"]
    assert (skipped["label"], skipped["num_rows"], skipped["first_row"]) == ("", 2, 2)
    stdout = cli("eval", "--data", "own.csv", "--unknown-labels", "skip").stdout
    assert "no label (2 rows, first row 2)" in " ".join(stdout.split())
    assert cli("eval", "--data", "own.csv", "--unknown-labels", "wrong").exit_code == 3


def test_a_file_without_a_known_label_cannot_be_skipped(cli: Cli) -> None:
    Path("own.csv").write_text("label,title,description\nx,rovers,meet\n")
    exit_code, _, stderr = cli("eval", "--data", "own.csv", "--unknown-labels", "skip")
    assert exit_code == 3
    assert "no row has a known label" in stderr


def test_a_class_without_a_row_does_not_count(cli: Cli) -> None:
    Path("own.csv").write_text("label,title,description\nsport,rovers,meet oslo\n")
    result = evaluate(cli, "--data", "own.csv")
    assert result["accuracy"] == 1.0
    assert (result["macro_f1"], result["absent_classes"]) == (1.0, ["world"])


def test_the_confusion_matrix_is_also_a_csv_file(cli: Cli) -> None:
    result = evaluate(cli)
    lines = Path("runs/toy/confusion-test.csv").read_text().splitlines()
    assert [line.split(",") for line in lines] == [
        ["true \\ predicted", "sport", "world"],
        ["sport", *map(str, result["confusion_matrix"][0])],
        ["world", *map(str, result["confusion_matrix"][1])],
    ]


@pytest.mark.parametrize("command", ["eval", "compare"])
def test_listed_texts_are_named_by_a_column_of_the_file(cli: Cli, command: str) -> None:
    lines = Path("toy.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{line},T-{number}" for number, line in enumerate(lines[1:])]
    rows = [row.replace("sport,", "world,", 1) for row in rows[:9]] + rows[9:]
    Path("ids.csv").write_text("\n".join([f"{lines[0]},key", *rows]) + "\n")
    runs = ["runs/toy"] if command == "eval" else ["runs/toy", "runs/toy"]
    options = ["--data", "ids.csv", "--id", "key"]
    shown = cli(command, *runs, *options)
    assert shown.exit_code == 0
    if command == "compare":
        return
    assert "T-0" in shown.stdout
    found = json.loads(cli(command, *runs, *options, "--json").stdout)
    assert all(row["id"] == f"T-{row['row'] - 1}" for row in found["mistakes"])
    page = cli("report", *runs, *options, "--output", "page.html")
    assert page.exit_code == 0
    assert "T-0" in Path("page.html").read_text(encoding="utf-8")


def test_a_column_of_ids_that_the_file_lacks_is_an_error(cli: Cli) -> None:
    text = Path("toy.csv").read_text(encoding="utf-8")
    Path("other.csv").write_text(text.replace("sport,", "world,", 9))
    done = cli("report", "--data", "other.csv", "--id", "nope")
    assert done.exit_code == 3
    assert "no column 'nope'" in done.stderr
    assert "name a column of the file with --id" in done.stderr


def test_the_hint_on_a_missing_column_can_be_followed(cli: Cli) -> None:
    lines = Path("toy.csv").read_text().splitlines()
    header = "label,headline,summary"
    Path("own.csv").write_text("\n".join([header, *lines[1:]]) + "\n")
    stderr = cli("eval", "--data", "own.csv").stderr
    assert "no column 'title', found 'label', 'headline', 'summary'" in stderr
    assert "of the file, or rename these (--text COLUMN)" in stderr
    Path("own.csv").write_text("\n".join(lines) + "\n")
    assert cli("eval", "--data", "own.csv").exit_code == 0


def test_the_columns_of_a_file_can_be_named(cli: Cli) -> None:
    lines = Path("toy.csv").read_text().splitlines()
    Path("own.csv").write_text("\n".join(["kind,headline,summary", *lines[1:]]) + "\n")
    columns = ("--text", "headline", "--text", "summary", "--label", "kind")
    named = evaluate(cli, "--data", "own.csv", *columns)
    expected = evaluate(cli, "--data", "toy.csv")
    for key in ("accuracy", "loss", "mistakes"):
        assert named[key] == expected[key]
    done = cli("report", "--data", "own.csv", *columns)
    assert done.exit_code == 0
    page = Path(done.stdout.strip()).read_text(encoding="utf-8")
    assert "headline" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text", "title"], "--text and --label name columns of another file: only"),
        (["--label", "a"], "--text and --label name columns of another file: only"),
        (
            ["--data", "toy.csv", "--label", "title"],
            "--text and --label must name different columns, each once",
        ),
        (
            ["--data", "toy.csv", "--text", "title", "--text", "title"],
            "--text and --label must name different columns, each once",
        ),
    ],
)
def test_columns_that_cannot_be_named_leave_with_2(
    cli: Cli, arguments: list[str], message: str
) -> None:
    done = cli("eval", *arguments)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"{NEWEST}error: {message}")


def test_the_device_is_in_the_json_and_on_the_page(cli: Cli) -> None:
    assert evaluate(cli, "--device", "cpu")["device"] == "cpu"
    cli("report", "--device", "cpu")
    page = Path("runs/toy/report.html").read_text(encoding="utf-8")
    assert "on the device cpu" in page


def test_the_file_that_the_run_was_trained_on_is_named_as_such(cli: Cli) -> None:
    Path("copy.csv").write_bytes(Path("toy.csv").read_bytes())
    Path("other.csv").write_text("label,title,description\nsport,rovers,oslo\n")
    note = "the run was trained on rows of this file: its scores here are too"
    for name in ("toy.csv", "copy.csv"):
        stdout = cli("eval", "--data", name).stdout
        assert 0 < stdout.find(note) < stdout.index("accuracy")
        assert evaluate(cli, "--data", name)["data"]["used_for"] == "training"
    wide = Path("toy.csv").read_text(encoding="utf-8").encode("utf-16")
    Path("wide.csv").write_bytes(wide)  # as the original of a converted file
    assert note in cli("eval", "--data", "wide.csv").stdout
    changed = wide.decode("utf-16").replace("meet", "greet")
    Path("changed.csv").write_text(changed, encoding="utf-8")
    assert evaluate(cli, "--data", "changed.csv")["data"]["used_for"] is None
    assert evaluate(cli, "--data", "other.csv")["data"]["used_for"] is None
    assert evaluate(cli, "--split", "valid")["data"]["used_for"] == "validation"


def test_a_report_and_eval_have_the_same_notes(cli: Cli) -> None:
    text = Path("toy.csv").read_text(encoding="utf-8").replace("world,", "news,")
    Path("toy.csv").write_text(text, encoding="utf-8")  # changed since the training
    options = ["--data", "toy.csv", "--unknown-labels", "skip"]
    screen = cli("eval", *options).stdout
    assert cli("report", *options, "--output", "page.html").exit_code == 0
    page = Path("page.html").read_text(encoding="utf-8")
    starts = ("unknown labels", "no row here", "the run was trained on")
    notes = [line for line in screen.splitlines() if line.startswith(starts)]
    assert len(notes) == len(starts)
    assert all(note.replace("'", "&#39;") in page for note in notes)


def test_the_command_for_all_rows_names_the_columns_of_the_file(cli: Cli) -> None:
    lines = ["kind,body", *["world,rovers meet oslo"] * 3]
    Path("other.csv").write_text("\n".join(lines) + "\n")
    options = ["--data", "other.csv", "--text", "body", "--label", "kind"]
    command = (
        "rnncls predict --run runs/toy --input other.csv --text body --keep kind"
        " --output predictions.csv"
    )
    assert command in cli("eval", *options).stdout
    assert cli("report", *options, "--output", "page.html").exit_code == 0
    assert command in Path("page.html").read_text(encoding="utf-8")


def test_nothing_is_saved_in_a_run_that_is_being_trained(cli: Cli) -> None:
    with lock_run(Path("runs/toy")):
        done = cli("eval", "runs/toy", "--json")
        assert done.stderr == (
            "runs/toy: is being trained: the result is not saved there\n"
        )
        assert cli("report", "runs/toy").exit_code == 2
        assert cli("report", "runs/toy", "--output", "page.html").exit_code == 0
    assert not list(Path("runs/toy").glob("eval-*"))
    assert not Path("runs/toy/report.html").exists()


def test_a_column_of_ids_that_does_not_exist_is_an_error_without_mistakes(
    cli: Cli,
) -> None:
    right = "label,title,description\n" + "world,rovers meet oslo,the crowd waits\n"
    labels = [row["label"] for row in evaluate(cli)["per_class"]]
    for label in labels:
        Path("one.csv").write_text(right.replace("world", label))
        result = evaluate(cli, "--data", "one.csv")
        if not result["mistakes"]:
            break
    assert result["mistakes"] == []
    done = cli("eval", "--data", "one.csv", "--id", "nummer")
    assert done.exit_code == 3
    assert "no column 'nummer'" in done.stderr


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("parts/*.csv", "file-parts"),
        ("parts/*.csv.gz", "file-parts"),
        ("parts/mails-*.csv", "file-mails"),
        ("parts/x.y.csv", "file-x.y"),
        ("parts", "file-parts"),
        (".", "file-data"),
    ],
)
def test_the_files_of_an_evaluation_have_names_that_every_system_allows(
    data: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("data/parts").mkdir(parents=True)
    monkeypatch.chdir("data")
    assert source_name(None, Path(data)) == name
