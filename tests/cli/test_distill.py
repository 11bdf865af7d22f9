"""`rnncls distill`: several runs into one."""

import pytest

from rnncls.config.loading import load_config
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("workplace")


def test_a_student_is_trained_from_its_teachers(cli: Cli) -> None:
    for seed in "12":
        done = cli(
            "train",
            "--config",
            "toy.yaml",
            "--out",
            f"t{seed}",
            "--set",
            f"seed={seed}",
            "--set",
            "data.split_seed=0",
        )
        assert done.exit_code == 0
    outcome = cli(
        "distill",
        "t1",
        "t2",
        "--config",
        "toy.yaml",
        "--out",
        "student",
        "--set",
        "data.split_seed=0",
    )
    assert outcome.exit_code == 0
    assert "student: best epoch" in outcome.stdout
    assert load_config("student/config.yaml").train.teachers == ["t1", "t2"]
    assert cli("predict", "oslo meet rovers", "--run", "student").exit_code == 0


def test_no_teacher_is_a_usage_error(cli: Cli) -> None:
    assert cli("distill", "--config", "toy.yaml").exit_code == 2


def test_the_newest_run_is_named_by_its_own_folder(cli: Cli) -> None:
    assert cli("train", "--config", "toy.yaml", "--out", "runs/one😀").exit_code == 0
    assert (
        cli(
            "distill", "runs/latest", "--config", "toy.yaml", "--out", "student"
        ).exit_code
        == 0
    )
    (teacher,) = load_config("student/config.yaml").train.teachers
    assert teacher.endswith("runs/one😀")
