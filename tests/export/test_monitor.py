"""Counting where videos stop, from run to run: false alarms are rare, and shifts are noticed."""

import json

import numpy as np
import pytest

from dynsearch.errors import BundleError, InputError
from dynsearch.export import Bundle
from dynsearch.export.monitor import ExitMonitor
from dynsearch.export.ownership import PROMISE
from tests.export.bundles import toy_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle that promises what a policy of three exits achieved on 400 videos."""
    folder = tmp_path_factory.mktemp("monitor") / "net"
    made = toy_bundle(folder)
    count = len(made.plan.exits)
    cost = np.asarray(made.recipe.measure.cost_E(made.plan, len(made.class_names)))
    share = np.full(count, 1 / count)
    values = {
        "thresholds": list(map(str, made.policy.thresholds)), "exit_share": share.tolist(), "num_videos": 400,
        "top1": 0.8, "cost": float(share @ cost), "spread": None,
    }  # fmt: skip
    (folder / PROMISE).write_text(json.dumps(values))
    return Bundle.load(folder)


def run(bundle, path, exits):
    monitor = ExitMonitor(bundle, path)
    said = [text for exit_index in exits if (text := monitor.count(int(exit_index)))]
    monitor.keep()
    return monitor, said


def test_an_exported_bundle_says_what_was_measured_on_test(tmp_path):
    made = toy_bundle(tmp_path / "net")
    values = json.loads((tmp_path / "net" / PROMISE).read_text())
    assert sum(values["exit_share"]) == pytest.approx(1)
    with pytest.raises(BundleError, match="of other thresholds"):  # toy bundles get others afterwards
        ExitMonitor(Bundle.load(made.folder), tmp_path / "seen.json")


@pytest.mark.reliability(
    "Statistics",
    "videos that stop elsewhere than a bundle was measured to (`predict --monitor`)",
    happens="are noticed as they run, with a false alarm for at most one bundle in a hundred",
    sees="`beyond chance from what was promised since ... videos`",
)
def test_false_alarms_are_rare_and_a_shift_is_noticed(bundle, tmp_path):
    count = len(bundle.plan.exits)
    rng, alarms = np.random.default_rng(0), 0
    for n in range(60):
        # What was promised was measured on videos too: draw both from one truth.
        truth = rng.dirichlet(np.full(count, 400 / count))
        alarms += bool(run(bundle, tmp_path / f"{n}.json", rng.choice(count, p=truth, size=800))[1])
    assert alarms <= 3
    shifted = np.r_[np.full(count - 1, 0.5 / (count - 1)), 0.5]
    monitor, said = run(bundle, tmp_path / "shift.json", rng.choice(count, p=shifted, size=400))
    assert len(said) == 1
    assert "beyond chance from what was promised since" in monitor.text()


def test_counts_go_on_from_run_to_run_and_between_processes(bundle, tmp_path):
    path = tmp_path / "seen.json"
    run(bundle, path, [0] * 30)
    one, other = ExitMonitor(bundle, path), ExitMonitor(bundle, path)
    one.count(0)
    other.count(1)
    one.keep()
    other.keep()
    kept = json.loads(path.read_text())
    assert kept["videos"] == sum(kept["exits"]) == 32
    assert kept["exits"][:2] == [31, 1]
    assert kept["cost"] == pytest.approx((31 * one.cost_E[0] + one.cost_E[1]) / 32)


@pytest.mark.reliability(
    "Files", "a `--monitor` file of another bundle, or a damaged one", happens="is refused, and left as it is"
)
@pytest.mark.parametrize("text", ['{"monitor_of": "other"}', "{", '{"monitor_of": 3, "exits": "x"}'])
def test_files_of_others_are_refused(bundle, tmp_path, text):
    path = tmp_path / "seen.json"
    path.write_text(text)
    with pytest.raises(InputError):
        ExitMonitor(bundle, path)
    assert path.read_text() == text


@pytest.mark.reliability(
    "Files",
    "a bundle that does not say what was promised",
    happens="is refused with `--monitor`",
    sees="`Export it again`",
)
def test_older_bundles_are_refused(bundle, tmp_path):
    text = (bundle.folder / PROMISE).read_text()
    (bundle.folder / PROMISE).unlink()
    try:
        with pytest.raises(BundleError, match="Export it again"):
            ExitMonitor(bundle, tmp_path / "seen.json")
        (bundle.folder / PROMISE).write_text(text[:40])
        with pytest.raises(BundleError):
            ExitMonitor(bundle, tmp_path / "seen.json")
    finally:
        (bundle.folder / PROMISE).write_text(text)
