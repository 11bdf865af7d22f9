"""A classifier's first weights: pretrained vectors, and sizes that are too large."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rnncls import ConfigError
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.training.initialization import build_model

MakeConfig = Callable[..., Config]


def test_vectors_wider_than_the_embedding_are_refused(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the " + " ".join(["0.5"] * 9) + "\n", encoding="utf-8")
    config = make_config(f"text.vectors={vectors}")
    with pytest.raises(
        ConfigError, match=r"9 columns, more than model\.embedding_dim: 8"
    ):
        build_model(
            config.model, config.text.vectors, load_training_data(config.data_settings)
        )


@pytest.mark.parametrize(
    "override", ["model.embedding_dim=1000000000000", f"model.hidden_size={10**30}"]
)
def test_a_network_larger_than_the_memory_is_refused(
    make_config: MakeConfig, override: str
) -> None:
    config = make_config(override)
    with pytest.raises(
        ConfigError,
        match=r"^model: the network cannot be built: its sizes are too large: ",
    ):
        build_model(
            config.model, config.text.vectors, load_training_data(config.data_settings)
        )


def test_vectors_start_the_embedding(
    make_config: MakeConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the 1.5 2.5 3.5\n", encoding="utf-8")
    config = make_config(f"text.vectors={vectors}")
    data = load_training_data(config.data_settings)
    with caplog.at_level("INFO"):
        model = build_model(config.model, config.text.vectors, data)
    counts = f"1 of {len(data.vocab.words):,} different words of the vocabulary found"
    assert counts in caplog.text
    train_tokens = data.train.texts.flat_tokens()
    assert len(train_tokens) < len(data.train.texts.token_ids)  # others are validated
    is_the = train_tokens == data.vocab.words.index("the")
    share = f"{is_the.mean():.1%} of the tokens of the training rows"
    assert f"{vectors} ({share})" in caplog.text
    assert model.embedding.weight[data.vocab.words.index("the"), :3].tolist() == [
        1.5,
        2.5,
        3.5,
    ]
