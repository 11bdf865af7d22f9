"""The files of a data set are found by their names."""

from pathlib import Path
from typing import Any

import pytest

from rnncls import DataError
from rnncls.data.source_files import find_files


def write(name: str, content: str, encoding: str = "utf-8") -> str:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content, encoding=encoding)
    return name


def test_a_file_of_another_name_has_no_others() -> None:
    write("test.csv", "label,text\na,b\n")
    assert find_files(Path(write("reviews.csv", "x"))) == {"train": Path("reviews.csv")}


@pytest.mark.parametrize(
    "make", [lambda: Path("empty").mkdir(), lambda: write("empty/one/a.txt", "a")]
)
def test_a_folder_without_data_is_refused(make: Any) -> None:
    make()
    with pytest.raises(
        DataError,
        match=r"^empty: a folder with neither a train file nor a subfolder per class",
    ):
        find_files(Path("empty"))
