"""A run from config to folder: refusals, resume, calibration, and when it saves."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from rnncls import ConfigError, DeviceError, RunError
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits
from rnncls.machine.device import has_bfloat16_products
from rnncls.runs.folder import MODEL, STATE, RunFolder
from rnncls.runs.run import load_run, load_uncalibrated
from rnncls.runs.unfinished import find_unfinished
from rnncls.training.recording import SaveClock
from rnncls.training.run import train
from tests.builders import RESUME

MakeConfig = Callable[..., Config]


def test_a_device_that_is_not_there_leaves_no_folder(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    with pytest.raises(DeviceError, match="cuda:7"):
        train(make_config("device=cuda:7"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bfloat16_that_does_not_help_is_refused_by_name(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"train.precision: bfloat16 needs CUDA"):
        train(
            make_config("train.precision=bfloat16", "model.cell=gru", "device=cpu"),
            tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(
    not has_bfloat16_products(), reason="needs a CPU with AMX or AVX512-BF16"
)
def test_bfloat16_trains_about_as_well_as_float32(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        config = make_config(
            f"train.precision={precision}", "device=cpu", "model.num_layers=2"
        )
        losses[precision] = train(config, tmp_path / precision)["valid"]["loss"]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


def test_an_existing_run_is_not_overwritten(
    make_config: MakeConfig, toy_run: Path
) -> None:
    before = RunFolder(toy_run).model.read_bytes()
    with pytest.raises(ConfigError, match="already exists"):
        train(make_config(), toy_run)
    assert RunFolder(toy_run).model.read_bytes() == before


def test_resuming_with_another_config_names_the_keys_that_differ(
    make_config: MakeConfig, toy_run: Path
) -> None:
    with pytest.raises(
        ConfigError, match=r"differs in seed .*, train\.lr \(.* in the run, 0\.5 now\)"
    ):
        train(make_config("train.lr=0.5", "seed=1"), toy_run, RESUME)


def test_resuming_with_other_data_is_refused(
    make_config: MakeConfig, toy_run: Path, toy_csv: Path
) -> None:
    text = toy_csv.read_text(encoding="utf-8")
    toy_csv.write_text(text.replace("meet", "met", 1), encoding="utf-8")
    with pytest.raises(RunError, match=r"the data differs in files\.train\.sha256"):
        train(make_config(), toy_run, RESUME)


def test_resuming_nothing_says_so(make_config: MakeConfig, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing to resume"):
        train(make_config(), tmp_path / "absent", RESUME)


def test_resuming_a_finished_run_changes_nothing(
    make_config: MakeConfig, toy_run: Path
) -> None:
    names = (MODEL, "metrics.jsonl", STATE)
    before = {name: (toy_run / name).read_bytes() for name in names}
    train(make_config(), toy_run, RESUME)
    assert {name: (toy_run / name).read_bytes() for name in names} == before


def test_without_an_unfinished_run_there_is_nothing_to_find(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(RunError, match="no unfinished run"):
        find_unfinished(make_config().model_dump())


def test_the_newest_unfinished_run_of_the_same_config_is_found(
    make_config: MakeConfig,
) -> None:
    configs = {
        "old": make_config(),
        "new": make_config(),
        "other": make_config("seed=1"),
    }
    for name, config in configs.items():
        train(config, Path("runs") / name)
        RunFolder(Path("runs") / name).summary.unlink()
    assert find_unfinished(make_config().model_dump()) == Path("runs/new")


def test_an_unfinished_run_from_before_a_key_existed_is_found(
    make_config: MakeConfig,
) -> None:
    for name in ("old", "damaged"):
        train(make_config(), Path("runs") / name)
        RunFolder(Path("runs") / name).summary.unlink()
    path = RunFolder(Path("runs/old")).config
    path.write_text(
        path.read_text(encoding="utf-8").replace("  mark_case: false\n", ""),
        encoding="utf-8",
    )
    RunFolder(Path("runs/damaged")).config.write_text("text: [", encoding="utf-8")
    assert find_unfinished(make_config().model_dump()) == Path("runs/old")


def test_a_run_whose_best_weights_are_lost_is_not_resumed(
    make_config: MakeConfig, toy_run: Path
) -> None:
    RunFolder(toy_run).model.unlink()
    with pytest.raises(RunError, match=r"model\.safetensors: missing"):
        train(make_config(), toy_run, RESUME)


def test_a_run_can_be_resumed_from_its_very_first_moment(
    make_config: MakeConfig, toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("killed")
    with monkeypatch.context() as patch:
        patch.setattr(
            "rnncls.training.run.record_training",
            lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            train(make_config(), path)
    train(make_config(), path, RESUME)
    assert RunFolder(path).model.read_bytes() == (RunFolder(toy_run).model).read_bytes()


def test_a_run_logs_events_for_tensorboard_where_asked(make_config: MakeConfig) -> None:
    pytest.importorskip("tensorboard", reason="extra tb")
    train(make_config("train.tensorboard=true", "train.max_epochs=1"), Path("run"))
    assert [
        path.name.startswith("events.out") for path in Path("run/events").iterdir()
    ] == [True]


def test_a_finished_run_that_is_gone_on_with_keeps_its_temperature_bit_for_bit(
    make_config: MakeConfig,
) -> None:
    config = make_config("train.max_epochs=1")
    first = train(config, Path("run"))["temperature"]
    before = Path("run/model.safetensors").read_bytes()
    assert train(config, Path("run"), RESUME)["temperature"] == first != 1
    assert Path("run/model.safetensors").read_bytes() == before


def test_the_temperature_makes_the_validation_rows_more_probable(
    make_config: MakeConfig,
) -> None:
    config = make_config("train.label_smoothing=0.3")
    train(config, Path("run"))
    data, losses = load_training_data(config.data_settings), []
    for load in (load_run, load_uncalibrated):
        logits = compute_logits(load(Path("run")).classifier.model, data.valid.texts)
        losses.append(
            F.cross_entropy(logits, torch.from_numpy(data.valid.labels)).item()
        )
    assert losses[0] < losses[1]


def test_a_run_that_is_not_to_be_calibrated_has_the_temperature_one(
    make_config: MakeConfig,
) -> None:
    assert (
        train(make_config("train.calibrate=false", "train.max_epochs=1"), Path("run"))[
            "temperature"
        ]
        == 1.0
    )


def test_saves_are_minutes_apart_and_take_at_most_a_fiftieth_of_the_time() -> None:
    assert SaveClock.spacing(10.0, save_s=0.5) == 600.0
    assert SaveClock.spacing(10.0, save_s=30.0) == 1500.0
    clock = SaveClock(1e-6)
    clock.saved_at -= 1.0
    assert clock.is_time
    with clock.saving():
        clock.save_s = 100.0
    assert not SaveClock(1.0).is_time
    assert clock.save_s < 1.0


def test_a_save_that_took_long_puts_the_next_one_off() -> None:
    clock = SaveClock(1e-6)
    clock.save_s = 1.0
    clock.saved_at -= 49.0
    assert not clock.is_time
    clock.saved_at -= 2.0
    assert clock.is_time


def test_a_class_of_one_row_is_trained_on_and_named(
    make_config: Callable[..., Config], toy_csv: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with toy_csv.open("a", encoding="utf-8") as file:
        file.write("rare,odd,row\n")
    with caplog.at_level("INFO", "rnncls"):
        summary = train(make_config("train.max_epochs=1"), Path("run"))
    assert summary["label_names"] == ["rare", "sport", "world"]
    expected = "no validation row, so the validation scores do not cover: 'rare'"
    assert caplog.messages.count(expected) == 1
