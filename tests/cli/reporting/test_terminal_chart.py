"""Learning curves as characters: each point is where it belongs."""

from rnncls.cli.reporting.terminal_chart import (
    LearningCurve,
    Series,
    chart_lines,
    plot_series,
)


def test_points_stand_where_they_belong() -> None:
    lines = plot_series([Series("v", "validation", [(1, 1.0), (3, 0.0)])], "{:.1f}")
    assert lines[0] == "     1.0 │v··"
    assert lines[11].startswith("     0.0 │")
    assert lines[11].index("v") == 10 + 65
    assert lines[13] == " " * 10 + "1" + " " * 64 + "3"


def test_one_epoch_is_one_point() -> None:
    (line,) = [
        line
        for line in plot_series([Series("v", "validation", [(1, 0.5)])], "{:.2f}")
        if "v" in line
    ]
    assert line.strip() == "0.50 │v"


def test_a_language_model_has_a_chart_of_its_perplexity() -> None:
    rows = [
        {
            "epoch": n,
            "train_loss": 6.0 / n,
            "valid_loss": 6.5 / n,
            "valid_perplexity": 300.0 / n,
        }
        for n in (1, 2)
    ]
    lines = chart_lines([LearningCurve("one", rows)])
    assert "perplexity by epoch" in lines
    assert any(line.startswith("     300 │v") for line in lines)
