"""The page of `rnncls drift`."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.container import BarContainer

from rnncls.cli.reporting.drift_page import save_drift_page
from rnncls.cli.reporting.drift_plots import plot_distributions, plot_label_shares
from tests.cli.reporting.drift_results import build_result
from tests.cli.reporting.test_html import Reader

RESULT = build_result()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "drift.html"
    save_drift_page(path, RESULT)
    return path.read_text(encoding="utf-8")


def test_the_sections_come_in_order(page: str) -> None:
    reader = Reader(page)
    assert reader.open == []
    places = [
        reader.text.index(text)
        for text in (
            "Drift in unknown words, pooled states",
            "Run: runs/first.",
            "AUROC 0.750",
            "Lengths and confidence",
            "+12.50",
            "+19.00",
            "most unlike the reference",
            "1,234",
        )
    ]
    assert places == sorted(places)
    assert len(reader.all("img")) == 3
    assert all(image["alt"] for image in reader.all("img"))


def test_names_stay_text(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page


def test_without_drift_the_page_says_so(tmp_path: Path) -> None:
    result = replace(RESULT, words=[], unlike_texts=[], true_labels=[])
    save_drift_page(tmp_path / "drift.html", result)
    text = Reader((tmp_path / "drift.html").read_text(encoding="utf-8")).text
    assert "No word is in significantly more or fewer texts than before." in text
    assert "The pooled states do not differ significantly." in text
    assert "True labels" not in text


def test_the_curves_are_the_quantiles() -> None:
    lengths, confidences = plot_distributions(RESULT.distributions).axes
    reference, file = lengths.get_lines()
    assert np.asarray(reference.get_xdata()).tolist() == [1, 10, 20]  # 0 has no log
    assert np.asarray(file.get_xdata()).tolist() == [1, 100, 900]
    assert lengths.get_xscale() == "log"
    assert np.asarray(file.get_ydata()).tolist() == [0, 0.5, 1]
    assert confidences.get_xscale() == "linear"


def test_each_label_has_two_bars() -> None:
    (axes,) = plot_label_shares(RESULT.predicted_labels).axes
    for container, share in zip(axes.containers, (0.5, 0.25), strict=True):
        assert isinstance(container, BarContainer)
        assert np.asarray(container.datavalues).tolist() == [share]
