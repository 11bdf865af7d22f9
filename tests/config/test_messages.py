"""Messages: one line for each error, with location, key and what was expected."""

import re

import pytest

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from tests.config.cases import DATA, errors_of


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("seed", "-1", "whole number (>= 0, < 9.22337e+18)"),
        ("seed", "1.5", "whole number (>= 0, < 9.22337e+18)"),
        ("seed", "1e-3", "whole number (>= 0, < 9.22337e+18)"),
        ("device", "gpu", "auto | cpu | cuda | cuda:0 | mps"),
        ("device", "3", "auto | cpu | cuda | cuda:0 | mps"),
    ],
)
def test_a_wrong_value_at_top_level_is_named(
    key: str, value: str, allowed: str
) -> None:
    shown = "0.001" if value == "1e-3" else value
    assert errors_of(f"{DATA}{key}: {value}\n") == [
        f"my.yaml:2: {key}: expected {allowed}, found {shown}"
    ]


@pytest.mark.parametrize(
    ("key", "value", "allowed", "found"),
    [
        ("data.name", "imdb", "ag_news | quickstart | null", "imdb"),
        ("data.root", "3", "text", "3"),
        ("data.train", "[a.csv]", "text | null", "[a.csv]"),
        ("data.text", "title", "list of column names, as in [text]", "title"),
        ("data.text", "[]", "list of column names, as in [text]", "[]"),
        (
            "data.text",
            "[title, 3]",
            "list of column names, as in [text]",
            "3: YAML reads it so without quotation marks; write text: ['title', '3']",
        ),
        ("data.delimiter", "';'", "comma | semicolon | tab | pipe | null", ";"),
        ("data.columns", "[]", "list of column names, as in [text] | null", "[]"),
        ("data.test_fraction", "1.0", "number (> 0, < 1) | null", "1.0"),
        ("data.valid_fraction", "0", "number (> 0, < 1)", "0"),
        ("data.valid_fraction", "1.0", "number (> 0, < 1)", "1.0"),
        ("data.valid_fraction", ".nan", "number (> 0, < 1)", ".nan"),
        (
            "text.tokenizer",
            "spacy",
            "basic_english | whitespace | words | subwords | characters",
            "spacy",
        ),
        ("text.clean", "'yes'", "true | false | html", "'yes'"),
        ("text.min_freq", "0", "whole number (>= 1)", "0"),
        ("text.min_freq", "'2'", "whole number (>= 1)", "'2'"),
        ("text.max_vocab", "2", "whole number (>= 3) | null", "2"),
        ("text.max_tokens", "null", "whole number (>= 1)", "null"),
        ("text.char_ngrams", "5", "list of 2 whole numbers (>= 2, <= 100) | null", "5"),
        (
            "text.char_ngrams",
            "[3]",
            "list of 2 whole numbers (>= 2, <= 100) | null",
            "[3]",
        ),
        ("text.ngram_buckets", "0", "whole number (>= 1)", "0"),
        ("text.vectors", "no", "text | null", "false"),
        ("model.cell", "lstmm", "rnn | lstm | gru | grid_lstm | none", "lstmm"),
        ("model.cell", "null", "rnn | lstm | gru | grid_lstm | none", "null"),
        ("model.embedding_dim", "0", "whole number (>= 1)", "0"),
        ("model.hidden_size", "abc", "whole number (>= 1)", "abc"),
        ("model.num_layers", "1.5", "whole number (>= 1, <= 1000)", "1.5"),
        ("model.bidirectional", "3", "true | false", "3"),
        (
            "model.pooling",
            "last",
            "list of last | max | mean | attention, at least one",
            "last",
        ),
        (
            "model.pooling",
            "[]",
            "list of last | max | mean | attention, at least one",
            "[]",
        ),
        (
            "model.pooling",
            "[last, maxx]",
            "list of last | max | mean | attention, at least one",
            "maxx",
        ),
        ("model.dropout", "1.0", "number (>= 0, < 1)", "1.0"),
        ("model.dropout", "true", "number (>= 0, < 1)", "true"),
        ("model.word_dropout", ".nan", "number (>= 0, < 1)", ".nan"),
        ("train.max_epochs", "-1", "whole number (>= 1)", "-1"),
        ("train.batch_size", "true", "whole number (>= 1)", "true"),
        ("train.optimizer", "AdamW", "sgd | adam | adamw", "AdamW"),
        ("train.lr", ".inf", "number (> 0)", ".inf"),
        ("train.lr", "0", "number (> 0)", "0"),
        ("train.schedule", "step", "constant | linear | cosine | one_cycle", "step"),
        ("train.weight_decay", "-1", "number (>= 0)", "-1"),
        ("train.clip_norm", "0", "number (> 0) | null", "0"),
        ("train.clip_norm", "abc", "number (> 0) | null", "abc"),
        ("train.patience", "0", "whole number (>= 1) | null", "0"),
        ("train.monitor", "acc", "accuracy | micro_f1 | macro_f1 | loss", "acc"),
        ("train.precision", "float16", "float32 | bfloat16 | auto", "float16"),
    ],
)
def test_a_wrong_value_is_named_with_line_key_and_what_is_allowed(
    key: str, value: str, allowed: str, found: str
) -> None:
    section, name = key.split(".")
    text = f"# first line\n{section}:\n  {name}: {value}\n" + (
        "" if section == "data" else DATA
    )
    assert errors_of(text) == [f"my.yaml:3: {key}: expected {allowed}, found {found}"]


@pytest.mark.parametrize("value", ["3", "null", "[lr]", "text"])
def test_a_value_in_the_place_of_a_section_is_named(value: str) -> None:
    assert errors_of(f"{DATA}train: {value}\n") == [
        f"my.yaml:2: train: expected a section of keys, found {value}",
    ]


def test_a_long_wrong_value_is_shortened() -> None:
    (line,) = errors_of(f"{DATA}device: {'x' * 10_000}\n")
    assert len(line) < 200


@pytest.mark.parametrize(
    ("text", "line", "key", "nearest"),
    [
        ("sede: 1\n" + DATA, 1, "sede", "seed"),
        ("Seed: 1\n" + DATA, 1, "Seed", "seed"),
        (DATA + "trian: {}\n", 2, "trian", "train"),
        (
            DATA + "model:\n  hiden_size: 3\n",
            3,
            "model.hiden_size",
            "model.hidden_size",
        ),
        (
            DATA + "train:\n  lr: 0.1\n  epochs: 3\n",
            4,
            "train.epochs",
            "train.max_epochs",
        ),
        (DATA + "model:\n  lr: 3\n", 3, "model.lr", "train.lr"),
        (
            DATA + "text:\n  hidden_sise: 3\n",
            3,
            "text.hidden_sise",
            "model.hidden_size",
        ),
        (DATA + "hidden_size: 3\n", 2, "hidden_size", "model.hidden_size"),
        (DATA + "text:\n  text: [a]\n", 3, "text.text", "data.text"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    text: str, line: int, key: str, nearest: str
) -> None:
    assert errors_of(text) == [
        f"my.yaml:{line}: unknown key '{key}'; did you mean '{nearest}'?"
    ]


@pytest.mark.parametrize(
    ("text", "line", "key", "known"),
    [
        (
            DATA + "zzz: 1\n",
            2,
            "zzz",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
        (
            DATA + "text:\n  zzz: 1\n",
            3,
            "text.zzz",
            (
                "tokenizer, nfkc, lowercase, subwords, clean, mark_case, same_digits,"
                " min_freq, max_vocab, max_tokens, char_ngrams, ngram_buckets, vectors,"
                " vector_words"
            ),
        ),
        (
            "no: 1\n" + DATA,
            1,
            "no",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
        (
            "1: 2\n" + DATA,
            1,
            "1",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
        (
            "null: 2\n" + DATA,
            1,
            "null",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
    ],
)
def test_an_unknown_key_like_no_other_is_named_with_the_known_ones(
    text: str, line: int, key: str, known: str
) -> None:
    assert errors_of(text) == [
        f"my.yaml:{line}: unknown key '{key}'; known keys: {known}"
    ]


def test_a_missing_data_section_is_named_with_what_it_is_for() -> None:
    assert errors_of("seed: 1\n") == [
        "my.yaml: section 'data' is missing: set data.name to a built-in data set, or"
        " data.train to your own file"
    ]


def test_the_same_mistake_in_many_items_is_told_once() -> None:
    text = f"data: {{train: a.csv, text: [{', '.join(['1'] * 1000)}]}}\n"
    assert errors_of(text) == [
        "my.yaml:1: data.text: expected list of column names, as in [text], found 1"
    ]


def test_a_long_unknown_key_is_shortened() -> None:
    assert errors_of(f"{DATA}{'k' * 100}: 1\n")[0].startswith(
        f"my.yaml:2: unknown key '{'k' * 79}…'; known keys: "
    )


def test_a_mistake_takes_one_line_whatever_stands_in_it() -> None:
    text = f'{DATA}"a\\nb": 1\n"a\\nb": 2\n'
    assert [line.split("; ")[0] for line in errors_of(text)] == [
        "my.yaml:3: duplicate key 'a b' (first on line 2)",
        "my.yaml:3: unknown key 'a b'",
    ]
    with pytest.raises(
        ConfigError, match=r"^--set seed= x y: seed: expected whole number .*found x y$"
    ):
        parse_config(DATA, "my.yaml", ["seed=\nx\ny"])


@pytest.mark.parametrize(
    "text",
    [
        (
            "seed: x\ndata: 3\nmodel: {cell: 1, pooling: 2, lr: 1}\ntrain: {clip_norm:"
            " x}\n"
        ),
        "data: {name: ag_news, train: a.csv}\n",
        "seed: [",
        "",
    ],
)
def test_error_texts_hold_no_traces_of_the_machinery(text: str) -> None:
    told = "\n".join(errors_of(text))
    assert not re.search(
        r"Traceback|pydantic|https?:|Section\b|Input should|Value error", told
    )


@pytest.mark.parametrize(
    ("override", "found"),
    [
        ("[1, -1]", "-1"),
        ("[]", "[]"),
        ("equal", "equal"),
        ("3", "3"),
        ("[1, a]", "a"),
        ("{spam: -1}", "-1"),
        ("{spam: a}", "a"),
        ("{}", "{}"),
    ],
)
def test_wrong_class_weights_are_told_once(override: str, found: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(DATA, "my.yaml", [f"train.class_weights={override}"])
    expected = (
        "expected balanced | list of number (> 0), at least one | mapping of class to"
        " number (> 0) | null"
    )
    assert (
        str(raised.value)
        == f"--set train.class_weights={override}: train.class_weights: {expected},"
        f" found {found}"
    )


@pytest.mark.parametrize("word", ["no", "yes", "on", "2", "1.5"])
def test_a_column_name_that_yaml_reads_as_another_value_is_to_be_quoted(
    word: str,
) -> None:
    [error] = errors_of(f"data:\n  train: a.csv\n  label: {word}\n")
    assert error.endswith(f"write label: '{word}'")
    [error] = errors_of(f"data:\n  train: a.csv\n  text: [{word}, b]\n")
    assert error.endswith(f"write text: ['{word}', 'b']")


@pytest.mark.parametrize("value", ["no", "[no, b]"])
def test_the_advice_for_a_shell_can_be_followed(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(DATA, "my.yaml", [f"data.text={value}"])
    advice = str(caught.value).rsplit("write --set ", 1)[1].strip('"')
    assert "no" in parse_config(DATA, "my.yaml", [advice]).data.text
