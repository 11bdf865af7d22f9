"""Spark: the function for partitions, and with a local Spark."""

import shutil

import pandas as pd
import pytest

import rnncls.spark
from rnncls import RunError
from tests.inference.engines.models import (
    PATH,
    TEXTS,
    load_networks,
    needs,
    run_json_program,
)


def test_a_partition_is_classified_table_by_table() -> None:
    classifier = load_networks(tells_fits=True)
    tables = [pd.DataFrame({"text": texts}) for texts in (TEXTS[:5], TEXTS[5:])]
    found = list(rnncls.spark.classify(PATH)(iter(tables)))
    assert [len(table) for table in found] == [5, len(TEXTS) - 5]
    assert list(found[0]) == ["text", "label", "prob", "probs", "fits"]
    table, predictions = pd.concat(found), classifier(TEXTS)
    assert table["label"].tolist() == [each.label for each in predictions]
    assert table["fits"].tolist() == [each.fits for each in predictions]


def test_the_model_is_loaded_once_a_partition() -> None:
    classifier = load_networks()
    tables = iter([pd.DataFrame({"text": [text]}) for text in TEXTS[:3]])
    found = rnncls.spark.classify(PATH)(tables)
    labels = [next(found)["label"].item()]
    PATH.unlink()
    labels += [table["label"].item() for table in found]
    assert labels == [prediction.label for prediction in classifier(TEXTS[:3])]


def test_a_missing_model_is_an_error() -> None:
    tables = iter([pd.DataFrame({"text": TEXTS})])
    with pytest.raises(RunError, match=r"none\.onnx"):
        next(rnncls.spark.classify("none.onnx")(tables))


SPARK = """
import json, sys
from pyspark.sql import SparkSession
import rnncls
from rnncls.spark import classify, output_schema

path, *texts = sys.argv[1:]
spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", False)
rows = [(row, text, "?") for row, text in enumerate(texts)]
names = "id long, text string, label string"
table = spark.getOrCreate().createDataFrame(rows, names).repartition(2)
schema = output_schema(table.schema, path)
answers = []
for model in (path, rnncls.load(path)):
    labelled = table.mapInPandas(classify(model), schema).orderBy("id")
    answers.append([row.asDict() for row in labelled.collect()])
print(json.dumps({"columns": schema.simpleString(), "answers": answers}))
"""
COLUMNS = (
    "id:bigint,text:string,input_label:string,"
    "label:string,prob:float,probs:array<float>"
)


@pytest.mark.slow
@needs("pyspark")
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
@pytest.mark.parametrize(
    ("task", "column"),
    [("several_labels", "labels:array<string>"), ("one_label", "fits:boolean")],
)
def test_spark_predicts_what_the_file_predicts(task: str, column: str) -> None:
    classifier = load_networks(task=task, tells_fits=task == "one_label")
    found = run_json_program(SPARK, str(PATH.absolute()), *TEXTS)
    assert found["columns"] == f"struct<{COLUMNS},{column}>"
    for rows in found["answers"]:
        assert [row["text"] for row in rows] == TEXTS
        for row, prediction in zip(rows, classifier(TEXTS), strict=True):
            assert (row["label"], row["input_label"]) == (prediction.label, "?")
            expected = None if task == "one_label" else prediction.labels
            assert row.get("labels") == expected
            assert row.get("fits") == prediction.fits
            assert row["probs"] == pytest.approx(list(prediction.probs.values()))
