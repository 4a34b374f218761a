"""Plans for tests: hypothesis strategies and a small fixed one."""

from hypothesis import strategies as st

from dynsearch.families.adafocus import AdaFocusOptions
from dynsearch.families.sfc import CompressionOptions
from dynsearch.plan import (
    NAMED_ORDERS,
    ExitPlacement,
    FrameOrder,
    Plan,
    TemporalShift,
)

NUM_STAGES = 5  # of timm's test_resnet


@st.composite
def frame_orders(draw):
    count = draw(st.sampled_from([1, 2, 3, 4, 8]))
    if draw(st.booleans()):
        return FrameOrder.named(draw(st.sampled_from(sorted(NAMED_ORDERS))), count)
    cuts = sorted(draw(st.sets(st.integers(1, count - 1)))) if count > 1 else []
    sizes = [b - a for a, b in zip([0, *cuts], [*cuts, count], strict=True)]
    return FrameOrder(tuple(draw(st.permutations(range(count)))), tuple(sizes))


@st.composite
def plans(draw, max_frames_per_set=2, image_size=32):
    order = draw(frame_orders())
    num_exits = draw(st.integers(1, 5))
    sets = draw(st.lists(st.integers(1, order.num_sets), min_size=num_exits, max_size=num_exits))
    depths = draw(st.lists(st.integers(1, NUM_STAGES), min_size=num_exits, max_size=num_exits))
    shift = TemporalShift(
        draw(st.sampled_from(["none", "online"])), draw(st.sampled_from([2, 8])), draw(st.booleans())
    )
    return Plan(
        backbone="test_resnet",
        num_frames=order.num_sets * draw(st.integers(1, max_frames_per_set)),
        frame_order=order,
        exits=ExitPlacement.rising(sets, depths),
        image_size=image_size,
        temporal_shift=shift,
    )


def small_plan(*exits, num_frames=4, num_sets=4, order="paper", **fields):
    placement = ExitPlacement.of(*(exits or ("1x3", "2x4", "4x5")))
    fields = {"backbone": "test_resnet", "image_size": 32} | fields
    return Plan(
        num_frames=num_frames, frame_order=FrameOrder.named(order, num_sets), exits=placement, **fields
    )


def focus_plan(patch_per="frame", num_frames=4, exits=None, **fields):
    """An AdaFocusV2 plan small enough for tests; options among the fields go to the options."""
    own = {"local_backbone": "test_resnet", "patch_size": 24, "policy_width": 16}
    if patch_per == "frame":
        own["classifier_width"] = 24
    own |= {name: fields.pop(name) for name in list(fields) if name in AdaFocusOptions.__dataclass_fields__}
    ends = (f"{num_frames}x2",) if patch_per == "video" else [f"{i}x1" for i in range(1, num_frames + 1)]
    defaults = {
        "num_frames": num_frames, "num_sets": num_frames, "image_size": 48,
        "order": "adafocus" if patch_per == "frame" else "sequential",
        "temporal_shift": TemporalShift("none" if patch_per == "frame" else "bidirectional"),
    }  # fmt: skip
    options = AdaFocusOptions(patch_per=patch_per, **own)
    return small_plan(*(exits or ends), family="adafocus", options=options, **(defaults | fields))


def compressed_plan(*exits, num_frames=8, **fields):
    """An SFC plan small enough for tests; options among the fields go to the options."""
    own = {"split": 3, "time_ratio": 2}
    own |= {
        name: fields.pop(name) for name in list(fields) if name in CompressionOptions.__dataclass_fields__
    }
    defaults = {"num_frames": num_frames, "num_sets": num_frames, "order": "sequential", "image_size": 48}
    placement = exits or (f"{num_frames}x5",)
    return small_plan(*placement, family="sfc", options=CompressionOptions(**own), **(defaults | fields))
