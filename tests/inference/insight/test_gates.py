"""Gates and flags: against torch's modules and cells, and on weights set by hand."""

import numpy as np
import pytest
import torch

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from rnncls.inference.insight.gates import (
    encoder_of,
    trace_gates,
    unroll_layer,
)
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.kernels import reorder
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import assemble
from rnncls.text.encoded_texts import encode_texts
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import Vocab

WORDS = ["<pad>", "<unk>", "oslo", "rovers", "meet", "again"]
TEXTS = [
    "rovers meet oslo again",
    "oslo",
    "meet again rovers again oslo meet",
    "rovers meet",
]


def build(
    cell: str = "lstm",
    num_layers: int = 1,
    *,
    bidirectional: bool = True,
    size: int = 5,
    tokens_per_step: int = 1,
) -> Classifier:
    config = parse_config(
        f"data: {{train: none.csv}}\nmodel: {{cell: {cell}, num_layers: {num_layers},"
        f" bidirectional: {bidirectional}, embedding_dim: 6, hidden_size: {size},"
        f" tokens_per_step: {tokens_per_step}}}",
        "test.yaml",
    )
    torch.manual_seed(0)
    model = TextClassifier(config.model, len(WORDS), 2)
    with torch.no_grad():
        model.embedding.weight.mul_(15)
    return Classifier(config.text, Vocab(WORDS), ["sport", "world"], model)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_states_of_a_ragged_batch_equal_the_model_s(
    cell: str, num_layers: int, bidirectional: bool
) -> None:
    run = build(cell, num_layers, bidirectional=bidirectional)
    texts = encode_texts(tokenize_texts(TEXTS, run.text), run.vocab)
    batch = assemble(texts, np.arange(len(texts)))
    found = unroll_layer(run.model, batch, num_layers - 1)
    expected = encoder_of(run.model)(
        run.model.embedding(batch.token_ids.t()), batch.lengths
    )
    inside = batch.token_ids.t() != 0
    torch.testing.assert_close(
        found[0]["hidden"][inside], expected.forward[inside], rtol=0, atol=1e-5
    )
    assert len(found) == 1 + bidirectional
    if bidirectional:
        torch.testing.assert_close(
            found[1]["hidden"][inside], expected.backward[inside], rtol=0, atol=1e-5
        )


def test_a_trace_is_in_the_order_of_the_text() -> None:
    run = build("lstm")
    trace = trace_gates(run, TEXTS[0])
    texts = encode_texts(tokenize_texts(TEXTS[:1], run.text), run.vocab)
    batch = assemble(texts, np.arange(1))
    states = encoder_of(run.model)(
        run.model.embedding(batch.token_ids.t()), batch.lengths
    )
    assert states.reverse_index is not None
    back = reorder(states.backward, states.reverse_index)[:, 0]
    np.testing.assert_allclose(
        trace.directions["backward"]["hidden"], back.detach(), atol=1e-5
    )
    np.testing.assert_allclose(
        trace.directions["forward"]["hidden"], states.forward[:, 0].detach(), atol=1e-5
    )
    assert trace.tokens == TEXTS[0].split()
    assert [TEXTS[0][start:end] for start, end in trace.spans] == trace.tokens
    assert list(trace.directions["forward"]) == [
        "hidden",
        "cell",
        "input",
        "forget",
        "output",
    ]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_trace_has_the_tokens_of_each_step(*, bidirectional: bool) -> None:
    text = "Rovers meet  oslo again zzz"
    run = build("lstm", bidirectional=bidirectional, tokens_per_step=2)
    trace = trace_gates(run, text)
    assert trace.tokens == ["rovers meet", "oslo again", "zzz"]
    written = [text[start:end] for start, end in trace.spans]
    assert written == ["Rovers meet", "oslo again", "zzz"]
    vectors = run.model.embedding.weight.detach()  # [V, E]
    ids = run.vocab.encode(["rovers", "meet", "oslo", "again", "zzz"])
    steps = [ids[start : start + 2].tolist() for start in range(0, len(ids), 2)]
    sums = torch.stack([vectors[step].sum(dim=0) for step in steps])
    states = encoder_of(run.model)(sums[:, None], torch.tensor([3]))
    np.testing.assert_allclose(
        trace.directions["forward"]["hidden"], states.forward[:, 0].detach(), atol=1e-5
    )
    assert len(trace.directions) == 1 + bidirectional
    assert {len(values["cell"]) for values in trace.directions.values()} == {3}
    place = int(np.argmax(trace.jumps("forward")))
    assert f"moves most at step {place + 1}, '{written[place]}'" in trace.meaning()


def test_means_and_jumps_are_worked_out_from_the_values() -> None:
    trace = trace_gates(build("lstm"), TEXTS[0])
    for way, step in (("forward", 1), ("backward", -1)):
        cell = np.array(trace.directions[way]["cell"])[::step]
        lengths = [
            float(np.sqrt(((now - then) ** 2).sum()))
            for now, then in zip(cell, [cell[0] * 0, *cell], strict=False)
        ]
        assert trace.jumps(way)[::step] == pytest.approx(lengths)
        assert trace.means(way)["cell"][::step] == pytest.approx(
            [float(np.mean(np.abs(row))) for row in cell]
        )


@pytest.mark.parametrize(
    ("cell", "kept"), [("rnn", ""), ("lstm", "forget"), ("gru", "update")]
)
def test_a_trace_says_what_it_means(cell: str, kept: str) -> None:
    trace = trace_gates(build(cell, bidirectional=False), TEXTS[0])
    place = int(np.argmax(trace.jumps("forward")))
    meaning = trace.meaning()
    moved = "cell" if cell == "lstm" else "state"
    distance = trace.jumps("forward")[place]
    assert (
        f"the {moved} vector moves most at token {place + 1}, '{trace.tokens[place]}'"
        f" (distance {distance:.2f})" in meaning
    )
    if kept:
        mean = np.mean(trace.directions["forward"][kept])
        assert f"mean {kept} gate {mean:.2f}; " in meaning
    else:
        assert "gate" not in meaning


@pytest.mark.parametrize("cell", ["grid_lstm", "none"])
def test_a_cell_without_such_gates_is_refused_by_name(cell: str) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"model\.cell: {cell} has no gates .* use a run with rnn, lstm or gru",
    ):
        trace_gates(build(cell), "oslo")


def test_a_layer_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="--layer: expected 1 to 2, found 3"):
        trace_gates(build("gru", num_layers=2), "oslo", 3)
