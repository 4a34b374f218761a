"""Which AdaFocusV2 plans a study may propose."""

from collections.abc import Iterator
from itertools import product
from typing import Annotated, Any, Literal

from pydantic import Field

from dynsearch.families.adafocus.options import AdaFocusOptions
from dynsearch.plan import FrameOrder, Plan
from dynsearch.space import Choices, SpaceAxes, Suggester, choose
from dynsearch.space.axes import Names, Numbers


class AdaFocusChoices(Choices):
    """What varies among plans of family ``adafocus``.

    Frames, image sizes and, with one patch per frame, frame orders are those of the space. With one patch per frame
    there is an exit after every frame set; with one per video, after the glance and at the end.
    """

    global_backbones: Names
    """Networks that glance at every frame."""
    local_backbones: Names
    """Networks that look at the patches."""
    patch_sizes: Numbers
    """Sides of a patch, in pixels."""
    patch_per: Annotated[list[Literal["frame", "video"]], Field(min_length=1)] = ["frame", "video"]
    """Whether a patch is chosen for each frame, or for a video."""
    global_sizes: Annotated[list[Annotated[int, Field(ge=1)] | None], Field(min_length=1)] = [None]
    """Sides to which frames are reduced for the global network; null is the image size."""
    global_frames: Annotated[list[Annotated[int, Field(ge=1)] | None], Field(min_length=1)] = [None]
    """With one patch per video, frames that the global network sees; null is all."""
    temporal_shifts: Annotated[list[Literal["none", "online"]], Field(min_length=1)] = ["none"]
    """With one patch per frame; with one per video the shift is bidirectional."""
    policy_width: int = Field(default=1024, ge=2)
    """Width of the policy's hidden layers."""
    classifier_width: int = Field(default=1024, ge=1)
    """Width of the layer in front of the running maximum."""

    def check(self, axes: SpaceAxes) -> None:
        """Refuse patches and reduced frames that are larger than frames."""
        if max(self.patch_sizes) > min(axes.image_sizes):
            raise ValueError("adafocus.patch_sizes must not exceed image_sizes")
        if max(size or 0 for size in self.global_sizes) > min(axes.image_sizes):
            raise ValueError("adafocus.global_sizes must not exceed image_sizes")

    def sample(self, trial: Suggester, axes: SpaceAxes) -> Plan:
        """Return the plan that ``trial`` proposes."""
        by_name = {str(grid): grid for grid in axes.frames}
        grid = by_name[choose(trial, "frames", list(by_name))]
        size = choose(trial, "image_size", axes.image_sizes)
        fields = {
            "backbone": choose(trial, "adafocus.global_backbone", self.global_backbones),
            "local_backbone": choose(trial, "adafocus.local_backbone", self.local_backbones),
            "patch_size": choose(trial, "adafocus.patch_size", self.patch_sizes),
            "global_size": choose(trial, "adafocus.global_size", self.global_sizes),
        }
        if choose(trial, "adafocus.patch_per", self.patch_per) == "video":
            fields["global_frames"] = choose(trial, "adafocus.global_frames", self.global_frames)
            return self._plan(grid.num_frames, size, None, "bidirectional", **fields)
        order = FrameOrder.named(choose(trial, "frame_order", axes.frame_orders), grid.num_sets)
        shift = choose(trial, "adafocus.temporal_shift", self.temporal_shifts)
        return self._plan(grid.num_frames, size, order, shift, **fields)

    def cheapest(self, axes: SpaceAxes) -> Iterator[Plan]:
        """Yield plans among which is that with the cheapest first exit."""
        networks = product(self.global_backbones, self.local_backbones, self.global_sizes)
        for (whole, local, global_size), grid, size in product(networks, axes.frames, axes.image_sizes):
            fields: dict[str, Any] = {
                "backbone": whole,
                "local_backbone": local,
                "patch_size": min(self.patch_sizes),
                "global_size": global_size,
            }
            if "video" in self.patch_per:
                for count in self.global_frames:
                    yield self._plan(
                        grid.num_frames, size, None, "bidirectional", global_frames=count, **fields
                    )
            if "frame" in self.patch_per:
                order = FrameOrder.named(axes.frame_orders[0], grid.num_sets)
                yield self._plan(grid.num_frames, size, order, "none", **fields)

    def _plan(
        self, num_frames: int, size: int, order: FrameOrder | None, shift: str, *, backbone: str, **own: Any
    ) -> Plan:
        """Return a plan with one patch per frame; without an order, per video."""
        per = "frame" if order else "video"
        widths: dict[str, Any] = {
            "policy_width": self.policy_width,
            "classifier_width": self.classifier_width,
        }
        options = AdaFocusOptions(patch_per=per, **widths, **own)
        exits = (
            [f"{sets + 1}x1" for sets in range(order.num_sets)]
            if order
            else [f"{num_frames}x{d}" for d in (1, 2)]
        )
        order = order or FrameOrder.named("sequential", num_frames)
        return Plan(backbone, num_frames, order, exits, size, shift, family="adafocus", options=options)
