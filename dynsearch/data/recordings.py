"""Which records show the same recording: of one file however its path is spelled, or at the same time of it."""

import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

from dynsearch.data.records import VideoRecord
from dynsearch.data.video_names import VIDEO_ENDINGS

_CUT_FROM = re.compile(
    r"(?P<kinetics>[\w-]{11})_\d{6}_\d{6}|(?P<ucf>v_\w+_g\d+)_c\d+"
    r"|(?P<hmdb>.+)_[a-z]_[a-z]+_np\d+_[a-z]+_[a-z]+_\d+",
    re.ASCII,
)
"""Names of clips that published data sets cut from one recording: its name, then second or number of the clip."""

_SAME_TIME = 1e-3  # Seconds that parts may have in common by rounding alone.


def file_keys(records: Iterable[VideoRecord]) -> list[Hashable]:
    """Return what tells the file of each record from others: two spellings of a path, and links, have the same."""
    known: dict[str, Hashable] = {}
    keys = []
    for record in records:
        path = str(record.path)
        if path not in known:
            known[path] = _file_key(path)
        keys.append(known[path])
    return keys


def _file_key(path: str) -> Hashable:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return os.path.abspath(path)
    if not status.st_ino:
        return os.path.realpath(path)
    # Some file systems number files anew, so that two may have one number.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def cut_from(record: VideoRecord) -> str | None:
    """Return the name of the recording that a clip's file name says it is cut from."""
    match = _CUT_FROM.fullmatch(os.path.splitext(os.path.basename(record.path))[0])
    return match[match.lastgroup or 0] if match else None


def sources(records: Sequence[VideoRecord]) -> list[str] | None:
    """Return for each record what it is of, so that others are like it: its group, recording or file.

    None where all are of different ones. Groups that number a class's recordings, as UCF101's, are told apart by class.
    """
    first_of: dict[str, str] = {}
    names = []
    for record in records:
        recording = cut_from(record)
        if record.group and not (recording or "").endswith(f"_{record.group}"):
            names.append(record.group)
        else:
            names.append(recording or first_of.setdefault(str(record.path), record.video_id))
    return names if len(set(names)) < len(names) else None


def units(records: Sequence[VideoRecord], *, split_files: bool = False) -> list[str]:
    """Return for each record the name of what it is never split from.

    That is all that it shares a group, a file, a recording by their names (:func:`cut_from`, or one name with two
    endings) or, with ``split_files``, some of its time with, and what these share such with in turn. The names
    depend on groups and ids only, not on where the files are.
    """
    keys: list[list[Hashable]] = [
        [("group", record.group)] * (record.group is not None) for record in records
    ]
    files = file_keys(records)
    if split_files:
        for first, second in overlaps(records, files):
            keys[first].append(("time", first))
            keys[second].append(("time", first))
    else:
        for place, record in enumerate(records):
            whole, ending = os.path.splitext(str(record.path))
            keys[place].append(("file", files[place]))
            if recording := cut_from(record):
                keys[place].append(("cut", recording))
            if ending.lower() in VIDEO_ENDINGS:
                keys[place].append(("name", whole))
    root = list(range(len(records)))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = place = root[root[place]]
        return place

    first_of: dict[Hashable, int] = {}
    for place, own in enumerate(keys):
        for key in own:
            root[find(place)] = find(first_of.setdefault(key, place))
    names: dict[int, str] = {}
    for place, record in enumerate(records):
        name = f"group {record.group}" if record.group is not None else f"video {record.video_id}"
        names[find(place)] = min(names.get(find(place), name), name)
    return [names[find(place)] for place in range(len(records))]


def overlaps(
    records: Sequence[VideoRecord], keys: Sequence[Hashable], splits: Sequence[str] = ()
) -> Iterator[tuple[int, int]]:
    """Yield pairs of places whose records show some of the same time of one file, as ``keys`` tell it.

    With the split of each record, every one that shares time with an earlier part of a split is in a pair with
    one of that split.
    """
    count = Counter(keys)
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        if count[key] > 1:
            places[key].append(place)
    spans = {n: records[n].seconds or (0.0, math.inf) for shared in places.values() for n in shared}
    for shared in places.values():
        last: dict[str, int] = {}  # By split, of those so far the one that ends last.
        for place in sorted(shared, key=lambda place: (spans[place], place)):
            for before in last.values():
                if spans[place][0] < spans[before][1] - _SAME_TIME:
                    yield before, place
            split = splits[place] if splits else ""
            if split not in last or spans[place][1] > spans[last[split]][1]:
                last[split] = place
