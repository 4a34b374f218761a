"""A full /dev/shm, made in a mount namespace of the test's own."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.cli.miniature import write_sthv2
from tests.plans import small_plan

FULL = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$@"', "sh")
COMMAND = (
    sys.executable, "-m", "dynsearch", "train", "plan.yaml", "--dataset", "sthv2", "--data-root", "data",
    "--output", "net", "--epochs", "1", "--set", "training.batch_size=6", "--set", "training.pretrained=false",
    "--set", "training.num_workers=1", "--set", "calibration_fraction=0.25",
)  # fmt: skip

needs_mounts = pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*FULL, "true"], capture_output=True).returncode != 0,
    reason="needs the right to mount: sudo make test",
)


@needs_mounts
@pytest.mark.reliability(
    "Processes",
    "a full /dev/shm",
    happens="what workers read comes through a pipe instead; nothing else changes",
)
def test_what_workers_read_comes_another_way(tmp_path):
    write_sthv2(tmp_path / "data")
    small_plan("1x3", "4x5").save(tmp_path / "plan.yaml")
    done = subprocess.run([*FULL, *COMMAND], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "net" / "metrics.jsonl").read_text())["bad_videos"] == []
