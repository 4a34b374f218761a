"""A study on a miniature Something-Something v2, in seconds, with the real command in real processes."""

import yaml

from tests.cli.miniature import write_sthv2
from tests.cli.runner import dynsearch
from tests.once import made_once

SPACE = {
    "backbones": ["test_resnet"],
    "frames": [{"num_frames": 4, "num_sets": 4}],
    "image_sizes": [48],
    "frame_orders": ["sequential", "paper"],
    "exits": {"min_exits": 2, "max_exits": 3, "min_depth": 3, "max_depth": 5},
}
DATA = ("--dataset", "sthv2", "--data-root", "data", "--max-gflops", "40")
QUICK = (
    "--set", "training.epochs=2", "--set", "training.batch_size=6", "--set", "training.pretrained=false",
    "--set", "training.num_workers=0", "--set", "calibration_fraction=0.25",
)  # fmt: skip
"""Settings of a training of seconds; of equal ones the last counts."""


def arguments(*more):
    """Return the arguments of a study of three trials; ``more`` changes them."""
    return ("study", *DATA, "--strategy", "retrain", "--trials", "3", "--space", "space.yaml", *QUICK, *more)


def study(folder, *more):
    """Run it in ``folder``, to the end."""
    return dynsearch(*arguments(*more), cwd=folder)


def studied(folder):
    """Prepare ``folder``, with that study in it, finished."""
    return made_once("study", lambda place: study(prepared(place)), folder)


def prepared(folder, space=SPACE):
    """Write the data and the search space into ``folder``, and return it."""
    write_sthv2(folder / "data")
    (folder / "space.yaml").write_text(yaml.safe_dump(space))
    return folder
