"""Every config that ships validates and trains."""

from pathlib import Path

import pytest

from rnncls.config.loading import load_config
from rnncls.data.loading import load_training_data
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model
from tests.builders import write_ag_news

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(ROOT.glob("configs/**/*.yaml"))


@pytest.mark.parametrize(
    "path", CONFIGS, ids=[str(path.relative_to(ROOT)) for path in CONFIGS]
)
def test_a_config_trains_a_step(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    if config.data.name == "ag_news":
        write_ag_news(tmp_path)
        config = load_config(path, [f"data.root={tmp_path}"])
    else:
        config = load_config(path, [f"data.root={ROOT / 'data'}"])
    if (
        config.text.vectors is not None
    ):  # the package of vectors is an extra: a file of the same width stands in
        vectors = tmp_path / "vectors.txt"
        vectors.write_text(
            "".join(
                f"{word} {' '.join(['0.1'] * 50)}\n" for word in ("oil", "game", "war")
            )
        )
        config = load_config(path, [f"data.root={tmp_path}", f"text.vectors={vectors}"])
    data = load_training_data(config.data_settings)
    trainer = build_classifier_trainer(
        config.train,
        build_model(config.model, config.text.vectors, data),
        data,
        config.seed,
    )
    before = trainer.model.linear.weight.detach().clone()
    step = next(trainer.steps())
    assert step.loss.isfinite()
    assert (trainer.model.linear.weight != before).any()


def test_the_lesson_has_its_ten_systems() -> None:
    assert len([path for path in CONFIGS if path.parent.name == "lesson"]) == 10
