"""Progress on a real terminal (a pseudo-terminal), and plain lines elsewhere."""

import os
import pty
import re
import subprocess
import sys
import time

from dynsearch.api.progress import StudyProgress
from dynsearch.study.folder import StudyFolder
from dynsearch.study.hours import Hours, seconds_of

TRAINING = """
import time
from dynsearch.api.bars import training_bars
from dynsearch.training.progress import StepReport
with training_bars() as bars:
    for epoch in (1, 2):
        for done in (8, 16, 24):
            bars.step(3, "trial 3", StepReport("training", epoch, 2, done, 24, 2.5, 0.5), exits=4)
            time.sleep(0.15)
    bars.step(3, "trial 3", StepReport("scoring test", 0, 0, 5, 9), exits=4)
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
    assert "epoch 2/2  loss per exit 0.625  top-1 50.0%" in shown
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


def test_a_study_says_where_it_is_as_a_whole(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    said = []
    progress = StudyProgress(write=said.append)
    progress.staged("one-shot network", 0, 0)
    for seconds, step in (
        (100, ("order", 1, 4)),
        (10, ("order", 2, 4)),
        (0, ("plan", 3, 6)),
        (0, ("plan", 4, 6)),
    ):
        clock[0] += seconds
        progress.staged(*step)
    clock[0] += 3600
    progress.ended(3, None, "broken")
    progress.staged("plan", 5, 6)
    assert said == [
        "one-shot network",
        "order 1 of 4, 2 min so far",
        "order 2 of 4, 2 min so far, about 30 s left in this stage",
        "plan 3 of 6, 2 min so far",
        "plan 4 of 6, 2 min so far",
        "trial 3 failed: broken",
        "plan 5 of 6, 62 min so far, about 3.0 h left in this stage",
    ]


def test_a_study_that_goes_on_counts_the_hours_of_all_runs(tmp_path, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    (tmp_path / "study.yaml").touch()
    folder, last = StudyFolder(tmp_path), None
    for run in range(
        3
    ):  # runs of 20 minutes, the last of which is killed 10 seconds after its second plan began
        said, hours = [], Hours(folder)
        progress = StudyProgress(write=said.append, hours=hours)
        progress.staged("plan", 1, 2)
        clock[0] += 1200
        progress.staged("plan", 2, 2)
        last = said
        clock[0] += 10
        if run < 2:
            hours.close()
    assert last == ["plan 1 of 2, 40 min so far, in all runs", "plan 2 of 2, 60 min so far, in all runs"]
    assert seconds_of(folder) == 3620
    (tmp_path / "hours.json").write_text('{"seconds": "long"}')
    assert seconds_of(folder) == 0


OVERALL = """
from dynsearch.api.bars import training_bars
from dynsearch.api.progress import BarProgress
from dynsearch.training.progress import StepReport
import time
with training_bars() as bars:
    progress = BarProgress(bars, epochs=None, loggers=())
    progress.staged("one-shot network", 0, 0)
    for done in (8, 16, 24):
        progress.advanced("one-shot network", 5, 2, StepReport("training", 1, 2, done, 24, 10.0, 0.5))
        time.sleep(0.15)
    progress.staged("plan", 2, 6)
    time.sleep(0.15)
"""


def test_one_line_is_over_all_bars_on_a_terminal():
    shown = on_a_terminal(OVERALL)
    assert "plan 2 of 6" in shown
    assert "one-shot network training" in shown
    assert "epoch 1/2  loss per exit 2.000  top-1 50.0%" in shown
    assert re.search(r"\d videos/s", shown)
