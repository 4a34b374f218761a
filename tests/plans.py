"""Plans for tests: hypothesis strategies and a small fixed one."""

from hypothesis import strategies as st

from dynsearch.plan import NAMED_ORDERS, ExitPlacement, FrameOrder, Plan, TemporalShift

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
