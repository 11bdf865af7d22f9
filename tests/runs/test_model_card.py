"""The model card."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rnncls.config.loading import parse_config
from rnncls.runs.model_card import model_card

SUMMARY: dict[str, Any] = {
    "best_epoch": 3,
    "num_epochs": 5,
    "valid": {
        "accuracy": 0.91237,
        "accuracy_interval": (0.905, 0.9193),
        "macro_f1": 0.90128,
        "loss": 0.234567,
    },
    "num_parameters": 1_234_567,
    "label_names": ["sport", "world"],
    "data": {
        "files": {"train": {"path": "toy.csv", "num_rows": 120_000}},
        "num_train_rows": 114_000,
        "num_valid_rows": 6_000,
    },
    "versions": {"rnncls": "9.8.7"},
    "temperature": 0.7284,
}


@pytest.mark.parametrize(
    "fact",
    [
        "# my run\n",
        "rnncls 9.8.7",
        "cell `gru`",
        "embedding 7, hidden size 9, 2 layer(s)",
        "one direction,\n1,234,567 parameters",
        "Classes: sport, world.",
        "- train: `toy.csv`, 120,000 rows",
        "Trained on 114,000 rows; 6,000 validation rows selected the\nbest epoch.",
        (
            "Validation, epoch 3 of 5: accuracy 91.24%\n(95% interval 90.50% to"
            " 91.93%), macro-F1 90.13%, loss 0.2346"
        ),
        "the logits are divided by 0.728, the number that gives the lowest loss",
        "rnncls predict \"a text\" --run 'runs/my run'\n",
    ],
)
def test_the_model_card_says(fact: str) -> None:
    text = """
    data: {train: none.csv}
    model:
      {cell: gru, embedding_dim: 7, hidden_size: 9, num_layers: 2, bidirectional: false}
    """
    assert fact in model_card(
        parse_config(text, "test.yaml").model, SUMMARY, Path("runs/my run")
    )


def test_the_model_card_says_where_probabilities_are_not_calibrated() -> None:
    card = model_card(
        parse_config("data: {train: none.csv}", "test.yaml").model,
        {**SUMMARY, "temperature": 1.0},
        Path("run"),
    )
    assert "\nProbabilities are not calibrated.\n" in card


def test_the_model_card_of_a_run_whose_name_is_no_utf8_can_be_written() -> None:
    card = model_card(
        parse_config("data: {train: none.csv}", "test.yaml").model,
        SUMMARY,
        Path("run \udcff"),
    )
    assert "\n# run \\udcff\n" in card
    assert read_metadata(card)["model-index"][0]["name"] == "run \\udcff"


def read_metadata(card: str) -> dict[str, Any]:
    """Return the metadata between the first two lines of three dashes."""
    opening, metadata, _ = card.split("---\n", maxsplit=2)
    assert opening == ""
    values: dict[str, Any] = yaml.safe_load(metadata)
    return values


def make_card(model: str = "{}", **summary: Any) -> str:
    config = parse_config(f"data: {{train: none.csv}}\nmodel: {model}", "test.yaml")
    return model_card(config.model, {**SUMMARY, **summary}, Path("runs/my: run"))


def test_the_metadata_names_the_library_the_task_and_the_cell() -> None:
    metadata = read_metadata(make_card("{cell: grid_lstm}"))
    del metadata["model-index"]
    assert metadata == {
        "library_name": "rnncls",
        "pipeline_tag": "text-classification",
        "tags": ["rnncls", "recurrent-neural-network", "grid-lstm"],
    }


NGRAMS = {"num_ngrams": 12_345, "max_size": 3, "scale": 0.8371}


def test_the_card_names_the_factors_of_both_parts() -> None:
    card = make_card("{ngrams: auto}", ngrams=NGRAMS)
    assert "1,234,567 parameters;\na linear model of 12,345 n-grams of up to 3" in card
    network = "the network's logits are divided by 0.728 and the n-grams' logits"
    assert f"{network} multiplied by 0.837, the numbers" in card


def test_the_card_of_ngrams_alone_has_their_factor_and_no_network() -> None:
    card = make_card("{ngrams: alone}", ngrams=NGRAMS, temperature=1.0)
    assert "made by rnncls 9.8.7: a linear model of 12,345 n-grams of up to 3" in card
    assert "the n-grams' logits are multiplied by 0.837, the number" in card
    assert read_metadata(card)["tags"] == ["rnncls", "bag-of-ngrams"]


def test_the_card_of_a_network_that_is_left_out_has_the_ngrams_alone() -> None:
    ngrams = {**NGRAMS, "is_network_used": False}
    card = make_card("{ngrams: auto}", ngrams=ngrams, temperature=1.0)
    assert "made by rnncls 9.8.7: a linear model of 12,345 n-grams of up to 3" in card
    assert "the n-grams' logits are multiplied by 0.837, the number" in card


def test_ngrams_alone_without_a_factor_are_not_calibrated() -> None:
    ngrams = {**NGRAMS, "scale": 1.0}
    card = make_card("{ngrams: alone}", ngrams=ngrams, temperature=1.0)
    assert "\nProbabilities are not calibrated.\n" in card


def test_a_bag_of_words_has_no_tag_of_a_recurrent_network() -> None:
    metadata = read_metadata(make_card("{cell: none}"))
    assert metadata["tags"] == ["rnncls", "bag-of-words"]


def test_the_metadata_has_the_scores_with_their_interval() -> None:
    (entry,) = read_metadata(make_card())["model-index"]
    (result,) = entry["results"]
    assert entry["name"] == "my: run"
    assert result == {
        "task": {"type": "text-classification", "name": "Text classification"},
        "dataset": {"name": "toy.csv", "type": "toy", "split": "validation"},
        "metrics": [
            {
                "type": "accuracy",
                "value": 0.9124,
                "name": "Accuracy (95% interval 90.50% to 91.93%)",
            },
            {
                "type": "f1",
                "value": 0.9013,
                "name": "Macro-F1",
                "args": {"average": "macro"},
            },
        ],
    }


def test_the_dataset_is_the_file_of_the_validation_rows() -> None:
    files = {
        "train": {"path": "a/train.csv", "num_rows": 2},
        "valid": {"path": "b/täglich #1: \udcff.csv", "num_rows": 2},
    }
    data = {**SUMMARY["data"], "files": files}
    (entry,) = read_metadata(make_card(data=data))["model-index"]
    assert entry["results"][0]["dataset"]["name"] == "täglich #1: \\udcff.csv"


@pytest.mark.parametrize(
    ("path", "name", "identifier"),
    [
        ("data/ag_news/train.csv", "ag_news/train.csv", "ag_news"),
        ("train.csv", "train.csv", "train"),
    ],
)
def test_a_file_that_is_called_train_is_named_by_its_folder(
    path: str, name: str, identifier: str
) -> None:
    data = {**SUMMARY["data"], "files": {"train": {"path": path, "num_rows": 2}}}
    (entry,) = read_metadata(make_card(data=data))["model-index"]
    dataset = entry["results"][0]["dataset"]
    assert (dataset["name"], dataset["type"]) == (name, identifier)


def test_no_licence_is_invented() -> None:
    card = make_card()
    assert "license" not in read_metadata(card)
    assert "\n# license: add the licence of the model" in card


@pytest.mark.slow
def test_hugging_face_accepts_the_metadata() -> None:
    repocard = pytest.importorskip("huggingface_hub.repocard_data")
    metadata = read_metadata(make_card())
    (entry,) = metadata["model-index"]
    data = repocard.ModelCardData(ignore_metadata_errors=False, **metadata)
    accuracy, macro_f1 = data.eval_results
    assert data.model_name == entry["name"]
    assert (accuracy.metric_type, accuracy.metric_value) == ("accuracy", 0.9124)
    assert (macro_f1.metric_args, macro_f1.dataset_name) == (
        {"average": "macro"},
        "toy.csv",
    )


def test_the_card_of_several_labels_has_both_f1_and_no_class() -> None:
    valid = {**SUMMARY["valid"], "micro_f1": 0.5381}
    card = make_card("{task: several_labels}", valid=valid)
    assert "Labels, of which a text may have several: sport, world." in card
    assert "epoch 3 of 5: micro-F1 53.81%, all labels right 91.24%\n(95%" in card
    assert "A text gets every label that reaches its\nthreshold, perhaps none." in card
    (result,) = read_metadata(card)["model-index"][0]["results"]
    names = [metric["name"] for metric in result["metrics"]]
    assert names[0].startswith("Accuracy of the label sets (95% interval ")
    assert names[1:] == ["Micro-F1", "Macro-F1"]
