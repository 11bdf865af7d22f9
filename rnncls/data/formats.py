"""A stranger's file: its form, its encoding, and which of its columns hold the text and
the class.

Nothing here is asked of the user and nothing is certain: what was found is said, and
can be corrected.
"""

import codecs
import csv
import json
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from rnncls import ConfigError, DataError

Item = TypeVar("Item")
Record = dict[str, str]
"""One row: a value for each column."""
Kind = Literal["delimited", "jsonl", "json", "parquet", "fasttext", "folder"]

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}
"""What may stand between columns, and what `data.delimiter` calls it; the likeliest
first."""
TEXT, LABEL = "text", "label"
"""What the columns of a form without columns are called."""
UNLABELLED = {"unsup", "unlabeled", "unlabelled"}
"""Folders of texts without a class, as in aclImdb."""
_LINES_LOOKED_AT = 500
_RECORDS_KEPT = 4000
_LABEL_NAMES = (
    *(
        "label",
        "labels",
        "class",
        "category",
        "target",
        "sentiment",
        "topic",
        "intent",
        "polarity",
        "tag",
        "genre",
    ),
    *(
        "classification",
        "type",
        "emotion",
        "stars",
        "rating",
        "score",
        "language",
        "lang",
        "y",
    ),
)
_TEXT_NAMES = (
    *(
        "text",
        "title",
        "description",
        "sentence",
        "review",
        "reviewtext",
        "review_text",
        "content",
        "body",
        "message",
    ),
    *(
        "comment",
        "comment_text",
        "tweet",
        "question",
        "headline",
        "document",
        "abstract",
        "utterance",
        "query",
        "sms",
    ),
    *("subject", "post", "article"),
)
_FASTTEXT = re.compile(r"__label__(\S+)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """How a file is written.

    Attributes:
        kind: What sort of file it is; a folder has a subfolder a class and a file a
            text.
        encoding: Python's name of its encoding.
        delimiter: What stands between the columns of a delimited file.
        has_header: Whether a delimited file's first row names the columns.
        is_quoted: Whether a `"` at the start of a delimited field opens a quoted one;
            else it is just text.
        names: The columns of a delimited file.
    """

    kind: Kind
    encoding: str = "utf-8"
    delimiter: str = ","
    has_header: bool = True
    is_quoted: bool = True
    names: tuple[str, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether training can read the file as it is."""
        return (
            self.kind in {"delimited", "jsonl", "parquet"}
            and self.encoding == "utf-8"
            and self.is_quoted
        )


def sniff_form(path: Path) -> Form:
    """Return how a file, or a folder with a subfolder a class, is written.

    Raises:
        DataError: It cannot be read, or its form is none that is known.
    """
    if path.is_dir():
        return Form("folder")
    if path.suffix.lower() == ".parquet" and path.exists():
        return Form("parquet")
    encoding, lines = _look_at(path)
    first = next((line.strip() for line in lines if line.strip()), "")
    if not first:
        raise DataError(f"{path}: is empty: expected a labelled text a row")
    if first.startswith("__label__"):
        return Form("fasttext", encoding)
    if path.suffix.lower() == ".json" and not _is_json_row(first):
        return Form("json", encoding)
    return (
        Form("jsonl", encoding)
        if _is_json_row(first)
        else _sniff_delimited(path, encoding, lines)
    )


def _look_at(path: Path) -> tuple[str, list[str]]:
    """Return a file's encoding and its first lines."""
    try:
        encoding = find_encoding(path)
        with open_text(path, encoding) as stream:
            return encoding, [
                line for line, _ in zip(stream, range(_LINES_LOOKED_AT), strict=False)
            ]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file or folder") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def find_encoding(path: Path) -> str:
    """Return `utf-8`, `utf-16`, `utf-16-le`, `utf-16-be`, `cp1252` or `latin-1`.

    Without a byte order mark, what is valid UTF-8 is UTF-8, and so is what has a few
    wrong bytes among many right ones: whoever reads it will name the first of them.
    Zeros in every second byte are UTF-16.
    """
    with path.open("rb") as stream:
        head = stream.read(4096)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        for zeros, encoding in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
            if zeros.count(0) > len(zeros) // 2:
                return encoding
    if _is_utf8(path):
        return "utf-8"
    num_wrong = num_right = 0
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        while block := text.read(1 << 20):
            wrong = sum("\udc80" <= character <= "\udcff" for character in block)
            num_wrong += wrong
            num_right += sum(character >= "\x80" for character in block) - wrong
    if num_wrong * 10 <= num_right:
        return "utf-8"
    undefined = re.compile(rb"[\x81\x8d\x8f\x90\x9d]")
    with path.open("rb") as stream:
        return "latin-1" if any(map(undefined.search, stream)) else "cp1252"


def _is_utf8(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", newline="") as text:
            while text.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text file without its byte order mark; a byte that is wrong becomes
    U+FFFD.
    """
    return path.open(
        encoding="utf-8-sig" if encoding == "utf-8" else encoding,
        errors="replace",
        newline="",
    )


def read_records(path: Path, form: Form) -> Iterator[Record]:
    """Yield the rows of a file of any known form, every value as a text.

    Raises:
        DataError: The file or one of its rows is wrong.
    """
    if form.kind == "folder":
        yield from _folder_records(path)
    elif form.kind == "parquet":
        yield from _parquet_records(path)
    elif form.kind == "json":
        yield from _json_records(path, form)
    else:
        readers = {
            "delimited": _delimited_records,
            "jsonl": _jsonl_records,
            "fasttext": _fasttext_records,
        }
        with open_text(path, form.encoding) as stream:
            yield from readers[form.kind](stream, path, form)


def spread(records: Iterable[Item], limit: int = _RECORDS_KEPT) -> list[Item]:
    """Return at most `limit` of the records, drawn from all of them alike and always
    the
    same, in their order.

    A file may be sorted by its classes, or take turns between them. Reservoir sampling
    (Vitter 1985, algorithm R).
    """
    generator = random.Random(0)
    kept: list[tuple[int, Item]] = []
    for number, record in enumerate(records):
        if number < limit:
            kept.append((number, record))
        elif (place := int(generator.random() * (number + 1))) < limit:
            kept[place] = number, record
    return [record for _, record in sorted(kept, key=lambda item: item[0])]


def guess_columns(
    records: Sequence[Record],
    source: str,
    text: Sequence[str] = (),
    label: str | None = None,
) -> tuple[list[str], str]:
    """Return the columns of the text and the column of the class, as given or else as
    they
    look.

    A class has a few short values, over and over; a text has words. Names that are
    commonly given to either help.

    Raises:
        DataError: No column looks like a class, or none like a text.
        ConfigError: A column that was given is not there.
    """
    names = [name for name in (records[0] if records else {}) if name.strip()]
    for given in (*text, *([label] if label else [])):
        if given not in names:
            raise ConfigError(f"{source}: no column '{given}': it has {_names(names)}")
    values = {
        name: [record.get(name, "").strip() for record in records] for name in names
    }
    label = label or _guess_label(values, source, text)
    texts = list(text) or _guess_texts(
        {name: own for name, own in values.items() if name != label}
    )
    if not texts:
        raise DataError(
            f"{source}: has the one column {_names(names)}: expected a text and a class"
        )
    return texts, label


def _guess_label(
    values: Mapping[str, list[str]], source: str, text: Sequence[str]
) -> str:
    ranks = []
    for name, own in values.items():
        num_distinct = len(set(own))
        size = sum(map(len, own))
        is_named = _rank(name, _LABEL_NAMES) < len(
            _LABEL_NAMES
        )  # if some are missing, whoever reads it names the row
        if (
            name not in text
            and (is_named or "" not in own)
            and 2 <= num_distinct <= len(own) / 2
            and size <= 60 * len(own)
        ):
            ranks.append((_rank(name, _LABEL_NAMES), num_distinct, size, name))
    if not ranks:
        raise DataError(
            f"{source}: no column looks like a class, with a few values over and over:"
            f" name it with --label; it has {_names(values)}"
        )
    return min(ranks)[-1]


def _guess_texts(values: Mapping[str, list[str]]) -> list[str]:
    found = {name: [value for value in own if value] for name, own in values.items()}
    named = [
        name
        for name, own in found.items()
        if own and _rank(name, _TEXT_NAMES) < len(_TEXT_NAMES)
    ]
    if named:
        return named
    wordy = [
        name
        for name, own in found.items()
        if own
        and sum(len(value.split()) for value in own) >= 3 * len(own)
        and 2 * len(set(own)) > len(own)
    ]
    longest = sorted(found, key=lambda name: -sum(map(len, found[name])))[:1]
    return wordy or longest


def _rank(name: str, known: Sequence[str]) -> int:
    name = name.strip().lower()
    return known.index(name) if name in known else len(known)


def _sniff_delimited(path: Path, encoding: str, lines: list[str]) -> Form:
    """Return the form whose columns are the same number in most rows."""
    if len(lines) == _LINES_LOOKED_AT:
        lines = lines[:-1]  # a quoted field may go on
    preferred = "," if path.suffix.lower() == ".csv" else "\t"  # rarely in a text
    best: tuple[float, int, bool] = (0.0, 0, False)
    chosen, rows = Form("delimited"), [[""]]
    for delimiter in DELIMITERS:
        for is_quoted in (True, False):
            parsed = _parse(lines, delimiter, is_quoted=is_quoted)
            width, count = Counter(map(len, parsed)).most_common(1)[0]
            score = (count / len(parsed), int(is_quoted), delimiter == preferred)
            if width > 1 and score > best:
                best, chosen, rows = (
                    score,
                    Form("delimited", encoding, delimiter, is_quoted=is_quoted),
                    parsed,
                )
    if not best[0]:
        raise DataError(
            f"{path}: one column only: expected a text and a class, between them a"
            " comma, tab, ; or |"
        )
    has_header = _has_header(rows[0], rows[1:])
    names = (
        rows[0]
        if has_header
        else [f"column{place}" for place in range(1, len(rows[0]) + 1)]
    )
    return Form(
        "delimited",
        encoding,
        chosen.delimiter,
        has_header,
        chosen.is_quoted,
        tuple(names),
    )


def _parse(lines: list[str], delimiter: str, *, is_quoted: bool) -> list[list[str]]:
    try:
        rows = [
            row
            for row in csv.reader(
                lines, delimiter=delimiter, quoting=_quoting(is_quoted=is_quoted)
            )
            if row
        ]
    except csv.Error:
        return [[""]]
    # A quotation mark that is just text swallows the rows up to the next one.
    swallowed = is_quoted and any(
        field.count("\n") and delimiter in field for row in rows for field in row
    )
    return [[""]] if swallowed and delimiter == "\t" else rows or [[""]]


def _quoting(*, is_quoted: bool) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE


def _has_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names columns.

    It does if it has a commonly used name, or short words that do not come again where
    others do.
    """
    columns = {
        name: [row[place].strip() for row in rest if place < len(row)]
        for place, name in enumerate(map(str.strip, first))
        if name
    }
    if any(
        _rank(name, known) < len(known)
        for name in columns
        for known in (_LABEL_NAMES, _TEXT_NAMES)
    ):
        return True
    if any(
        name in column or _is_number(name) or len(name.split()) > 3
        for name, column in columns.items()
    ):
        return False
    has_classes = any(
        len(set(column)) <= len(column) / 2 for column in columns.values() if column
    )
    has_numbers = any(
        all(map(_is_number, column)) for column in columns.values() if column
    )
    return has_classes or has_numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_json_row(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _delimited_records(stream: IO[str], path: Path, form: Form) -> Iterator[Record]:
    rows = csv.reader(
        stream, delimiter=form.delimiter, quoting=_quoting(is_quoted=form.is_quoted)
    )
    try:
        for number, row in enumerate(filter(None, rows)):
            if number or not form.has_header:
                yield dict(zip(form.names, row, strict=False))
    except csv.Error as error:
        raise DataError(
            f"{path}: line {rows.line_num}: {error}: is a quotation mark left open?"
        ) from error


def _jsonl_records(stream: IO[str], path: Path, form: Form) -> Iterator[Record]:  # noqa: ARG001 - as its sisters
    for number, line in enumerate(stream, start=1):
        try:
            yield _json_record(json.loads(line), f"{path}: row {number}")
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{path}: row {number}: not valid JSON:"
                f" {line.strip()[:60] or 'an empty line'}"
            ) from error


def _json_records(path: Path, form: Form) -> Iterator[Record]:
    try:
        with open_text(path, form.encoding) as stream:
            document = json.load(stream)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(document, list):
        raise DataError(
            f"{path}: expected a list of objects, each a text and its class, or one"
            " object a line"
        )
    for number, row in enumerate(document, start=1):
        yield _json_record(row, f"{path}: row {number}")


def _json_record(row: Any, place: str) -> Record:
    if not isinstance(row, dict):
        raise DataError(f"{place}: expected an object with a text and its class")
    return {
        name: (
            value
            if isinstance(value, str)
            else ""
            if value is None
            else json.dumps(value)
        )
        for name, value in row.items()
        if not isinstance(value, dict | list)
    }


def _fasttext_records(stream: IO[str], path: Path, form: Form) -> Iterator[Record]:  # noqa: ARG001 - as its sisters
    for number, line in enumerate(stream, start=1):
        found = _FASTTEXT.match(line.strip())
        if found is None:
            raise DataError(
                f"{path}: row {number}: expected __label__CLASS and a text, found"
                f" {line.strip()[:60]!r}"
            )
        if found[2].startswith("__label__"):
            raise DataError(
                f"{path}: row {number}: has several labels: rnncls learns one class a"
                " text: leave one"
            )
        yield {LABEL: found[1], TEXT: found[2]}


def _folder_records(path: Path) -> Iterator[Record]:
    for folder in class_folders(path):
        for file in sorted(folder.iterdir()):
            if file.is_file() and not file.name.startswith("."):
                with open_text(file, find_encoding(file)) as stream:
                    yield {LABEL: folder.name, TEXT: stream.read()}


def class_folders(path: Path) -> list[Path]:
    """Return the subfolders that hold a class each, by name."""
    folders = (
        each
        for each in path.iterdir()
        if each.is_dir() and not each.name.startswith(".")
    )
    return sorted(each for each in folders if each.name not in UNLABELLED)


def _parquet_records(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        with pa_parquet.ParquetFile(path) as file:
            names = [
                field.name
                for field in file.schema_arrow
                if not pa.types.is_nested(field.type)
            ]
            for batch in file.iter_batches(batch_size=8192, columns=names):
                for row in batch.to_pylist():
                    yield {
                        name: "" if value is None else str(value)
                        for name, value in row.items()
                    }
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
