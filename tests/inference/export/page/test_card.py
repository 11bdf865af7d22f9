"""The model card of the page."""

from pathlib import Path

from rnncls.inference.export.page.card import describe_run
from tests.inference.light.networks import Networks, add_ngrams, build_networks


def describe(networks: Networks) -> dict[str, str]:
    return dict(describe_run(Path("no-files"), networks.numpy))


def test_a_network_has_its_size_and_its_temperature() -> None:
    facts = describe(build_networks(temperature=2.5))
    assert facts["Network"].startswith("lstm, 1 layer, ")
    assert facts["Calibration"] == (
        "the logits are divided by 2.500, fitted on validation texts"
    )
    assert "N-grams" not in facts


def test_a_network_with_ngrams_names_both() -> None:
    networks = add_ngrams(build_networks(temperature=2.5))
    assert networks.numpy.ngrams is not None
    facts = describe(networks)
    assert facts["Network"].startswith("lstm, 1 layer, ")
    num_ngrams = len(networks.numpy.ngrams.keys)
    assert facts["N-grams"] == (
        f"a linear model of {num_ngrams} n-grams of up to 3 tokens, added to the logits"
        " of the network"
    )
    assert facts["Calibration"] == (
        "the logits of the network are divided by 2.500, the logits of the n-grams are"
        " multiplied by 0.700, fitted on validation texts"
    )


def test_ngrams_alone_have_no_network() -> None:
    facts = describe(add_ngrams(build_networks(), is_alone=True))
    assert "Network" not in facts
    assert facts["N-grams"].endswith("n-grams of up to 3 tokens")
    assert facts["Calibration"] == (
        "the logits of the n-grams are multiplied by 0.700, fitted on validation texts"
    )


def test_a_run_without_a_temperature_is_not_calibrated() -> None:
    facts = describe(build_networks())
    assert facts["Calibration"] == "the probabilities are not calibrated"


def test_several_labels_have_thresholds() -> None:
    facts = describe(build_networks(task="several_labels"))
    assert facts["Labels"].startswith("3: sport, ")
    assert facts["Thresholds"] == (
        "a text has a label from a probability of 30% to 60% on"
    )
