"""The model card of the page."""

from pathlib import Path

from rnncls.inference.export.page.card import describe_run
from rnncls.machine.files import write_json
from rnncls.nn.scope import ScopeRule
from tests.inference.light.networks import (
    Networks,
    add_ngrams,
    build_networks,
    set_rule,
)


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


def test_the_card_says_how_many_texts_fit_none_of_the_classes(tmp_path: Path) -> None:
    networks = set_rule(build_networks(), ScopeRule(1.0, 2.0))
    fact = "a text that is less like the classes than 95% of the validation texts"
    assert describe(networks)["Fits none of the classes"] == fact
    outside = {"path": "a/others.csv", "auroc": 0.96321, "stored": {"recall": 0.789}}
    scores = {"accuracy": 0.9, "accuracy_interval": (0.8, 0.95), "macro_f1": 0.9}
    evaluation = {**scores, "fits": {"kept": 0.96}, "outside": outside}
    write_json(tmp_path / "eval-test.json", evaluation)
    facts = dict(describe_run(tmp_path, networks.numpy))
    assert facts["Fits none of the classes"] == (
        f"{fact}; 4.00% of the test texts; 78.90% of the texts of no class in"
        " others.csv; AUROC 0.9632"
    )
    assert "Fits none of the classes" not in describe(build_networks())


def test_several_labels_have_thresholds() -> None:
    facts = describe(build_networks(task="several_labels"))
    assert facts["Labels"].startswith("3: sport, ")
    assert facts["Thresholds"] == (
        "a text has a label from a probability of 30% to 60% on"
    )
