"""The bag of words of a run trains to the end, and the loss selects its best epoch."""

from pathlib import Path

import pytest

from rnncls.config.loading import load_config, parse_config
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import Run, load_run
from rnncls.training.bag_of_words import bag_config, train_or_load_bag
from rnncls.training.run import train
from tests.conftest import CITIES, TEAMS, toy_yaml

EARLY_STOPPING = ["train.monitor=accuracy", "train.patience=1"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that stops early by accuracy, on data that one word decides.

    The accuracy of a bag of words is 100% after its first epoch.
    """
    lines = ["label,title,description"]
    for city in CITIES * 3:
        for team in TEAMS:
            lines.append(f"sport,{team} win,in {city}")
            lines.append(f"world,{team} vote,in {city}")
    path = tmp_path / "words.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    changes = ["train.max_epochs=6", "train.lr=0.1", *EARLY_STOPPING]
    train(parse_config(toy_yaml(path), "words.yaml", changes), Path("run"))
    return load_run(Path("run"))


def valid_scores(bag: Run) -> tuple[float, float]:
    """Return accuracy and loss on the validation rows."""
    scores = evaluate_run(bag.path, split="valid").scores()
    return scores.accuracy, scores.loss


def test_equal_accuracies_do_not_stop_a_bag_whose_loss_still_falls(run: Run) -> None:
    stopped = valid_scores(train_or_load_bag(run, EARLY_STOPPING))
    complete = valid_scores(train_or_load_bag(run, []))
    assert stopped[0] == complete[0] == 1.0
    assert complete[1] < 0.5 * stopped[1]


def test_set_decides_how_a_bag_of_words_stops(run: Run) -> None:
    default = bag_config(run, []).train
    assert (default.monitor, default.patience) == ("loss", None)
    section = bag_config(run, EARLY_STOPPING).train
    assert (section.monitor, section.patience) == ("accuracy", 1)


def test_a_saved_bag_of_another_config_is_trained_again(run: Run) -> None:
    early = train_or_load_bag(run, EARLY_STOPPING)
    folder = RunFolder(early.path)
    assert load_config(folder.config).train.patience == 1
    early_weights = folder.model.read_bytes()
    bag = train_or_load_bag(run, [])
    assert bag.path == early.path
    assert load_config(folder.config).train.patience is None
    assert folder.model.read_bytes() != early_weights
