"""Classify data sets of Ray Data, and serve a model with Ray Serve: `rnncls.ray`.

    dataset.map_batches(
        rnncls.ray.Classify,
        fn_constructor_args=("model.onnx",),
        batch_size=1024,
        compute=ray.data.ActorPoolStrategy(size=2),
    )
    ray.serve.run(rnncls.ray.app("model.onnx"))

`Classify` is also a function for Dask and pandas, where Ray need not be installed.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rnncls import ConfigError
from rnncls.config.arguments import check_path
from rnncls.inference.prediction_columns import (
    Array,
    Model,
    classify_arrays,
    classify_table,
    load_model,
)

if TYPE_CHECKING:
    from fastapi import FastAPI
    from pandas import DataFrame
    from ray.serve import Application

    from rnncls.inference.serve.limits import Limits

_NUM_THREADS = 1
"""Those of a replica, as Ray reserves one core for it."""
_MAX_ONGOING_REQUESTS = 10_000


class Classify:
    """A function of a batch of rows, which adds columns with their predictions.

    It works with `map_batches` of Ray Data, `map_partitions` of Dask, and on a
    DataFrame of pandas. The columns are `label`, `prob` and `probs`, in the order of
    `classes_` of the loaded model; `labels`, a list, if a text may have several; and
    `fits`, if the model tells whether a text fits one of the classes. A column of the
    input with such a name is renamed, `label` to `input_label`.
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


def app(
    model: str | os.PathLike[str],
    *,
    num_replicas: int | Literal["auto"] = 1,
    limits: "Limits | None" = None,
) -> "Application":
    """Return an application for `ray.serve.run`: that of `rnncls serve`, in replicas.

    A replica answers with one thread, and only after it has computed the test vectors
    of the file, or of a run some texts, right.

    Args:
        model: An .onnx file or a run folder that every replica can read.
        num_replicas: How many replicas answer, or `"auto"`: as many as are needed.
        limits: How much a request may ask for; None: the defaults of `rnncls serve`.

    Raises:
        ConfigError: Ray Serve is not installed, or the model is no path.
    """
    path = check_path("model", model, "the path of an .onnx file or a run folder")
    try:
        from ray import serve

        from rnncls.inference.serve.limits import Limits
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"rnncls.ray.app needs the package {error.name}: pip install 'rnncls[ray]'"
        ) from error
    limits = limits or Limits()

    def build_app() -> "FastAPI":  # Ray calls it in each replica
        return _build_app(path, limits)

    deployment = serve.deployment(
        name="rnncls",
        num_replicas=num_replicas,
        # Ray lets further requests wait without a limit; the replica refuses them.
        max_ongoing_requests=_MAX_ONGOING_REQUESTS,
    )
    return deployment(serve.ingress(build_app)()).bind()


def _build_app(path: Path, limits: "Limits") -> "FastAPI":
    """Load a model and return its web application."""
    from rnncls.inference.serve.app import create_app
    from rnncls.inference.serve.reload import ModelHolder, ModelSource

    model = ModelSource(path).load()
    return create_app(ModelHolder(model), limits, num_threads=_NUM_THREADS)
