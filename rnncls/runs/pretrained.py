"""What a classifier starts from (`model.pretrained`): a language model, or a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rnncls import ConfigError, RunError
from rnncls.config.sections import ModelSection, TextSection
from rnncls.runs.companions import load_labels, load_run_config
from rnncls.runs.earlier_run import check_is_finished
from rnncls.runs.folder import LANGUAGE_MODEL, MODEL, RunFolder
from rnncls.runs.weights import drop_calibration, load_verified
from rnncls.text.tokenizer import Settings
from rnncls.text.vocab import Vocab

# max_tokens is left out: it says how much is read of a text, not how.
_TEXT_KEYS = tuple(name for name in Settings._fields if name != "max_tokens")
_MODEL_KEYS = ("cell", "embedding_dim", "hidden_size", "num_layers", "bidirectional")
_RUN_TEXT_KEYS = (*_TEXT_KEYS, "nfkc", "lowercase", "char_ngrams", "ngram_buckets")
_RUN_MODEL_KEYS = ("task", *_MODEL_KEYS, "tokens_per_step", "pooling")


@dataclass(frozen=True)
class Pretrained:
    """What a classifier takes from a language model, or from an earlier run.

    Attributes:
        path: Its folder.
        vocab: Its words.
        weights: The weights to start with, by name: the embedding and the encoder of a
            language model, or all weights of the network of a run.
        label_names: The classes of the run, which the classifier keeps; None: it is a
            language model.
    """

    path: Path
    vocab: Vocab
    weights: dict[str, torch.Tensor]
    label_names: list[str] | None = None


def choose_cleaning(text: TextSection, earlier: Path) -> TextSection:
    """Return the text section with `clean` as in an earlier run that continues.

    A section that names `clean` stays as it is: what does not fit is an error later.

    Args:
        text: How texts are read.
        earlier: The folder of a run to resume, which may not exist, or of the language
            model or run to start from.

    Raises:
        RunError: The config of the earlier run is damaged.
    """
    has_run = RunFolder(earlier).config.is_file()
    if "clean" in text.model_fields_set or not has_run:
        return text
    return text.replace(clean=load_run_config(earlier).text.clean)


def load_pretrained(text: TextSection, model: ModelSection) -> Pretrained:
    """Load the language model, or the run, that `model.pretrained` names.

    Args:
        text: How the classifier reads a text.
        model: The classifier's network, and the folder that `rnncls pretrain` or
            `rnncls train` wrote.

    Raises:
        RunError: A file of the folder is missing or damaged.
        ConfigError: It was trained with other settings of the text or the network.
    """
    path = Path(model.pretrained or "")
    if RunFolder(path).model.is_file():
        return _load_earlier_run(path, text, model)
    if not RunFolder(path).language_model.is_file():
        raise RunError(
            f"{path}: has no {LANGUAGE_MODEL}: make one with 'rnncls pretrain --config"
            f" … --out {path}'"
        )
    if text.char_ngrams is not None:
        raise ConfigError(
            "text.char_ngrams and model.pretrained: a language model has no vectors of"
            " n-grams: set one of them to null"
        )
    tensors, config, vocab = load_verified(path, LANGUAGE_MODEL)
    for name in _TEXT_KEYS:
        _check_same(path, f"text.{name}", getattr(config.text, name), text)
    for name in _MODEL_KEYS:
        _check_same(path, f"model.{name}", getattr(config.model, name), model)
    prefixes = ("embedding.", "encoder.")
    weights = {
        name: tensor for name, tensor in tensors.items() if name.startswith(prefixes)
    }
    return Pretrained(path, vocab, weights)


def _load_earlier_run(path: Path, text: TextSection, model: ModelSection) -> Pretrained:
    """Load the network of a run to continue.

    Raises:
        RunError: The run is not finished, or a file of it is damaged.
        ConfigError: The texts are read in another way, or the network has another form.
    """
    check_is_finished(path)
    tensors, config, vocab = load_verified(path, MODEL)
    _check_form(path, (config.text, config.model), text, model)
    drop_calibration(tensors, path)
    return Pretrained(path, vocab, tensors, load_labels(path))


def _check_form(
    path: Path,
    earlier: tuple[TextSection, ModelSection],
    text: TextSection,
    model: ModelSection,
) -> None:
    """Check that a network can start with the weights of a run.

    Args:
        path: The folder of the run.
        earlier: How the run reads a text, and its network.
        text: How the network reads a text.
        model: The network.

    Raises:
        ConfigError: A key has another value. The message names all such keys.
    """
    if not model.has_network:
        raise ConfigError(
            f"model.ngrams: alone: n-grams alone cannot continue {path}, as they are"
            " fitted anew in each run: set model.pretrained to null, and train on all"
            " rows"
        )
    earlier_text, earlier_model = earlier
    differences = [
        *_list_differences("text", _RUN_TEXT_KEYS, earlier_text, text),
        *_list_differences("model", _RUN_MODEL_KEYS, earlier_model, model),
    ]
    if differences:
        raise ConfigError(
            f"{path} cannot be continued with this config, which differs in"
            f" {', '.join(differences)}: give these keys the values of the run, or use"
            f" its own config, {RunFolder(path).config}, with another data.train"
        )


def _list_differences(
    name: str,
    keys: Sequence[str],
    earlier: TextSection | ModelSection,
    present: TextSection | ModelSection,
) -> list[str]:
    """Return the keys of a section that a run has other values for, with both."""
    differences = []
    for key in keys:
        saved, value = getattr(earlier, key), getattr(present, key)
        if saved != value:
            differences.append(f"{name}.{key} ({saved} in the run, {value} here)")
    return differences


def _check_same(
    path: Path, key: str, pretrained: object, section: TextSection | ModelSection
) -> None:
    wanted = getattr(section, key.partition(".")[2])
    if wanted != pretrained:
        raise ConfigError(
            f"{key}: {path} was pretrained with {pretrained}, the config has {wanted}"
        )
