"""Online inference: a clip whose frames arrive one after the other, computed as they come."""

from typing import Any

import torch
from numpy.typing import NDArray

from dynsearch.errors import PlanError
from dynsearch.families.grid.parts import GridParts
from dynsearch.families.grid.steps import answer, extended
from dynsearch.network import Kept
from dynsearch.network.online import ExitAnswer
from dynsearch.network.sureness import stop_rule
from dynsearch.plan import Exit, Plan
from dynsearch.thresholds import ExitPolicy


class OnlineClip:
    """One clip in the making. Each frame is computed once, when it arrives, with the online shift's cache.

    The answer is that of progressive inference on the finished clip; it is there as soon as an exit is sure.

    Args:
        network: A grid network in eval mode, whose plan :func:`feeds_in_time` accepts.
        policy: Confidence measure and thresholds.

    Raises:
        PlanError: The plan does not feed frames in the order in which they arrive.
    """

    def __init__(self, network: GridParts, policy: ExitPolicy) -> None:
        plan = network.plan
        if not feeds_in_time(plan):
            raise PlanError(
                f"frames that arrive one by one need a grid network of frame order sequential without bidirectional "
                f"shift, not one of order {plan.frame_order} with {plan.temporal_shift}",
                hint="Wait for whole clips, or train such a plan",
            )
        policy.check_fits(len(plan.exits), plan.plan_id)
        self.network = network
        self.policy = policy
        self.last: ExitAnswer | None = None
        self._next = 0
        self._waiting: list[torch.Tensor] = []
        self._rule = stop_rule(policy)
        self._seen: NDArray[Any] | None = None
        self._done: Exit | None = None
        self._kept: Kept = {}

    @property
    def finished(self) -> bool:
        """Whether an exit was sure; no further frame is needed."""
        return self.last is not None and self.last.sure

    @torch.inference_mode()
    def feed(self, frame_CHW: torch.Tensor) -> None:
        """Take the next frame, float32 (C, H, W), and compute all that can be computed; see ``last``."""
        plan = self.network.plan
        self._waiting.append(frame_CHW)
        if len(self._waiting) < plan.frames_per_set:
            return
        new: torch.Tensor | None = torch.stack(self._waiting)[None]
        self._waiting = []
        sets = self._done.sets + 1 if self._done else 1
        while not self.finished:
            exit_ = plan.exits.exits[self._next]
            reached = exit_.sets <= sets
            # Cells up to the next exit's depth are computed before its frames are all there.
            target = exit_ if reached else Exit(sets, exit_.depth)
            if target != self._done:
                self._kept = extended(self.network, self._done, target, new, self._kept)
                self._done, new = target, None
            if not reached:
                break
            self._answer()

    def _answer(self) -> None:
        """Take the answer of the next exit, and decide whether it is the clip's."""
        k = self._next
        logits = answer(self.network, k, self._kept).cpu()
        (sure,), self._seen = self._rule.meet(self._seen, logits)
        self.last = ExitAnswer(logits[0], k, bool(sure))
        self._next += 1


def feeds_in_time(plan: Plan) -> bool:
    """Return whether the network of a grid plan can compute frames in the order in which they arrive."""
    in_time = plan.frame_order.sets == tuple(range(plan.num_sets))
    return in_time and plan.temporal_shift.kind != "bidirectional"
