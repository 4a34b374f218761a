"""What the report's script draws, as plain values: figures as they are, and arrays packed.

Shapes: P points, E exits, N videos.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.display.words import threshold_text
from dynsearch.frontier import MergedPoint, share_interval
from dynsearch.measures import COUNTED
from dynsearch.plan import Plan, family_name
from dynsearch.plan.plan_grid import grid_rows
from dynsearch.report.html.facts import OtherStudy, StudyFacts
from dynsearch.report.html.measures import reliabilities
from dynsearch.report.html.videos import shown_videos
from dynsearch.report.references import references_for
from dynsearch.scores import ExitScores
from dynsearch.scores.overlap import places_in
from dynsearch.thresholds import always_exit

_MOST_BYTES = 5_000_000  # of where each video stops and what is answered; the report stays below 10 MB


def page_data(facts: StudyFacts) -> dict[str, Any]:
    """Return all that the page shows."""
    shown = facts.shown
    measure, saving = facts.measure, facts.saving
    ids_N = facts.scores[facts.chosen.key][1].video_ids_N
    return {
        "name": facts.name,
        "source": facts.source,
        "dataset": facts.dataset,
        "budget": facts.budget,
        "measure": {
            "unit": measure.unit, "perVideo": measure.per_video, "axis": measure.axis, "meaning": measure.meaning,
            "option": measure.option,
        },
        "classes": facts.class_names,
        "numShared": len(facts.shared),
        "numTest": facts.chosen.test.num_videos,
        "plans": _plans(facts, shown, ids_N),
        "points": _points(facts.points, shown, facts.metrics),
        "families": {name: _points(part, shown) for name, part in facts.families.items()},
        "full": {"plan": _place(shown, saving.full_trial), "trial": saving.full_trial, "top1": saving.full_top1,
                 "cost": saving.full_cost},
        "saving": {"point": facts.points.index(saving.point), "low": saving.difference.low,
                   "high": saving.difference.high},
        "pictured": _pictured(facts, ids_N),
        "reliability": {"plan": _place(shown, facts.chosen.key), "exits": [
            [asdict(each) for each in pair] for pair in reliabilities(facts)
        ]},
        "trials": [asdict(trial) for trial in facts.trials],
        "hypervolume": facts.hypervolume,
        "learning": facts.learning,
        "oneShot": None if facts.one_shot is None else asdict(facts.one_shot),
        "references": [
            {"name": ref.name, **ref.model_dump(include={"system", "top1", "cost", "source", "conditions"})}
            for ref in (references_for(facts.dataset) if measure == COUNTED else [])
        ],
        "others": list(map(_other, facts.others)),
        "commands": facts.commands,
        "made": {**facts.made, "seed": facts.seed,
                 **{f"videos for {split}": count for split, count in facts.num_videos.items()}},
        "settings": {**{name: str(value) for name, value in facts.settings.items()},
                     **{f"version of {name}": value for name, value in facts.versions.items()}},
    }  # fmt: skip


def _plans(facts: StudyFacts, shown: Sequence[int], ids_N: NDArray[Any] | None) -> list[dict[str, Any]]:
    plans: dict[int, dict[str, Any]] = {}
    reference, room = facts.scores[facts.chosen.key][1], _MOST_BYTES
    for number in dict.fromkeys([facts.chosen.key, facts.saving.full_trial, *shown]):
        if number not in shown:
            continue
        test = facts.scores[number][1]
        order = slice(None) if ids_N is None or test is reference else places_in(test, reference)
        own = [point for point in facts.points if point.key == number]
        videos = _videos(own, test, order)
        size = sum(len(text) for text in videos.values() if isinstance(text, str))
        room -= size
        plans[number] = {
            "trial": number,
            **_in_words(facts.plans[number], test, shared=number in facts.shared),
            "curve": [[point.cost, point.top1] for point in facts.curves.get(number, ())],
            "videos": videos if room >= 0 else None,
        }
        room += size * (room < 0)
    return [plans[number] for number in shown]


def _in_words(plan: Plan, test: ExitScores, *, shared: bool) -> dict[str, Any]:
    return {
        "id": plan.plan_id,
        "text": str(plan),
        "family": family_name(plan),
        "fields": {
            "backbone": plan.backbone, "frames": f"{plan.num_frames} of {plan.image_size} px in {plan.num_sets} sets",
            "frame order": str(plan.frame_order), "temporal shift": str(plan.temporal_shift),
            "exits": str(plan.exits), "exit head": plan.head,
            "weights": "the one-shot network's own" if shared else "trained alone", "options": str(plan.options or ""),
        },
        "exits": [
            {"name": str(exit_), "frames": plan.frames_seen(exit_), "depth": exit_.depth, "cost": own.cost,
             "top1": own.top1, "interval": share_interval(own.top1, own.num_videos, own.spread)}
            for exit_, own in zip(plan.exits.exits, always_exit(test), strict=True)
        ],
        "rows": [
            {"frames": row.frames_text, "group": row.group, "first": row.first_exit, "exit": row.exit}
            for row in grid_rows(plan)
        ],
        "patch": getattr(plan.options, "patch_per", None) if plan.family == "adafocus" else None,
    }  # fmt: skip


def _videos(points: Sequence[MergedPoint[int]], test: ExitScores, order: Any) -> dict[str, Any]:
    """Return where each test video stops, by point (N, P), who is right at each exit and what is answered (E, N)."""
    policies = [point.test.policy for point in points]
    confidence_of: dict[Any, NDArray[np.float64]] = {}
    exit_PN = []
    for policy in policies:
        key = (policy.confidence, policy.gain)
        if key not in confidence_of:
            confidence_of[key] = policy.confidence_of(test)
        exit_PN.append(policy.first_exit(confidence_of[key])[order])
    known = test.logits_ENK is not None and test.one_label
    return {
        "stops": _packed(np.array(exit_PN).T, np.uint8),
        "right": _packed(test.correct()[:, order], np.uint8),
        "labels": _packed(test.labels_N[order], np.uint16)
        if test.one_label and test.labels_N is not None
        else None,
        "answers": _packed(test.logits_ENK.argmax(axis=-1)[:, order], np.uint16)
        if test.logits_ENK is not None and known
        else None,
    }


def _packed(array: NDArray[Any], kind: type[np.unsignedinteger[Any]]) -> str:
    """Return little-endian numbers, deflated, in base64."""
    data = np.ascontiguousarray(array, dtype=np.dtype(kind).newbyteorder("<")).tobytes()
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _points(
    points: Sequence[MergedPoint[int]], shown: Sequence[int], metrics: Sequence[Mapping[str, float]] = ()
) -> list[dict[str, Any]]:
    return [
        {
            "plan": _place(shown, point.key),
            "trial": point.key,
            "thresholds": list(map(threshold_text, point.test.thresholds)),
            "calibration": [point.calibration.cost, point.calibration.top1, point.calibration.expected],
            "cost": point.test.cost,
            "top1": point.test.top1,
            "low": point.test_interval.low,
            "high": point.test_interval.high,
            "share": point.test.exit_share,
            "doubt": point.calibration.doubt,
            "more": more,
        }
        for point, more in zip(points, metrics or [{}] * len(points), strict=True)
    ]


def _other(other: OtherStudy) -> dict[str, Any]:
    return {
        "name": other.name,
        "dataset": other.dataset,
        "remark": other.remark,
        "full": {"top1": other.saving.full_top1, "cost": other.saving.full_cost},
        "points": [
            point | {"text": other.plans[point["trial"]]}
            for point in _points(other.points, list(other.plans))
        ],
    }


def _pictured(facts: StudyFacts, ids_N: NDArray[Any] | None) -> list[dict[str, Any]]:
    if ids_N is None:
        return []
    place = {str(name): i for i, name in enumerate(ids_N)}
    return [
        {
            "id": video,
            "place": place[video],
            "jpeg": base64.b64encode(facts.thumbnails.get(video, b"")).decode(),
        }
        for video in shown_videos(facts)
    ]


def _place(shown: Sequence[int], number: int) -> int | None:
    return shown.index(number) if number in shown else None
