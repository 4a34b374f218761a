"""Fitting exit heads on a backbone that stays as it is, whose features are computed once.

Videos of the training split are all they see: a tenth of them, whole groups where there are groups, says when to stop
and which of several heads is best.
"""

from __future__ import annotations

import copy
import functools
import math
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

from dynsearch.data.loader import begin_epoch
from dynsearch.errors import InputError, Stopped, TrainingError
from dynsearch.network import ExitHead, PlannedNetwork
from dynsearch.network.losses import distilled_cross_entropies, sum_of_cross_entropies
from dynsearch.network.multi_exit import HeadedNetwork
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.config import RefitConfig, TrainingConfig
from dynsearch.training.progress import OnStep, StepReporter
from dynsearch.training.seeding import seed_from, seed_torch
from dynsearch.training.stopping import stop_wanted

_BATCH, _RATE, _DECAY, _PATIENCE, _HELD_OUT = 128, 2e-3, 1e-2, 8, 0.1
_TEMPERATURES = (1.0, 2.0, 4.0)
"""Of which the one that teaches best is taken."""


def let_heads_wait(network: PlannedNetwork, config: TrainingConfig) -> None:
    """Let heads that will be fitted after the training answer with what trains the backbone only; refuse others."""
    if config.refit_heads is not None:
        for headed, _ in _to_fit([network]):
            for k in range(len(headed.head_depths)):
                headed.head(k).wait()


def _to_fit(networks: Sequence[PlannedNetwork]) -> list[tuple[HeadedNetwork, list[int]]]:
    """Return the networks with the exits whose heads can be fitted alone, of each one at least."""
    headed = [network for network in networks if isinstance(network, HeadedNetwork)]
    exits = [[k for k in range(len(one.head_depths)) if one.head(k).reads != "maps"] for one in headed]
    if not headed or not all(exits):
        plan = networks[0].plan
        what = f"of the family {plan.family}" if not headed else f"{plan.head}, which read maps,"
        raise InputError(
            f"heads {what} can't be fitted alone",
            where="training.refit_heads",
            hint="Leave it out, --set training.refit_heads=null, or take plans of the family grid with heads that read "
            "vectors: linear, mlp, slots",
        )
    return list(zip(headed, exits, strict=True))


def refit_heads(
    networks: Sequence[PlannedNetwork],
    source: ClipSource,
    config: TrainingConfig,
    *,
    device: torch.device,
    seed: int,
    on_step: OnStep | None = None,
) -> tuple[int, dict[int, float]]:
    """Fit the heads of ``networks`` anew, in place; their other parameters and statistics stay as they are.

    Args:
        networks: The same trained network with heads of different kinds, or it alone; features are computed once.
        source: The clips, of which the training split is used. Groups are held out whole.
        config: How: ``refit_heads``, or its defaults. With ``exit_loss: distill`` the last exit, fitted first, teaches
            the others.
        device: Where to compute.
        seed: Of the heads' first weights, dropout, the order of videos, and who is held out.
        on_step: Called a few times a second while features are computed.

    Returns:
        Which network's exits have the lowest negative log-likelihood on the held-out training videos, and theirs, by
        exit counted from 0. Exits whose heads read maps keep them, and are not among these.

    Raises:
        InputError: The networks' family has no heads that could be fitted alone, or all of them read maps.
        Stopped: This process was asked to stop.
    """
    fitted = _to_fit([network.to(device).eval() for network in networks])
    with tempfile.TemporaryDirectory() as folder:
        features = _features(fitted[0][0], source, config, device, seed, Path(folder), on_step)
        losses = [
            _fit_heads(_Fit(network, features, device), exits, config, seed) for network, exits in fitted
        ]
    common = set.intersection(*map(set, losses))
    best = min(range(len(losses)), key=lambda i: sum(losses[i][k] for k in common))
    return best, losses[best]


def _fit_heads(fit: _Fit, exits: Sequence[int], config: TrainingConfig, seed: int) -> dict[int, float]:
    """Give each of ``exits`` the best of the heads fitted for it; return their losses."""
    how, distil = config.refit_heads or RefitConfig(), config.exit_loss == "distill"
    exits_of: dict[ExitHead, list[int]] = {}
    for k in reversed(exits):  # The last exit first: it may teach the others.
        exits_of.setdefault(fit.network.head(k), []).append(k)
    losses: dict[int, float] = {}
    for head, own in exits_of.items():
        teaches = distil and len(fit.network.head_depths) - 1 not in own and len(losses) > 0
        found = [
            fit.fitted(own, how.epochs, temperature, seed_from(seed, "refit", own, draw))
            for draw, temperature in product(range(how.seeds), _TEMPERATURES if teaches else (None,))
        ]
        loss, best = min(found, key=lambda one: one[0])
        head.load_state_dict(best)
        losses |= dict.fromkeys(own, loss)
    return losses


@dataclass(frozen=True)
class _Features:
    """What heads read of every training video, in P passes of clips drawn differently, the first as in testing.

    Attributes:
        by_depth: For each depth with exits (P x N, T', C), float16, in a file that memory is mapped to.
        labels: (P x N,) classes, or (P x N, K) 0/1.
        fitted: The rows that heads are fitted on.
        held_out: Those, of the first pass, that say when to stop.
    """

    by_depth: dict[int, np.ndarray]
    labels: torch.Tensor
    fitted: np.ndarray
    held_out: np.ndarray


@torch.inference_mode()
def _features(
    network: HeadedNetwork,
    source: ClipSource,
    config: TrainingConfig,
    device: torch.device,
    seed: int,
    folder: Path,
    on_step: OnStep | None = None,
) -> _Features:
    passes, groups_N = (config.refit_heads or RefitConfig()).passes, source.groups("train")
    count, labels = len(groups_N), torch.empty(0)
    loaders = [
        source.loader("train", network.plan, config, training=draws, seed=seed) for draws in (False, True)
    ]
    reporter, done = StepReporter(on_step, "features of train", passes * count), 0
    by_depth: dict[int, np.ndarray] = {}
    for number in range(passes):
        loader = loaders[min(number, 1)]
        begin_epoch(loader, number)
        for clips, labels_B, indices_B in loader:
            rows = number * count + indices_B.numpy()
            vectors = network.frame_vectors(clips.to(device))
            if not by_depth:
                by_depth = _files(folder, passes * count, vectors)
            for depth, vectors_BTC in vectors.items():
                if not torch.isfinite(half_BTC := vectors_BTC.half()).all():
                    raise TrainingError(
                        "features for the heads are not finite, or over 65,504", where=f"depth {depth}"
                    )
                by_depth[depth][rows] = half_BTC.cpu().numpy()
            if not len(labels):
                labels = torch.zeros(passes * count, *labels_B.shape[1:], dtype=labels_B.dtype)
            labels[rows] = labels_B
            done += len(rows)
            reporter.tell(done)
            if stop_wanted():
                raise Stopped
    names, group_N = np.unique(np.asarray(groups_N), return_inverse=True)
    drawn = np.random.default_rng(seed_from(seed, "held out")).permutation(len(names))
    share_N = np.cumsum(np.bincount(group_N)[drawn])
    num_out = max(1, int(np.searchsorted(share_N, _HELD_OUT * count, side="right")))
    out_N = np.isin(group_N, drawn[:num_out]) if len(names) > 1 else np.zeros(count, bool)
    fitted = np.flatnonzero(np.tile(~out_N, passes))
    return _Features(by_depth, labels, fitted, np.flatnonzero(out_N) if out_N.any() else fitted[:count])


def _files(folder: Path, num_rows: int, vectors: Mapping[int, torch.Tensor]) -> dict[int, np.ndarray]:
    """Return an array in a file for each depth; a disk that fills up under one would end the process."""
    shapes = {depth: (num_rows, *vectors_BTC.shape[1:]) for depth, vectors_BTC in vectors.items()}
    wanted, free = sum(2 * math.prod(shape) for shape in shapes.values()), shutil.disk_usage(folder).free
    if wanted > free:
        raise InputError(
            f"features for the heads need {wanted / 1e9:.1f} GB, {free / 1e9:.1f} GB are free",
            where=str(folder),
            hint="Give the environment variable TMPDIR a larger disk, or fewer training.refit_heads.passes",
        )
    return {
        depth: np.lib.format.open_memmap(folder / f"{depth}.npy", mode="w+", dtype=np.float16, shape=shape)
        for depth, shape in shapes.items()
    }


class _Fit:
    """Fits one head after the other on the same features.

    Args:
        network: Whose heads they are.
        features: What they read.
        device: Where to compute.
    """

    def __init__(self, network: HeadedNetwork, features: _Features, device: torch.device) -> None:
        self.network, self.features, self.device = network, features, device

    def fitted(
        self, exits: Sequence[int], epochs: int, temperature: float | None, seed: int
    ) -> tuple[float, dict[str, torch.Tensor]]:
        """Return the held-out loss and the weights of a head for ``exits``.

        It is fitted on standardised features, where it says which of its layers can take back what that changed.

        Args:
            exits: They share the head.
            epochs: Most passes over the features.
            temperature: Softens what the last exit teaches; None: it teaches nothing.
            seed: Of weights, dropout and the order of videos.
        """
        seed_torch(seed)
        head = self.network.new_head(exits[0]).to(self.device)
        self._standardised = (
            self._scale(exits[0]) if head.first_layers() else (torch.zeros(()), torch.ones(()))
        )
        optimizer = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=_DECAY, fused=True)
        order = np.random.default_rng(seed)
        best, weights, since = np.inf, copy.deepcopy(head.state_dict()), 0
        for _ in range(epochs):
            head.train()
            for logits_EBK, teacher_BK, labels_B in self._batches(
                head, exits, order.permutation(self.features.fitted), taught=temperature is not None
            ):
                if teacher_BK is None or temperature is None:
                    loss = sum_of_cross_entropies(logits_EBK, labels_B)
                else:
                    with_teacher = torch.cat([logits_EBK, teacher_BK[None]])
                    loss = distilled_cross_entropies(with_teacher, labels_B, temperature=temperature)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            held_out = self._loss(head.eval(), exits)
            since += 1
            if held_out < best:
                best, weights, since = held_out, copy.deepcopy(head.state_dict()), 0
            if since == _PATIENCE:
                break
            if stop_wanted():
                raise Stopped
        head.load_state_dict(weights)
        _absorb(head, *self._standardised)
        return best, head.state_dict()

    @functools.cache  # noqa: B019  # As long-lived as the features.
    def _scale(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and spread of each channel that exit ``k`` reads, over frames and the videos fitted on."""
        values = self._rows(k, self.features.fitted[: 20 * _BATCH]).flatten(0, 1)
        spread_C = values.std(dim=0, correction=0)
        return values.mean(dim=0), spread_C.clamp(min=1e-3 * float(spread_C.max()) + 1e-12)

    @torch.no_grad()
    def _loss(self, head: ExitHead, exits: Sequence[int]) -> float:
        rows = self.features.held_out
        losses = [
            float(sum_of_cross_entropies(logits_EBK, labels_B)) * len(labels_B)
            for logits_EBK, _, labels_B in self._batches(head, exits, rows, taught=False)
        ]
        return sum(losses) / len(rows) / len(exits)

    def _batches(
        self, head: ExitHead, exits: Sequence[int], rows: np.ndarray, *, taught: bool
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]]:
        """Yield the logits of ``exits`` by ``head``, those of the last exit if it teaches, and labels."""
        for start in range(0, len(rows), _BATCH):
            batch = np.sort(rows[start : start + _BATCH])
            logits_EBK = self._logits(head, exits, self._vectors(exits[0], batch))
            teacher = self._last_logits[batch] if taught else None
            yield logits_EBK, teacher, self.features.labels[batch].to(self.device)

    @functools.cached_property
    @torch.no_grad()
    def _last_logits(self) -> torch.Tensor:
        """What the last exit, fitted by now, says of every row, (P x N, K)."""
        last, rows = len(self.network.head_depths) - 1, np.arange(len(self.features.labels))
        head = self.network.head(last)
        parts = np.split(rows, rows[_BATCH::_BATCH])
        return torch.cat([self._logits(head, [last], self._rows(last, part))[0] for part in parts])

    def _logits(self, head: ExitHead, exits: Sequence[int], vectors_BTC: torch.Tensor) -> torch.Tensor:
        """Return the logits (E, B, K) of exits at one depth by ``head``."""
        times = [self.network.times_seen(k) for k in exits]
        longest = max(times, key=len)
        return head.after_each(vectors_BTC[:, : len(longest)], longest, [len(seen) for seen in times])

    def _vectors(self, k: int, rows: np.ndarray) -> torch.Tensor:
        mean, scale = self._standardised
        return (self._rows(k, rows) - mean.to(self.device)) / scale.to(self.device)

    def _rows(self, k: int, rows: np.ndarray) -> torch.Tensor:
        by_depth = self.features.by_depth[self.network.head_depths[k]]
        return torch.from_numpy(by_depth[rows]).float().to(self.device)


@torch.no_grad()
def _absorb(head: ExitHead, mean_C: torch.Tensor, scale_C: torch.Tensor) -> None:
    """Make of a head for (x - mean) / scale one for x."""
    for layer in head.first_layers():
        layer.weight.div_(scale_C)
        layer.bias.sub_(layer.weight @ mean_C)
