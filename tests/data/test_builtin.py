"""The built-in data sets: their download and the note about other files."""

import hashlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.builtin import (
    BUILT_INS,
    BuiltIn,
    CanonicalFile,
)
from rnncls.data.cache import load_cached
from rnncls.data.datasets import locate
from rnncls.data.splits import Split
from tests.web_server import (
    Answer,
    Server,
    send,
    send_404,
    send_broken_chunks,
    send_nonsense,
    serve,
)

FILES = {
    "train": b'"1","World news","one"\n"2","Sports news","two"\n',
    "test": b'"3","Business news","three"\n',
}
AG_NEWS = DataSection(name="ag_news")
FOLDER = Path("data/ag_news")


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


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_missing_quickstart_is_named_with_what_to_do(split: Split) -> None:
    with pytest.raises(DataError) as caught:
        locate(DataSection(name="quickstart", root="nowhere"), split)
    assert (
        str(caught.value) == "nowhere/quickstart lacks train.csv or test.csv: "
        "run from the repository's root, or set data.root to its data folder"
    )


# The download


@pytest.mark.parametrize("split", ["train", "test"])
def test_both_missing_files_are_downloaded(server: Server, split: Split) -> None:
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
        DataError, match=r"^ag_news is not in data/ag_news and cannot be downloaded"
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
    path = write(FOLDER / f"{split}.csv", content)
    with caplog.at_level(logging.INFO, logger="rnncls.data"):
        load_cached(path, AG_NEWS, TextSection(), use_cache=False)
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
        "data/ag_news/train.csv is not the published ag_news file (its checksum"
        " differs): results cannot be compared with published ones"
    ]


def test_the_note_counts_the_rows_of_both_files(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (note,) = notes_on("test", b"1,a,b\n" * 1001, caplog)
    assert "(it has 1,001 rows instead of 7,600): " in note


def test_a_file_with_another_name_is_read_without_a_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert notes_on("mine", b"1,a,b\n", caplog) == []


@pytest.mark.parametrize(("split", "num_rows"), [("train", 120_000), ("test", 7_600)])
def test_the_published_files_of_ag_news_are_known(split: str, num_rows: int) -> None:
    file = BUILT_INS["ag_news"].files[split]
    assert (file.num_rows, len(file.md5), file.url.endswith(f"/{split}.csv")) == (
        num_rows,
        32,
        True,
    )
