"""Words of a file of vectors (`text.vector_words`) in all that reads runs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls import ConfigError, RunError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.data.loading import load_split, load_training_data
from rnncls.evaluation.error_slices import unknown_shares
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.page.page_export import PageOptions, export_page
from rnncls.inference.export.page.weights import limit_words
from rnncls.inference.export.run_export import export_run
from rnncls.inference.insight.explanation import explain
from rnncls.inference.light.network import compute_outputs
from rnncls.inference.predictor import Predictor
from rnncls.machine.arrays import load_arrays
from rnncls.runs.companions import load_run_config, load_vocab
from rnncls.runs.folder import LANGUAGE_MODEL, MODEL, RunFolder
from rnncls.runs.portable import load_portable
from rnncls.runs.run import load_run
from rnncls.runs.weights import load_verified
from rnncls.training.cross_validation import cross_validate
from rnncls.training.initialization import build_model, initial_model_of
from rnncls.training.pretraining import pretrain
from rnncls.training.run import train
from tests.builders import RESUME, RESUME_WITH_CHANGES, check_exact_resume
from tests.conftest import toy_yaml, write_toy_csv

MakeConfig = Callable[..., Config]
RUN = Path("run")
# Teams are near each other, and so are cities: a new word is read by its vector.
VECTORS = """\
meet 0 0.1 0
oslo -1 0.9 0.1
rovers 1 0.9 -0.1
U.S. 9 9 9
lima -1 1.1 0
wolves 1 1.0 0.1
albion 1.01 1.0 0
bergen -1.01 1.0 0
never 0 -1 0
"""
OPTIONS = ("text.vectors=vectors.txt", "text.vector_words=2")
LONGER = ("train.max_epochs=4", "model.word_dropout=0.1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the toy file, the vectors and a run that was trained once."""
    folder = tmp_path_factory.mktemp("trained")
    write_toy_csv(folder / "toy.csv")
    (folder / "vectors.txt").write_text(VECTORS, encoding="utf-8")
    options = [f"text.vectors={folder / 'vectors.txt'}", *OPTIONS[1:], *LONGER]
    yaml = toy_yaml(folder / "toy.csv")
    train(parse_config(yaml, "toy.yaml", options), folder / RUN)
    return folder


@pytest.fixture(autouse=True)
def _vectors() -> None:
    Path("vectors.txt").write_text(VECTORS, encoding="utf-8")


@pytest.fixture
def run(trained: Path) -> Path:
    """A copy of the trained run."""
    shutil.copytree(trained / RUN, RUN)
    return RUN


@pytest.fixture
def config(trained: Path) -> Config:
    """The config of the trained run."""
    return load_run_config(trained / RUN)


def test_the_first_words_of_the_file_follow_those_of_the_training_rows(
    make_config: MakeConfig,
) -> None:
    vocab = load_training_data(make_config(*OPTIONS).data_settings).vocab
    assert {"<pad>", "<unk>", "rovers", "oslo"} <= set(vocab.trained_words)
    # "U.S." is no token of the tokenizer, and trained words are not repeated.
    assert vocab.vector_words == ["albion", "bergen"]
    assert vocab.words == [*vocab.trained_words, "albion", "bergen"]


def test_training_rows_have_unk_for_such_words(make_config: MakeConfig) -> None:
    config = make_config(*OPTIONS[:1], "text.vector_words=9", "text.max_vocab=5")
    data = load_training_data(config.data_settings)
    assert "rovers" in data.vocab.vector_words
    assert data.train.texts.token_ids.max() < 5
    assert data.valid.texts.token_ids.max() >= 5


def test_without_the_key_or_without_vectors_nothing_is_added(
    make_config: MakeConfig,
) -> None:
    for options in (["text.vectors=vectors.txt"], ["text.vector_words=6"]):
        vocab = load_training_data(make_config(*options).data_settings).vocab
        assert vocab.num_vector_words == 0


def test_a_word_of_the_file_has_its_vector_and_zeros_and_keeps_them(run: Path) -> None:
    classifier = load_run(run).classifier
    row = classifier.vocab.words.index("albion")
    assert row >= len(classifier.vocab.trained_words)
    vector = classifier.model.embedding.weight[row]
    expected = torch.tensor([1.01, 1.0, 0.0]).half().float()
    assert torch.equal(vector[:3], expected)
    assert not vector[3:].any()


def test_a_word_that_no_training_row_has_is_read_by_its_vector(run: Path) -> None:
    assert "albion" not in Path(run / "vocab.txt").read_text().split()
    predictor = Predictor(load_run(run).classifier, torch.device("cpu"))
    predictions = predictor.predict(["albion meet oslo", "oslo meet albion"])
    assert [each.label for each in predictions] == ["sport", "world"]
    assert [each.num_unknown for each in predictions] == [0, 0]


def test_the_file_has_float16_vectors_of_these_words(run: Path) -> None:
    arrays, _ = load_arrays(run / MODEL)
    num_trained = len(load_vocab(run).trained_words)
    assert arrays["embedding.weight"].shape == (num_trained, 8)
    assert arrays["embedding.vector_words"].shape == (2, 2)  # the third column is 0
    assert arrays["embedding.vector_words"].dtype == np.float16
    words = (run / "vector-words.txt").read_text().splitlines()
    assert words == load_vocab(run).vector_words


def test_a_missing_or_changed_list_of_words_is_an_error(run: Path) -> None:
    file = RunFolder(run).vector_words
    content = file.read_text()
    file.unlink()
    with pytest.raises(RunError, match="the weights do not fit the config"):
        load_run(run)
    with pytest.raises(RunError, match="the weights do not fit the config"):
        load_portable(run)
    file.write_text(content.replace("albion", "elbion"))
    with pytest.raises(RunError, match=r"vector-words\.txt: damaged"):
        load_run(run)


@pytest.mark.usefixtures("toy_csv")
def test_all_runtimes_compute_the_same(run: Path, config: Config) -> None:
    loaded = load_run(run)
    classifier = loaded.classifier
    text = Path("toy.csv").read_text().replace("wolves", "albion")
    Path("new.csv").write_text(text.replace("lima", "york"))
    split, _ = load_split(
        config.data_settings,
        "test",
        classifier.vocab,
        classifier.label_names,
        Path("new.csv"),
    )
    assert unknown_shares(split.texts).max() > 0
    assert (split.texts.token_ids >= len(classifier.vocab.trained_words)).any()
    expected = compute_logits(classifier.model, split.texts)
    light = compute_outputs(load_portable(run), split.texts).logits
    torch.testing.assert_close(torch.from_numpy(light), expected, rtol=0, atol=1e-5)


def test_a_run_can_be_exported(run: Path) -> None:
    exported = export_run(run, Path("run.onnx"))
    assert exported.path.is_file()
    page = export_page(run, Path("run.html"), PageOptions())
    assert page.num_words == len(load_vocab(run))
    content = Path("run.html").read_text(encoding="utf-8")
    assert '"albion"' in content


def test_a_small_page_leaves_out_words_of_the_file_first(run: Path) -> None:
    classifier = load_portable(run)
    trained_words = classifier.vocab.trained_words
    small = limit_words(classifier, len(trained_words) + 1)
    assert small.vocab.words == [*trained_words, "albion"]


def test_an_explanation_names_such_a_word_as_known(run: Path) -> None:
    classifier = load_run(run).classifier
    explanation = explain(classifier, "albion meet never")
    assert [token.is_known for token in explanation.tokens] == [True, True, False]


def test_an_unchanged_resume_is_exact(run: Path, config: Config) -> None:
    before, *_ = load_verified(run, MODEL)
    train(config, run, RESUME)
    after, *_ = load_verified(run, MODEL)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_a_training_goes_on_exactly_where_it_stopped(make_config: MakeConfig) -> None:
    config = make_config(*OPTIONS, *LONGER, "train.average=0.9")
    check_exact_resume(config, RUN)


def test_a_run_can_be_resumed_without_the_file_of_vectors(
    run: Path, trained: Path, config: Config
) -> None:
    (trained / "vectors.txt").rename(trained / "elsewhere.txt")
    try:
        longer = config.replace(train=config.train.replace(max_epochs=6))
        train(longer, run, RESUME)
    finally:
        (trained / "elsewhere.txt").rename(trained / "vectors.txt")
    assert load_vocab(run).num_vector_words == 2


def test_a_run_is_continued_with_new_words_and_those_of_the_file(
    run: Path, make_config: MakeConfig
) -> None:
    text = Path("toy.csv").read_text()
    Path("new.csv").write_text(text.replace("wolves", "albion").replace("lima", "york"))
    summary = train(
        make_config(
            *OPTIONS,
            f"model.pretrained={run}",
            "data.train=new.csv",
            "data.test=null",
            "train.max_epochs=1",
            "train.lr=1e-9",
            "train.replay=0",
        ),
        Path("continued"),
        becomes_latest=False,
    )
    before, after = load_run(run).classifier, load_run(Path("continued")).classifier
    num_earlier = len(before.vocab.trained_words)
    assert after.vocab.trained_words[:num_earlier] == before.vocab.trained_words
    # One of the new words was a word of the file.
    assert set(after.vocab.trained_words[num_earlier:]) == {"albion", "york"}
    assert after.vocab.vector_words == ["bergen", "never"]
    assert summary["from"]["num_new_words"] == 2
    old, new = before.model.embedding.weight, after.model.embedding.weight
    torch.testing.assert_close(new[:num_earlier], old[:num_earlier], rtol=0, atol=1e-5)
    expected = torch.tensor([-1.01, 1, 0, 0, 0, 0, 0, 0]).half().float()
    assert torch.equal(new[-2], expected)


def test_a_language_model_has_none_and_the_classifier_that_starts_from_it_has(
    make_config: MakeConfig,
) -> None:
    options = [*OPTIONS, "pretrain.max_epochs=1"]
    pretrain(make_config(*options), Path("lm"))
    assert load_vocab(Path("lm")).num_vector_words == 0
    weights, *_ = load_verified(Path("lm"), LANGUAGE_MODEL)
    config = make_config(*options, "model.pretrained=lm", "train.lr=1e-9")
    train(config, RUN)
    loaded = load_run(RUN)
    embedding = loaded.classifier.model.embedding.weight
    assert loaded.classifier.vocab.vector_words == ["albion", "bergen"]
    expected = weights["embedding.weight"]
    torch.testing.assert_close(embedding[:-2], expected, rtol=0, atol=1e-5)
    assert torch.equal(embedding[-2:], initial_model_of(loaded).embedding.weight[-2:])


def test_cross_validation_reads_them(make_config: MakeConfig) -> None:
    options = [*OPTIONS[:1], "text.max_vocab=5", *LONGER]
    with_words = cross_validate(make_config(*options, "text.vector_words=9"), 2)
    without = cross_validate(make_config(*options), 2)
    assert (with_words.logits != without.logits).any()


def test_a_number_too_large_for_float16_is_an_error(make_config: MakeConfig) -> None:
    Path("vectors.txt").write_text("albion 1 2 70000\n", encoding="utf-8")
    config = make_config(*OPTIONS)
    data = load_training_data(config.data_settings)
    with pytest.raises(ConfigError, match=r"a vector has a number beyond 65504"):
        build_model(config.model, config.text.vectors, data)


def test_a_trained_run_cannot_get_such_words(make_config: MakeConfig) -> None:
    train(make_config("train.max_epochs=1"), RUN)
    with pytest.raises(RunError, match="words"):
        train(make_config(*OPTIONS), RUN, RESUME_WITH_CHANGES)
