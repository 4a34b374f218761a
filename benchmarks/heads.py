"""What exit heads are worth, at equal GFLOPs.

    python benchmarks/heads.py motions --work FOLDER
    python benchmarks/heads.py gestures --work FOLDER --data-root CLIPS --weights FILE

Trains one plan with each kind of head and several seeds, and prints test top-1 of every exit and the frontier's mean:
top-1 at 20 budgets evenly spaced from the first exit's cost to full inference with linear heads, of the point that
calibration chooses under each. ``A>B`` among --heads, in the table B, are heads B fitted on the backbone that heads A
trained, which is what a plan with heads B gets from ``training.refit_heads``. On gestures, every seed has other people
in test; intervals resample people there, videos on motions, and gains are paired with linear heads. What FOLDER holds
is not trained again, so that heads can be added. The result goes into benchmarks/results/heads.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from dynsearch.plan import ExitPlacement, FrameOrder, Plan, TemporalShift
from dynsearch.scores import ExitScores
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.source import open_clips
from dynsearch.thresholds import SOLVERS
from dynsearch.training.only_heads import HeadFitting
from dynsearch.training.run import TrainedScores, train_and_score

RESULTS = Path(__file__).parent / "results/heads.json"
PLANS = {
    "motions": {"backbone": "test_resnet", "num_frames": 8, "image_size": 48, "exits": "2x3 4x4 8x4 8x5"},
    "gestures": {
        "backbone": "mobilenetv2_035",
        "num_frames": 16,
        "image_size": 64,
        "exits": "4x4 8x4 12x5 16x5",
    },
}
EPOCHS = {"motions": 12, "gestures": 12}
HEADS = {"motions": ["linear>mlp", "linear>slots"], "gestures": ["linear>mlp", "slots", "linear>slots"]}
PEOPLE = ("11+20+25", "10+19+22", "12+26+27")
"""Who is in test, by seed."""


def trained(data: str, head: str, seed: int, arguments: argparse.Namespace) -> TrainedScores:
    """Return the scores of one network, trained now if it has not been.

    ``A>B`` is the network trained with heads A, its backbone left as it is and heads B fitted on it.
    """
    head, _, fitted = head.partition(">")
    settings = [f"training.epochs={EPOCHS[data]}", f"seed={seed}", "training.refit_heads=null"]
    if data == "gestures":
        settings += [f"dataset=csv@{PEOPLE[seed]}", f"training.weights={arguments.weights}"]
    recipe = load_recipe(data, settings=settings)[0]
    source = open_clips(recipe, arguments.data_root)
    facts = PLANS[data]
    plan = Plan(
        facts["backbone"],
        facts["num_frames"],
        FrameOrder.named("paper", facts["num_frames"]),
        ExitPlacement.of(*facts["exits"].split()),
        image_size=facts["image_size"],
        temporal_shift=TemporalShift("online"),
        head=head,
        features="mean",
    )
    folder = arguments.work / f"{data}-{head}-{seed}"
    scores = train_and_score(plan, source, recipe.training, folder, seed=seed)
    if not fitted:
        return scores
    started = time.perf_counter()
    trained_weights = folder / "weights.safetensors"
    fitting = HeadFitting(plan, [fitted], source, recipe.training, seed=seed, start_from=trained_weights)
    _, scores = fitting.run(arguments.work / f"{data}-{head}-{fitted}-{seed}")
    print(f"  fitted {fitted} on {folder.name} in {time.perf_counter() - started:.0f} s", flush=True)
    return scores


def right_on_frontier(scores: TrainedScores, budgets: np.ndarray) -> np.ndarray:
    """Return for each test video the share of budgets at which its answer is right, (N,)."""
    points = sorted(SOLVERS["frontier"](scores.calibration), key=lambda point: point.cost)
    right_N = np.zeros(scores.test.num_videos)
    for budget in budgets:
        fitting = [point for point in points if point.cost <= budget] or points[:1]
        policy = max(fitting, key=lambda point: point.top1).policy
        exit_N = policy.first_exit(policy.confidence_of(scores.test))
        right_N += scores.test.correct()[exit_N, range(len(right_N))]
    return right_N / len(budgets)


def interval(values_N: np.ndarray, groups_N: np.ndarray) -> tuple[float, float]:
    """Return the 95% bootstrap interval of the mean in percent, whole groups resampled."""
    names, index_N = np.unique(groups_N, return_inverse=True)
    sums, counts = np.bincount(index_N, values_N), np.bincount(index_N)
    drawn = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), 2000)
    low, high = np.percentile(100 * (drawn @ sums) / (drawn @ counts), [2.5, 97.5])
    return round(float(low), 2), round(float(high), 2)


def groups_of(data: str, scores: list[ExitScores], root: Path | None) -> np.ndarray:
    """Return who or what each test video of all seeds belongs to: its person, or itself."""
    if data == "motions":
        return np.concatenate([each.video_ids_N for each in scores])
    lines = (root / "clips.csv").read_text().splitlines()[1:]
    person = {Path(path).stem: who for path, _, who, *_ in (line.split(",") for line in lines)}
    return np.array([person[Path(str(video)).stem] for each in scores for video in each.video_ids_N])


def main() -> None:
    """Train what is missing, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=sorted(PLANS))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--heads", nargs="+", help="default: what the shipped recipe does, and others")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--weights", type=Path)
    arguments = parser.parse_args()
    runs = {
        head: [trained(arguments.data, head, seed, arguments) for seed in range(arguments.seeds)]
        for head in dict.fromkeys(["linear", *(arguments.heads or HEADS[arguments.data])])
    }
    first = runs["linear"][0].test.cost_E
    budgets = np.linspace(first[0], first[-1], 20) * 1.02  # Heads may cost 2%.
    groups_N = groups_of(arguments.data, [run.test for run in runs["linear"]], arguments.data_root)
    table: dict[str, dict[str, object]] = {}
    base_N = np.zeros(0)
    for head, scores in runs.items():
        right_N = np.concatenate([right_on_frontier(each, budgets) for each in scores])
        base_N = right_N if head == "linear" else base_N
        low, high = interval(right_N, groups_N)
        less, more = interval(right_N - base_N, groups_N)
        trained_with, _, name = head.rpartition(">")
        table[head if name in table else name] = {
            "trained_with": trained_with or name,
            "seeds": len(scores),
            "frontier_mean": round(100 * float(right_N.mean()), 2),
            "low": low,
            "high": high,
            "exits": np.mean([100 * each.test.correct().mean(axis=1) for each in scores], axis=0)
            .round(2)
            .tolist(),
            "gain": round(100 * float((right_N - base_N).mean()), 2),
            "gain_low": less,
            "gain_high": more,
            "cost_over_linear": round(float(scores[0].test.cost_E[-1] / first[-1]), 4),
        }
        print(f"{head:14s}", json.dumps(table[name]), flush=True)
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.write_text(json.dumps(known | {arguments.data: table, "default": "slots"}, indent=1) + "\n")


if __name__ == "__main__":
    main()
