"""`predict.py` of an exported folder: the tokens and predictions of the run."""

import io
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import strategies as st

from rnncls.config.sections import TextSection
from rnncls.inference.export import predict_script
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.export.onnx_file import SEAL, seal_model
from rnncls.inference.export.onnx_metadata import describe_text
from rnncls.inference.export.predict_script import Classifier, ModelError
from rnncls.inference.export.script_source import build_script
from rnncls.inference.export.script_tokenizer import Tokenizer
from rnncls.inference.export.test_vectors import HARD_TEXTS
from rnncls.text.subwords import SubwordVocab, learn_subwords
from rnncls.text.tokenizer import build_tokenizer
from rnncls.text.vocab import Vocab
from tests.conftest import SHARED
from tests.fuzz.cases import ODD, fuzz, texts
from tests.inference.light.networks import WORDS, Networks, build_networks

FILES = sorted(SHARED.glob("*/test.*"))
"""Texts of several languages, where they are beside the checkout."""
MAX_LINES = 1000
TOKENIZERS = ["basic_english", "whitespace", "words", "characters", "subwords"]
TEXTS = [
    *HARD_TEXTS,
    *ODD,
    "AT&ampT &amp; a &hellip b; &bogus; &#X1F600; <int> a<b c>d <!-- x\ny --> \\n",
    "HTML and The X and ÄRGER Über 'QUOTED' (UP)",
    "١٢٣ ½ ² ① 1.000,5 12:30 3.14.15",
    "sSſ'S ıİ 'ſ don'ſ ſt HTTPſ://a WWW.b.c",
    "שלום\"ר ט״ו don't l'homme o'neill's rock'n'roll U.S.A. e.g. a.b",
    "กำ ລາວຳ မြန်မာ བོད ខ្មែរ ᬅᬓ᭄ᬱᬭ ｶﾞ か\u3099 각\u1100\u1161",
    "#1️⃣ 👩🏽‍🚀🏳️‍🌈 🇩🇪🇫🇷🇺 ‼️ ©️ \U000e0020 x\u200dy x\u200cy",
    "<unk> ▁<unk> ▁ ▁▁a <pad> <0x41>",
    "\u2028\u0085\u001cgap\u3000wide\u00a0nbsp",
]


def learn_vocab(max_tokens: int) -> SubwordVocab:
    """Return subwords of the texts."""
    words = sorted({word for text in TEXTS for word in text.split()} - {"<unk>"})
    words = [word for word in words if word.isprintable()]
    counts = np.arange(1, len(words) + 1) % 7 + 2
    return learn_subwords(words, counts, size=700, max_tokens=max_tokens)


SUBWORDS = learn_vocab(1 << 20)


@cache
def build_both(settings: str) -> tuple[Vocab, Tokenizer]:
    """Return the vocabulary and the script's tokenizer for a text section as JSON."""
    section = TextSection.model_validate_json(settings)
    vocab = Vocab(WORDS)
    if section.tokenizer == "subwords":
        vocab = SUBWORDS.with_max_tokens(section.max_tokens)
    description = json.loads(json.dumps(describe_text(section, vocab)))
    return vocab, Tokenizer(description, set(vocab.words))


def tokenize_both(section: TextSection, text: str) -> tuple[list[str], list[str]]:
    """Return the tokens of a text by the run, and by the script."""
    vocab, tokenize = build_both(section.model_dump_json())
    expected = vocab.divide_tokens(build_tokenizer(section)(text))
    return expected, tokenize(text)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"clean": True, "mark_case": True, "lowercase": False},
        {"clean": False, "same_digits": True, "nfkc": False, "max_tokens": 3},
    ],
)
def test_tokens_are_those_of_the_run(tokenizer: str, settings: dict[str, Any]) -> None:
    section = TextSection(tokenizer=tokenizer, **settings)  # type: ignore[arg-type]
    for text in TEXTS:
        expected, found = tokenize_both(section, text)
        assert found == expected, text


@pytest.mark.slow
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_every_character_has_the_tokens_of_the_run(tokenizer: str) -> None:
    name: Any = tokenizer
    section = TextSection(tokenizer=name, max_tokens=1 << 20)
    surrogates = range(0xD800, 0xE000)
    codes = [code for code in range(sys.maxunicode + 1) if code not in surrogates]
    for first in range(0, len(codes), 1024):
        block = codes[first : first + 1024]
        text = " ".join(f"{chr(code)} a{chr(code)}b" for code in block)
        expected, found = tokenize_both(section, text)
        assert found == expected, f"U+{block[0]:04X} to U+{block[-1]:04X}"


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_real_texts_have_the_tokens_of_the_run(tokenizer: str, path: Path) -> None:
    section = TextSection.model_validate({"tokenizer": tokenizer, "clean": True})
    for line in path.read_text("utf-8").splitlines()[:MAX_LINES]:
        expected, found = tokenize_both(section, line)
        assert found == expected, line


sections = st.builds(
    TextSection,
    tokenizer=st.sampled_from(TOKENIZERS),
    clean=st.sampled_from([False, True, "html"]),
    mark_case=st.booleans(),
    same_digits=st.booleans(),
    nfkc=st.booleans(),
    lowercase=st.booleans(),
    max_tokens=st.integers(1, 500),
)


@fuzz(share=3.0, section=sections, text=texts())
def test_any_text_has_the_tokens_of_the_run(section: TextSection, text: str) -> None:
    expected, found = tokenize_both(section, text)
    assert found == expected


# The program

PATH = Path("model.onnx")
SECTION = TextSection(tokenizer="words", clean=True, max_tokens=20)
NETWORKS = build_networks(text=SECTION)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with nothing but NumPy and ONNX Runtime."""
    folder = tmp_path_factory.mktemp("site")
    packages = Path(np.__file__).parents[1]
    for pattern in ("numpy", "numpy.libs", "onnxruntime"):
        for source in packages.glob(pattern):
            (folder / source.name).symlink_to(source)
    return folder


def run_script(site: Path, *arguments: str, stdin: str = "") -> str:
    """Run the program without other packages and return what it prints."""
    script = Path("predict.py")
    script.write_bytes(build_script())
    result = subprocess.run(
        [sys.executable, "-S", str(script), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(site), "PYTHONIOENCODING": "utf-8"},
    )
    return result.stdout


def test_the_program_needs_only_numpy_and_onnx_runtime(site: Path) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    lines = [" ".join(text.split()) for text in TEXTS]
    stdin = "".join(f"{line}\n" for line in lines)
    found = [
        json.loads(line)
        for line in run_script(site, "--json", "-", stdin=stdin).split("\n")[:-1]
    ]
    expected = NETWORKS.predictor().predict(lines)
    for one, two in zip(found, expected, strict=True):
        assert (one["text"], one["label"]) == (two.text, two.label)
        assert one["probs"] == pytest.approx(two.probs, abs=1e-5)
    assert run_script(site, "--check") == "all test vectors are right\n"


def test_the_check_finds_other_tokens_and_probabilities() -> None:
    export_onnx(NETWORKS.numpy, PATH)
    classifier = Classifier(PATH)
    assert list(predict_script.check(classifier)) == []
    classifier.token_ids["'"] = 1
    classifier.token_ids["oslo"] = 3
    problems = list(predict_script.check(classifier))
    assert any(problem.startswith("other token ids: ") for problem in problems)
    assert any(problem.startswith("probabilities differ by ") for problem in problems)


def test_a_line_has_label_probability_and_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    arguments = ["predict.py", "--model", str(PATH), "oslo", "rovers\n\tmeet"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert predict_script.main() == 0
    expected = NETWORKS.predictor().predict(["oslo", "rovers meet"])
    lines = [f"{one.label}\t{one.prob:.4f}\t{one.text}" for one in expected]
    assert capsys.readouterr().out.splitlines() == lines
    assert Classifier(PATH).predict(["oslo"]) == [expected[0].label]


def test_no_texts_are_an_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    monkeypatch.setattr(sys, "argv", ["predict.py", "--model", str(PATH)])
    with pytest.raises(SystemExit):
        predict_script.main()
    assert "no texts: expected texts" in capsys.readouterr().err


SEVERAL = build_networks(text=SECTION, task="several_labels")


def test_a_text_gets_the_labels_that_reach_their_threshold(site: Path) -> None:
    export_onnx(SEVERAL.numpy, PATH)
    expected = SEVERAL.predictor().predict(["oslo", "rovers meet", "."])
    texts = [prediction.text for prediction in expected]
    labels = [prediction.labels for prediction in expected]
    assert len({len(names) for names in labels}) > 1
    assert Classifier(PATH).predict_labels(texts) == labels
    lines = run_script(site, "--json", *texts).split("\n")[:-1]
    found = list(map(json.loads, lines))
    assert [line["labels"] for line in found] == labels
    assert [line["label"] for line in found] == [one.label for one in expected]
    assert run_script(site, "--check") == "all test vectors are right\n"


def test_labels_are_printed_in_one_field(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(SEVERAL.numpy, PATH)
    arguments = ["predict.py", "--model", str(PATH), "--threshold", "0", "oslo"]
    monkeypatch.setattr(sys, "argv", arguments)
    assert predict_script.main() == 0
    (expected,) = SEVERAL.predictor().predict("oslo")
    ranked = expected.top(3)
    probs = "|".join(f"{prob:.4f}" for _, prob in ranked)
    names = "|".join(name for name, _ in ranked)
    assert capsys.readouterr().out == f"{names}\t{probs}\toslo\n"


@pytest.mark.parametrize("threshold", ["-1", "1.5", "nan"])
def test_a_threshold_is_a_probability(
    threshold: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(SEVERAL.numpy, PATH)
    arguments = ["predict.py", "--model", str(PATH), "--threshold", threshold, "oslo"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        predict_script.main()
    assert "expected a probability from 0 to 1" in capsys.readouterr().err


def test_a_threshold_is_for_several_labels(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    arguments = ["predict.py", "--model", str(PATH), "--threshold", "0.3", "oslo"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit):
        predict_script.main()
    assert "--threshold: the model has one label a text" in capsys.readouterr().err
    assert Classifier(PATH).predict_labels(["oslo"]) == [
        [NETWORKS.predictor().predict("oslo")[0].label]
    ]


def call(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: bytes = b""
) -> int | str | None:
    """Run the program in this process and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["predict.py", "--model", str(PATH), *arguments])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    try:
        return predict_script.main()
    except SystemExit as error:
        return error.code


@pytest.mark.parametrize("networks", [NETWORKS, SEVERAL], ids=["one", "several"])
def test_a_prediction_that_is_not_certain_is_no_answer(
    networks: Networks,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export_onnx(networks.numpy, PATH)
    (expected,) = networks.predictor().predict("oslo")
    below, above = expected.confidence - 1e-3, expected.confidence + 1e-3
    assert call(monkeypatch, "--json", "--min-confidence", str(below), "oslo") == 0
    sure = json.loads(capsys.readouterr().out)
    assert sure["label"] == expected.label
    assert call(monkeypatch, "--json", "--min-confidence", str(above), "oslo") == 0
    unsure = json.loads(capsys.readouterr().out)
    assert unsure["label"] is None
    assert unsure["probs"] == sure["probs"]
    if networks is SEVERAL:
        assert (sure["labels"], unsure["labels"]) == (expected.labels, None)
        assert sure["confidence"] == pytest.approx(expected.confidence, abs=1e-5)
    assert call(monkeypatch, "--min-confidence", str(above), "oslo") == 0
    line = capsys.readouterr().out
    note = f"(no answer: the confidence is {expected.confidence:.4f})"
    assert line.startswith("\t")
    assert line.endswith(f"\toslo\t{note}\n")


def test_a_text_without_a_known_word_is_no_answer(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    arguments = ("--json", "--min-confidence", "0.01", "zzzz", "oslo")
    assert call(monkeypatch, *arguments) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert json.loads(first)["label"] is None
    assert json.loads(second)["label"] is not None
    assert call(monkeypatch, "zzzz", "oslo") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("\tzzzz\t(no known word)")
    assert second.endswith("\toslo")


@pytest.mark.parametrize("value", ["-0.1", "2", "nan", "much"])
def test_a_min_confidence_is_a_probability(
    value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(monkeypatch, "--min-confidence", value, "oslo") == 2
    assert "--min-confidence: " in capsys.readouterr().err


def test_a_missing_model_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert call(monkeypatch, "oslo") == 4
    expected = "model.onnx: cannot be read: No such file or directory\n"
    assert capsys.readouterr().err == expected


def damage(model: bytes, how: str) -> bytes:
    """Return a model that is cut, changed, empty, or no model."""
    middle = len(model) // 2
    changed = bytes([model[middle] ^ 1])
    return {
        "cut": model[:-10],
        "changed": model[:middle] + changed + model[middle + 1 :],
        "empty": b"",
        "text": b"not a model",
        "longer": model + b"\n",
    }[how]


@pytest.mark.parametrize("how", ["cut", "changed", "empty", "text", "longer"])
def test_a_damaged_model_is_refused(
    how: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    PATH.write_bytes(damage(PATH.read_bytes(), how))
    assert call(monkeypatch, "oslo") == 4
    expected = (
        "model.onnx: damaged, or not written by rnncls export: export the run again\n"
    )
    assert capsys.readouterr().err == expected
    with pytest.raises(ModelError, match=r"^model\.onnx: damaged"):
        Classifier(PATH)


def test_a_model_of_another_version_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    model = onnx.load_model_from_string(PATH.read_bytes())
    entries = {entry.key: entry.value for entry in model.metadata_props}
    del entries[SEAL]
    del model.metadata_props[:]
    changed = seal_model(model.SerializeToString(), {**entries, "format": "9"})
    PATH.write_bytes(changed)
    assert call(monkeypatch, "oslo") == 4
    assert "model.onnx: has format 9, this predict.py reads 1 and 2: use " in (
        capsys.readouterr().err
    )


def test_lines_that_are_not_utf8_are_refused_with_their_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    assert call(monkeypatch, "-", stdin=b"oslo\nz\xfcrich\n") == 3
    expected = "stdin: row 2: not UTF-8: convert the input first\n"
    assert capsys.readouterr().err == expected
    stdin = "\ufeffoslo\r\nrovers".encode()
    assert call(monkeypatch, "-", stdin=stdin) == 0
    texts = [line.split("\t")[2] for line in capsys.readouterr().out.splitlines()]
    assert texts == ["oslo", "rovers"]


def test_a_text_of_the_command_line_that_is_not_utf8_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    export_onnx(NETWORKS.numpy, PATH)
    assert call(monkeypatch, "oslo \udcff") == 0
    assert capsys.readouterr().out.endswith("\toslo ?\n")


def test_the_shipped_file_is_valid_and_needs_no_package_of_rnncls() -> None:
    source = build_script().decode()
    assert "import rnncls" not in source
    assert "from rnncls" not in source
    for name in ("Classifier", "Tokenizer", "SubwordSplitter", "main"):
        kind = "def" if name == "main" else "class"
        assert f"\n{kind} {name}" in source
    compile(source, "predict.py", "exec")
