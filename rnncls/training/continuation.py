"""Continue a run on new rows: its data, and what the user is told about it.

The earlier run is a `rnncls.runs.pretrained.Pretrained` with classes. Its weights are
copied by `rnncls.training.initialization.build_model`, as those of a language model.

Shapes: N validation texts, C classes.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnncls import DataError, RunError
from rnncls.config.sections import DataSettings
from rnncls.data.checksums import checksum
from rnncls.data.continued import encode_continued, load_continued_data
from rnncls.data.file_rows import Continuation, LoadedFile, count_earlier_rows
from rnncls.data.label_sets import count_labels
from rnncls.data.loading import TrainingData, load_training_data
from rnncls.data.replay import choose_rows
from rnncls.data.sources import load_sources
from rnncls.data.splits import split_test_rows
from rnncls.evaluation.class_groups import GroupScores, score_class_groups
from rnncls.machine.files import read_json
from rnncls.runs.continuation import load_continuation, load_earlier_files
from rnncls.runs.folder import RunFolder
from rnncls.runs.pretrained import Pretrained
from rnncls.text.display import list_names
from rnncls.text.vocab import Vocab
from rnncls.text.vocab_collection import add_vector_words, extend_vocab

logger = logging.getLogger(__name__)

DEFAULT_REPLAY = 0.5
"""The share of the rows of an earlier run that are trained on again.

Chosen by validation accuracy: docs/guides/new-rows.md.
"""


def load_run_data(
    settings: DataSettings,
    vocab: Vocab | None,
    pretrained: Pretrained | None,
    replay: float | None,
    resumed: Path | None,
    *,
    use_cache: bool,
) -> TrainingData:
    """Load the rows of a run, also of one that continues an earlier run.

    Args:
        settings: Which rows are used, and how they are tokenised.
        vocab: The words to keep; None: those of the training rows.
        pretrained: What the run starts from.
        replay: The share of the rows of an earlier run to train on again; None:
            `DEFAULT_REPLAY` of those whose files still exist.
        resumed: The folder of a run to resume; None: the run is new.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: A file or one of its rows is wrong, or a file of the earlier run is
            missing, and `replay` asks for its rows.
        RunError: The earlier run is damaged, or the files of a run to resume changed.
    """
    continuation = None if resumed is None else load_continuation(resumed)
    if continuation is not None and vocab is not None:
        if settings.data != continuation.own_files[0].section:
            raise RunError(
                f"{resumed}: continues {continuation.run}, so its rows are fixed and"
                " its section data cannot change: start another run: rnncls train"
                f" --from {resumed}"
            )
        return load_continued_data(continuation, settings, vocab, use_cache=use_cache)
    if pretrained is not None and pretrained.label_names is not None:
        return _continue_data(
            settings, pretrained, pretrained.label_names, replay, use_cache=use_cache
        )
    return load_training_data(settings, vocab, use_cache=use_cache)


def _continue_data(
    settings: DataSettings,
    pretrained: Pretrained,
    label_names: list[str],
    replay: float | None,
    *,
    use_cache: bool,
) -> TrainingData:
    """Choose and load the rows of a new run that continues an earlier one."""
    section, text = settings.data, settings.text
    own = load_sources(section, text, settings.seed, use_cache=use_cache)
    _, test_rows = split_test_rows(
        own.train.labels, section.test_fraction, own.train.text_ids
    )
    path = pretrained.path
    found = load_earlier_files(path, own.train.path, text, use_cache=use_cache)
    _report_missing_files(found.missing, replay)
    share = DEFAULT_REPLAY if replay is None else replay
    own_rows, earlier_rows = choose_rows(
        own, test_rows, section, found.loaded, share, settings.seed
    )
    folder = RunFolder(path)
    continuation = Continuation(
        run=str(path),
        weights_sha256=checksum(folder.model, "sha256"),
        num_words=len(pretrained.vocab.trained_words),
        label_names=label_names,
        replay=share,
        own_files=own_rows,
        earlier_files=earlier_rows,
        earlier_scores=_load_scores(path),
    )
    train_rows = own_rows[0].train_rows
    extended = extend_vocab(pretrained.vocab, own.train.texts, train_rows, text)
    vocab = add_vector_words(extended, text)
    sources = [own.train] if own.is_one_file else [own.train, own.valid]
    data = encode_continued(
        list(map(LoadedFile, own_rows, sources)),
        list(map(LoadedFile, earlier_rows, (file.source for file in found.loaded))),
        continuation,
        settings,
        vocab.with_max_tokens(text.max_tokens),
    )
    _log_continuation(data, continuation, found.missing)
    return data


def _report_missing_files(names: Sequence[str], replay: float | None) -> None:
    """Log which files of the earlier run are missing, or reject them.

    Raises:
        DataError: The config asks for rows of these files.
    """
    for name in names:
        if replay:
            raise DataError(
                f"{name}: is missing, or has changed since the earlier run, so its rows"
                f" cannot be trained on again (train.replay: {replay}): restore it, or"
                " set train.replay to null, to use only files that still exist"
            )
        effect = "" if replay == 0 else "none of its rows is trained on again; "
        logger.info(
            "%s: is missing, or has changed since the earlier run: %sif the new file"
            " has its rows too, validation rows of the earlier run may be trained on,"
            " and the scores are too high",
            name,
            effect,
        )


def _load_scores(path: Path) -> dict[str, float]:
    """Load the validation scores of a finished run."""
    valid = read_json(RunFolder(path).summary)["valid"]
    return {name: valid[name] for name in ("accuracy", "macro_f1")}


def _log_continuation(
    data: TrainingData, continuation: Continuation, missing: Sequence[str]
) -> None:
    """Log how many words, classes and rows are new, and how many are from before.

    Args:
        data: The data of the run.
        continuation: What it keeps of the earlier run.
        missing: The files of the earlier run that are missing.
    """
    num_known = len(continuation.label_names)
    new_names = data.label_names[num_known:]
    logger.info(
        "%s is continued: %s new words beside its %s, %s new %s beside its %s%s",
        continuation.run,
        f"{len(data.vocab.trained_words) - continuation.num_words:,}",
        f"{continuation.num_words:,}",
        f"{len(new_names):,}",
        "class" if len(new_names) == 1 else "classes",
        f"{num_known:,}",
        f": {list_names(new_names)}" if new_names else "",
    )
    own_valid = sum(len(rows.valid_rows) for rows in continuation.own_files)
    num_replayed, num_reused = count_earlier_rows(continuation.earlier_files)
    logger.info(
        "training rows: %s of %s and %s of the earlier run (train.replay: %s);"
        " validation rows: %s and %s",
        f"{len(continuation.own_files[0].train_rows):,}",
        continuation.own_files[0].path,
        f"{num_replayed:,}",
        continuation.replay,
        f"{own_valid:,}",
        f"{num_reused:,}",
    )
    _warn_of_forgetting(data, num_known, missing)


def _warn_of_forgetting(
    data: TrainingData, num_known: int, missing: Sequence[str]
) -> None:
    """Log which classes of the earlier run have no training row, and what to do."""
    counts = count_labels(data.train.labels, len(data.label_names))[:num_known]
    absent = [data.label_names[index] for index in np.flatnonzero(counts == 0)]
    if not absent:
        return
    advice = "train on rows of the earlier run again (train.replay)"
    if missing:
        advice = f"restore {', '.join(missing)}, and {advice}"
    logger.info(
        "no training row, so the run will forget: %s; to prevent this, %s",
        list_names(absent),
        advice,
    )


def describe_continuation(
    data: TrainingData, continuation: Continuation, logits: torch.Tensor
) -> dict[str, Any]:
    """Return what the summary of a run says of the run that it continues.

    Args:
        data: The data of the run.
        continuation: What it keeps of the earlier run.
        logits: [N, C], those of the validation rows.
    """
    num_known = len(continuation.label_names)
    num_replayed, num_reused = count_earlier_rows(continuation.earlier_files)
    groups: list[GroupScores] = score_class_groups(
        logits, torch.from_numpy(data.valid.labels), num_known
    )
    return {
        "run": continuation.run,
        "weights_sha256": continuation.weights_sha256,
        "replay": continuation.replay,
        "num_new_words": len(data.vocab.trained_words) - continuation.num_words,
        "new_classes": data.label_names[num_known:],
        "num_replayed_rows": num_replayed,
        "num_reused_valid_rows": num_reused,
        "valid": [group.to_dict() for group in groups],
        "earlier_valid": continuation.earlier_scores,
    }
