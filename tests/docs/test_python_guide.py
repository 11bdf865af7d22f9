"""The Python code of the guides runs."""

import re
from pathlib import Path
from typing import Any

import pytest

import rnncls

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
CONFIG = """
device: cpu
data: {train: reviews.csv, test: more-reviews.csv, text: [text], valid_fraction: 0.2}
model: {cell: gru, embedding_dim: 8, hidden_size: 8}
train: {max_epochs: 2, batch_size: 16, lr: 0.02}
"""


def read_blocks(page: str) -> list[str]:
    text = (GUIDES / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", ["python.md", "predicting.md"])
def test_every_block_runs_after_those_before(
    page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "label,text\n" + "good,a good film\nbad,not good at all\n" * 40
    for name in ("reviews.csv", "more-reviews.csv"):
        (tmp_path / name).write_text(rows, encoding="utf-8")
    (tmp_path / "reviews.yaml").write_text(CONFIG, encoding="utf-8")
    rnncls.train("reviews.yaml", out="runs/reviews")
    names: dict[str, Any] = {}
    blocks = read_blocks(page)
    assert blocks
    for block in blocks:
        capsys.readouterr()
        exec(compile(block, page, "exec"), names)
        assert capsys.readouterr().out, block
