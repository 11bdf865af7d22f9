"""Knowledge distillation: train on the predictions of finished runs (the teachers).

Shapes: N training texts, C classes.
"""

from dataclasses import replace
from pathlib import Path

import torch

from rnncls import ConfigError
from rnncls.config.sections import DataSettings, TrainSection
from rnncls.data.checksums import checksum
from rnncls.data.label_sets import to_label_matrix
from rnncls.data.loading import TrainingData, load_split
from rnncls.evaluation.evaluator import compute_logits
from rnncls.runs.data_check import check_not_trained_on
from rnncls.runs.folder import RunFolder, find_run
from rnncls.runs.run import Run, load_run


def add_distillation_targets(
    section: TrainSection,
    settings: DataSettings,
    data: TrainingData,
    device: torch.device,
    *,
    use_cache: bool = True,
) -> TrainingData:
    """Return the data with soft targets from `train.teachers`.

    A target is a weighted mean of the labels of the row and of the teachers' mean
    probabilities. The checksums of the teachers' weights become part of the
    fingerprint, so that a resumed run must have the same teachers.

    Args:
        section: Gives `teachers` and `teacher_weight`.
        settings: The settings that `data` was loaded with.
        data: What the new run is trained on.
        device: Where the teachers compute.
        use_cache: Read and write the cache of tokenised files.

    Raises:
        RunError: A teacher's folder is missing, unfinished or damaged.
        ConfigError: A teacher has other classes, or may have been trained on rows that
            are for validation here.
    """
    if data.continuation is not None:
        raise ConfigError(
            "train.teachers: a run that continues another one (model.pretrained) cannot"
            " have teachers: set train.teachers to []"
        )
    checksums = []
    teacher_probs = []
    for name in section.teachers:
        teacher = _load_teacher(name, data)
        weights_file = RunFolder(teacher.path).model
        checksums.append(checksum(weights_file, "sha256"))
        probs = _predict(teacher, settings, device, use_cache=use_cache)  # [N, C]
        teacher_probs.append(probs)

    label_matrix = to_label_matrix(data.train.labels, len(data.label_names))  # [N, C]
    one_hot = torch.from_numpy(label_matrix).float()  # [N, C]
    mean_probs = torch.stack(teacher_probs).mean(dim=0)  # [N, C]
    targets = one_hot.lerp(mean_probs, section.teacher_weight)  # [N, C]
    fingerprint = {**data.fingerprint, "teachers": checksums}
    return replace(data, targets=targets.numpy(), fingerprint=fingerprint)


def _load_teacher(name: str, data: TrainingData) -> Run:
    """Load a run, and check that it may teach a run on this data."""
    run = load_run(find_run(Path(name)))
    check_not_trained_on(run.path, data.fingerprint, may_differ=False)
    label_names = run.classifier.label_names
    if label_names != data.label_names:
        raise ConfigError(
            f"train.teachers: {name} has the classes {label_names}, the data has"
            f" {data.label_names}"
        )
    if run.classifier.has_several_labels != (data.train.labels.ndim == 2):
        raise ConfigError(
            f"train.teachers: {name} has model.task: {run.config.model.task}, this"
            " config another: choose teachers with the same task"
        )
    return run


def _predict(
    teacher: Run, settings: DataSettings, device: torch.device, *, use_cache: bool
) -> torch.Tensor:
    """Return a teacher's probabilities of the training rows. [N, C] on the CPU.

    The teacher reads the columns of its own config, with its own tokenizer.
    """
    data = settings.data.replace(text=teacher.config.data.text)
    classifier = teacher.classifier
    split, _ = load_split(
        replace(settings, data=data, text=teacher.config.text),
        "train",
        classifier.vocab,
        classifier.label_names,
        use_cache=use_cache,
    )
    model = classifier.model.to(device)
    return model.compute_probs(compute_logits(model, split.texts))
