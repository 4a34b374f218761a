"""Progress on a real terminal (a pseudo-terminal), and plain lines elsewhere."""

import os
import pty
import re
import subprocess
import sys

TRAINING = """
import time
from dynsearch.api.bars import training_bars
from dynsearch.training.progress import StepReport
with training_bars() as bars:
    for epoch in (1, 2):
        for done in (8, 16, 24):
            bars.step(3, "trial 3", StepReport("training", epoch, 2, done, 24, 0.625, 0.5))
            time.sleep(0.15)
    bars.step(3, "trial 3", StepReport("scoring test", 0, 0, 5, 9))
    time.sleep(0.15)
    bars.remove(3)
    bars.bars.console.print("trial 3: done")
"""
COUNTING = """
import time
from dynsearch.api.bars import counting
with counting("checking") as progress:
    for done in range(1, 21):
        progress(done, 20)
        time.sleep(0.02)
"""


def on_a_terminal(code):
    """Return what ``code`` shows on a terminal of 120 columns, control sequences removed."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    assert process.wait() == 0, shown.decode()
    os.close(ours)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())


def test_a_training_shows_epoch_loss_top1_rate_and_time_left():
    shown = on_a_terminal(TRAINING)
    assert "trial 3 training" in shown
    assert "epoch 2/2  loss 0.625  top-1 50.0%" in shown
    assert re.search(r"\d videos/s", shown)
    assert re.search(r"\d:\d\d:\d\d", shown)
    assert "trial 3 scoring test" in shown
    assert "5/9" in shown
    assert "\rtrial 3: done\r\n" in shown


def test_counting_is_a_bar_on_a_terminal_and_tenths_elsewhere():
    shown = on_a_terminal(COUNTING)
    assert "20/20" in shown
    assert "videos/s" in shown
    done = subprocess.run([sys.executable, "-c", COUNTING], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines == [f"checking: {count} of 20" for count in range(2, 21, 2)]
