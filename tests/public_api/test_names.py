"""What others may rely on. A name added or taken away here is a decision, not an accident."""

import dynsearch
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.families import build_network
from dynsearch.plan import Plan
from dynsearch.registry import Registry


def test_public_names():
    assert dynsearch.__all__ == [
        "CONFIDENCE_MEASURES", "COST_MEASURES", "Calibration", "DATASETS", "DynsearchError", "ExitPolicy",
        "ExitScores", "FAMILIES", "Frontier", "HEADS", "OPTIMIZERS", "OperatingPoint", "Plan", "RunSettings",
        "SOLVERS", "Scored", "Study", "StudyEvent", "add_dataset", "build_network", "calibrate", "cost_table",
        "evaluate", "load", "read_frames", "run_study", "score", "solve_thresholds",
    ]  # fmt: skip


def test_public_names_are_the_real_things():
    assert dynsearch.Plan is Plan
    assert dynsearch.build_network is build_network
    assert dynsearch.load is LoadedNetwork
    registries = {name for name in dynsearch.__all__ if name.isupper()}
    assert all(isinstance(getattr(dynsearch, name), Registry) for name in registries)
    assert all(callable(getattr(dynsearch, name)) for name in set(dynsearch.__all__) - registries)
