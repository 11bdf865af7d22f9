"""Built-in data sets, their download, labels, and the split into training and
validation rows."""

import hashlib
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data import datasets as dataset
from rnncls.data.datasets import (
    BUILT_INS,
    BuiltIn,
    CanonicalFile,
    LabelledTexts,
    load_labelled,
    locate,
    note_if_not_canonical,
    split_rows,
    split_test_rows,
)
from rnncls.data.readers import Columns

FILES = {
    "train": b'"1","World news","one"\n"2","Sports news","two"\n',
    "test": b'"3","Business news","three"\n',
}
AG_NEWS = DataSection(name="ag_news")
FOLDER = Path("data/ag_news")


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """A web server on this machine.

    Attributes:
        url: Where it listens.
        answers: What it answers, by the name of a file.
        asked: The files it was asked for.
    """

    url: str
    answers: dict[str, Answer]
    asked: list[str] = field(default_factory=list)


@contextmanager
def serve(answers: dict[str, Answer]) -> Iterator[Server]:
    """Run a web server in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/")
            running.asked.append(name)
            running.answers[name](self)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        running = Server(f"http://127.0.0.1:{listener.server_port}", answers)
        thread = threading.Thread(
            target=listener.serve_forever, kwargs={"poll_interval": 0.01}
        )
        thread.start()
        yield running
        listener.shutdown()
        thread.join()


def send(content: bytes, length: int | None = None) -> Answer:
    """Answer with `content`, which may claim to be longer than it is."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(length or len(content)))
        request.end_headers()
        request.wfile.write(content)

    return answer


def send_404(request: BaseHTTPRequestHandler) -> None:
    request.send_error(404)


def send_nonsense(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"nonsense\r\n\r\n")


def send_broken_chunks(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort"
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve the files of a made-up ag_news in place of the published ones."""
    monkeypatch.setenv("no_proxy", "*")
    with serve(
        {f"{split}.csv": send(content) for split, content in FILES.items()}
    ) as running:
        put_ag_news_at(running.url, monkeypatch)
        yield running


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nobody listen where ag_news is published."""
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    put_ag_news_at(f"http://127.0.0.1:{port}", monkeypatch)


def put_ag_news_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        split: CanonicalFile(
            f"{url}/{split}.csv",
            content.count(b"\n"),
            len(content),
            hashlib.md5(content).hexdigest(),
        )
        for split, content in FILES.items()
    }
    monkeypatch.setitem(
        BUILT_INS, "ag_news", BuiltIn(BUILT_INS["ag_news"].labels, files)
    )


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


WORDS = TextSection(tokenizer="whitespace", clean=False)


def own(**values: Any) -> DataSection:
    """Return the section for a file with the columns "text" and "label"."""
    return DataSection(train="train.csv", text=["text"], **values)


def load(labels: list[str], section: DataSection | None = None) -> LabelledTexts:
    """Load a file with these labels."""
    lines = ["text,label", *(f"word{row},{label}" for row, label in enumerate(labels))]
    return load_labelled(
        write(Path("train.csv"), "\n".join(lines)), section or own(), WORDS
    )


def load_ag_news(lines: list[str]) -> LabelledTexts:
    """Load a file of ag_news with these lines."""
    return load_labelled(write(FOLDER / "train.csv", "\n".join(lines)), AG_NEWS, WORDS)


# Splitting


@pytest.mark.parametrize(
    ("fraction", "counts"),
    [
        (0.05, [5, 2, 0]),
        (0.1, [10, 4, 1]),
        (0.2, [20, 7, 2]),
        (0.5, [50, 18, 5]),
        (0.9, [90, 33, 9]),
    ],
)
def test_a_split_takes_the_rounded_share_of_each_class(
    fraction: float, counts: list[int]
) -> None:
    labels = np.repeat([0, 1, 2], [100, 37, 10])
    _, valid = split_rows(labels, fraction, seed=0)
    assert np.bincount(labels[valid], minlength=3).tolist() == counts


def test_a_split_parts_all_rows_in_their_order() -> None:
    train, valid = split_rows(np.arange(50) % 3, 0.2, seed=0)
    assert sorted([*train, *valid]) == list(range(50))
    assert (sorted(train), sorted(valid)) == (train.tolist(), valid.tolist())


def test_a_split_is_the_same_for_the_same_seed() -> None:
    labels = np.arange(100) % 2
    np.testing.assert_array_equal(
        split_rows(labels, 0.2, seed=3)[1], split_rows(labels, 0.2, seed=3)[1]
    )


def test_a_split_differs_for_another_seed() -> None:
    labels = np.arange(100) % 2
    assert (
        split_rows(labels, 0.2, seed=3)[1].tolist()
        != split_rows(labels, 0.2, seed=4)[1].tolist()
    )


@pytest.mark.parametrize("fraction", [0.5, 0.9, 0.99])
def test_a_split_leaves_each_class_a_training_row(fraction: float) -> None:
    labels = np.array([0, 0, 0, 1, 2, 2])
    train, _ = split_rows(labels, fraction, seed=0)
    assert set(labels[train].tolist()) == {0, 1, 2}


@pytest.mark.parametrize("labels", [[0, 1], [0, 1, 2], [0] * 9])
def test_too_few_rows_to_split_are_named_with_what_to_do(labels: list[int]) -> None:
    with pytest.raises(DataError) as caught:
        split_rows(np.array(labels), 0.05, seed=0)
    assert (
        str(caught.value)
        == f"{len(labels)} training rows are too few to keep 5% of each class for"
        " validation: raise data.valid_fraction or set data.valid"
    )


def test_a_class_too_small_for_its_share_stays_whole() -> None:
    labels = np.array([0] * 20 + [1] * 2)
    _, valid = split_rows(labels, 0.1, seed=0)
    assert labels[valid].tolist() == [0, 0]


# Labels


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["b", "a", "B"], ["B", "a", "b"]),
        (["10", "9", "1"], ["1", "9", "10"]),
        (["2.5", "-1", "10"], ["-1", "2.5", "10"]),
        (["x", "10", "a", "9"], ["9", "10", "a", "x"]),
        (["true", "false"], ["false", "true"]),
        (["two words", "ü"], ["two words", "ü"]),
    ],
)
def test_labels_are_sorted_as_numbers_before_texts(
    labels: list[str], names: list[str]
) -> None:
    assert load(labels).label_names == names


def test_labels_are_numbers_into_their_names() -> None:
    source = load(["b", "a", "b", "c"])
    assert (source.labels.tolist(), source.labels.dtype.name) == ([1, 0, 1, 2], "int64")


def test_the_order_of_the_rows_does_not_change_the_names_of_the_labels() -> None:
    assert load(["3", "1", "2"]).label_names == load(["2", "3", "1"]).label_names


def test_texts_stand_beside_their_labels() -> None:
    source = load(["a", "b", "a"])
    assert (
        [source.texts.words[number] for number in source.texts.word_ids],
        source.labels.tolist(),
    ) == (
        ["word0", "word1", "word2"],
        [0, 1, 0],
    )


def test_rows_of_several_blocks_make_one_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rnncls.data.readers._CSV_BLOCK_BYTES", 40)
    assert load(["a", "b"] * 50).labels.tolist() == [0, 1] * 50


def test_a_source_knows_the_checksum_of_its_file() -> None:
    source = load(["a", "b"])
    assert source.sha256 == hashlib.sha256(source.path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "lines",
    [
        ['"4","a","b"', '"1","a","b"', '"2","a","b"', '"3","a","b"'],
        ["Sci/Tech,a,b", "World,a,b", "Sports,a,b", "Business,a,b"],
        ["label,title,description", "4,a,b", "World,a,b", "2,a,b", "Business,a,b"],
    ],
)
def test_classes_of_a_built_in_data_set_go_by_number_or_by_name(
    lines: list[str],
) -> None:
    source = load_ag_news(lines)
    assert (source.label_names, source.labels.tolist()) == (
        ["World", "Sports", "Business", "Sci/Tech"],
        [3, 0, 1, 2],
    )


def test_classes_of_a_built_in_data_set_that_do_not_occur_are_left_out() -> None:
    assert load_ag_news(["4,a,b", "2,a,b"]).label_names == ["Sports", "Sci/Tech"]


def test_a_built_in_data_set_reads_title_and_description() -> None:
    assert load_ag_news(["1,one two,three"]).texts.words == ["one", "two", "three"]


def test_columns_of_a_built_in_data_set_have_known_positions() -> None:
    columns = dataset.columns_of(AG_NEWS)
    assert columns.positions == ("label", "title", "description")
    assert columns.classes == (
        "1",
        "2",
        "3",
        "4",
        "World",
        "Sports",
        "Business",
        "Sci/Tech",
    )


def test_columns_of_ones_own_file_need_a_header() -> None:
    assert dataset.columns_of(own(label="class")) == Columns(("text",), "class", ())


@pytest.mark.parametrize("label", ["0", "5", "-1", "1.0", "world", "Music"])
def test_a_class_out_of_range_is_named_with_its_row(label: str) -> None:
    with pytest.raises(DataError) as caught:
        load_ag_news(["1,a,b", "4,a,b", f"{label},a,b", f"{label},a,b"])
    assert (
        str(caught.value) == f"{FOLDER / 'train.csv'}: row 3: unknown label '{label}': "
        "expected one of 'World', 'Sports', 'Business', 'Sci/Tech'; correct it"
    )


@pytest.mark.parametrize("content", ["text,label\n", "text,label"])
def test_a_file_with_a_header_alone_is_named(content: str) -> None:
    with pytest.raises(
        DataError, match=r"^train\.csv: has no rows: expected one labelled text a row$"
    ):
        load_labelled(write(Path("train.csv"), content), own(), WORDS)


@pytest.mark.parametrize(
    ("name", "said"), [("a.csv", "is empty"), ("a.jsonl", "has no rows")]
)
def test_an_empty_file_is_named(name: str, said: str) -> None:
    with pytest.raises(DataError, match=f"^{name}: {said}"):
        load_labelled(write(Path(name), ""), own(), WORDS)


def test_labels_can_be_numbers_into_another_list_of_names() -> None:
    assert load(["b", "a", "b"]).labels_as(["c", "b", "a"]).tolist() == [1, 2, 1]


def test_a_label_that_another_list_of_names_lacks_is_named_with_its_row() -> None:
    with pytest.raises(DataError) as caught:
        load(["b", "a", "d", "e"]).labels_as(["a", "b", "c"])
    assert (
        str(caught.value)
        == "train.csv: row 3: unknown label 'd': expected one of 'a', 'b', 'c';"
        " correct it"
    )


# Files


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_ones_own_files_are_where_the_config_says(split: dataset.Split) -> None:
    section = own(valid="valid.jsonl", test="/elsewhere/test.tsv")
    assert locate(section, split) == Path(
        {"train": "train.csv", "valid": "valid.jsonl"}.get(split, "/elsewhere/test.tsv")
    )


@pytest.mark.parametrize(
    ("split", "more"),
    [
        ("valid", ""),
        ("test", "; or keep part of the training file with data.test_fraction"),
    ],
)
def test_a_file_that_the_config_does_not_name_is_asked_for(
    split: dataset.Split, more: str
) -> None:
    with pytest.raises(DataError) as caught:
        locate(own(), split)
    assert (
        str(caught.value)
        == f"data.{split} is not set: name the file in the config, or give it with"
        f" --data{more}"
    )


def test_test_rows_are_drawn_class_by_class() -> None:
    labels = np.array([0] * 50 + [1] * 30)
    rest, test = split_test_rows(labels, 0.1)
    assert np.bincount(labels[test]).tolist() == [5, 3]
    assert sorted([*rest, *test]) == list(range(80))


def test_test_rows_are_not_those_that_a_seed_of_a_config_draws() -> None:
    labels = np.array([0, 1] * 200)
    _, test = split_test_rows(labels, 0.1)
    assert all(
        split_rows(labels, 0.1, seed)[1].tolist() != test.tolist() for seed in range(50)
    )


def test_without_a_fraction_there_are_no_test_rows() -> None:
    rest, test = split_test_rows(np.array([0, 1, 0]), None)
    assert (rest.tolist(), test.tolist()) == ([0, 1, 2], [])


def test_a_class_keeps_a_row_to_learn_from() -> None:
    rest, _ = split_test_rows(np.array([0, 0, 1]), 0.99)
    assert np.array([0, 0, 1])[rest].tolist() == [0, 1]


def test_too_few_rows_for_a_test_are_refused() -> None:
    with pytest.raises(
        DataError,
        match=(
            r"^2 rows are too few to keep 10% of each class for the test: raise"
            r" data\.test_"
        ),
    ):
        split_test_rows(np.array([0, 1]), 0.1)


def test_a_file_without_a_header_is_read_by_the_names_of_its_columns(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.csv", "x;one;9\ny;two;8\n")
    section = DataSection(
        train=str(path), text=["t"], delimiter="semicolon", columns=["label", "t", "id"]
    )
    labelled = load_labelled(path, section, TextSection())
    assert (labelled.label_names, labelled.texts.words) == (["x", "y"], ["one", "two"])


def test_a_built_in_data_set_has_no_validation_file() -> None:
    with pytest.raises(
        DataError,
        match=(
            r"^ag_news has no validation file: validation rows are cut from its"
            r" training"
        ),
    ):
        locate(AG_NEWS, "valid")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_quickstart_is_named_with_what_to_do(split: dataset.Split) -> None:
    with pytest.raises(DataError) as caught:
        locate(DataSection(name="quickstart", root="nowhere"), split)
    assert (
        str(caught.value) == "nowhere/quickstart lacks train.csv or test.csv: "
        "run from the repository's root, or set data.root to its data folder"
    )


def test_files_of_a_built_in_data_set_lie_below_the_root() -> None:
    path = write(Path("elsewhere/quickstart/test.csv"), "1,a,b\n")
    assert locate(DataSection(name="quickstart", root="elsewhere"), "test") == path


# The download


@pytest.mark.parametrize("split", ["train", "test"])
def test_both_missing_files_are_downloaded(
    server: Server, split: dataset.Split
) -> None:
    assert locate(AG_NEWS, split) == FOLDER / f"{split}.csv"
    assert {path.stem: path.read_bytes() for path in FOLDER.iterdir()} == FILES
    assert server.asked == ["train.csv", "test.csv"]


def test_a_download_shows_no_bar_without_a_terminal(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    locate(AG_NEWS, "train")
    assert (capsys.readouterr(), len(server.asked)) == (("", ""), 2)


def test_a_file_that_is_there_is_used_as_it_is(server: Server) -> None:
    path = write(FOLDER / "train.csv", "1,mine,own\n")
    assert (locate(AG_NEWS, "train"), path.read_bytes(), server.asked) == (
        path,
        b"1,mine,own\n",
        [],
    )


def test_a_download_leaves_a_file_that_is_there_alone(server: Server) -> None:
    path = write(FOLDER / "train.csv", "1,mine,own\n")
    locate(AG_NEWS, "test")
    assert (path.read_bytes(), server.asked) == (b"1,mine,own\n", ["test.csv"])


@pytest.mark.parametrize(
    "content", [FILES["train"].replace(b"one", b"two"), b"", FILES["train"] + b"more"]
)
def test_a_download_with_the_wrong_checksum_leaves_no_file(
    server: Server, content: bytes
) -> None:
    server.answers["train.csv"] = send(content)
    with pytest.raises(DataError) as caught:
        locate(AG_NEWS, "train")
    expected, found = (
        hashlib.md5(text).hexdigest() for text in (FILES["train"], content)
    )
    assert (
        str(caught.value)
        == f"{server.url}/train.csv: expected {len(FILES['train'])} bytes with md5"
        f" {expected}, found {len(content)} bytes with {found}"
    )
    assert list(FOLDER.iterdir()) == []


def test_a_download_that_breaks_off_leaves_no_file(server: Server) -> None:
    server.answers["train.csv"] = send(FILES["train"][:10], length=len(FILES["train"]))
    with pytest.raises(DataError):
        locate(AG_NEWS, "train")
    assert list(FOLDER.iterdir()) == []


@pytest.mark.parametrize("answer", [send_404, send_nonsense, send_broken_chunks])
def test_a_server_that_fails_is_an_error_of_the_data(
    server: Server, answer: Answer
) -> None:
    server.answers["train.csv"] = answer
    with pytest.raises(
        DataError, match=r"^ag_news is not at data/ag_news and cannot be downloaded"
    ):
        locate(AG_NEWS, "train")
    assert list(FOLDER.iterdir()) == []


def test_after_a_failed_download_the_next_one_succeeds(server: Server) -> None:
    server.answers["train.csv"] = send_404
    with pytest.raises(DataError):
        locate(AG_NEWS, "train")
    server.answers["train.csv"] = send(FILES["train"])
    assert locate(AG_NEWS, "train").read_bytes() == FILES["train"]


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "part", ["train.csv", "test.csv", "data/ag_news", "data.root", "https://"]
)
def test_without_a_network_the_error_says_which_files_belong_where(part: str) -> None:
    with pytest.raises(DataError) as caught:
        locate(AG_NEWS, "train")
    assert part in str(caught.value)


@pytest.mark.usefixtures("no_network")
def test_without_a_network_the_error_names_the_whole_path_of_the_folder(
    tmp_path: Path,
) -> None:
    with pytest.raises(DataError) as caught:
        locate(AG_NEWS, "test")
    assert str(tmp_path / "data" / "ag_news") in str(caught.value)


def test_a_folder_that_cannot_be_made_is_an_error_of_the_data(server: Server) -> None:
    write(Path("data"), "a file, no folder")
    with pytest.raises(DataError, match="cannot be downloaded"):
        locate(AG_NEWS, "train")
    assert server.asked == []


# The note about files that are not the published ones


def notes_on(split: str, content: bytes, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.INFO, logger="rnncls.data.datasets"):
        note_if_not_canonical(
            load_labelled(write(FOLDER / f"{split}.csv", content), AG_NEWS, WORDS),
            "ag_news",
        )
    return caplog.messages


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("split", FILES)
def test_the_published_file_is_read_without_a_note(
    split: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert notes_on(split, FILES[split], caplog) == []


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    "content",
    [FILES["train"].replace(b"one", b"two"), FILES["train"].removesuffix(b"\n")],
)
def test_a_file_that_is_not_the_published_one_is_noted(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert notes_on("train", content, caplog) == [
        "data/ag_news/train.csv is not the published ag_news file (2 rows here, 2"
        " there, another checksum): figures are not comparable with published ones"
    ]


def test_the_note_counts_the_rows_of_both_files(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (note,) = notes_on("test", b"1,a,b\n" * 1001, caplog)
    assert "(1,001 rows here, 7,600 there" in note


def test_a_file_with_another_name_is_read_without_a_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert notes_on("mine", b"1,a,b\n", caplog) == []


def test_ones_own_file_is_read_without_a_note(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="rnncls.data.datasets"):
        load(["1", "2"])
    assert caplog.messages == []


@pytest.mark.parametrize(("split", "num_rows"), [("train", 120_000), ("test", 7_600)])
def test_the_published_files_of_ag_news_are_known(split: str, num_rows: int) -> None:
    file = BUILT_INS["ag_news"].files[split]
    assert (file.num_rows, len(file.md5), file.url.endswith(f"/{split}.csv")) == (
        num_rows,
        32,
        True,
    )


def test_spaces_around_a_label_do_not_make_another_class(tmp_path: Path) -> None:
    path = tmp_path / "spaces.csv"
    path.write_text("text,label\na,pos\nb, pos\nc,neg \n", encoding="utf-8")
    assert dataset.load_labelled(path, own(label="label"), WORDS).label_names == [
        "neg",
        "pos",
    ]
