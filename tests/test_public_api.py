"""What others may rely on. A name added or taken away here is a decision, not an accident."""

import dynsearch
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.families import build_network
from dynsearch.plan import Plan


def test_public_names():
    assert dynsearch.__all__ == [
        "Calibration", "DynsearchError", "ExitPolicy", "ExitScores", "Frontier", "OperatingPoint", "Plan",
        "build_network", "calibrate", "cost_table", "load", "read_frames", "solve_thresholds",
    ]  # fmt: skip


def test_public_names_are_the_real_things():
    assert dynsearch.Plan is Plan
    assert dynsearch.build_network is build_network
    assert dynsearch.load is LoadedNetwork
    assert all(callable(getattr(dynsearch, name)) for name in dynsearch.__all__)
