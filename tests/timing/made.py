"""Tables of times made by hand, and plans that they are of."""

from dynsearch.plan import Plan
from dynsearch.timing.setup import Asked, Setup
from dynsearch.timing.table import TimeTable, described

BACKBONE = "test_resnet"


def plan(exits="1x1 2x3 4x3", *, frames=4, sets=4, backbone=BACKBONE, **fields):
    """A grid plan of the backbone."""
    return Plan(backbone, frames, "sequential", exits, num_sets=sets, image_size=32, **fields)


def table(of=None, *, here=None, **fields):
    """A table of three stages on 1, 2 and 4 frames, as if measured on this machine."""
    of = of or plan()
    values = {
        "setup": here or Setup.here(Asked()),
        "of": described(of),
        "date": "2030-01-02T03:04:05+00:00",
        "frames": [1, 2, 4],
        "stages": [[4, 6, 10], [3, 5, 9], [8, 12, 20]],
        "p95": [[4, 6, 10], [3, 5, 9], [8, 12, 20]],
        "heads": [(0.5, 0.5), (0.5, 0.5), (1.0, 1.0)],
        "last_heads": [(0.5, 0.5), (0.5, 0.5), (1.0, 1.0)],
        "read": [0.0, 0.0, 0.0],
        "kept": [0.25, 0.25, 0.0],
    }
    return TimeTable.model_validate(values | fields)
