"""Small score grids, shared by tests."""

from dataclasses import replace

import numpy as np

from dynsearch.scores import RectangleSteps, ScoreGrid, StepTable


def random_grid(seed, *, num_sets=3, num_depths=3, num_videos=24, num_classes=4, first_depth=1, **fields):
    """A grid whose cells agree about which videos are hard; later cells are surer and righter."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_videos)
    skill_SM = 0.4 + np.add.outer(np.sqrt(np.arange(num_sets)), np.sqrt(np.arange(num_depths)))
    easy_N = rng.normal(size=num_videos)
    own_SMN = skill_SM[..., None] + easy_N + 0.7 * rng.normal(size=(num_sets, num_depths, num_videos))
    shared_NK = rng.normal(size=(num_videos, num_classes))
    logits = shared_NK + 0.7 * rng.normal(size=(num_sets, num_depths, num_videos, num_classes))
    logits += own_SMN[..., None] * np.eye(num_classes)[labels]
    trunk = np.outer(np.arange(1, num_sets + 1), np.cumsum(rng.integers(100, 900, num_depths))) / 1000
    head = np.tile(rng.integers(1, 50, num_depths) / 1000, (num_sets, 1))
    fields = {
        "logits_SMNK": logits.astype(np.float32),
        "labels_N": labels,
        "steps": RectangleSteps.of(trunk, head),
        "first_depth": first_depth,
        "order": "paper",
        "split": "calibration",
    } | fields
    return ScoreGrid(**fields)


def simulated_grid(
    num_videos, *, num_sets=8, num_depths=5, num_classes=20, seed=0, create=None, order="simulated"
):
    """The grid of an imagined network: evidence adds up over frame sets, and cells share their mistakes.

    Every frame set says something about the label, more so at deeper stages, and not equally much for every
    video and set. Noise is shared by all cells of a video, by the stages of a set, and by the sets at a stage.

    Args:
        create: A writer of a grid with these logits to be filled, made from the costs and sizes, by name, that
            ``ScoreGrid.create`` takes; None for a grid in memory.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_videos)
    skill_M = np.linspace(0.25, 1.0, num_depths)
    trunk = np.outer(np.arange(1, num_sets + 1), np.cumsum([0.12, 0.67, 1.03, 1.46, 0.81][:num_depths]))
    head = np.tile(np.linspace(0.001, 0.02, num_depths), (num_sets, 1))
    steps = RectangleSteps.of(trunk, head)
    sizes = {"num_sets": num_sets, "num_depths": num_depths, "num_classes": num_classes}
    writer = None if create is None else create(steps=steps, labels_N=labels, **sizes)
    chunks = []
    for start in range(0, num_videos, 1000):
        own_NK = np.eye(num_classes, dtype=np.float32)[labels[start : start + 1000]]

        def draw(shape=own_NK.shape):
            return rng.standard_normal(shape, dtype=np.float32)

        ease_N1, video_NK = 1 + 0.9 * draw((len(own_NK), 1)), draw()
        stage_MNK = [0.5 * (1 - skill) * draw() for skill in skill_M]
        sums_MNK = np.zeros((num_depths, *own_NK.shape), np.float32)
        logits = np.empty((num_sets, *sums_MNK.shape), np.float32)
        for row in range(num_sets):
            useful_N1, set_NK = np.exp(0.5 * draw((len(own_NK), 1))), draw()
            for column, skill in enumerate(skill_M):
                noise_NK = 0.5 * video_NK + stage_MNK[column] + 0.9 * set_NK + 0.9 * draw()
                sums_MNK[column] += 1.6 * skill * ease_N1 * useful_N1 * own_NK + noise_NK
                sharpness = (1.3 + 0.25 * np.sqrt(row)) * (0.8 + 0.8 * skill)
                logits[row, column] = sharpness * sums_MNK[column] / (row + 1)
        if writer is None:
            chunks.append(logits)
        else:
            writer.write(logits)
    if writer is not None:
        writer.finish()
        return ScoreGrid.load(writer.folder)
    return ScoreGrid(
        logits_SMNK=np.concatenate(chunks, axis=2),
        labels_N=labels,
        steps=steps,
        order=order,
        split="calibration",
    )


def random_steps(rng, num_sets, num_depths, share_closed=0.0):
    """Steps that are no rectangles: few frames are dear by the frame, every start costs, nothing adds up."""
    row_C, column_C = (axis.ravel() for axis in np.indices((num_sets, num_depths)))
    from_row, from_column = (np.append(-1, axis)[:, None] for axis in (row_C, column_C))
    frames, stages = row_C - from_row, column_C - from_column
    table = 0.2 + np.sqrt(np.maximum(frames, 0)) + 0.5 * np.maximum(stages, 0)
    table = table * rng.uniform(0.5, 1.5, table.shape)
    closed = rng.random(table.shape) < share_closed
    closed[:, -1] = False
    open_ = (frames >= 0) & (stages >= 0) & (frames + stages > 0) & ~closed
    return StepTable(np.where(open_, table, np.inf))


def as_table(grid):
    """The same grid, its rectangles written out as steps."""
    row_C, column_C = (axis.ravel() for axis in np.indices((grid.num_sets, grid.num_depths)))
    trunk_C, head_C = grid.steps.trunk_C, grid.steps.head_C
    onward = (row_C[:, None] <= row_C) & (column_C[:, None] <= column_C) & ~np.eye(len(row_C), dtype=bool)
    between = np.where(onward, trunk_C - trunk_C[:, None] + head_C, np.inf)
    return replace(grid, steps=StepTable(np.vstack([trunk_C + head_C, between])))
