"""Classify the rows of a Spark DataFrame; import it as `rnncls.spark`.

    from rnncls.spark import classify, output_schema

    schema = output_schema(table.schema, "model.onnx")
    table.mapInPandas(classify("model.onnx"), schema)

A model can be tried on an iterator of DataFrames of pandas, without Spark.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rnncls import ConfigError
from rnncls.inference.prediction_columns import (
    Model,
    classify_table,
    load_model,
    rename_columns,
)

if TYPE_CHECKING:
    from pandas import DataFrame
    from pyspark.sql.types import StructType

    Tables = Iterator[DataFrame]


def classify(model: Model, column: str = "text") -> "Callable[[Tables], Tables]":
    """Return a function for `mapInPandas`, which loads the model once a partition.

    It adds the columns of `output_schema` to each row.

    Args:
        model: An .onnx file that every worker can read, or what `rnncls.load` returned:
            then Spark sends the weights to the workers.
        column: The column of the texts.
    """

    def classify_partition(tables: "Tables") -> "Tables":
        classifier = load_model(model)
        for table in tables:
            yield classify_table(classifier, table, column)

    return classify_partition


def output_schema(schema: "StructType", model: Model) -> "StructType":
    """Return the schema of what `classify` yields: the input's and the predictions'.

    The columns are `label`, `prob` and `probs`, in the order of `classes_` of the
    loaded model; `labels`, a list, if a text may have several; and `fits`, if the model
    tells whether a text fits one of the classes. A column of the input with such a name
    is renamed, `label` to `input_label`.

    Args:
        schema: The schema of the input.
        model: The model of `classify`.

    Raises:
        ConfigError: PySpark is not installed.
        RunError: The model is missing or damaged.
    """
    try:
        from pyspark.sql import types
    except ModuleNotFoundError as error:
        raise ConfigError(
            "rnncls.spark needs the package pyspark: pip install 'rnncls[spark]'"
        ) from error
    names = rename_columns(schema.names)
    output = types.StructType()
    for field in schema.fields:
        output.add(names[field.name], field.dataType, field.nullable, field.metadata)
    output.add("label", types.StringType())
    output.add("prob", types.FloatType())
    output.add("probs", types.ArrayType(types.FloatType()))
    classifier = load_model(model)
    if classifier.has_several_labels:
        output.add("labels", types.ArrayType(types.StringType()))
    if classifier.tells_fits:
        output.add("fits", types.BooleanType())
    return output
