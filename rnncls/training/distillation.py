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
from rnncls.runs import checkpoint


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
        run = checkpoint.load_run(checkpoint.find_run(Path(name)))
        checkpoint.check_rows(run.path, data.fingerprint, may_differ=False)
        seals.append(checksum(run.path / checkpoint.MODEL, "sha256"))
        if run.label_names != data.label_names:
            raise ConfigError(
                f"train.teachers: {name} knows the classes {run.label_names}, not"
                f" {data.label_names}"
            )
        columns = config.data.replace(text=run.config.data.text)
        seen_as = config.replace(data=columns, text=run.config.text)
        split, _ = load_split(
            seen_as, "train", run.vocab, run.label_names, use_cache=use_cache
        )
        opinions.append(
            compute_logits(run.model.to(device), split.texts).softmax(dim=1)
        )  # [N, C]
    labels = F.one_hot(
        torch.from_numpy(data.train.labels), len(data.label_names)
    ).float()  # [N, C]
    mean = torch.stack(opinions).mean(dim=0)  # [N, C]
    targets = labels.lerp(mean, config.train.teacher_weight).numpy()
    return replace(
        data, targets=targets, fingerprint={**data.fingerprint, "teachers": seals}
    )
