"""What an AdaFocusV2 network has that a grid network has not (Wang et al., CVPR 2022)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dynsearch.errors import PlanError, shown
from dynsearch.plan import Options, Plan
from dynsearch.plan.frame_order import LARGEST

PATCH_PER = ("frame", "video")
RESIZES = ("smooth", "aligned")


@dataclass(frozen=True)
class AdaFocusOptions(Options):
    """Fields of a plan of family ``adafocus``; the plan's ``backbone`` is the global network.

    Attributes:
        local_backbone: The timm model that looks at the patches.
        patch_size: Side of the square patches, in pixels.
        patch_per: ``frame``: a recurrent policy places one patch in every frame, and there is an exit after any
            frame set. ``video``: one place for all frames, chosen from the whole video.
        global_size: Side in pixels to which frames are reduced for the global network; None leaves them.
        global_resize: How they are reduced: ``smooth``, bilinear with antialiasing, or as in the authors' code
            ``aligned``, bilinear with aligned corners and without. None is smooth.
        global_frames: With one patch per video, how many of the frames the global network sees; None is all.
        policy_width: Width of the policy's hidden layers (of the first of two with one patch per video).
        classifier_width: Width of the layer in front of the running maximum; not used with one patch per video.
    """

    local_backbone: str
    patch_size: int
    patch_per: str = "frame"
    global_size: int | None = None
    global_frames: int | None = None
    policy_width: int = 2048
    classifier_width: int = 4096
    global_resize: str | None = None

    def __post_init__(self) -> None:
        if self.patch_per not in PATCH_PER:
            raise PlanError(
                f"must be {' or '.join(PATCH_PER)}, got {shown(self.patch_per)}", where="patch_per"
            )
        if self.global_resize not in (None, *RESIZES):
            raise PlanError(
                f"must be {' or '.join(RESIZES)}, got {shown(self.global_resize)}", where="global_resize"
            )
        for name in ("patch_size", "global_size", "global_frames", "policy_width", "classifier_width"):
            value = getattr(self, name)
            smallest = 2 if name == "policy_width" else 1
            if value is not None and not smallest <= value <= LARGEST:
                raise PlanError(f"must be a positive number, got {shown(value)}", where=name)
        # What does not matter is set to its default, so that equal networks have equal plans.
        unused, default = ("classifier_width", 4096) if self.patch_per == "video" else ("global_frames", None)
        object.__setattr__(self, unused, default)

    def completed(self, plan: Plan) -> AdaFocusOptions:
        """Return these options in the one form they have for ``plan``.

        Raises:
            PlanError: They do not fit the plan's frames, exits or temporal shift.
        """
        for name in ("patch_size", "global_size"):
            size = getattr(self, name)
            if size is not None and size > plan.image_size:
                raise PlanError(
                    f"must not be larger than the frames, which have {plan.image_size} px, got {size}",
                    where=f"options.{name}",
                )
        if self.global_frames is not None and self.global_frames > plan.num_frames:
            raise PlanError(
                f"must not be more than the {plan.num_frames} frames there are, got {self.global_frames}",
                where="options.global_frames",
            )
        if plan.head != "linear" or plan.stages is not None or plan.share_heads:
            raise PlanError("head, stages and share_heads are of the grid family", where="family")
        (_check_recurrent if self.patch_per == "frame" else _check_one_patch)(plan)
        size = None if self.global_size == plan.image_size else self.global_size
        return replace(
            self,
            global_size=size,
            global_resize=self.global_resize if size and self.global_resize == "aligned" else None,
            global_frames=None if self.global_frames == plan.num_frames else self.global_frames,
        )

    def __str__(self) -> str:
        return f"{self.local_backbone} on one {self.patch_size} px patch per {self.patch_per}"


def _check_recurrent(plan: Plan) -> None:
    if plan.temporal_shift.kind == "bidirectional":
        raise PlanError(
            "a bidirectional shift needs one patch per video",
            where="temporal_shift",
            hint="Set options.patch_per to video, or the shift to none or online",
        )
    if any(exit_.depth != 1 for exit_ in plan.exits.exits):
        raise PlanError(f"with one patch per frame all exits have depth 1, got {plan.exits}", where="exits")


def _check_one_patch(plan: Plan) -> None:
    if plan.frame_order.name != "sequential":
        raise PlanError("one patch per video needs frames in order of time", where="frame_order")
    sets = plan.num_sets
    if str(plan.exits) not in (f"{sets}x2", f"{sets}x1 {sets}x2"):
        raise PlanError(
            f"with one patch per video the exits are {sets}x2 (after the local network), or {sets}x1 (after the "
            f"global one) and {sets}x2, got {plan.exits}",
            where="exits",
        )
