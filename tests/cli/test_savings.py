"""What `dynsearch frontier` says that early exits save is what the scores say."""

import re

import pytest

from dynsearch.cli.frontier import print_frontier
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record
from dynsearch.study.results import read_results
from dynsearch.thresholds import full_inference
from tests.search.toy import SPACE, InlineEngine, run


def shown(path, capsys, num_exits):
    exits = SPACE.exits.model_copy(update={"min_exits": num_exits, "max_exits": num_exits})
    run(
        path, space=SPACE.model_copy(update={"exits": exits}), engine=InlineEngine, num_trials=3, max_gflops=1
    )
    results = read_results(open_record(StudyFolder(path)), StudyFolder(path), solver="frontier")
    print_frontier(results, StudyFolder(path), 1, as_json=False)
    test = results.scores[results.most_accurate][1]
    full = full_inference(test)
    return capsys.readouterr().out, full, f"{full.cost:.4g} GFLOPs", f"{100 * full.top1:.1f}%"


def test_a_saving_names_both_costs_and_accuracies(tmp_path, capsys):
    out, full, _, full_top1 = shown(tmp_path / "s", capsys, 3)
    pattern = r"Early exits: (\S+) GFLOPs instead of (\S+) \((\d+)% less\) at top-1 (\S+)% instead of (\S+)\n"
    cost, full_cost, share, _, top1 = re.search(pattern, out).groups()
    assert float(full_cost) == pytest.approx(full.cost, rel=1e-3)
    assert int(share) == pytest.approx(100 * (1 - float(cost) / float(full_cost)), abs=0.6)
    assert int(share) > 0
    assert top1 == full_top1


def test_plans_of_one_exit_save_nothing(tmp_path, capsys):
    out, _, full_cost, full_top1 = shown(tmp_path / "s", capsys, 1)
    assert f"save nothing at the accuracy of full inference: trial 0 in full takes {full_cost}" in out
    assert f"at top-1 {full_top1}." in out
    assert "% less" not in out
