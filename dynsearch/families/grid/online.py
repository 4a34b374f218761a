"""Online inference: a clip whose frames arrive one after the other, computed as they come."""

from __future__ import annotations

import torch

from dynsearch.errors import PlanError
from dynsearch.families.grid.parts import GridParts
from dynsearch.families.grid.progressive import GridPass
from dynsearch.network.online import ExitAnswer
from dynsearch.plan import Exit, Plan
from dynsearch.thresholds import ExitPolicy


class OnlineClip:
    """One clip in the making. Each frame is computed once, when it arrives, with the online shift's cache.

    The answer is that of progressive inference on the finished clip; it is there as soon as an exit is sure.
    One network computes one clip at a time.

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
        self._walk = policy.walk(1)
        self._pass = GridPass(network, 1)
        network.history.tails = {}

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
        frames = torch.stack(self._waiting).contiguous(memory_format=torch.channels_last)
        self._waiting = []
        sets = self._pass.frames_done // plan.frames_per_set + 1
        new: torch.Tensor | None = frames
        while not self.finished:
            exit_ = plan.exits.exits[self._next]
            reached = exit_.sets <= sets
            # Cells up to the next exit's depth are computed before its frames are all there.
            target = exit_ if reached else Exit(sets, exit_.depth)
            if new is not None or target.depth > self._pass.depth_done or reached:
                later = plan.exits.exits[self._next + 1 if reached else self._next :]
                self._pass.extend_to(target, later, new)
                new = None
                if reached:
                    self._answer()
                    continue
            break

    def _answer(self) -> None:
        """Take the answer of the next exit, and decide whether it is the clip's."""
        k = self._next
        logits = self._pass.logits(k).cpu()
        sure = bool(self._walk.meet(logits.numpy())[0])
        self.last = ExitAnswer(logits[0], k, sure)
        self._next += 1
        if sure:
            self.network.history.tails = {}


def feeds_in_time(plan: Plan) -> bool:
    """Return whether the network of a grid plan can compute frames in the order in which they arrive."""
    in_time = plan.frame_order.sets == tuple(range(plan.num_sets))
    return in_time and plan.temporal_shift.kind != "bidirectional"
