"""Fitting the heads of a network that is trained already, and nothing else."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dynsearch.families import build_network, family_of
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network import MultiExitNetwork
from dynsearch.network.weights.files import load_weights, save_weights
from dynsearch.plan import Plan
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.config import RefitConfig, TrainingConfig
from dynsearch.training.device import pick_device
from dynsearch.training.made import SCORES, WEIGHTS, Made, file_digest
from dynsearch.training.progress import OnStep
from dynsearch.training.refit import refit_heads
from dynsearch.training.run import TrainedScores, found_scores, plan_made, scored
from dynsearch.training.seeding import seed_torch


def with_heads(plan: Plan, kinds: Sequence[str]) -> list[Plan]:
    """Return ``plan`` with each kind of heads, or it alone where none is named.

    Raises:
        PlanError: There is no such kind.
    """
    return [replace(plan, head=kind) for kind in dict.fromkeys(kinds or [plan.head])]


@dataclass(frozen=True)
class HeadFitting:
    """Heads to fit on a trained network.

    Attributes:
        plan: Of the trained network.
        kinds: Names in :data:`dynsearch.HEADS`, one or two joined by ``+``; the best of them stays. None given: the
            plan's own.
        source: The clips.
        config: Training settings, of which ``refit_heads`` says how, and ``weights`` and ``pretrained`` what the
            backbone has where ``start_from`` is None.
        seed: Of everything random.
        start_from: Weights of the plan's whole network.
        measure: What the network's costs are in.
    """

    plan: Plan
    kinds: Sequence[str]
    source: ClipSource
    config: TrainingConfig
    seed: int = 0
    start_from: Path | None = None
    measure: CostMeasure = COUNTED

    @property
    def plans(self) -> list[Plan]:
        """The plan with each kind of heads."""
        return with_heads(self.plan, self.kinds)

    def found_in(self, folder: Path) -> tuple[Plan, Made]:
        """Return the plan whose heads were best, if ``folder`` says so, and what makes its results.

        Raises:
            WeightsError: The weights are not there.
        """
        path, plan = folder / "plan.yaml", self.plans[0]
        if path.is_file() and (before := Plan.load(path)) in self.plans:
            plan = before
        start = {"only": "heads", "kinds": [each.head for each in self.plans]}
        if self.start_from is not None:
            start["weights"] = file_digest(self.start_from)
        config = self.settings
        return plan, plan_made(plan, self.source, config, self.seed, measure=self.measure, start=start)

    @property
    def settings(self) -> TrainingConfig:
        """The training settings, with those of the fit."""
        return self.config.model_copy(update={"refit_heads": self.config.refit_heads or RefitConfig()})

    def run(
        self, folder: Path, on_start: Callable[[str], None] | None = None, on_step: OnStep | None = None
    ) -> tuple[Plan, TrainedScores]:
        """Fit the heads and measure the network on calibration and test.

        Writes ``plan.yaml``, ``weights.safetensors`` and the scores of both splits into ``folder``; called again, it
        reads them.

        Returns:
            The plan with the heads that are best on held-out training videos, and its scores.

        Raises:
            InputError: ``folder`` holds results that other settings or videos made, or the heads can't be fitted.
            WeightsError: The weights can't be had, or are of another network.
        """
        plan, made = self.found_in(folder)
        if (known := found_scores(folder, plan, self.source, made)) is not None:
            return plan, known
        config, device = self.settings, pick_device()
        networks, told = zip(*map(self._started, self.plans), strict=True)
        if told[0] and on_start:
            on_start(told[0])
        best, _ = refit_heads(networks, self.source, config, device=device, seed=self.seed, on_step=on_step)
        network = networks[best]
        network.plan.save(folder / "plan.yaml")
        _, made = self.found_in(folder)
        scores = {
            split: scored(network, self.source, config, split, device=device, seed=self.seed, on_step=on_step)
            for split in SCORES
        }
        save_weights(network, folder / WEIGHTS, made.text)
        for split, measured in scores.items():
            measured.save(folder / SCORES[split], made.text)
        return network.plan, TrainedScores(**scores)

    def _started(self, plan: Plan) -> tuple[MultiExitNetwork, str]:
        """Return the network of ``plan`` on the trained backbone, and what was loaded from a file of weights."""
        seed_torch(self.seed, "init")
        network = build_network(
            plan, self.source.num_classes, dropout=self.config.dropout, measure=self.measure
        )
        if self.start_from is None:
            config = self.config
            loaded = family_of(plan).start(network, pretrained=config.pretrained, weights=config.weights)
            return network, "\n".join(map(str, loaded or ()))
        trained = build_network(self.plan, self.source.num_classes)
        load_weights(trained, self.start_from)
        own, given = network.state_dict(), trained.state_dict()
        network.load_state_dict(
            own | {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
        )
        return network, ""
