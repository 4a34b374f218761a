"""A network family as one value: all that is known of it, from its plans to its graphs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from dynsearch.errors import PlanError, WeightsError
from dynsearch.plan import FAMILIES, Plan
from dynsearch.space import SpaceFamily, space_family

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from dynsearch.cost import NetworkCost
    from dynsearch.network import MultiExitNetwork
    from dynsearch.network.losses import ExitLoss
    from dynsearch.network.online import ClipInTheMaking
    from dynsearch.network.weights.loaded import Loaded
    from dynsearch.plan.starting_weights import Weights
    from dynsearch.thresholds import ExitPolicy


class Family(SpaceFamily):
    """A kind of multi-exit network. Derive a class from it and register one object: ``FAMILIES.register(name, it)``.

    ``choices`` and :meth:`build` are needed; for the rest there are defaults. Plans and spaces are read without torch,
    so import it, and what needs it, inside the methods.

    Attributes:
        options: The class of what its plans have beyond the fields of all plans; None where that is nothing.
        choices: The class of what varies among its plans in a search space.
        one_shot: Whether one network can stand for all its plans, as the strategy ``one-shot`` needs.
        part_names: Names of the parts of its networks for which ``training.part_rates`` sets rates.
        backbone_names: Names of its networks' ``backbones``, to which ``training.weights`` gives files.
    """

    part_names: tuple[str, ...] = ()
    backbone_names: tuple[str, ...] = ("backbone",)

    @abstractmethod
    def build(self, plan: Plan, num_classes: int, *, dropout: float = 0.0) -> MultiExitNetwork:
        """Return the network of ``plan``, freshly initialised.

        Args:
            plan: A plan of this family.
            num_classes: K.
            dropout: Dropout before each classifier, active in training only.

        Raises:
            PlanError: A backbone is unknown or can't be used, or an exit lies outside the network.
        """

    def cost(self, plan: Plan, num_classes: int) -> NetworkCost:
        """Return what the network costs; by default each step from exit to exit is counted as one part.

        Args:
            plan: A plan of this family.
            num_classes: K.

        Raises:
            PlanError: The network can't be built.
        """
        from dynsearch import compiler
        from dynsearch.cost.steps import count_steps

        with compiler.only_shapes():
            return count_steps(self.build(plan, num_classes).eval())

    def objective(
        self,
        network: Callable[..., torch.Tensor],
        clips_BTCHW: torch.Tensor,
        labels_B: torch.Tensor,
        exit_loss: ExitLoss,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what training makes smaller, and the logits of all exits (E, B, K).

        By default it is the loss over exits.

        Args:
            network: The network, perhaps wrapped for several processes.
            clips_BTCHW: Clips with their T frames in temporal order.
            labels_B: Classes, or 0/1 (B, K).
            exit_loss: The loss over exits that the recipe names.
        """
        logits_EBK = network(clips_BTCHW)
        return exit_loss(logits_EBK.float(), labels_B), logits_EBK

    def base(self, plan: Plan) -> Plan | None:
        """Return the plan of the network that has to be trained before this one; None where there is none."""
        return None

    def load_base(self, network: MultiExitNetwork, weights: Path) -> None:
        """Give ``network`` the weights of its trained base.

        Raises:
            WeightsError: They are missing, damaged, or of another network.
        """
        raise WeightsError(
            f"the family {network.plan.family} does not say how it takes the weights of its base"
        )

    def start(
        self, network: MultiExitNetwork, *, pretrained: bool, weights: Weights | None
    ) -> tuple[Loaded, ...]:
        """Give ``network`` what its training begins with; by default its backbones timm's weights, or a file's.

        Args:
            network: Freshly initialised.
            pretrained: Take timm's weights.
            weights: For the plan's backbone take this file instead; or files by name of a backbone.

        Returns:
            For each backbone that got weights what was loaded, and what was not.

        Raises:
            WeightsError: The weights can't be had, or are of another architecture.
        """
        from dynsearch.network.weights.start import start_backbones

        return start_backbones(network, pretrained=pretrained, weights=weights, names=self.backbone_names)

    def online(self, network: MultiExitNetwork, policy: ExitPolicy) -> ClipInTheMaking | None:
        """Return a clip of which ``network``, in eval mode, computes every frame when it arrives.

        None, the default: it needs whole clips.
        """
        return None


def family_of(plan: Plan) -> Family:
    """Return the family of ``plan``.

    Raises:
        PlanError: It is not registered, or builds no network.
    """
    family = space_family(plan.family)
    if not isinstance(family, Family):
        raise PlanError(f"{plan.family} builds no network of its own", where="family")
    return family


def part_names() -> set[str]:
    """Return the names of all parts that networks of some family have."""
    families = map(space_family, FAMILIES)
    return {part for family in families if isinstance(family, Family) for part in family.part_names}
