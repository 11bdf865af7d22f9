"""The language model that a classifier starts from (`model.pretrained`)."""

from dataclasses import dataclass
from pathlib import Path

import torch

from rnncls import ConfigError, RunError
from rnncls.config.sections import ModelSection, TextSection
from rnncls.runs.companions import load_run_config
from rnncls.runs.folder import LANGUAGE_MODEL, RunFolder
from rnncls.runs.weights import load_verified
from rnncls.text.tokenizer import Settings
from rnncls.text.vocab import Vocab

# max_tokens is left out: it says how much is read of a text, not how.
_TEXT_KEYS = tuple(name for name in Settings._fields if name != "max_tokens")
_MODEL_KEYS = ("cell", "embedding_dim", "hidden_size", "num_layers", "bidirectional")


@dataclass(frozen=True)
class Pretrained:
    """What a classifier takes from a language model.

    Attributes:
        vocab: Its words.
        weights: The weights of its embedding and encoder, by name.
    """

    vocab: Vocab
    weights: dict[str, torch.Tensor]


def choose_cleaning(text: TextSection, earlier: Path) -> TextSection:
    """Return the text section with `clean` as in an earlier run that continues.

    A section that names `clean` stays as it is: what does not fit is an error later.

    Args:
        text: How texts are read.
        earlier: The folder of a run to resume, which may not exist, or of the language
            model to start from.

    Raises:
        RunError: The config of the earlier run is damaged.
    """
    has_run = RunFolder(earlier).config.is_file()
    if "clean" in text.model_fields_set or not has_run:
        return text
    return text.replace(clean=load_run_config(earlier).text.clean)


def load_pretrained(text: TextSection, model: ModelSection) -> Pretrained:
    """Load the language model that `model.pretrained` names.

    Args:
        text: How the classifier reads a text.
        model: The classifier's network, and the folder that `rnncls pretrain` wrote.

    Raises:
        RunError: A file of the folder is missing or damaged.
        ConfigError: It was pretrained with other settings of the text or the network.
    """
    path = Path(model.pretrained or "")
    if not RunFolder(path).language_model.is_file():
        raise RunError(
            f"{path}: has no {LANGUAGE_MODEL}: make one with 'rnncls pretrain --config"
            f" … --out {path}'"
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
    return Pretrained(vocab, weights)


def _check_same(
    path: Path, key: str, pretrained: object, section: TextSection | ModelSection
) -> None:
    wanted = getattr(section, key.partition(".")[2])
    if wanted != pretrained:
        raise ConfigError(
            f"{key}: {path} was pretrained with {pretrained}, the config has {wanted}"
        )
