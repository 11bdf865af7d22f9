"""`rnncls config`: check, show and describe configs."""

import json
from pathlib import Path

import pytest
import yaml

from rnncls.config.loading import load_config
from tests.cli.conftest import Cli

TWO_MISTAKES = "seed: -1\ndata: {train: toy.csv}\ntrain:\n  batchsize: 3\n"
KEYS = {
    "seed",
    "device",
    "deterministic",
    "data.name",
    "data.root",
    "data.train",
    "data.valid",
    "data.test",
    "data.unlabelled",
    "data.text",
    "data.label",
    "data.label_separator",
    "data.delimiter",
    "data.columns",
    "data.valid_fraction",
    "data.split",
    "data.split_seed",
    "data.test_fraction",
    "text.tokenizer",
    "text.clean",
    "text.nfkc",
    "text.subwords",
    "text.lowercase",
    "text.mark_case",
    "text.same_digits",
    "text.min_freq",
    "text.max_vocab",
    "text.max_tokens",
    "text.char_ngrams",
    "text.ngram_buckets",
    "text.vectors",
    "text.vector_words",
    "model.task",
    "model.cell",
    "model.embedding_dim",
    "model.hidden_size",
    "model.num_layers",
    "model.bidirectional",
    "model.tokens_per_step",
    "model.pooling",
    "model.dropout",
    "model.word_dropout",
    "model.input_dropout",
    "model.recurrent_dropout",
    "model.pretrained",
    "model.ngrams",
    "train.max_epochs",
    "train.batch_size",
    "train.optimizer",
    "train.lr",
    "train.schedule",
    "train.warmup_fraction",
    "train.layer_lr_decay",
    "train.freeze_encoder",
    "train.freeze_embedding",
    "train.weight_decay",
    "train.label_smoothing",
    "train.adversarial",
    "train.adversarial_delay",
    "train.virtual_adversarial",
    "train.perturbation",
    "train.r_drop",
    "train.average",
    "train.teachers",
    "train.teacher_weight",
    "train.replay",
    "train.clip_norm",
    "train.save_every",
    "train.patience",
    "train.monitor",
    "train.calibrate",
    "train.tensorboard",
    "train.precision",
    "train.class_weights",
    "train.sampling",
    "train.focal_gamma",
    "pretrain.max_epochs",
    "pretrain.batch_size",
    "pretrain.lr",
    "pretrain.dropout",
    "pretrain.word_dropout",
}


@pytest.mark.usefixtures("workplace")
def test_a_valid_config_is_called_valid(cli: Cli) -> None:
    assert cli("config", "validate", "--config", "toy.yaml") == (
        0,
        "toy.yaml: valid\n",
        "",
    )


@pytest.mark.usefixtures("workplace")
def test_files_that_cannot_be_read_are_noted(cli: Cli) -> None:
    Path("other.csv").write_text("label,title\nsport,a\n")
    Path("empty.csv").write_text("label,title,description\n")
    changes = ["data.valid=none.csv"]
    changes += ["data.unlabelled=[other.csv,empty.csv]", "model.pretrained=runs/lm"]
    options = [word for change in changes for word in ("--set", change)]
    done = cli("config", "validate", "toy.yaml", *options)
    assert (done.exit_code, done.stdout) == (
        0,
        "toy.yaml: valid, but see the notes on its files\n",
    )
    notes = done.stderr.splitlines()
    starts = [
        "note: data.valid: none.csv: no such file",
        "note: data.unlabelled: other.csv: no column 'description'",
        "note: data.unlabelled: empty.csv: has no rows",
        "note: model.pretrained: runs/lm: no such run folder",
    ]
    assert len(notes) == len(starts)
    assert all(map(str.startswith, notes, starts))


def test_all_mistakes_of_a_config_are_told_at_once(cli: Cli) -> None:
    Path("two.yaml").write_text(TWO_MISTAKES)
    exit_code, stdout, stderr = cli("config", "validate", "--config", "two.yaml")
    assert (exit_code, stdout) == (2, "")
    first, second = stderr.splitlines()
    assert first.startswith("error: two.yaml:1: seed: ")
    assert (
        second
        == "two.yaml:4: unknown key 'train.batchsize'; did you mean 'train.batch_size'?"
    )


@pytest.mark.usefixtures("workplace")
def test_a_wrong_override_is_named_as_it_was_typed(cli: Cli) -> None:
    exit_code, _, stderr = cli(
        "config", "validate", "-c", "toy.yaml", "-s", "model.cell=gnu"
    )
    assert exit_code == 2
    assert stderr.startswith("error: --set model.cell=gnu: model.cell: ")
    assert "gru" in stderr


@pytest.mark.parametrize("command", ["validate", "show"])
def test_a_missing_config_is_named(cli: Cli, command: str) -> None:
    expected = (
        2,
        "",
        "error: none.yaml: no such file: 'rnncls init YOUR_DATA' creates a config\n",
    )
    assert cli("config", command, "-c", "none.yaml") == expected


@pytest.mark.usefixtures("workplace")
def test_show_writes_out_every_key(cli: Cli) -> None:
    values = yaml.safe_load(cli("config", "show", "-c", "toy.yaml").stdout)
    sections = {
        name: section for name, section in values.items() if isinstance(section, dict)
    }
    keys = {f"{name}.{key}" for name, section in sections.items() for key in section}
    assert keys | (values.keys() - sections.keys()) == KEYS


@pytest.mark.usefixtures("workplace")
def test_show_includes_the_overrides(cli: Cli) -> None:
    stdout = cli(
        "config", "show", "-c", "toy.yaml", "--set", "train.lr=0.5", "--set", "seed=7"
    ).stdout
    values = yaml.safe_load(stdout)
    assert (values["train"]["lr"], values["seed"]) == (0.5, 7)


@pytest.mark.usefixtures("workplace")
def test_what_show_prints_is_the_same_config(cli: Cli) -> None:
    Path("shown.yaml").write_text(cli("config", "show", "-c", "toy.yaml").stdout)
    assert load_config("shown.yaml") == load_config("toy.yaml")


def test_the_schema_is_json_that_allows_no_other_keys(cli: Cli) -> None:
    schema = json.loads(cli("config", "schema").stdout)
    assert schema["additionalProperties"] is False
    assert schema["properties"].keys() == {
        *("seed", "device", "deterministic"),
        *("data", "text", "model", "train", "pretrain"),
    }


def test_the_table_of_keys_has_a_row_a_key(cli: Cli) -> None:
    rows = cli("config", "schema", "--markdown").stdout.splitlines()
    assert {row.split("`")[1] for row in rows if row.startswith("| `")} == KEYS
