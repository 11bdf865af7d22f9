"""Any network predicts in ONNX Runtime what it predicts in torch; damage is found."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rnncls import RunError
from rnncls.config.sections import TextSection
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.onnx_export import encode_texts, export_onnx
from rnncls.inference.export.onnx_file import load_onnx
from rnncls.inference.export.predict_script import Classifier, open_session, pad
from rnncls.inference.onnx_predictor import load_onnx_predictor
from tests.fuzz.cases import attempt, damaged, fuzz, texts
from tests.fuzz.test_light import build_drawn, networks, ngram_parts, sections
from tests.inference.light.networks import add_scope, build_networks

PATH = Path("model.onnx")
any_texts = st.lists(texts(), min_size=1, max_size=12)


@fuzz(
    network=networks,
    section=sections,
    ngram_part=ngram_parts,
    given_texts=any_texts,
    is_single=st.integers(0, 3).map(lambda number: number == 0),
)
def test_any_network_has_the_probabilities_of_torch(
    network: dict[str, Any],
    section: TextSection,
    ngram_part: str,
    given_texts: list[str],
    *,
    is_single: bool,
) -> None:
    built = build_drawn(network, section, ngram_part)
    export_onnx(built.numpy, PATH, is_single=is_single)
    encoded = built.encode(given_texts)
    model = built.torch.model
    expected = model.compute_probs(compute_logits(model, encoded)).numpy()
    found = Classifier(PATH).predict_proba(given_texts)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    if not is_single:
        token_ids = pad(encode_texts(built.numpy, given_texts))
        session = open_session(load_onnx(PATH).model)
        (ragged,) = session.run(["probs"], {"token_ids": token_ids})
        np.testing.assert_allclose(ragged, expected, rtol=0, atol=2e-5)


@fuzz(
    network=networks,
    section=sections,
    ngram_part=ngram_parts,
    given_texts=any_texts,
)
def test_any_text_fits_a_class_in_all_runtimes_or_in_none(
    network: dict[str, Any],
    section: TextSection,
    ngram_part: str,
    given_texts: list[str],
) -> None:
    network = {**network, "task": "one_label"}
    built = add_scope(build_drawn(network, section, ngram_part), given_texts)
    expected = [text.fits for text in built.predictor().predict(given_texts)]
    assert [text.fits for text in built.light().predict(given_texts)] == expected
    export_onnx(built.numpy, PATH)
    predictions = load_onnx_predictor(PATH).predict(given_texts)
    assert [text.fits for text in predictions] == expected
    assert Classifier(PATH).find_fitting(given_texts) == expected


def make_file() -> bytes:
    """Return the bytes of a small file."""
    path = Path("small.onnx")
    export_onnx(build_networks(embedding_dim=2, hidden_size=2).numpy, path)
    return path.read_bytes()


@fuzz(share=2.0, data=st.data())
def test_any_damage_is_found(data: st.DataObject) -> None:
    content = make_file()
    PATH.write_bytes(data.draw(damaged(st.just(content))))
    found = attempt(lambda: load_onnx(PATH), RunError)
    if not isinstance(found, RunError):
        assert found.model == content
