"""Runs beside one another on the same rows: who is better, by how much, whether that
may
be chance, and where.

Shapes: N texts, R runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError, RunError
from rnncls.config.sections import Config
from rnncls.data.splits import Split
from rnncls.evaluation.metrics import NUM_RESAMPLES, Scores, percentile_interval
from rnncls.evaluation.run_evaluation import Judgement, judge
from rnncls.machine.files import read_json
from rnncls.runs.folder import CONFIG, LABELS, MODEL, VOCAB, RunFolder

NUM_DISAGREEMENTS = 20
"""Texts that are kept of those on which the runs disagree."""


@dataclass(frozen=True)
class Contender:
    """A run in a comparison.

    Attributes:
        name: Its folder, as it was given.
        scores: On the rows of the comparison.
        num_parameters: Weights of the network.
        size_mib: What the four files that predict take on the disk.
        train_s: Seconds of training.
        tokens_per_s: Tokens that it was trained on in a second, on average.
    """

    name: str
    scores: Scores
    num_parameters: int
    size_mib: float
    train_s: float
    tokens_per_s: float


@dataclass(frozen=True)
class Difference:
    """A run against the first one.

    Attributes:
        name: Its folder, as it was given.
        gained: Rows that it alone judges right.
        lost: Rows that the first run alone judges right.
        difference: Its accuracy less that of the first run.
        interval: The 95 % interval of that, by the bootstrap over the rows.
        p: How probable so uneven a split of `gained` and `lost` is by chance (McNemar's
            exact test).
    """

    name: str
    gained: int
    lost: int
    difference: float
    interval: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Disagreement:
    """A text that some runs judge right and others wrong.

    Attributes:
        row: Its row in the file, from 1.
        text: The text.
        label: What the file says.
        predicted: What each run says.
    """

    row: int
    text: str
    label: str
    predicted: list[str]


@dataclass(frozen=True)
class Comparison:
    """R runs on the same rows, the first of them the baseline.

    Attributes:
        origin: The file, its checksum, the split and the row count.
        contenders: The runs.
        differences: All but the first against the first.
        settings: Each key of the config that is not the same in all of them, and its
            value in each.
        num_disagreements: Rows that some runs judge right and others wrong.
        disagreements: Some of these rows, those first that the fewest runs judge as the
            first one does.
        mean_accuracy: Of all runs but the first.
        deviation: The standard deviation of that; None for a single run.
    """

    origin: dict[str, Any]
    contenders: list[Contender]
    differences: list[Difference]
    settings: dict[str, list[Any]]
    num_disagreements: int
    disagreements: list[Disagreement]
    mean_accuracy: float
    deviation: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain lists, dictionaries and numbers."""
        return asdict(self)


def compare(
    paths: Sequence[Path],
    *,
    split: Split = "test",
    device: str | None = None,
    use_cache: bool = True,
) -> Comparison:
    """Let finished runs judge the same rows.

    Args:
        paths: Two run folders or more, the baseline first.
        split: Which rows of their data.
        device: Instead of the configs'.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        ConfigError: They do not have the same rows or classes.
        RnnclsError: A run, the data or the device is wrong.
    """
    summaries = [_read_summary(path) for path in paths]
    judgements = [
        judge(path, split=split, device=device, use_cache=use_cache) for path in paths
    ]
    for path, each in zip(paths, judgements, strict=True):
        _check_same_rows(path, judgements[0], each)
    right = np.stack([each.is_right for each in judgements])  # [R, N]
    names = [str(path) for path in paths]
    scores = [each.scores() for each in judgements]
    others = [each.accuracy for each in scores[1:]]
    disputed = np.flatnonzero(right.any(axis=0) & ~right.all(axis=0))
    return Comparison(
        origin=judgements[0].origin,
        contenders=list(map(_contend, paths, scores, summaries)),
        differences=[
            differ(name, right[0], own)
            for name, own in zip(names[1:], right[1:], strict=True)
        ],
        settings=find_differing([each.run.config for each in judgements]),
        num_disagreements=len(disputed),
        disagreements=_find_disagreements(judgements, right, disputed),
        mean_accuracy=mean(others),
        deviation=stdev(others) if len(others) > 1 else None,
    )


def differ(
    name: str, baseline: npt.NDArray[np.bool_], own: npt.NDArray[np.bool_]
) -> Difference:
    """Return how a run compares with the baseline, from whether each judges each row
    right. Two arrays [N].
    """
    gained, lost, num_rows = (
        int((own & ~baseline).sum()),
        int((baseline & ~own).sum()),
        len(own),
    )
    cells = np.array([gained, lost, num_rows - gained - lost])
    samples = np.random.default_rng(0).multinomial(
        num_rows, cells / num_rows, NUM_RESAMPLES
    )  # [resamples, 3]
    interval = percentile_interval((samples[:, 0] - samples[:, 1]) / num_rows)
    return Difference(
        name, gained, lost, (gained - lost) / num_rows, interval, mcnemar(gained, lost)
    )


def mcnemar(gained: int, lost: int) -> float:
    """Return how probable so uneven a split of the rows judged differently is, were
    either outcome as likely (1947).
    """
    num_differing, fewer = gained + lost, min(gained, lost)
    ways = tail = 1
    for k in range(
        fewer
        # each binomial coefficient from the last one: a fresh one costs as much as all
        # before it
    ):
        ways = ways * (num_differing - k) // (k + 1)
        tail += ways
    return min(1.0, tail / 2 ** (num_differing - 1)) if num_differing else 1.0


def find_differing(configs: Sequence[Config]) -> dict[str, list[Any]]:
    """Return each key whose value is not the same in all configs, and its values."""
    flat = [_flatten(config.model_dump()) for config in configs]
    values = {key: [each[key] for each in flat] for key in flat[0]}
    return {
        key: own for key, own in values.items() if any(each != own[0] for each in own)
    }


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (
            _flatten(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {f"{prefix}{key}": value}
        )
    return flat


def _read_summary(path: Path) -> dict[str, Any]:
    if not RunFolder(path).summary.is_file():
        raise RunError(
            f"{path}: not finished: go on with 'rnncls train --resume --out {path}'"
            " first"
        )
    return read_json(RunFolder(path).summary)


def _check_same_rows(path: Path, first: Judgement, other: Judgement) -> None:
    """See that two runs judge the same rows, and know the same classes."""
    if other.run.classifier.label_names != first.run.classifier.label_names:
        raise ConfigError(
            f"{path}: knows the classes {other.run.classifier.label_names}, not"
            f" {first.run.classifier.label_names}"
        )
    is_same_file = other.origin["sha256"] == first.origin["sha256"]
    if not is_same_file or not np.array_equal(_rows_of(first), _rows_of(other)):
        raise ConfigError(
            f"{path}: its {other.origin['split']} rows of {other.origin['path']} are"
            f" not those of {first.run.path}: compare runs with the same files, and the"
            " same data.split_seed where rows are drawn"
        )


def _rows_of(judgement: Judgement) -> npt.NDArray[np.int64]:
    assert judgement.split.rows is not None
    return judgement.split.rows


def _contend(path: Path, scores: Scores, summary: dict[str, Any]) -> Contender:
    num_bytes = sum(
        (path / name).stat().st_size for name in (CONFIG, VOCAB, LABELS, MODEL)
    )
    num_tokens = summary["data"]["num_train_tokens"] * summary["num_epochs"]
    return Contender(
        name=str(path),
        scores=scores,
        num_parameters=summary["num_parameters"],
        size_mib=num_bytes / 2**20,
        train_s=summary["train_s"],
        tokens_per_s=num_tokens / max(summary["train_s"], 1e-9),
    )


def _find_disagreements(
    judgements: Sequence[Judgement],
    right: npt.NDArray[np.bool_],
    numbers: npt.NDArray[np.int64],
) -> list[Disagreement]:
    num_alike = (right[:, numbers] == right[0, numbers]).sum(axis=0)
    numbers = numbers[np.argsort(num_alike, kind="stable")][:NUM_DISAGREEMENTS]
    first = judgements[0]
    names, rows = first.run.classifier.label_names, _rows_of(first)
    return [
        Disagreement(
            row=int(rows[number]) + 1,
            text=text,
            label=names[first.split.labels[number]],
            predicted=[names[each.predictions[number]] for each in judgements],
        )
        for number, text in zip(
            numbers.tolist(), first.read_texts(numbers), strict=True
        )
    ]
