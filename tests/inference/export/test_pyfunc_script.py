"""The script that MLflow loads; with MLflow, tests/inference/engines/test_mlflow.py."""

import pandas as pd
import pytest

from rnncls.inference.export import pyfunc_script
from tests.inference.engines.models import PATH, TEXTS, load_networks


@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_a_table_has_the_predictions_of_the_file(task: str) -> None:
    classifier = load_networks(task=task, tells_fits=task == "one_label")
    model = pyfunc_script._load_pyfunc(str(PATH))
    table = pd.DataFrame({"text": TEXTS}, index=range(3, 3 + len(TEXTS)))
    found = model.predict(table)
    assert found.index.equals(table.index)
    predictions = classifier(TEXTS)
    assert found["label"].tolist() == [each.label for each in predictions]
    assert found["prob"].tolist() == pytest.approx([each.prob for each in predictions])
    for probs, prediction in zip(found["probs"], predictions, strict=True):
        assert probs == pytest.approx(list(prediction.probs.values()))
    if task == "several_labels":
        assert found["labels"].tolist() == [each.labels for each in predictions]
        assert "fits" not in found
    else:
        assert "labels" not in found
        assert found["fits"].tolist() == [each.fits for each in predictions]
        assert found["fits"].nunique() == 2


def test_a_missing_text_is_named() -> None:
    load_networks()
    model = pyfunc_script._load_pyfunc(str(PATH))
    with pytest.raises(TypeError, match=r"text\[1\]: expected a string, found nan"):
        model.predict(pd.DataFrame({"text": ["a", None]}))
    assert model.predict(pd.DataFrame({"text": []})).empty
