"""What a config with several labels a text may say."""

import pytest

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config

TEXT = "data: {train: a.csv, label_separator: '|'}\nmodel: {task: several_labels}\n"


def parse(*overrides: str) -> Config:
    return parse_config(TEXT, "labels.yaml", list(overrides))


def test_regularisation_supports_several_labels() -> None:
    config = parse("train.r_drop=1.0", "train.virtual_adversarial=0.5")
    assert (config.train.r_drop, config.train.virtual_adversarial) == (1.0, 0.5)


def test_a_key_for_one_label_is_refused_with_what_to_set() -> None:
    with pytest.raises(
        ConfigError, match=r"train\.sampling: .* lowers F1: set it to uniform"
    ):
        parse("train.sampling=balanced")
