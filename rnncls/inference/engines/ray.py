"""Classify data sets of Ray Data, and serve a model with Ray Serve: `rnncls.ray`.

dataset.map_batches(
    rnncls.ray.Classify,
    fn_constructor_args=("model.onnx",),
    batch_size=1024,
    compute=ray.data.ActorPoolStrategy(size=2),
)
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rnncls.inference.prediction_columns import (
    Array,
    Model,
    classify_arrays,
    classify_table,
    load_model,
)

if TYPE_CHECKING:
    from pandas import DataFrame


class Classify:
    """A function of a batch of rows, which adds columns with their predictions.

    It works with `map_batches` of Ray Data, `map_partitions` of Dask, and on a
    DataFrame of pandas. The columns are `label`, `prob` and `probs`, in the order of
    `classes_` of the loaded model; and `labels`, a list, if a text may have several. A
    column of the input with such a name is renamed, `label` to `input_label`.
    """

    def __init__(self, model: Model, column: str = "text") -> None:
        """Load the model.

        Args:
            model: An .onnx file that every worker can read, or what `rnncls.load`
                returned: then the engine sends the weights to the workers.
            column: The column of the texts.

        Raises:
            RunError: The model is missing or damaged.
            ConfigError: ONNX Runtime is not installed.
        """
        self._classifier = load_model(model)
        self._column = column

    def __call__(
        self, batch: "Mapping[str, Array] | DataFrame"
    ) -> "dict[str, Array] | DataFrame":
        """Return the batch with the predictions.

        Args:
            batch: A dictionary of arrays, or a DataFrame of pandas.

        Returns:
            The same kind of batch.

        Raises:
            DataError: It has no column of texts.
            TypeError: A text is not a string; or the batch is of another kind.
        """
        if isinstance(batch, Mapping):
            return classify_arrays(self._classifier, batch, self._column)
        if hasattr(batch, "assign"):
            return classify_table(self._classifier, batch, self._column)
        raise TypeError(
            "batch: expected a dictionary of arrays or a DataFrame of pandas, found"
            f" {type(batch).__name__}: use batch_format='numpy' or 'pandas'"
        )
