"""Training rows that are most likely mislabelled: confident learning (Northcutt, Jiang and Chuang 2021) by cleanlab.

What a network says of a row that it has learnt by heart proves nothing, so each row is judged by a network that was
trained without it: K-fold cross-validation with the run's own config.

Shapes: N training texts, C classes.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnncls.checkpoint import Pretrained, Run, load_pretrained
from rnncls.config import Config
from rnncls.corpus import EncodedSplit, TrainingData, load_training_data
from rnncls.dataset import columns_of
from rnncls.errors import ConfigError, DataError
from rnncls.evaluator import compute_logits
from rnncls.model import TextClassifier
from rnncls.readers import find_texts
from rnncls.tracking import TrainingBar
from rnncls.trainer import Trainer, build_model, start_torch

logger = logging.getLogger(__name__)

NUM_ISSUES = 100
"""The most likely ones, which are kept."""


@dataclass(frozen=True)
class LabelIssue:
    """A training row whose label is likely wrong.

    Attributes:
        row: Its row in its file, from 1.
        label: What the file says.
        prob: How probable that is to a network that has not seen the row.
        suggested: What that network says.
        text: The text.
    """

    row: int
    label: str
    prob: float
    suggested: str
    text: str


def find_label_issues(run: Run, *, num_folds: int = 5, use_cache: bool = True) -> list[LabelIssue]:
    """Return the `NUM_ISSUES` training rows of a run that are most likely mislabelled, the least probable label first.

    It takes `num_folds` trainings. The labels alone are learnt, not what `train.teachers` say.

    Raises:
        ConfigError: cleanlab is not installed.
        DataError: The data is wrong, or a class has fewer rows than there are folds.
    """
    try:
        from cleanlab.filter import find_label_issues as rank_issues
    except ImportError as error:
        raise ConfigError("--label-issues: cleanlab is not installed: pip install 'rnncls[clean]'") from error
    config = run.config
    data = load_training_data(config, run.vocab, use_cache=use_cache)
    pretrained = load_pretrained(config) if config.model.pretrained else None
    probs = judge_unseen(config, data, num_folds, pretrained)
    labels = data.train.labels
    ranked = rank_issues(labels, probs, return_indices_ranked_by="self_confidence", n_jobs=1)[:NUM_ISSUES]
    assert data.train.rows is not None
    rows = data.train.rows[ranked].tolist()
    path = Path(data.fingerprint["files"]["train"]["path"])
    texts = find_texts(path, replace(columns_of(config.data), label=None), rows)
    names = data.label_names
    return [
        LabelIssue(row + 1, names[labels[number]], float(probs[number, labels[number]]), names[best], text)
        for number, row, best, text in zip(ranked, rows, probs[ranked].argmax(axis=1), texts, strict=True)
    ]


def judge_unseen(
    config: Config, data: TrainingData, num_folds: int, pretrained: Pretrained | None = None
) -> npt.NDArray[np.float64]:
    """Return the probabilities of each training row's classes by a network that was trained without the row. [N, C].

    Raises:
        DataError: A class has fewer rows than there are folds.
    """
    from sklearn.model_selection import StratifiedKFold

    labels = data.train.labels
    counts = np.bincount(labels, minlength=len(data.label_names))
    if counts.min() < num_folds:
        name = data.label_names[counts.argmin()]
        raise DataError(f"label '{name}': {counts.min()} training rows are too few for --folds {num_folds}")
    probs = np.empty((len(labels), len(data.label_names)))
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=config.seed % 2**32)
    for number, (kept, held) in enumerate(folds.split(labels, labels), start=1):
        logger.info("fold %d/%d", number, num_folds)
        part = replace(data, train=EncodedSplit(data.train.texts.select(kept), labels[kept]), targets=None)
        model = _fit(config, part, pretrained)
        probs[held] = compute_logits(model, data.train.texts.select(held)).double().softmax(dim=1).numpy()
    return probs


def _fit(config: Config, data: TrainingData, pretrained: Pretrained | None) -> TextClassifier:
    """Return the network of the best epoch of a training that leaves no run folder."""
    device = start_torch(config)
    trainer = Trainer(config.train, build_model(config, data, pretrained).to(device), data, config.seed)
    with TrainingBar(trainer.num_texts, config.train.max_epochs) as bar:
        for step in trainer.steps():
            bar.update(step.epoch, step.num_texts, step.loss)
            if step.validation is not None and step.validation["is_best"]:
                best = {name: weight.clone() for name, weight in trainer.kept_model.state_dict().items()}
    trainer.kept_model.load_state_dict(best)
    return trainer.kept_model
