"""Any YAML and any override is a config or a `ConfigError` that names its place; a
config survives being written."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from rnncls import ConfigError
from rnncls.config.loading import load_config, parse_config
from rnncls.config.sections import SECTIONS, Config
from rnncls.config.yaml_format import YamlDumper, dump_config
from tests.fuzz.cases import attempt, damaged, fuzz, texts, written

KEYS = [
    "seed",
    "device",
    *(
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key in section.model_fields
    ),
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_subnormal=False),
    st.dates(),
    st.binary(max_size=5),
    texts(),
    st.sampled_from(
        ["auto", "lstm", "adamw", "a.csv", "1e-3", "no", "0x_", "1:30", "<<", "="]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4)
    ),
    max_leaves=8,
)
FRAGMENTS = [
    *(
        "data:",
        "train:",
        "model:",
        "seed:",
        "text:",
        "a.csv",
        "cell",
        ": ",
        "\n",
        "\n  ",
        "- ",
        "? ",
        "{",
        "}",
        "[",
        "]",
    ),
    *(
        ",",
        "&a ",
        "*a",
        "<<: *a",
        "!!",
        "!!int ",
        "!!float ",
        "!!bool ",
        "!!timestamp ",
        "!!binary ",
        "!!set ",
        "!!omap ",
    ),
    *(
        "!!str ",
        "!!null ",
        "!!python/object/apply:os.system ",
        "!x ",
        "'",
        '"',
        "\\ud800",
        "\\0",
        "|\n",
        ">-\n",
        "#",
        "---",
    ),
    *(
        "...",
        "%YAML 1.1",
        "1",
        "-",
        "0x",
        "1e3",
        ".inf",
        ".nan",
        "2020-02-30",
        "1:99",
        "\t",
        "\u2028",
        "\ufeff",
        "~",
        "@",
    ),
]
PROBABILITIES = st.floats(0, 0.99, allow_subnormal=False)
POSITIVE = st.floats(
    1e-300, allow_subnormal=False, allow_infinity=False, allow_nan=False
)
COUNTS = st.integers(1, 10**9)
NAMES = texts(without="\0")


@st.composite
def valid_documents(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a document that is a valid config."""
    text = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    label = draw(NAMES.filter(lambda name: name not in text))
    split_seed = draw(st.none() | st.integers(0, 2**63 - 1))
    train = draw(NAMES)
    return {
        "seed": draw(st.integers(0, 2**63 - 1)),
        "data": {
            "train": train,
            "text": text,
            "label": label,
            "split_seed": split_seed,
            "unlabelled": text,
        },
        "text": {
            "clean": draw(st.booleans()),
            "mark_case": draw(st.booleans()),
            "max_tokens": draw(COUNTS),
            "vectors": draw(st.none() | NAMES),
        },
        "model": {
            "cell": draw(st.sampled_from(["rnn", "lstm", "gru", "grid_lstm", "none"])),
            "dropout": draw(PROBABILITIES),
            "hidden_size": draw(COUNTS),
            "pooling": draw(st.permutations(["last", "max", "mean", "attention"])),
        },
        "train": {
            "lr": draw(POSITIVE),
            "clip_norm": draw(st.none() | POSITIVE),
            "teachers": draw(st.lists(NAMES)),
        },
    }


def as_yaml(document: dict[str, Any]) -> str:
    """Write a document with 1e3 as a number, as YAML 1.2 and rnncls do, and PyYAML by
    itself does not."""
    return yaml.dump(document, Dumper=YamlDumper)


def check(result: Config | ConfigError, source: str) -> None:
    """See that a mistake is named with its file, and that a config is the same when it
    has been written and read."""
    if isinstance(result, ConfigError):
        assert all(
            line.startswith((source, "--set ")) for line in str(result).split("\n")
        ), str(result)
    else:
        assert parse_config(dump_config(result), "dumped.yaml") == result


@fuzz(
    text=st.lists(st.sampled_from(FRAGMENTS) | texts(surrogates=True), max_size=20).map(
        "".join
    )
)
def test_any_yaml_is_a_config_or_an_error_that_names_the_file(text: str) -> None:
    check(attempt(lambda: parse_config(text, "fuzz.yaml"), ConfigError), "fuzz.yaml")


@fuzz(
    content=st.binary(max_size=200)
    | damaged(valid_documents().map(lambda document: yaml.dump(document).encode()))
)
def test_any_bytes_are_a_config_or_an_error_that_names_the_file(content: bytes) -> None:
    path = written("fuzz.yaml", content)
    check(attempt(lambda: load_config(path), ConfigError), "fuzz.yaml")


@fuzz(values=st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4))
def test_any_values_are_a_config_or_an_error_that_names_the_file(
    values: dict[str, Any],
) -> None:
    document: dict[str, Any] = {"data": {"train": "a.csv"}}
    for path, value in values.items():
        section, _, key = path.rpartition(".")
        (document.setdefault(section, {}) if section else document)[key or path] = value
    text = yaml.safe_dump(document, allow_unicode=True)
    check(attempt(lambda: parse_config(text, "fuzz.yaml"), ConfigError), "fuzz.yaml")


@fuzz(
    key=st.sampled_from(KEYS) | texts(),
    value=texts(surrogates=True) | VALUES.map(yaml.safe_dump),
)
def test_any_override_is_taken_or_named(key: str, value: str) -> None:
    result = attempt(
        lambda: parse_config("data: {train: a.csv}", "fuzz.yaml", [f"{key}={value}"]),
        ConfigError,
    )
    check(result, "fuzz.yaml")


@fuzz(document=valid_documents())
def test_a_valid_config_is_the_same_when_it_has_been_written_and_read(
    document: dict[str, Any],
) -> None:
    config = parse_config(as_yaml(document), "fuzz.yaml")
    found = config.model_dump()
    assert {
        name: found[section][name]
        for section in ("data", "model")
        for name in document[section]
    } == {
        **document["data"],
        **document["model"],
    }
    dumped = dump_config(config)
    Path("dumped.yaml").write_bytes(dumped.encode())
    assert load_config("dumped.yaml") == config
    assert dump_config(load_config("dumped.yaml")) == dumped


@fuzz(document=valid_documents(), lr=POSITIVE)
def test_an_override_changes_its_key_and_no_other(
    document: dict[str, Any], lr: float
) -> None:
    text = as_yaml(document)
    before, after = (
        parse_config(text, "fuzz.yaml"),
        parse_config(text, "fuzz.yaml", [f"train.lr={lr!r}"]),
    )
    assert after.train.lr == lr
    assert after == before.replace(train=before.train.replace(lr=lr))
