"""ONNX files: written with a seal, and checked before a runtime sees them.

The last field of a file is a metadata entry with the SHA-256 of everything before it,
so that damage is found. A file that names other files, or that has an operator that
`rnncls export` does not write, is refused: loading one must not run foreign code or
read foreign files.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rnncls import RunError
from rnncls.inference.export.onnx_metadata import OnnxMetadata, parse_metadata
from rnncls.inference.export.protobuf import (
    as_bytes,
    as_text,
    encode_field,
    iter_fields,
    iter_messages,
)
from rnncls.machine.files import read_bytes

_OPERATORS = (
    "Add Cast Concat Div Equal GRU Gather LSTM Less MatMul Max Min Mul Not Or RNN Range"
    " ReduceMax ReduceMean ReduceSum ReverseSequence Shape Sigmoid Slice Softmax Split"
    " Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where"
)
OPERATORS = frozenset(_OPERATORS.split())
"""All operators of `rnncls.inference.export.onnx_graph`."""
SEAL = "sha256"
_DOMAINS = {"", "ai.onnx"}

# The numbers of the fields in the definition of the format, onnx.proto.
_GRAPH, _OPSET, _METADATA, _TRAINING, _FUNCTIONS = 7, 8, 14, 20, 25
_OPSET_DOMAIN = 1
_KEY, _VALUE = 1, 2
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15
_NODE_OPERATOR, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_PARTS = {5, 6, 10, 11, 22, 23}  # tensors and graphs
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14


@dataclass(frozen=True)
class OnnxFile:
    """A verified file.

    Attributes:
        path: Where it is.
        model: Its bytes.
        metadata: What its metadata say.
    """

    path: Path
    model: bytes
    metadata: OnnxMetadata


def seal_model(model: bytes, metadata: Mapping[str, str]) -> bytes:
    """Return a model with metadata and the seal at its end."""
    entries = [_encode_entry(key, value) for key, value in metadata.items()]
    content = b"".join([model, *entries])
    return content + _encode_seal(content)


def load_onnx(path: Path) -> OnnxFile:
    """Read and verify a file that `rnncls export` wrote.

    Raises:
        RunError: The file is missing, damaged, or not such a file.
    """
    return parse_onnx(path, read_bytes(path))


def parse_onnx(path: Path, model: bytes) -> OnnxFile:
    """Verify the bytes of a file that `rnncls export` wrote.

    Args:
        path: What messages name.
        model: The bytes.

    Raises:
        RunError: They are damaged, or not such a file.
    """
    try:
        entries = _read_entries(memoryview(model))
    except ValueError as error:
        raise RunError(f"{path}: damaged, or not an ONNX file: {error}") from error
    if SEAL not in entries:
        raise RunError(f"{path}: not written by rnncls export: it has no checksum")
    metadata = parse_metadata(path, entries)
    return OnnxFile(path, model, metadata)


def _read_entries(model: memoryview) -> dict[str, str]:
    """Check a model and return its metadata.

    Raises:
        ValueError: The model is damaged or refused.
    """
    graphs = list(iter_messages(model, _GRAPH))
    if not graphs:
        raise ValueError("it has no graph")
    entries: dict[str, str] = {}
    for entry in iter_messages(model, _METADATA):
        fields = {field.number: as_text(field) for field in iter_fields(entry)}
        entries[fields.get(_KEY, "")] = fields.get(_VALUE, "")
    _check_model(model)
    for graph in graphs:
        _check_graph(graph)
    if SEAL in entries:
        _check_seal(model)
    return entries


def _check_seal(model: memoryview) -> None:
    content = model[: -len(_encode_seal(b""))]
    if bytes(model[len(content) :]) != _encode_seal(content):
        raise ValueError("its contents do not match its checksum")


def _check_model(model: memoryview) -> None:
    for opset in iter_messages(model, _OPSET):
        for domain in iter_messages(opset, _OPSET_DOMAIN):
            _check_domain(str(domain, "utf-8"))
    for field in iter_fields(model):
        if field.number == _FUNCTIONS:
            raise ValueError("it defines operators of its own")
        if field.number == _TRAINING:
            raise ValueError("it has a graph for training")


def _check_graph(graph: memoryview) -> None:
    for field in iter_fields(graph):
        if field.number == _NODE:
            _check_node(as_bytes(field))
        elif field.number == _INITIALIZER:
            _check_tensor(as_bytes(field))
        elif field.number == _SPARSE_INITIALIZER:
            raise ValueError("it has a sparse constant")


def _check_node(node: memoryview) -> None:
    for field in iter_fields(node):
        if field.number == _NODE_OPERATOR and as_text(field) not in OPERATORS:
            raise ValueError(f"the operator {as_text(field)} is not allowed")
        if field.number == _NODE_DOMAIN:
            _check_domain(as_text(field))
        if field.number == _NODE_ATTRIBUTE:
            attribute = as_bytes(field)
            numbers = {part.number for part in iter_fields(attribute)}
            if numbers & _ATTRIBUTE_PARTS:
                raise ValueError("an operator has a graph or a tensor of its own")


def _check_domain(domain: str) -> None:
    if domain not in _DOMAINS:
        raise ValueError(f"operators of {domain!r} are not allowed")


def _check_tensor(tensor: memoryview) -> None:
    for field in iter_fields(tensor):
        is_external = field.number == _DATA_LOCATION and field.value != 0
        if is_external or field.number == _EXTERNAL_DATA:
            raise ValueError("its weights are in another file, which is not allowed")


def _encode_seal(content: bytes | memoryview) -> bytes:
    return _encode_entry(SEAL, hashlib.sha256(content).hexdigest())


def _encode_entry(key: str, value: str) -> bytes:
    """Return a metadata entry as a field of a model."""
    entry = encode_field(_KEY, key.encode()) + encode_field(_VALUE, value.encode())
    return encode_field(_METADATA, entry)
