"""What is saved of texts of no class."""

import json
from pathlib import Path

import numpy as np

from rnncls.evaluation.outside import load_outside
from rnncls.evaluation.scope import OutsideResult, score_scope
from rnncls.machine.files import write_json


def test_only_a_result_on_the_same_texts_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "eval-test.json"
    assert load_outside(file, "a") is None
    data = {"sha256": "a"}
    write_json(file, {"data": data})  # without --outside
    assert load_outside(file, "a") is None
    scores = score_scope(np.arange(50.0), np.arange(30.0), 9.0, np.ones(50, np.bool_))
    result = OutsideResult("other.csv", "b", scores)
    write_json(file, {"data": data, "outside": result.to_dict()})
    assert load_outside(file, "c") is None
    loaded = load_outside(file, "a")
    assert loaded is not None
    assert json.dumps(loaded.to_dict()) == json.dumps(result.to_dict())
