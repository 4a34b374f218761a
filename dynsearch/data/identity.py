"""The identity of a data set: which videos its splits hold, under which labels, with which content."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from dynsearch.data.content import content_digests
from dynsearch.data.records import VideoDataset
from dynsearch.errors import InputError, named

_SHOWN = 5  # videos of each kind of change
_DIGITS = 16  # of what tells a file's content


class VideoIdentity(NamedTuple):
    """One video of a split.

    Attributes:
        classes: The names of its classes.
        content: What tells its content apart; empty where that is not known.
    """

    classes: tuple[str, ...]
    content: str


Splits = Mapping[str, Mapping[str, VideoIdentity]]
"""By split and video id."""


@dataclasses.dataclass(frozen=True)
class DataIdentity:
    """What results on a data set hang on; neither its place nor the order of its lists.

    Attributes:
        class_names: K names, in label order.
        splits: The videos of each split.
    """

    class_names: tuple[str, ...]
    splits: Splits

    @classmethod
    def of(cls, dataset: VideoDataset) -> DataIdentity:
        """Return the identity of a data set; its files are looked into once."""
        names = dataset.class_names
        records = [record for split in dataset.splits.values() for record in split]
        digests = iter(content_digests([record.path for record in records]))
        return cls(
            names,
            {
                split: {
                    record.video_id: VideoIdentity(
                        tuple(names[label] for label in record.labels or (record.label,)),
                        f"{next(digests)}{'' if record.seconds is None else record.seconds}",
                    )
                    for record in records
                }
                for split, records in dataset.splits.items()
            },
        )

    @functools.cached_property
    def digest(self) -> str:
        """A short text that is another one for another identity."""
        splits = {split: sorted(videos.items()) for split, videos in self.splits.items()}
        text = json.dumps([self.class_names, splits], sort_keys=True)
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]

    def without_content(self) -> DataIdentity:
        """Return which videos the splits hold, under which labels, whatever is in their files."""
        splits = {
            split: {name: video._replace(content="") for name, video in videos.items()}
            for split, videos in self.splits.items()
        }
        return DataIdentity(self.class_names, splits)

    def differences(self, now: DataIdentity) -> list[str]:
        """Return what differs in ``now``, each change in a few words with the first videos; empty where nothing."""
        found = _class_changes(self.class_names, now.class_names)
        before, after = _by_video(self.splits), _by_video(now.splits)
        gone, new = before.keys() - after.keys(), after.keys() - before.keys()
        by_content = {(split, video): name for name in new for split, video in [after[name]] if video.content}
        renamed = {name: by_content[before[name]] for name in gone if before[name] in by_content}
        changes: dict[str, list[str]] = {}
        for name, other in sorted(renamed.items()):
            changes.setdefault("renamed", []).append(f"{named(name)} (now {named(other)})")
        for kind, names, side in (
            ("gone", gone - renamed.keys(), before),
            ("new", new - set(renamed.values()), after),
        ):
            for name in sorted(names):
                changes.setdefault(f"{kind} in {side[name][0]}", []).append(named(name))
        for name in sorted(before.keys() & after.keys()):
            (split, video), (split_now, video_now) = before[name], after[name]
            if split != split_now:
                changes.setdefault(f"moved from {split} to {split_now}", []).append(named(name))
            if video.classes != video_now.classes:
                was, became = (
                    ", ".join(map(named, classes)) for classes in (video.classes, video_now.classes)
                )
                changes.setdefault("relabelled", []).append(f"{named(name)} (was {was}, now {became})")
            if video.content != video_now.content and video.content and video_now.content:
                changes.setdefault("with other content under the same name", []).append(named(name))
        return found + [
            f"{len(names)} video{'s' * (len(names) > 1)} {kind}, first {_first(names)}"
            for kind, names in changes.items()
        ]

    def contents(self) -> dict[str, list[str]]:
        """Return what tells the content of each split's videos apart, sorted: no names, so that it may be published."""
        return {
            split: sorted(video.content for video in videos.values()) for split, videos in self.splits.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a file."""
        number = {name: label for label, name in enumerate(self.class_names)}
        splits = {
            split: {
                name: [[number[c] for c in video.classes], video.content] for name, video in videos.items()
            }
            for split, videos in self.splits.items()
        }
        return {"class_names": list(self.class_names), "splits": splits}

    @classmethod
    def from_dict(cls, values: Any) -> DataIdentity:
        """Return the identity that ``to_dict`` described; InputError where the values are no identity."""
        try:
            names = tuple(map(str, values["class_names"]))
            splits = {
                str(split): {
                    str(name): VideoIdentity(tuple(names[label] for label in labels), str(content))
                    for name, (labels, content) in videos.items()
                }
                for split, videos in values["splits"].items()
            }
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise InputError("holds no identity of a data set") from error
        return cls(names, splits)


def shown_again(videos: Collection[str], others: Collection[str]) -> int:
    """Return how many videos show something of another one, each as :meth:`DataIdentity.contents` tells it."""
    times: dict[str, list[tuple[float, ...]]] = {}
    for content in (other for other in others if not other.startswith("no file")):
        times.setdefault(content[:_DIGITS], []).append(_seconds(content))
    count = 0
    for content in videos:
        start, end = _seconds(content)
        count += any(start < last and first < end for first, last in times.get(content[:_DIGITS], ()))
    return count


def _seconds(content: str) -> tuple[float, ...]:
    """Return start and end of what a video shows of its file."""
    _, part, seconds = content.partition("(")
    return tuple(map(float, seconds.rstrip(")").split(","))) if part else (0.0, math.inf)


def _by_video(splits: Splits) -> dict[str, tuple[str, VideoIdentity]]:
    return {name: (split, video) for split, videos in splits.items() for name, video in videos.items()}


def _class_changes(before: tuple[str, ...], after: tuple[str, ...]) -> list[str]:
    gone = [named(name) for name in before if name not in set(after)]
    new = [named(name) for name in after if name not in set(before)]
    texts = [
        f"class{'es' * (len(names) > 1)} {_first(names)} {kind}"
        for names, kind in ((gone, "gone"), (new, "new"))
        if names
    ]
    return texts or (["the classes are in another order"] if before != after else [])


def _first(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
