"""Time besides the steps on whole clips: reading a clip's frames, and frames that are computed as they come."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dynsearch.data.catalogue import open_dataset
from dynsearch.data.reader import read_frames
from dynsearch.data.sampling import segment_centres
from dynsearch.data.video_sources import find_videos
from dynsearch.errors import InputError
from dynsearch.families import family_of
from dynsearch.network.online import ClipInTheMaking
from dynsearch.plan import Plan
from dynsearch.timing.measure import Runner, in_turns, made, timed
from dynsearch.timing.setup import Asked
from dynsearch.timing.table import Besides, TimeTable
from dynsearch.timing.tables import TableCosts, keep

_VIDEOS, _ROUNDS = 16, 5


def with_besides(
    table: TimeTable,
    plan: Plan,
    costs: TableCosts,
    num_classes: int,
    videos: str | None,
    *,
    stream: bool,
    again: bool,
) -> tuple[TimeTable, dict[str, Besides]]:
    """Return a table of this machine with what it lacks, measured now and kept; and what was asked for.

    Args:
        table: The table.
        plan: A plan that it is of.
        costs: What the table was asked for, and who is told.
        num_classes: K.
        videos: For ``decoding``: a video file, a folder, a pattern, or a data set's name, whose test videos are taken.
        stream: Ask for ``stream``: the time of frames that are computed as they come.
        again: Measure what is there already.

    Raises:
        InputError: There are no such videos, or the plan needs whole clips.
        VideoError: A video can't be read.
    """
    tell, wanted = costs.tell or (lambda text: None), dict[str, tuple[str, Callable[[], Besides]]]()
    if videos:
        place = Path(videos).resolve() if Path(videos).exists() else videos
        read = partial(_decoded, videos_of(videos), plan.num_frames, tell)
        wanted["decoding"] = f"{place}, {plan.num_frames} frames", read
    if stream:
        come = partial(_streamed, plan, costs.asked, num_classes, tell)
        wanted["stream"] = f"frames of {plan.plan_id}, {num_classes} classes", come
    lacking = {key: measure() for key, measure in wanted.values() if again or key not in table.besides}
    if lacking:
        table = keep(table.model_copy(update={"besides": table.besides | lacking}))
    return table, {name: table.besides[key] for name, (key, _) in wanted.items()}


def videos_of(source: str) -> list[Path]:
    """Return some videos of a file, a folder, a pattern, or a data set's test split.

    Raises:
        InputError: There are none.
    """
    if Path(source).exists() or not source.isidentifier():
        paths = find_videos([source])
    else:
        paths = list(dict.fromkeys(record.path for record in open_dataset(source).splits["test"]))
    return paths[:: -(-len(paths) // _VIDEOS)]


def _decoded(paths: Sequence[Path], num_frames: int, tell: Callable[[str], None]) -> Besides:
    tell(f"reading {num_frames} frames of each of {len(paths)} videos, {_ROUNDS} times")
    ms = []
    for path in paths:
        read = partial(read_frames, path, lambda count: segment_centres(count, num_frames).tolist())
        ms += [1000 * seconds for seconds in timeit.repeat(read, number=1, repeat=1 + _ROUNDS)[1:]]
    return Besides(ms=[float(np.median(ms))], p95=[float(np.percentile(ms, 95))], videos=len(paths))


@dataclass
class _AsTheyCome(Runner):
    """Times each frame of a clip that is fed frame by frame, and notes with which the first answer was there."""

    clip: Callable[[], ClipInTheMaking | None] = lambda: None
    first: int = 0

    def run(self, passes: int, *, warm: int = 1) -> None:
        for i in range(warm + passes):
            clip, spent = self.clip(), list[float]()
            assert clip is not None
            for t, frame_CHW in enumerate(self.clips_BTCHW[0], start=1):
                spent.append(timed(partial(clip.feed, frame_CHW), self.clips_BTCHW, calls=1))
                self.first = self.first or (t if clip.last is not None else 0)
            if i >= warm:
                self.ms.append(spent)


def _streamed(plan: Plan, asked: Asked, num_classes: int, tell: Callable[[str], None]) -> Besides:
    """Return what each frame takes, no exit being sure before the last."""
    if asked.batch != 1 or asked.runtime not in ("auto", "eager"):
        raise InputError(
            "a stream is one video, and its frames are computed as they come",
            hint="Leave out --batch and --runtime",
        )
    whole = made(plan, asked, None, num_classes=num_classes)
    online = lambda: family_of(plan).online(whole.network, whole.policy)  # noqa: E731
    if online() is None:
        raise InputError(
            f"needs whole clips: of frame order {plan.frame_order} with {plan.temporal_shift}, family {plan.family}",
            where="stream",
            hint="A grid network of frame order sequential without bidirectional shift computes frames as they come",
        )
    runner = _AsTheyCome(whole.network, whole.steps, whole.clips_BTCHW, whole.policy, clip=online)
    in_turns([runner], tell)
    found = {name: np.percentile(runner.ms, q, axis=0).tolist() for name, q in (("ms", 50), ("p95", 95))}
    return Besides(**found, first_answer=runner.first)
