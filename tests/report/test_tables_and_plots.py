import csv

import pytest

from dynsearch.display.frontier_plot import plot_families, plot_frontier
from dynsearch.display.tables import format_table, write_csv
from dynsearch.measures import COUNTED
from dynsearch.report.frontier_table import frontier_table

ROWS = [
    {"trial": 0, "family": "grid", "num_frames": 4, "frame_order": "paper", "exits": "1x3 4x5", "thresholds": "0.91237",
     "test_top1": 0.5, "test_gflops": 1.0, "test_top1_low": 0.45, "test_top1_high": 0.55},
    {"trial": 12, "family": "grid", "num_frames": 8, "frame_order": "1 | 0 2", "exits": "2x3 8x4 8x5",
     "thresholds": "-inf inf", "test_top1": 0.925, "test_gflops": 32.7, "test_top1_low": 0.9, "test_top1_high": 0.95},
]  # fmt: skip


def test_numbers_are_right_aligned_and_texts_left():
    table = format_table([{"name": "a", "share": "9%"}, {"name": "long", "share": "100%"}])
    assert table.splitlines() == ["name  share", "a        9%", "long   100%"]
    assert format_table([]) == "(nothing)"


def test_the_frontier_table_says_what_thresholds_mean():
    first, second = frontier_table(ROWS).splitlines()[1:]
    assert "50.0%" in first
    assert "0.912" in first
    assert "92.5%" in second
    assert "90.0 - 95.0" in second
    assert second.endswith("always never")


def test_families_are_named_where_there_are_others():
    table = frontier_table([ROWS[0], ROWS[1] | {"family": "adafocus"}])
    assert [line.split()[0] for line in table.splitlines()] == ["family", "grid", "adafocus"]
    assert "family" not in frontier_table(ROWS)


def test_a_data_sets_own_metrics_are_shown():
    row = ROWS[0] | {"test_map": 0.612, "calibration_map": 0.7}
    assert frontier_table([row]).splitlines()[0].split()[:3] == ["GFLOPs", "mAP", "top-1"]
    assert "61.2%" in frontier_table([row])
    title, line = frontier_table([ROWS[1] | {"test_top5": 0.99, "test_mean_class": 0.456}]).splitlines()
    assert "top-5  mean class" in title
    assert "99.0%" in line
    assert "45.6%" in line


def test_csv_round_trip(tmp_path):
    write_csv(ROWS, tmp_path / "f.csv")
    with (tmp_path / "f.csv").open() as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in row.items()} for row in ROWS]


@pytest.mark.parametrize(("budget", "drawn"), [(30, True), (400, False)])
def test_a_frontier_of_one_point_has_a_budget_only_where_it_is_near(tmp_path, budget, drawn):
    plot_frontier(ROWS[1:], tmp_path / "f.svg", title="toy", unit=COUNTED, budget=budget)
    assert (f"budget {budget}" in (tmp_path / "f.svg").read_text()) is drawn


@pytest.mark.parametrize(("suffix", "starts"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_pictures(tmp_path, suffix, starts):
    path = tmp_path / f"f{suffix}"
    plot_frontier(ROWS, path, title="toy", unit=COUNTED, budget=40, full=(65.4, 0.93))
    assert path.read_bytes().startswith(starts)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_picture_says_what_it_shows(tmp_path):
    import matplotlib as mpl

    with mpl.rc_context({"svg.fonttype": "none"}):
        plot_frontier(ROWS, tmp_path / "f.svg", title="toy study", unit=COUNTED, budget=40, full=(65.4, 0.93))
    text = (tmp_path / "f.svg").read_text()
    for words in (
        "toy study",
        "GFLOPs per video",
        "top-1 accuracy",
        "full inference",
        "budget 40",
        "95% interval",
    ):
        assert words in text


def test_families_side_by_side(tmp_path):
    plot_families({"grid": ROWS, "tsm": ROWS[1:]}, tmp_path / "f.svg", title="both", budget=20, unit=COUNTED)
    text = (tmp_path / "f.svg").read_text()
    assert ">grid<" in text
    assert ">tsm<" in text
    assert ">budget 20<" in text
