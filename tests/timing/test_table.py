"""Costs by addition, against sums by hand and against a walk over the cells of the grid."""

import json
import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.plan import ExitPlacement, Plan
from dynsearch.timing.measure import held, stages_and_heads
from dynsearch.timing.table import TimeTable, described
from tests.timing.made import plan, table


def test_steps_are_sums_by_hand():
    first = 4 + 0.5  # stage 1 on one frame, and a head
    second = 4 + 0.25 * 2 + 5 + 12 + 1  # a new frame, two together, stages 2 and 3 on both
    third = 6 + 5 + 12 + 1  # two new frames through all three; nothing is kept, for no later exit is deeper
    assert table().step_E(plan(), 10) == pytest.approx([first, second, third])
    assert table().cost_E(plan(), 10) == pytest.approx([first, first + second, first + second + third])


def test_few_frames_at_a_time_are_dearer_than_many():
    """The same cells at the end, and the same rectangle of them: steps cost more the smaller they are."""
    at_once, by_two, one_by_one = (
        table().cost_E(plan(exits), 10)[-1] for exits in ("4x3", "2x3 4x3", "1x3 2x3 3x3 4x3")
    )
    assert at_once < by_two - 1 < one_by_one - 3


def walked(made, of, num_classes):
    """Step by step: which frames go through which stage, one stage at a time, by the grid alone."""
    times, seen, deep = [], 0, 0
    exits = of.exits.exits
    for k, exit_ in enumerate(exits):
        now, total = of.frames_seen(exit_), 0.0
        for stage in range(1, exit_.depth + 1):
            frames = now - seen if stage <= deep else now
            if frames:
                total += np.interp(frames, [0, *made.frames], [0, *made.stages[stage - 1]])
        if deep and now > seen and exits[-1].depth > deep:
            total += made.kept[deep - 1] * now
        few, many = (made.heads if k + 1 < len(exits) else made.last_heads)[exit_.depth - 1]
        total += few + (many - few) * (num_classes - 2) / 998
        total += made.read[exit_.depth - 1] * (now if exit_.depth > deep else now - seen)
        times.append(total)
        seen, deep = now, exit_.depth
    return times


@pytest.mark.parametrize("seed", range(40))
def test_steps_are_what_a_walk_over_the_grid_says(seed):
    rng = random.Random(seed)
    per_set, sets, stages = rng.choice([1, 2, 3]), rng.randint(1, 6), rng.randint(1, 5)
    frames = per_set * sets
    sizes = sorted({1, frames, *(rng.randint(1, frames) for _ in range(3))})
    num = rng.randint(1, 5)
    exits = ExitPlacement.rising(
        [rng.randint(1, sets) for _ in range(num)], [rng.randint(1, stages) for _ in range(num)]
    )
    of = Plan("test_resnet", frames, "sequential", exits, num_sets=sets, image_size=32)
    made = table(
        of,
        frames=sizes,
        stages=[[rng.uniform(1, 9) for _ in sizes] for _ in range(stages)],
        p95=[],
        heads=[(rng.random(), 1 + rng.random()) for _ in range(stages)],
        last_heads=[(rng.random(), 1 + rng.random()) for _ in range(stages)],
        read=[rng.random() for _ in range(stages)],
        kept=[rng.random() for _ in range(stages)],
    )
    num_classes = rng.randint(2, 2000)
    assert made.step_E(of, num_classes) == pytest.approx(walked(made, of, num_classes))


def test_what_was_measured_is_taken_apart_again():
    """Stages, heads and reading that are known, put together as passes are, come out."""
    rng = np.random.default_rng(0)
    frames, own_MF = [1, 2, 4, 8], rng.uniform(2, 9, (3, 4))
    alone, read = np.array([0.1, 0.2, 0.3]), np.array([0.01, 0.02, 0.03])
    slower = 0.4  # than heads by themselves
    exits_FM = alone + slower + np.outer(frames, read)
    by_stage, at_once = own_MF.T + exits_FM, own_MF.sum(axis=0) + exits_FM[:, -1]
    parts = {"heads": [(a, a + 1) for a in alone], "last_heads": [(a, a) for a in alone], "read": read}
    found = stages_and_heads(by_stage, at_once, frames, parts)
    np.testing.assert_allclose(found["stages"], own_MF)
    np.testing.assert_allclose(found["heads"], [(a + slower, a + 1 + slower) for a in alone])


def test_times_are_held_to_what_whole_passes_take():
    """By the median of plans, one of them run while the machine was busy; sums are as much longer."""
    plans = [plan(), plan("4x3"), plan("1x2 4x2")]
    steps = [np.array(table().step_E(one, 2)) for one in plans]
    runs = [
        (one, SimpleNamespace(ms=[by * step, by * step, 9 * step]))
        for one, by, step in zip(plans, (1.1, 3.0, 1.2), steps, strict=True)
    ]
    found = held(table(), runs)
    assert found.whole_passes == pytest.approx([1.1, 3.0, 1.2])
    for one, step in zip(plans, steps, strict=True):
        assert found.step_E(one, 2) == pytest.approx(1.2 * step)
    assert found.p95[2][2] == pytest.approx(1.2 * 20)
    assert found.setup == table().setup


def test_a_network_that_is_no_grid_has_the_steps_of_its_plan():
    of = table(stages=[], frames=[], heads=[], last_heads=[], read=[], kept=[], p95=[], steps=[2.0, 3.0, 4.0])
    assert of.cost_E(plan(), 10) == [2.0, 5.0, 9.0]


def test_what_decides_the_time_of_a_step_decides_the_table():
    first = described(plan())
    assert described(plan("4x3")) == first == described(replace(plan(), frame_order=plan("2x1", sets=2).frame_order,
                                                                exits=ExitPlacement.of("2x3")))  # fmt: skip
    others = [plan(head="mlp"), plan(temporal_shift="none"), plan(backbone="resnet18"), plan(stages=5)]
    assert all(described(other) != first for other in others)


def test_a_table_is_read_as_it_was_written(tmp_path):
    path = table().save(tmp_path)
    assert TimeTable.load(path) == table()
    assert path.name == table(spread=0.5, date="later").file_name, (
        "measured again it takes the former's place"
    )
    assert path.name != table(plan(head="mlp")).file_name


@pytest.mark.reliability(
    "Files",
    "a table of times that is damaged or edited",
    happens="is refused with exit code 2",
    sees="the file, the field, and how to measure again",
)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": [2, 4, 8]}, "rise from 1"),
        ({"frames": [1, 4, 2]}, "rise from 1"),
        ({"stages": [[1, 2, 3], [1, 2], [1, 2, 3]]}, "each number of frames"),
        ({"stages": [[1, 2, 3], [0, 0, 0], [1, 2, 3]]}, "takes no time"),
        ({"stages": [[1, 2, -3]] * 3}, "stages"),
        ({"heads": [[1, 1]]}, "for each stage"),
        ({"kept": [1, 2, "many"]}, "kept"),
        ({"setup": {"device": "cpu"}}, "hardware"),
        ({"time_table": 2}, "time_table"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, change, message):
    path = tmp_path / "t.json"
    path.write_text(json.dumps(table().resolved() | change))
    with pytest.raises(InputError, match=message) as caught:
        TimeTable.load(path)
    assert "t.json" in str(caught.value)
    assert "--measure ms" in str(caught.value)


def test_more_than_was_measured_is_not_guessed():
    with pytest.raises(InputError, match="measured to 3 stages and 4 frames, and the exit 8x3 needs 3 and 8"):
        table().step_E(plan("8x3", frames=8, sets=8), 10)
    with pytest.raises(InputError, match="the exit 4x5 needs 5 and 4"):
        table().step_E(plan("1x1 4x5"), 10)
