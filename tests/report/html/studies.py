"""Facts of made-up studies, drawn from a model in which deeper exits are righter."""

import dataclasses
import json
import re

import numpy as np

from dynsearch.frontier import Interval, MergedPoint, merge, solve_thresholds
from dynsearch.frontier.merge import Saving
from dynsearch.plan import ExitPlacement, FrameOrder, Plan
from dynsearch.report.html import OneShotFacts, OtherStudy, StudyFacts, TrialFacts, shown_videos
from dynsearch.scores import ExitScores

NASTY = ("<script>document.title='hacked'</script>", "a & \"b\" 'c'", "<img src=x onerror=document.title=1>")
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300"
    + "01" * 64
    + "ffc0000b080001000101011100ffc40014000100"
    "00000000000000000000000000000003ffc40014100100000000000000000000000000000000ffda0008010100003f0037ffd9"
)
EXITS = (("1x3", "4x5"), ("1x2", "2x3", "4x5"), ("1x1", "2x2", "3x4", "4x5"))


def plan(number):
    order = FrameOrder.named(("paper", "sequential")[number % 2], 4)
    return Plan("resnet50", 8, order, ExitPlacement.of(*EXITS[number % len(EXITS)]))


def scores(number, split, num_videos, num_classes):
    rng = np.random.default_rng([number, len(split)])
    num_exits = len(EXITS[number % len(EXITS)])
    labels_N = np.arange(num_videos) % num_classes
    logits_ENK = rng.normal(size=(num_exits, num_videos, num_classes)).astype(np.float32)
    logits_ENK[:, np.arange(num_videos), labels_N] += np.linspace(1, 3, num_exits)[:, None]
    return ExitScores.from_logits(
        logits_ENK, labels_N, np.linspace(3, 30, num_exits), plan_id=plan(number).plan_id, split=split,
        video_ids=[f"{split}{i}" for i in range(num_videos)],
    )  # fmt: skip


def facts(*, num_trials=4, num_measured=3, num_videos=120, class_names=("a", "b", "c"), **changes):
    """A study of which a few trials have scores, and whose others only have their line in the record."""
    measured = {
        number: tuple(
            scores(number, split, num_videos, len(class_names)) for split in ("calibration", "test")
        )
        for number in range(num_measured)
    }
    points = merge(measured, solver="shared")
    chosen = next(point for point in reversed(points) if point.calibration.cost <= 20)
    values = {
        "name": "made-up",
        "source": "made-up",
        "dataset": "mine",
        "budget": 20.0,
        "seed": 7,
        "settings": {"dataset": "mine", "training.epochs": 3},
        "versions": {"dynsearch": "1.2.3"},
        "commands": ["dynsearch study --dataset mine"],
        "class_names": class_names,
        "num_videos": {"train": 500, "calibration": num_videos, "test": num_videos},
        "plans": {number: plan(number) for number in measured},
        "points": points,
        "chosen": chosen,
        "scores": measured,
        "saving": Saving(0, points[-1].test.top1, 30.0, points[-1], Interval(-0.01, 0.02)),
        "trials": [trial(number) for number in range(num_trials)],
        "curves": {
            number: solve_thresholds(calibration, "shared").thin(20).evaluate(test)
            for number, (calibration, test) in measured.items()
        },
        "learning": {f"trial {number}": [(1, 2.5, 0.3), (2, 1.5 + number, 0.6)] for number in measured},
        "one_shot": OneShotFacts(tau=0.5, screened=[(5.0, 0.4), (9.0, 0.6)], promised=dict.fromkeys(measured, 0.55)),
        "made": {"first trial began": "2026-01-02 03:04", "hours of training": "1.50"},
        "hypervolume": [(number, 1 - 0.5 ** (1 + number / 9)) for number in range(num_trials)],
    }  # fmt: skip
    return StudyFacts(**(values | changes))


def trial(number):
    if number % 10 == 9:
        return TrialFacts(
            number=number, state="failed", plan=str(plan(number)), minutes=1.5, reason="out of memory"
        )
    return TrialFacts(
        number=number, state="finished", plan=str(plan(number)), top1=0.5 + 0.4 * np.sin(number) ** 2,
        cost=10 + number % 11, minutes=30.0,
    )  # fmt: skip


def data_of(text):
    """What a report's script is given."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])


def nasty():
    study = facts(
        name="<script>document.title='hacked'</script>",
        dataset="sthv2",
        class_names=NASTY,
        commands=["dynsearch study --name '</pre><script>document.title=2</script>'"],
        settings={"<b>field</b>": "<i>value</i>", "formula": "=HYPERLINK(1)"},
    )
    return dataclasses.replace(study, thumbnails=dict.fromkeys(shown_videos(study), JPEG))


def compared():
    """A study beside another one, whose points are dearer."""
    study = facts()
    points = [
        MergedPoint(
            7,
            dataclasses.replace(point.calibration, cost=1.5 * point.calibration.cost),
            dataclasses.replace(point.test, cost=1.5 * point.test.cost),
            point.test_interval,
        )
        for point in study.points
    ]
    other = OtherStudy(
        name="another", dataset="theirs", points=points, plans={7: "a plan of theirs"}, saving=study.saving,
        remark="measured on other test videos",
    )  # fmt: skip
    return dataclasses.replace(study, others=[other])
