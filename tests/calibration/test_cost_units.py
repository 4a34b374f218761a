"""Costs in other units than GFLOPs, from the file or from the command line to everything that is printed."""

import csv
import json

import numpy as np
import pytest

import dynsearch
from dynsearch.errors import InputError, ScoresError
from dynsearch.measures import CostMeasure
from tests.cli.runner import dynsearch_here
from tests.thresholds.tables import random_scores

COUNTED = random_scores(1, num_videos=200)


@pytest.fixture
def files(tmp_path):
    """The same scores: with the unit in the file, and with costs of which the file does not say what they are in."""
    arrays = {"confidence": COUNTED.confidence(), "correct": COUNTED.correct()}
    np.savez(tmp_path / "said.npz", cost=COUNTED.cost_E, measure=np.array("ms"), **arrays)
    np.savez(tmp_path / "bare.npz", cost=COUNTED.cost_E, **arrays)
    np.savez(tmp_path / "gmacs.npz", gmacs=COUNTED.cost_E, **arrays)
    COUNTED.to_pandas().to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


def everywhere_else(values):
    """The answer in GFLOPs, spelled in milliseconds."""
    return json.loads(json.dumps(values).replace("gflops", "ms"))


@pytest.mark.parametrize(
    "scores",
    [["said.npz"], ["bare.npz", "--cost-unit", "ms"], ["gmacs.npz", "--cost-unit", "ms"], ["table.csv"]],
)
def test_every_key_and_column_is_spelled_in_the_unit(files, scores):
    if scores == ["table.csv"]:
        scores = ["table.csv", "--cost-unit", "ms", "--costs", ",".join(map(repr, COUNTED.cost_E.tolist()))]
    options = ("--cross-fit", "--apply", "said.npz", "--allow-overlap", "--csv", "out.csv", "--json")
    found = dynsearch_here("calibrate", *scores, "--budget", 4, *options, cwd=files).json
    counted = (
        "gmacs.npz",
        "--max-gflops",
        4,
        "--cross-fit",
        "--apply",
        "gmacs.npz",
        "--allow-overlap",
        "--json",
    )
    assert found == everywhere_else(dynsearch_here("calibrate", *counted, cwd=files).json)
    header = next(csv.reader((files / "out.csv").open()))
    assert {"ms", "applied_ms", "applied_ms_low", "cross_fitted_ms"} <= set(header)
    assert not [name for name in header if "gflops" in name]


def test_the_text_names_the_unit_and_nothing_else(files):
    options = ("--budget", 4, "--cross-fit", "--apply", "said.npz", "--allow-overlap", "--check", "said.npz")
    text = dynsearch_here("calibrate", "said.npz", *options, cwd=files).out
    assert "best point under 4 ms per video" in text
    assert text.splitlines()[2].split()[0] == "ms"
    assert "applied ms" in text
    assert "GFLOPs" not in text
    drawn = dynsearch.calibrate(files / "said.npz", 4).plot().get_xlabel()
    assert drawn.startswith("ms per video")


def test_any_name_is_a_unit_that_scores_may_bring(files):
    found = dynsearch.calibrate(files / "bare.npz", 4, cost_unit="joules")
    assert found.measure.name == "joules"
    assert set(found.point.to_row()) >= {"joules", "top1"}
    mine = CostMeasure("cents", "euro cents")
    text = repr(dynsearch.calibrate(files / "bare.npz", 4, cost_unit=mine))
    assert text.splitlines()[0].endswith("euro cents)")


def test_units_are_not_mixed(files):
    def refused(*words):
        return dynsearch_here("calibrate", *words, cwd=files, code=2).err

    assert "costs here are in ms, not in gflops" in refused("said.npz", "--max-gflops", 4)
    assert "its costs are in ms, not in GFLOPs" in refused("said.npz", "--cost-unit", "gflops")
    assert "has no array gmacs" in refused("bare.npz")
    assert "can't be compared" in refused(
        "said.npz", "--budget", 4, "--allow-overlap", "--apply", "gmacs.npz"
    )
    assert "--max-gflops and --budget are one" in refused("gmacs.npz", "--max-gflops", 4, "--budget", 4)
    assert "is no name of a cost measure" in refused("bare.npz", "--cost-unit", "milli seconds")
    assert "must be a number above zero" in refused("said.npz", "--budget", "nan")
    with pytest.raises(ScoresError, match="its costs are in ms"):
        dynsearch.ExitScores.load(files / "said.npz", measure=CostMeasure("joules"))
    with pytest.raises(InputError, match="not in gflops"):
        dynsearch.calibrate(files / "said.npz", max_gflops=4)
