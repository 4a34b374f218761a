"""Notes in Markdown: the grid in characters, and texts that can't break out of their place."""

import pytest

from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.plan.plan_grid import grid_rows, grid_text
from dynsearch.report.notes import code_block, escape, plan_note, point_note, study_note, table
from dynsearch.thresholds import ExitPolicy, OperatingPoint

PLAN = Plan(
    "resnet50", 16, FrameOrder.named("paper", 8), ExitPlacement.of("2x1", "3x2", "4x3", "4x4", "4x5", "8x5")
)


def test_the_papers_grid():
    assert grid_text(PLAN).splitlines() == [
        "fed  frames d1  d2  d3  d4  d5",
        "  1  0-1     1   2   3   4   5",
        "  2  6-7    [1]  2   3   4   5",
        "  3  10-11   2  [2]  3   4   5",
        "  4  12-13   3   3  [3] [4] [5]",
        "-------------------------------",
        "  5  2-3     6   6   6   6   6",
        "  6  4-5     6   6   6   6   6",
        "  7  8-9     6   6   6   6   6",
        "  8  14-15   6   6   6   6  [6]",
    ]


def test_cells_that_no_exit_needs_are_dots():
    plan = Plan("resnet50", 2, FrameOrder.named("sequential", 2), ExitPlacement.of("1x2"), stages=3)
    assert [line.split()[2:] for line in grid_text(plan).splitlines()[1:]] == [
        ["1", "[1]", "."],
        [".", ".", "."],
    ]


@pytest.mark.parametrize("exits", [("1x1", "8x5"), ("3x2", "3x4", "5x4"), ("8x5",)])
def test_a_cells_exit_is_the_first_whose_rectangle_holds_it(exits):
    plan = Plan("resnet50", 8, FrameOrder.named("bisection", 8), ExitPlacement.of(*exits), stages=5)
    for i, row in enumerate(grid_rows(plan)):
        for j in range(5):
            holding = [k for k, e in enumerate(plan.exits.exits) if i < e.sets and j < e.depth]
            assert row.first_exit[j] == (holding[0] if holding else None)
            assert (j in row.exit) == (f"{i + 1}x{j + 1}" in exits)


def test_markdown_and_html_in_texts_stay_texts():
    assert escape("a|b <script>\n*x*") == r"a\|b \<script\> \*x\*"
    assert r"\|" in table(["a"], [["x|y"]]).splitlines()[2]
    assert code_block("one\n# two") == "    one\n    # two"


def test_a_measured_trials_note_has_its_figures():
    policy = ExitPolicy((0.5, float("inf"), float("-inf"), 0.123456, 0.9, float("-inf")))
    point = OperatingPoint(policy, 0.625, 12.34567, (0.5, 0, 0.5, 0, 0, 0), 80)
    note = point_note(PLAN, point, [1.0, 2.0, 3.0, 4.0, 5.0, 6.5], 20, full_top1=0.7)
    for words in (
        "62.5% at 12.35 GFLOPs",
        "0.123",
        "never",
        "always",
        "always",
        "50.0%",
        "70.0% at 6.5",
    ):
        assert escape(words) in note or words in note
    assert PLAN.plan_id in note
    assert grid_text(PLAN).splitlines()[3] in note


def test_status_and_study_notes():
    assert plan_note(PLAN, "Failed: <b>x</b>").startswith(r"Failed\: \<b\>x")
    note = study_note(
        dataset="mine",
        budget=40,
        num_trials=9,
        seed=3,
        num_videos={"test": 12},
        commands=["dynsearch study"],
    )
    assert "    dynsearch study" in note
    assert all(words in note for words in ("mine", "40 GFLOPs", "12", "9"))
