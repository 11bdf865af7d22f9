"""The limits of CONTRIBUTING.md, measured on the package."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1] / "rnncls"
MAX_ENTRIES = 14
MAX_MODULE_LINES = 400
MEDIAN_BODY, MOST_BODIES, MAX_BODY = 10, 30, 60
MAX_NODES_PER_LINE = 8.5
"""Median over the functions of ten lines and more."""
CONFIG_ROOTS = {
    "training/bag_of_words.py:train_bag",
    "training/cross_validation.py:cross_validate",
    "training/label_issues.py:find_label_issues",
    "training/pretraining.py:pretrain",
    "training/run.py:train",
    "training/tuning.py:tune",
}
"""The functions outside `config/` that may take the complete `Config`."""

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class Function(NamedTuple):
    """A function, with the size of its body without the docstring."""

    name: str
    node: FunctionNode
    num_lines: int
    num_nodes: int


def find_modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def iter_functions() -> Iterator[Function]:
    for path in find_modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, FunctionNode):
                yield measure(f"{path.relative_to(PACKAGE)}:{node.name}", node)


def measure(name: str, node: FunctionNode) -> Function:
    has_docstring = ast.get_docstring(node) is not None
    body = node.body[1:] if has_docstring else node.body
    if not body:
        return Function(name, node, 0, 0)
    last_line = node.end_lineno or node.lineno
    num_nodes = sum(1 for statement in body for _ in ast.walk(statement))
    return Function(name, node, last_line - body[0].lineno + 1, num_nodes)


FUNCTIONS = list(iter_functions())


def test_the_package_has_few_entries() -> None:
    names = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    assert len(names) <= MAX_ENTRIES, sorted(names)


def test_modules_are_small() -> None:
    sizes = {
        str(path.relative_to(PACKAGE)): len(path.read_text("utf-8").splitlines())
        for path in find_modules()
    }
    assert {name: size for name, size in sizes.items() if size > MAX_MODULE_LINES} == {}


def test_bodies_are_short() -> None:
    too_long = [item.name for item in FUNCTIONS if item.num_lines > MAX_BODY]
    assert too_long == []
    sizes = sorted(item.num_lines for item in FUNCTIONS)
    assert statistics.median(sizes) <= MEDIAN_BODY
    assert sizes[int(0.9 * len(sizes))] <= MOST_BODIES


def test_lines_are_light() -> None:
    densities = [
        item.num_nodes / item.num_lines for item in FUNCTIONS if item.num_lines >= 10
    ]
    assert statistics.median(densities) <= MAX_NODES_PER_LINE


def test_every_function_says_what_it_returns() -> None:
    assert [item.name for item in FUNCTIONS if item.node.returns is None] == []


def takes_config(node: FunctionNode) -> bool:
    annotations = [
        ast.unparse(argument.annotation)
        for argument in ast.walk(node.args)
        if isinstance(argument, ast.arg) and argument.annotation is not None
    ]
    return any(re.search(r"\bConfig\b", annotation) for annotation in annotations)


def test_only_the_named_functions_take_the_complete_config() -> None:
    takers = {
        function.name
        for function in FUNCTIONS
        if takes_config(function.node) and not function.name.startswith("config/")
    }
    assert takers == CONFIG_ROOTS
