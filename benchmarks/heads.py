"""What exit heads are worth, at equal GFLOPs.

    python benchmarks/heads.py motions --work FOLDER
    python benchmarks/heads.py gestures --work FOLDER --data-root CLIPS --weights FILE

Trains one plan with each kind of head and several seeds, and prints test top-1 of every exit and the frontier's mean:
top-1 at 20 budgets evenly spaced from the first exit's cost to full inference with linear heads, of the point that
calibration chooses under each. ``A>B`` among --heads, in the table B, are heads B fitted on the backbone that heads A
trained, which is what a plan with heads B gets from ``training.refit_heads``; ``--fit refit_heads.passes=4`` and
``--fit exit_loss=distill`` change how they are fitted. On gestures, every seed has other people in test; intervals
resample people there, videos on motions, and gains are paired with linear heads. What FOLDER holds is not trained
again, so that heads can be added. The result goes into benchmarks/results/heads.json, unless --output says where.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

import dynsearch
from dynsearch.network.heads import ExitHead, LinearHead
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


class Moments(ExitHead):
    """A linear layer on the mean, and a hidden one on running sums: of powers of time x what is read of a frame.

    Class attributes: how many powers, 1 being the sum alone; whether squares are summed too; to how many numbers
    (linear, LayerNorm, ReLU) a frame is brought before, 0 for none.
    """

    reads = "sequence"
    powers, squares, width = 2, False, 0

    def __init__(self, channels: int, num_classes: int, dropout: float, *, num_frames: int) -> None:
        super().__init__()
        self.of_mean = LinearHead(channels, num_classes, dropout)
        if self.width:
            self.of_frame, self.norm = nn.Linear(channels, self.width), nn.LayerNorm(self.width)
        sums = (self.width or channels) * (self.powers + self.squares)
        self.norm_mean = nn.BatchNorm1d(channels, affine=False)
        self.norm_sums, self.hidden = nn.BatchNorm1d(sums, affine=False), nn.Linear(sums, 64)
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(64, num_classes, bias=False)
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.zeros_(self.hidden.bias)
        nn.init.normal_(self.linear.weight, std=0.01)

    def forward(self, frames_BTC: torch.Tensor, times: tuple[int, ...]) -> torch.Tensor:
        """Return logits (B, K)."""
        own_BTD = self.norm(self.of_frame(frames_BTC)).relu() if self.width else frames_BTC
        sums_BD = torch.einsum("btd,tp->bpd", own_BTD, self.weights_of(times)).flatten(1)
        if self.squares:
            sums_BD = torch.cat([sums_BD, own_BTD.square().mean(dim=1)], dim=1)
        hidden = self.hidden(self.norm_sums(sums_BD)).relu()
        mean_BC = self.norm_mean(frames_BTC.mean(dim=1))
        logits: torch.Tensor = self.of_mean(mean_BC) + self.linear(self.dropout(hidden))
        return logits

    def weights_of(self, times: tuple[int, ...]) -> torch.Tensor:
        """Return the powers of these times, orthonormal, (T', powers): combinations of running sums of powers."""
        powers = torch.tensor(times, dtype=torch.float64)[:, None] ** torch.arange(self.powers)
        basis = torch.linalg.qr(powers).Q[:, : min(self.powers, len(times))]
        basis = basis * torch.where(basis[-1] < 0, -1, 1)
        return nn.functional.pad(basis, (0, self.powers - basis.shape[1])).float()


for name, facts in {
    "moments": {"width": 32},
    "moments3": {"width": 32, "powers": 3},
    "moments-read": {},
    "moments-read3": {"powers": 3},
    "moments-squares": {"powers": 1, "squares": True},
    "moments-read-squares": {"squares": True},
}.items():
    dynsearch.HEADS.register(name, type(name, (Moments,), facts))


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
    started = time.process_time()
    fits = [f"training.{setting}" for setting in arguments.fit]
    config = load_recipe(data, settings=[*settings, "training.refit_heads={}", *fits])[0].training
    trained_weights = folder / "weights.safetensors"
    fitting = HeadFitting(plan, [fitted], source, config, seed=seed, start_from=trained_weights)
    _, scores = fitting.run(arguments.work / "-".join([data, head, fitted, str(seed), *arguments.fit]))
    print(f"  fitted {fitted} on {folder.name} in {time.process_time() - started:.0f} s of CPU", flush=True)
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
    parser.add_argument("--fit", action="append", default=[], metavar="FIELD=VALUE", help="of training")
    parser.add_argument("--output", type=Path, default=RESULTS)
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
        name = head if name in table else name
        table[name] = {
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
    known = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {}
    arguments.output.write_text(
        json.dumps(known | {arguments.data: table, "default": "slots"}, indent=1) + "\n"
    )


if __name__ == "__main__":
    main()
