"""A run as NumPy arrays: the arrays of torch, verified in the same way."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rnncls import RunError
from rnncls.config.sections import ModelSection
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.portable import list_shapes, load_portable
from rnncls.runs.weights import save_model, save_temperature


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_listed_arrays_are_those_of_the_network(
    cell: str, *, bidirectional: bool
) -> None:
    section = ModelSection().replace(
        cell=cell,
        bidirectional=bidirectional,
        embedding_dim=5,
        hidden_size=4,
        num_layers=2,
        pooling=["attention", "last", "max"],
    )
    network = TextClassifier(section, 11, 3)
    shapes = {name: tuple(array.shape) for name, array in network.state_dict().items()}
    assert list_shapes(section, 11, 3) == shapes


def test_arrays_words_classes_and_temperature_are_those_of_the_run(
    run: Path, model: TextClassifier
) -> None:
    save_temperature(run, 1.25)
    portable = load_portable(run)
    assert portable.temperature == 1.25
    assert portable.label_names == ["sport", "welt: 世界"]
    assert portable.vocab.words[2] == "oslo"
    assert portable.weights.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(portable.weights[name], tensor.numpy())


def test_weights_of_another_shape_name_file_and_array(
    run: Path, model: TextClassifier
) -> None:
    save_model(run, model.linear)
    with pytest.raises(
        RunError, match=r"model\.safetensors: the weights do not fit the config: bias"
    ):
        load_portable(run)


def test_a_file_of_another_run_is_rejected(run: Path, other_run: Path) -> None:
    (run / "vocab.txt").write_bytes((other_run / "vocab.txt").read_bytes())
    with pytest.raises(RunError, match=r"vocab\.txt: damaged, or not from the run"):
        load_portable(run)


def test_a_run_is_read_without_torch(run: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from rnncls.runs.portable import"
        " load_portable; load_portable(Path(sys.argv[1])); print('torch' in"
        " sys.modules)"
    )
    arguments = [sys.executable, "-c", program, str(run)]
    result = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
