"""What heads and statistics taken for an order bring one-shot networks: their ranking of plans, their own frontier.

    OMP_NUM_THREADS=1 python benchmarks/one_shot_heads.py --folder DIR [--seeds 5 6 7 8 9]

DIR is the folder of benchmarks/search_networks.py, whose networks have linear heads. Each network's backbone stays; for
every frame order, its heads and statistics are those of a variant below. A JSON line for each network and variant goes
into benchmarks/results/one_shot_heads.jsonl and the table: Kendall's tau and the share of the hypervolume that the
network's own weights hold, as in search_efficiency.py, and mean test top-1 of all cells. Test chooses nothing. What the
file holds is not measured again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))

from search_efficiency import ranking, read_table
from search_ground_truth import points_under, recipe
from search_networks import SETTINGS, append, rows_of
from search_truths import ORDERS

import dynsearch
from dynsearch.data.loader import begin_epoch
from dynsearch.families.grid.choices import sample_trunk, trunk_choices
from dynsearch.families.grid.one_shot import FedNetwork
from dynsearch.network import ExitHead
from dynsearch.network.slots import SlotsHead
from dynsearch.network.weights.files import read_tensors
from dynsearch.plan import Plan
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.search.one_shot.library import FIT, reestimate_norms
from dynsearch.search.one_shot.scoring import grid_steps
from dynsearch.search.one_shot.screening_record import Replay
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.training import build_one_shot, trunk_of
from dynsearch.study.predictions import expected_top1
from dynsearch.study.source import open_clips
from dynsearch.training.made import WEIGHTS
from dynsearch.training.refit import refit_heads
from dynsearch.training.source import DatasetClips

SPACE, BUDGETS, TABLE = ORDERS.space, ORDERS.budgets, ORDERS.file("ground_truth")
RESULTS = TABLE.with_name("one_shot_heads.jsonl")
CHOSEN = recipe(*SETTINGS)
FITTED = {
    "linear heads fitted": "linear",
    "linear, norms by frames seen": "by_count",
    "slots fitted": "slots",
    "slots, norms by frames seen": "slots_by_count",
}
PLACES = "as trained, statistics by place"
VARIANTS = ("as trained", *FITTED, PLACES)


class ByCount(ExitHead):
    """A linear layer on the mean over frames, normalised by statistics of the number of frames seen."""

    reads = "sequence"

    def __init__(self, channels: int, num_classes: int, dropout: float, *, num_frames: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels, affine=False) for _ in range(num_frames))
        self.dropout, self.linear = nn.Dropout(dropout), nn.Linear(channels, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def forward(self, frames_BTC: torch.Tensor, times: tuple[int, ...]) -> torch.Tensor:
        """Return logits (B, K)."""
        logits: torch.Tensor = self.linear(self.dropout(self.norms[len(times) - 1](frames_BTC.mean(dim=1))))
        return logits


class SlotsByCount(SlotsHead):
    """Slots, the mean and the sum over slots normalised by statistics of the number of frames seen."""

    def __init__(self, channels: int, num_classes: int, dropout: float, *, num_frames: int) -> None:
        super().__init__(channels, num_classes, dropout, num_frames=num_frames)
        self.of_mean = ByCount(channels, num_classes, dropout, num_frames=num_frames)
        self.read, width = nn.BatchNorm1d(channels, affine=False), self.slots.shape[2]
        self.norms = nn.ModuleList(nn.BatchNorm1d(width, affine=False) for _ in range(num_frames))

    first_layers, after_each = ExitHead.first_layers, ExitHead.after_each

    def forward(self, frames_BTC: torch.Tensor, times: tuple[int, ...]) -> torch.Tensor:
        """Return logits (B, K)."""
        read_BTC = self.read(frames_BTC.flatten(0, 1)).unflatten(0, frames_BTC.shape[:2])
        seen_BTD = self.norm(self.of_frame(read_BTC)).relu()
        summed_BW = self.norms[len(times) - 1](seen_BTD.flatten(1) @ self.slots[list(times)].flatten(0, 1))
        return self.of_mean(frames_BTC, times) + self.linear(self.dropout((summed_BW + self.bias).relu()))


dynsearch.HEADS.register("by_count", ByCount)
dynsearch.HEADS.register("slots_by_count", SlotsByCount)


def take_norms_by_place(fed: FedNetwork, batches: Any) -> None:
    """Give every batch normalisation statistics for each place in the order fed: the first frame has its own, ..."""
    places, momentum = fed.plan.num_frames, 1.0

    def normalised(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
        own = x.unflatten(0, (-1, places)).flatten(1, 2)
        scale, bias = norm.weight.repeat(places), norm.bias.repeat(places)
        given = norm.mean_PC, norm.var_PC, scale, bias, momentum > 0, momentum, norm.eps
        return F.batch_norm(own, *given).unflatten(1, (places, -1)).flatten(0, 1)

    for norm in (module for module in fed.modules() if isinstance(module, nn.BatchNorm2d)):
        norm.mean_PC, norm.var_PC = torch.zeros(2, places * norm.num_features)
        norm.forward = lambda x, norm=norm: normalised(norm, x)
    with torch.no_grad():
        for number, (clips, _, _) in zip(range(CHOSEN.one_shot.norm_batches), batches, strict=False):
            momentum = 1 / (number + 1)  # A plain mean over the batches.
            fed(clips)
    momentum = 0.0


def fed_network(weights: Mapping[str, torch.Tensor], trunk: Plan, head: str, classes: int) -> FedNetwork:
    """Return a network's backbone, with its own heads if they are ``head``s, fed by ``trunk``."""
    shape = Shape.of(replace(trunk, head=head))
    finest, dropout = shape.finest_trunk(SPACE.model_copy(update={"heads": [head]})), CHOSEN.training.dropout
    network = build_one_shot(finest, SPACE, classes, CHOSEN.one_shot, dropout=dropout)
    own = network.state_dict()
    network.load_state_dict(own | {name: value for name, value in weights.items() if name in own})
    return FedNetwork(network.eval(), replace(trunk, head=head)).to(memory_format=torch.channels_last).eval()


@torch.inference_mode()
def scored(feds: Mapping[str, FedNetwork], source: DatasetClips, seed: int) -> Iterator[tuple[str, str, Any]]:
    """Yield variant, split and logits (S, M, B, K) of networks that have one backbone, run once."""
    first = next(iter(feds.values()))
    for split in ("calibration", "test"):
        found: dict[str, list[torch.Tensor]] = {name: [] for name in feds}
        for clips, _, _ in source.loader(split, first.plan, CHOSEN.training, training=False, seed=seed):
            vectors = first.frame_vectors(clips)
            for name, fed in feds.items():
                counts = [len(fed.times_seen(k)) for k in range(len(fed.cells))]
                logits = [
                    fed.head(k).after_each(vectors[cell.depth], fed.times_seen(-1), [counts[k]])[0]
                    for k, cell in enumerate(fed.cells)
                ]
                found[name].append(torch.stack(logits))
        for name, batches in found.items():
            yield name, split, torch.cat(batches, dim=1).unflatten(0, (first.plan.num_sets, -1)).numpy()


def grid_of(logits_SMBK: Any, trunk: Plan, source: DatasetClips, split: str, folder: Path) -> ScoreGrid:
    """Return the score grid of some logits, kept in ``folder``."""
    writer = ScoreGrid.create(
        folder, num_classes=source.num_classes, labels_N=source.labels(split),
        steps=grid_steps(trunk, source.num_classes, SPACE.exits.min_depth), num_sets=trunk.num_sets,
        num_depths=logits_SMBK.shape[1], first_depth=SPACE.exits.min_depth,
        video_ids_N=np.asarray(source.video_ids(split)), split=split, order=str(trunk.frame_order), source="",
    )  # fmt: skip
    writer.write(logits_SMBK)
    writer.finish()
    return ScoreGrid.load(folder)


def variants_of(
    path: Path, trunk: Plan, source: DatasetClips, seed: int, missing: Collection[str]
) -> Iterator[tuple[str, Plan, str, Any]]:
    """Yield variant, trunk, split and logits of a network under an order, prepared for it as a study does."""
    weights, training = read_tensors(path), CHOSEN.training
    for kinds in ({"as trained": "linear", **FITTED}, {PLACES: "linear"}):
        feds = {
            name: fed_network(weights, trunk, kind, source.num_classes)
            for name, kind in kinds.items()
            if name in missing
        }
        if not feds:
            continue
        first, *others = feds.values()
        batches = source.loader("train", trunk, training, training=True, seed=seed)
        begin_epoch(batches, 0)
        if PLACES in feds:
            take_norms_by_place(first, batches)
        else:
            reestimate_norms(first, first, batches, CHOSEN.one_shot.norm_batches)
        for fed in others:
            fed.network.backbone.load_state_dict(first.network.backbone.state_dict())
        if to_fit := [fed for name, fed in feds.items() if name in FITTED]:
            fitting = training.model_copy(update={"refit_heads": FIT})
            refit_heads(to_fit, source, fitting, device=torch.device("cpu"), seed=seed)
        for name, split, logits_SMBK in scored(feds, source, seed):
            yield name, feds[name].plan, split, logits_SMBK


def measured(
    path: Path, seed: int, source: DatasetClips, missing: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield a network's rows, one for each variant that is missing."""
    table = read_table(TABLE)
    grids: dict[str, dict[Plan, dict[str, ScoreGrid]]] = {name: {} for name in missing}
    with tempfile.TemporaryDirectory() as folder:
        for params in trunk_choices(SPACE) or []:
            trunk = sample_trunk(SPACE, Replay(params))
            logits = variants_of(path, trunk, source, seed, missing)
            for number, (name, fed, split, logits_SMBK) in enumerate(logits):
                own = grid_of(logits_SMBK, fed, source, split, Path(folder) / f"{trunk.plan_id}-{number}")
                grids[name].setdefault(trunk, {})[split] = own
        for name, by_trunk in grids.items():
            cells = np.mean([own["test"].correct().mean() for own in by_trunk.values()])
            points = [points_of(plan, **by_trunk[trunk_of(plan, SPACE)]) for plan in table.plans]
            promised_PB, calibration_PB, test_PB = np.moveaxis(np.array(points, dtype=float), 1, 0)
            chosen_B = np.nan_to_num(calibration_PB, nan=-1).argmax(axis=0)
            own_share = test_PB[chosen_B, range(len(BUDGETS))].mean() / table.target()
            tau = ranking(table, [SimpleNamespace(promised_PB=promised_PB)])["kendall_tau_mean"]
            figures = {"tau": tau, "own_share": 100 * own_share, "cells": 100 * cells}
            yield {"seed": seed, "heads": name} | {key: round(float(x), 4) for key, x in figures.items()}


def points_of(plan: Plan, *, calibration: ScoreGrid, test: ScoreGrid) -> list[list[float | None]]:
    """Return by budget: top-1 promised; of the shared weights on calibration; on test. None where no exit fits."""
    scores = calibration.exit_scores(plan.exits)
    points = points_under(scores, test.exit_scores(plan.exits), BUDGETS).values()
    own = [[None if point is None else point[k] for point in points] for k in (0, 2)]
    return [expected_top1(scores, BUDGETS), *own]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table: means, and each network's."""
    print("| | Kendall's tau | own share | top-1 of all cells |\n|---|---|---|---|")
    for name in VARIANTS:
        own = [row for row in rows if row["heads"] == name]
        columns = [
            _column([row[key] for row in own], digits)
            for key, digits in (("tau", 2), ("own_share", 1), ("cells", 1))
        ]
        print(f"| {name} | {' | '.join(columns)} |")


def _column(values: list[float], digits: int) -> str:
    return f"{np.mean(values):.{digits}f} ({', '.join(f'{value:.{digits}f}' for value in values)})"


def main() -> None:
    """Measure what is missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 6, 7, 8, 9])
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    source: DatasetClips = open_clips(CHOSEN)
    shape = Shape.of(Plan.from_dict(rows_of(TABLE)[0]["plan"]))
    for seed in arguments.seeds:
        done = {row["heads"] for row in rows_of(arguments.output) if row["seed"] == seed}
        if missing := [name for name in VARIANTS if name not in done]:
            path = arguments.folder / str(seed) / shape.folder_name / WEIGHTS
            for row in measured(path, seed, source, missing):
                append(arguments.output, row)
    show([row for row in rows_of(arguments.output) if row["seed"] in arguments.seeds])


if __name__ == "__main__":
    main()
