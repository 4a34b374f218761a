"""What values show of themselves: one line, a page of a notebook, a table, a picture."""

import numpy as np
import pandas
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes

import dynsearch
from dynsearch.display.notebook import page
from dynsearch.scores.tables import load_scores
from tests.plans import small_plan
from tests.search.toy import ToyEvaluator

PLAN = small_plan("1x3", "2x4", "4x5")


@pytest.fixture(autouse=True)
def _no_window():
    pyplot.switch_backend("Agg")
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def scores():
    return ToyEvaluator.draw(PLAN, "calibration")


@pytest.fixture(scope="module")
def curve(scores):
    return dynsearch.solve_thresholds(scores)


@pytest.fixture
def values(scores, curve):
    return {"plan": PLAN, "scores": scores, "frontier": curve}


@pytest.mark.parametrize("name", ["plan", "scores", "frontier"])
def test_every_value_shows_itself(values, name):
    value = values[name]
    assert "\n" not in repr(value)
    assert len(repr(value)) < 200
    assert repr(value).startswith(f"{type(value).__name__}(")
    assert repr(value).replace("'", "&#x27;").split("(")[1][:10] in value._repr_html_()
    assert isinstance(value.to_pandas(), pandas.DataFrame)
    axes = value.plot()
    assert isinstance(axes, Axes)
    assert axes.figure in [pyplot.figure(number) for number in pyplot.get_fignums()]
    _, own = pyplot.subplots()
    assert value.plot(own) is own


def test_a_frontier_is_a_row_for_each_point(curve):
    table = curve.to_pandas()
    assert list(table.columns[:2]) == ["gflops", "top1"]
    for row, point in zip(table.to_dict("records"), curve, strict=True):
        assert (row["gflops"], row["top1"]) == (point.cost, point.top1)
        assert tuple(row[f"threshold_{k}"] for k in range(3)) == point.thresholds
        assert tuple(row[f"exit_share_{k}"] for k in range(3)) == point.exit_share


def test_a_frontiers_picture_is_its_points_and_the_best_under_a_budget(curve):
    budget = curve[len(curve) // 2].cost
    axes = curve.plot(budget=budget)
    line, chosen, limit = axes.get_lines()
    assert np.array_equal(line.get_xydata(), [(p.cost, 100 * p.worth) for p in curve])
    assert tuple(chosen.get_xydata()[0]) == (
        curve.best_under(budget).cost,
        100 * curve.best_under(budget).worth,
    )
    assert set(limit.get_xdata()) == {budget}


def test_scores_as_a_table_are_the_scores_again(scores, tmp_path):
    scores.to_pandas().to_csv(tmp_path / "scores.csv", index=False)
    again = load_scores(tmp_path / "scores.csv", scores.cost_E.tolist())
    assert np.array_equal(again.correct(), scores.correct())
    assert np.array_equal(again.confidence(), scores.confidence())
    assert np.array_equal(again.video_ids_N, scores.video_ids_N)
    line = scores.plot().get_lines()[0].get_xydata()
    assert np.allclose(line, np.stack([scores.cost_E, 100 * scores.correct().mean(axis=1)], axis=1))


def test_a_plan_lists_its_exits(values):
    assert values["plan"].to_pandas().to_dict("records") == [
        {"exit": 1, "cell": "1x3", "frames": 1, "depth": 3},
        {"exit": 2, "cell": "2x4", "frames": 2, "depth": 4},
        {"exit": 3, "cell": "4x5", "frames": 4, "depth": 5},
    ]
    texts = {text.get_text() for text in values["plan"].plot(exit_share=[0.5, 0.25, 0.25]).texts}
    assert {"exit 1\n50%", "exit 2\n25%", "exit 3\n25%"} <= texts


def test_a_page_escapes_what_is_not_its_own_and_shows_rows_from_all_over():
    shown = page("<b>", "a & b", table=pandas.DataFrame({"x": range(100)}), text="<i>")
    assert "&lt;b&gt;" in shown
    assert "a &amp; b" in shown
    assert "<pre>&lt;i&gt;</pre>" in shown
    assert shown.count("<tr") == 13
    assert "<td>0</td>" in shown
    assert "<td>99</td>" in shown
