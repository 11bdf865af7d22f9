"""The mutants of a module: mutmut's changes of its syntax tree, and two more.

A call that is a statement is removed, and a condition that is a plain value is negated.
Not changed are annotations, decorators, imports, docstrings, assertions (they narrow
types), `cast` and `TypeVar`, and the text of errors and of log messages.
"""

import difflib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

SKIPPED = (
    m.Annotation()
    | m.Decorator()
    | m.Import()
    | m.ImportFrom()
    | m.Assert()
    | m.Call(func=m.Name("cast") | m.Name("TypeVar"))
    | m.ClassDef(bases=[m.AtLeastN(m.Arg(m.Name("Protocol")), n=1)])
)
MESSAGE = m.Raise() | m.Call(func=m.Attribute(value=m.Name("logger")))
CONDITION = m.Name() | m.Attribute() | m.Call()


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    Attributes:
        path: The file, from the root of the repository.
        name: The file, and the changed lines before and after.
        source: The changed source.
        first_line: Of the changed expression or statement, from 1.
        last_line: The same.
    """

    path: str
    name: str
    source: str
    first_line: int
    last_line: int


def sample_mutants(path: str, limit: int, seed: str) -> tuple[list[Mutant], int]:
    """Return mutants of a file in the order of the source, and how many there are.

    Args:
        path: The file, from the root of the repository.
        limit: The largest number of mutants.
        seed: Of the sample.
    """
    text = Path(path).read_text(encoding="utf-8")
    wrapper = MetadataWrapper(cst.parse_module(text))
    line_spans = wrapper.resolve(PositionProvider)
    changes = list(find_changes(wrapper.module, is_message=False))
    positions: Sequence[int] = range(len(changes))
    if len(changes) > limit:
        positions = sorted(random.Random(seed).sample(positions, limit))
    mutants = []
    for position in positions:
        node, changed = changes[position]
        source = replace(wrapper.module, node, changed)
        name = f"{path}: {describe_change(text, source)}"
        span = line_spans[node]
        mutants.append(Mutant(path, name, source, span.start.line, span.end.line))
    return mutants, len(changes)


def replace(module: cst.Module, node: cst.CSTNode, changed: cst.CSTNode) -> str:
    """Return the source of a module in which one node is another."""
    new_module = module.deep_replace(node, changed)
    assert isinstance(new_module, cst.Module)
    return new_module.code


def find_changes(
    node: cst.CSTNode, *, is_message: bool
) -> Iterator[tuple[cst.CSTNode, cst.CSTNode]]:
    """Yield nodes, and what they are changed to."""
    if m.matches(node, SKIPPED):
        return
    is_message = is_message or m.matches(node, MESSAGE)
    if not (is_message and isinstance(node, cst.BaseString)):
        for changed in change_node(node):
            yield node, changed
    for child in node.children:
        yield from find_changes(child, is_message=is_message)


def change_node(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    """Yield what a node is changed to."""
    for kind, change in mutation_operators:
        if isinstance(node, kind):
            changes = list(change(node))
            # The rest are the same text in other cases.
            yield from changes[:1] if change is operator_string else changes
    if m.matches(node, m.Expr(value=m.Call())):
        yield cst.Pass()
    if isinstance(node, cst.If) and m.matches(node.test, CONDITION):
        negated = cst.UnaryOperation(cst.Not(), node.test)
        yield node.with_changes(test=negated)


def describe_change(text: str, changed: str) -> str:
    """Return the changed lines before and after, on one line."""
    lines, changed_lines = text.splitlines(), changed.splitlines()
    removed, added = [], []
    for line in difflib.unified_diff(lines, changed_lines, n=0, lineterm=""):
        if line.startswith("-") and not line.startswith("---"):
            removed.append(line[1:].strip())
        elif line.startswith("+") and not line.startswith("+++"):
            added.append(line[1:].strip())
    return f"{' '.join(removed)} -> {' '.join(added)}"
