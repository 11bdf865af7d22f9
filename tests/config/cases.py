"""A small config and its defaults, and the errors of a wrong one."""

from typing import Any

import pytest

from rnncls import ConfigError
from rnncls.config.loading import parse_config

DATA = "data: {train: a.csv}\n"


DOCUMENTED_DEFAULTS: dict[str, Any] = {
    "seed": 0,
    "device": "auto",
    "deterministic": False,
    "data": {
        "name": None,
        "root": "data",
        "train": "a.csv",
        "valid": None,
        "test": None,
        "unlabelled": [],
        "text": ["title", "description"],
        "label": "label",
        "label_separator": None,
        "delimiter": None,
        "columns": None,
        "valid_fraction": 0.05,
        "split": "rows",
        "split_seed": None,
        "test_fraction": None,
    },
    "text": {
        "tokenizer": "basic_english",
        "nfkc": True,
        "lowercase": True,
        "subwords": 8000,
        "clean": "html",
        "mark_case": False,
        "same_digits": False,
        "min_freq": 2,
        "max_vocab": None,
        "max_tokens": 256,
        "char_ngrams": None,
        "ngram_buckets": 50000,
        "vectors": None,
        "vector_words": 0,
    },
    "model": {
        "task": "one_label",
        "cell": "lstm",
        "embedding_dim": 100,
        "hidden_size": 128,
        "num_layers": 1,
        "bidirectional": True,
        "tokens_per_step": 1,
        "pooling": ["last", "max", "mean"],
        "dropout": 0.5,
        "word_dropout": 0.1,
        "input_dropout": 0.0,
        "recurrent_dropout": 0.0,
        "pretrained": None,
        "ngrams": None,
    },
    "train": {
        "max_epochs": 6,
        "batch_size": 128,
        "optimizer": "adamw",
        "lr": 0.003,
        "schedule": "linear",
        "warmup_fraction": 0.1,
        "layer_lr_decay": 1.0,
        "freeze_encoder": 0,
        "freeze_embedding": 0,
        "weight_decay": 0.0,
        "label_smoothing": 0.1,
        "class_weights": None,
        "sampling": "uniform",
        "focal_gamma": 0.0,
        "adversarial": 0.0,
        "adversarial_delay": 0,
        "virtual_adversarial": 0.0,
        "perturbation": "absolute",
        "r_drop": 0.0,
        "average": 0.0,
        "teachers": [],
        "teacher_weight": 0.7,
        "replay": None,
        "clip_norm": 1.0,
        "save_every": 10.0,
        "patience": 3,
        "monitor": "accuracy",
        "calibrate": True,
        "tensorboard": False,
        "precision": "float32",
    },
    "pretrain": {
        "max_epochs": 10,
        "batch_size": 32,
        "lr": 0.003,
        "dropout": 0.1,
        "word_dropout": 0.1,
    },
}


def errors_of(text: str, *overrides: str) -> list[str]:
    """Return the lines of the error that a config text raises."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "my.yaml", overrides)
    return str(caught.value).split("\n")
