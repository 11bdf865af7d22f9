"""Pages, pictures and ONNX files replace earlier ones of their own kind only."""

from pathlib import Path

import pytest

from rnncls import ConfigError
from rnncls.cli.replaced_pages import (
    CLASSIFIER,
    REPORT,
    check_onnx,
    check_page,
    check_picture,
)
from rnncls.cli.reporting.html import save_page
from rnncls.cli.reporting.plotting import new_figure, save_picture
from tests.cli.conftest import Cli

FOREIGN_PAGE = "<!doctype html>\n<title>Report on my holidays</title>\n<p>a b"
ADVICE = ": choose another name, or delete the file first"


@pytest.mark.usefixtures("run_path")
@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        (["report"], "--output", "mine.html"),
        (["report", "--data", "toy.csv"], "--output", "mine"),
        (["compare", "runs/toy", "runs/toy"], "--html", "mine.html"),
        (["explain", "oslo"], "--html", "mine.html"),
        (["explain", "--trajectory", "oslo"], "--plot", "mine.png"),
        (["inspect", "toy.yaml"], "--html", "mine.html"),
        (["export", "--to", "page"], "--output", "mine.html"),
        (["export"], "--output", "mine.onnx"),
        (["plot"], "--output", "mine.png"),
        (["anytime"], "--plot", "mine.png"),
        (["gates", "oslo"], "--plot", "mine.png"),
        (["gradient"], "--plot", "mine.png"),
        (["order"], "--plot", "mine.png"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_file_of_the_user_is_kept(
    cli: Cli, command: list[str], option: str, name: str
) -> None:
    Path(name).write_text(FOREIGN_PAGE)
    done = cli(*command, option, name)
    assert (done.exit_code, done.stdout) == (2, "")
    assert f"error: {option}: {name} already exists, and is not " in done.stderr
    assert done.stderr.endswith(f"{ADVICE}\n")
    assert Path(name).read_text() == FOREIGN_PAGE


@pytest.mark.usefixtures("run_path")
@pytest.mark.parametrize(
    ("command", "other"),
    [
        (["explain", "oslo", "--html", "x.html"], ["report", "--output", "x.html"]),
        (["plot", "--output", "x.png"], ["gates", "oslo", "--plot", "x.png"]),
        (
            ["explain", "--trajectory", "oslo", "--plot", "x.png"],
            ["anytime", "--plot", "x.png"],
        ),
        (
            ["inspect", "toy.yaml", "--html", "x.html"],
            ["export", "--to", "page", "--output", "x.html"],
        ),
    ],
    ids=lambda value: value[0],
)
def test_an_output_is_replaced_by_the_same_command_only(
    cli: Cli, command: list[str], other: list[str]
) -> None:
    for _ in range(2):
        assert cli(*command).exit_code == 0
    before = Path(command[-1]).read_bytes()
    done = cli(*other)
    assert done.exit_code == 2
    assert "already exists, and is not a" in done.stderr
    assert Path(command[-1]).read_bytes() == before


@pytest.mark.usefixtures("run_path")
def test_the_pictures_of_a_report_do_not_replace_a_picture_of_the_user(
    cli: Cli,
) -> None:
    Path("pictures").mkdir()
    mine = Path("pictures/confusion.png")
    save_picture(mine, new_figure())  # a picture of matplotlib without the mark
    before = mine.read_bytes()
    done = cli("report", "--pictures", "pictures")
    assert done.exit_code == 2
    assert "--pictures: pictures/confusion.png already exists, and is not" in (
        done.stderr
    )
    assert [*Path("pictures").iterdir()] == [mine]
    assert mine.read_bytes() == before
    mine.unlink()
    for _ in range(2):
        assert cli("report", "--pictures", "pictures").exit_code == 0


def test_a_page_is_recognised_by_its_title(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    check_page("--output", path, REPORT)
    save_page(path, "Report on <b> & \udce9", [])
    check_page("--output", path, REPORT)
    with pytest.raises(ConfigError, match="is not a page by rnncls export"):
        check_page("--output", path, CLASSIFIER)
    path.write_text(FOREIGN_PAGE)
    with pytest.raises(ConfigError, match="is not a report by rnncls report"):
        check_page("--output", path, REPORT)


@pytest.mark.parametrize(
    "content", [b"", b"old\n", b"\n\n"], ids=["empty", "one word", "blank"]
)
def test_a_file_without_content_is_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "page.html"
    path.write_bytes(content)
    check_page("--output", path, REPORT)
    check_picture("--plot", path.rename(tmp_path / "x.png"), "gates")


@pytest.mark.parametrize(
    "content",
    [
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXtTitle\x00gates",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0btEXtTitle\x00gates1234",
        b"GIF89a a picture",
    ],
    ids=["signature", "cut", "another program", "GIF"],
)
def test_another_picture_is_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"is not a picture of this kind \(gates\)"):
        check_picture("--plot", path, "gates")


def test_a_tokenizer_beside_a_new_model_is_kept(tmp_path: Path) -> None:
    own, beside = tmp_path / "own.json", tmp_path / "a.tokenizer.json"
    own.write_text('{"model": 1}')
    beside.write_text('{"model": 2}')
    check_onnx("--output", tmp_path / "a.onnx", None)
    with pytest.raises(ConfigError, match=r"a\.tokenizer\.json already exists, and is"):
        check_onnx("--output", tmp_path / "a.onnx", own)
    beside.write_text(own.read_text())
    check_onnx("--output", tmp_path / "a.onnx", own)
