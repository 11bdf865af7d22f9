"""Knowledge distillation: add the predictions of finished runs to the training targets.

Shapes: N training texts, C classes.
"""

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from rnncls import ConfigError
from rnncls.config.sections import Config
from rnncls.data.checksums import checksum
from rnncls.data.loading import TrainingData, load_split
from rnncls.evaluation.evaluator import compute_logits
from rnncls.runs.data_check import check_not_trained_on
from rnncls.runs.folder import RunFolder, find_run
from rnncls.runs.run import load_run


def add_distillation_targets(
    config: Config, data: TrainingData, device: torch.device, *, use_cache: bool = True
) -> TrainingData:
    """Return the data with targets: the training rows' labels, mixed with the mean of
    what
    the teachers say.

    Raises:
        RunError: A teacher's folder is missing, unfinished or damaged.
        ConfigError: A teacher has other classes, or may have seen rows that are for
            validation here.
    """
    opinions, seals = [], []
    for name in config.train.teachers:
        run = load_run(find_run(Path(name)))
        check_not_trained_on(run.path, data.fingerprint, may_differ=False)
        seals.append(checksum(RunFolder(run.path).model, "sha256"))
        if run.classifier.label_names != data.label_names:
            raise ConfigError(
                f"train.teachers: {name} knows the classes {run.classifier.label_names}, not"
                f" {data.label_names}"
            )
        columns = config.data.replace(text=run.config.data.text)
        seen_as = config.replace(data=columns, text=run.config.text)
        split, _ = load_split(
            seen_as,
            "train",
            run.classifier.vocab,
            run.classifier.label_names,
            use_cache=use_cache,
        )
        opinions.append(
            compute_logits(run.classifier.model.to(device), split.texts).softmax(dim=1)
        )  # [N, C]
    labels = F.one_hot(
        torch.from_numpy(data.train.labels), len(data.label_names)
    ).float()  # [N, C]
    mean = torch.stack(opinions).mean(dim=0)  # [N, C]
    targets = labels.lerp(mean, config.train.teacher_weight).numpy()
    return replace(
        data, targets=targets, fingerprint={**data.fingerprint, "teachers": seals}
    )
