"""What version 0.1.0 wrote, to be found unchanged by every later version.

    python -m tests.compatibility.golden FOLDER      writes it anew into FOLDER

``plans.json`` holds the ids and costs of the shipped plans and of some plans of each shipped space; ``studies/`` two
miniature studies, of every network family and of the one-shot strategy; ``resume/`` a study that is to go on, and
``bundle/`` a bundle. All were made by the real commands with one thread.
"""

import json
import os
import random
import shutil
import sys
import unittest.mock
from pathlib import Path

import yaml

import dynsearch
from dynsearch import resources
from dynsearch.plan import Plan
from dynsearch.space import SearchSpace
from tests.cli.miniature import write_sthv2
from tests.cli.miniature_study import DATA, QUICK, SPACE
from tests.cli.runner import dynsearch as run_command
from tests.own_folders import use_own_folders

HERE = Path(__file__).parent / "files"
NUM_CLASSES = 174
FAMILIES_SPACE = {
    "families": ["grid", "adafocus", "sfc", "tsn", "tsm"],
    "backbones": ["test_resnet"],
    "frames": [{"num_frames": 4, "num_sets": 4}],
    "image_sizes": [48],
    "frame_orders": ["sequential"],
    "exits": {"min_exits": 2, "max_exits": 2, "min_depth": 3, "max_depth": 5},
    "adafocus": {
        "global_backbones": ["test_byobnet"], "local_backbones": ["test_resnet"], "patch_sizes": [24],
        "patch_per": ["frame", "video"], "policy_width": 16, "classifier_width": 16,
    },
    "sfc": {"num_frames": [8], "splits": [3], "time_ratios": [2], "temporal_shifts": ["bidirectional"]},
}  # fmt: skip
STUDIES = {
    "families": (
        "--strategy",
        "retrain",
        "--space",
        "families.yaml",
        "--trials",
        "7",
        "--set",
        "training.epochs=1",
    ),
    "one-shot": (
        "--space",
        "space.yaml",
        "--retrain",
        "2",
        "--set",
        "one_shot={shared: 0, finish_epochs: null}",
    ),
}
"""The miniature studies: what each is run with, besides the data set and quick training."""
THREE = ["sequential", "paper", "bisection"]
SPACES_THEN = {
    "motions": {
        "frame_orders": THREE,
        "frames": [{"num_frames": 8, "num_sets": 4}, {"num_frames": 8, "num_sets": 8}],
    },
    "own-videos": {"frame_orders": THREE},
    "sthv2": {
        "frame_orders": ["sequential", "paper", "strided", "bisection"],
        "backbones": ["resnet18", "resnet34", "resnet50"],
    },
}
"""What spaces had that have less now; none had other heads."""
AS_THEN = ("--set", "thresholds.options={smoothing: 0}")
"""What fits the few calibration videos as they are, as 0.1.0 did."""
RESUMED = ("--strategy", "retrain", "--space", "space.yaml", "--set", "training.epochs=1")
KEPT = (
    "study.yaml",
    "origin.yaml",
    "frontier.csv",
    "families.csv",
    "study.db",
    "plan.yaml",
    "scores-calibration.npz",
    "scores-test.npz",
)


class Draws:
    """A trial whose parameters are drawn by a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def suggest_categorical(self, name, choices):
        return self.random.choice(list(choices))

    def suggest_int(self, name, low, high):
        return self.random.randint(low, high)


def shipped_plans():
    """Return by name the shipped plans, and of each shipped space its cheapest plans and some others."""
    plans = {
        name: Plan.load(resources.find("studies/paper", name)) for name in resources.names("studies/paper")
    }
    for name in resources.names("search_spaces"):
        values = yaml.safe_load(resources.find("search_spaces", name).read_text())
        space = SearchSpace.model_validate(values | {"heads": ["linear"]} | SPACES_THEN.get(name, {}))
        plans |= {f"{name}, cheapest {i}": plan for i, plan in enumerate(space.cheapest_plans()) if i < 12}
        plans |= {f"{name}, drawn {i}": space.sample(Draws(i)) for i in range(12)}
    return plans


def prepare(folder):
    """Write the miniature data set and the spaces into ``folder``."""
    write_sthv2(folder / "data")
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE))
    (folder / "families.yaml").write_text(yaml.safe_dump(FAMILIES_SPACE))


def run(*arguments, cwd):
    """Run the real command with one thread."""
    with unittest.mock.patch.dict(os.environ, OMP_NUM_THREADS="1"):
        return run_command(*arguments, cwd=cwd).out


def run_study(name, cwd):
    """Run one of :data:`STUDIES`."""
    return run("study", *DATA, *QUICK, *STUDIES[name], *AS_THEN, "--name", name, "--quiet", cwd=cwd)


def cpu():
    """Return what decides the last bits of a training."""
    import torch

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{model} {torch.backends.cpu.get_cpu_capability()}"


def write(target):
    """Write all golden files into ``target``."""
    target.mkdir(parents=True)
    costs = {}
    for name, plan in shipped_plans().items():
        table = dynsearch.cost_table(plan, NUM_CLASSES)
        costs[name] = {
            "plan_id": plan.plan_id, "plan": plan.to_dict(), "parameters": table.parameters,
            "gmacs": list(costs_of(table)),
        }  # fmt: skip
    (target / "plans.json").write_text(json.dumps(costs, indent=0, sort_keys=True) + "\n")
    (target / "cpu.txt").write_text(cpu() + "\n")
    work = target / "work"
    prepare(work)
    for name in STUDIES:
        run_study(name, work)
        keep(
            work / "studies" / name, target / "studies" / name, [name for name in KEPT if name != "study.db"]
        )
    run("study", *DATA, *QUICK, *RESUMED, "--trials", "2", "--name", "resume", "--quiet", cwd=work)
    keep(work / "studies" / "resume", target / "resume", KEPT)
    run("export", "resume", "--output", "bundle", "--data-root", "data", cwd=work)
    shutil.move(work / "bundle", target / "bundle")
    shutil.rmtree(work)


def costs_of(table):
    """Return the cumulative GFLOPs of a cost table."""
    return table.cost_E


def keep(source, target, names):
    """Copy the files called ``names`` from anywhere below a study's folder."""
    for path in sorted(source.rglob("*")):
        if path.name in names:
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


if __name__ == "__main__":
    use_own_folders()
    write(Path(sys.argv[1]))
