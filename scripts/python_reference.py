"""Write docs/reference/python.md from the docstrings of the Python interface."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import rnncls.mlflow
import rnncls.ray
import rnncls.spark
from rnncls.inference.loaded_classifier import LoadedClassifier
from rnncls.inference.prediction import Prediction
from rnncls.sklearn import TextClassifier
from rnncls.training.from_python import TrainedRun

FUNCTIONS = [rnncls.load, rnncls.train, rnncls.evaluate, rnncls.export]
ENGINES = [
    ("ray", rnncls.ray.Classify),
    ("ray", rnncls.ray.app),
    ("spark", rnncls.spark.classify),
    ("spark", rnncls.spark.output_schema),
    ("mlflow", rnncls.mlflow.save_model),
]
TITLES = {
    "Args": "argument",
    "Attributes": "attribute",
    "Raises": "raises",
}
"""The parts of a docstring that have a row for each name."""
NAME = re.compile(r"^(\w+): (.*)$")


class Part(NamedTuple):
    """A part of a docstring.

    Attributes:
        title: As in the docstring, such as `Args`; empty for the text at its start.
        lines: Its lines, without their indentation.
    """

    title: str
    lines: list[str]


def build_python_page(mark: str) -> str:
    """Return the page.

    Args:
        mark: The comment that says that it is generated.
    """
    parts = [
        "# Python\n",
        mark,
        "The guide [Use it from Python](../guides/python.md) has examples.\n",
        "## Functions\n",
    ]
    for function in FUNCTIONS:
        parts += describe_callable(f"rnncls.{function.__name__}", function)
    parts += ["## The classifier that `rnncls.load` returns\n"]
    parts += describe_text(LoadedClassifier)
    methods = ["__call__", "predict", "predict_proba", "stream", "explain"]
    for name in methods:
        shown = "classifier" if name == "__call__" else f"classifier.{name}"
        parts += describe_callable(shown, getattr(LoadedClassifier, name))
    parts += ["## A prediction\n", *describe_text(Prediction)]
    parts += [build_table("attribute", list_properties(Prediction))]
    parts += describe_callable("prediction.top", Prediction.top)
    parts += ["## The run that `rnncls.train` returns\n", *describe_text(TrainedRun)]
    parts += [build_table("attribute", list_properties(TrainedRun))]
    parts += ["## `rnncls.sklearn.TextClassifier`\n", *describe_text(TextClassifier)]
    for name in ("fit", "predict", "predict_proba"):
        parts += describe_callable(f"model.{name}", getattr(TextClassifier, name))
    parts += ["## Ray, Spark and MLflow\n"]
    parts += ["The guide is [Ray, Spark and MLflow](../guides/engines.md).\n"]
    for engine, function in ENGINES:
        name = f"rnncls.{engine}.{function.__name__}"
        parts += describe_callable(name, function)
        if isinstance(function, type):
            parts += describe_text(vars(function)["__init__"])
    return "\n".join(parts)


def describe_callable(name: str, function: Any) -> list[str]:
    """Return the section of a function or method."""
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in names:
            names.append("*")
        has_default = parameter.default is not parameter.empty
        default = f"={parameter.default!r}" if has_default else ""
        names.append(f"{parameter.name}{default}")
    signature = f"{name}({', '.join(names)})"
    return [f"### `{signature}`\n", *describe_text(function)]


def describe_text(documented: Any) -> list[str]:
    """Return a docstring as paragraphs and tables."""
    parts = []
    for part in split_docstring(inspect.getdoc(documented) or ""):
        if part.title in TITLES:
            parts.append(build_table(TITLES[part.title], list_entries(part.lines)))
        else:
            start = f"{part.title}: " if part.title else ""
            parts.append(start + escape("\n".join(part.lines)) + "\n")
    return parts


def split_docstring(text: str) -> Iterator[Part]:
    """Yield the parts of a docstring in Google's style."""
    part = Part("", [])
    for line in text.splitlines():
        title = line.removesuffix(":")
        if line.endswith(":") and title in {*TITLES, "Returns"}:
            yield Part(part.title, strip_lines(part.lines))
            part = Part(title, [])
        else:
            part.lines.append(line.removeprefix("    ") if part.title else line)
    yield Part(part.title, strip_lines(part.lines))


def strip_lines(lines: list[str]) -> list[str]:
    return "\n".join(lines).strip().splitlines()


def list_entries(lines: list[str]) -> dict[str, str]:
    """Return each name of a part with its text on one line."""
    entries: dict[str, str] = {}
    name = ""
    for line in lines:
        match = NAME.match(line)
        if match:
            name, text = match.groups()
            entries[name] = text
        else:
            entries[name] += f" {line.strip()}"
    return entries


def list_properties(kind: type) -> dict[str, str]:
    """Return the properties of a class with the first line of their docstrings."""
    return {
        name: (inspect.getdoc(member) or "").splitlines()[0]
        for name, member in vars(kind).items()
        if isinstance(member, property)
    }


def build_table(title: str, entries: dict[str, str]) -> str:
    rows = [f"| {title} | meaning |", "|---|---|"]
    for name, text in entries.items():
        rows.append(f"| `{name}` | {escape(text)} |")
    return "\n".join([*rows, ""])


def escape(text: str) -> str:
    return text.replace("|", "\\|")
