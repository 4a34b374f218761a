"""Any change of what a data set holds is another identity, and is named; its place and the order of lists are not."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynsearch.data.identity import DataIdentity, VideoIdentity
from dynsearch.data.records import VideoDataset, VideoRecord
from dynsearch.errors import InputError

CLASSES = ("jump", "run")


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def dataset(tmp_path):
    """Six videos, one of them a folder of frames, one a part of a file, one too long to be read whole."""
    root = tmp_path / "data"
    (root / "frames").mkdir(parents=True)
    for n in range(20):
        (root / "frames" / f"{n:05d}.jpg").write_bytes(bytes([n] * 40))
    for n in range(5):
        (root / f"{n}.mp4").write_bytes(bytes(range(50 + n)) * (8000 if n == 4 else 1))
    records = [VideoRecord(f"v{n}", root / f"{n}.mp4", n % 2) for n in range(5)]
    records[1] = replace(records[1], seconds=(0.0, 1.5))
    records += [VideoRecord("frames", root / "frames", 1)]
    splits = {"train": records[:3], "calibration": records[3:4], "test": records[4:]}
    return VideoDataset(name="own", root=root, class_names=CLASSES, splits=splits)


def moved(dataset, root):
    """The same data set at another place, copied."""
    shutil.copytree(dataset.root, root)
    splits = {
        split: [replace(record, path=root / record.path.relative_to(dataset.root)) for record in records]
        for split, records in dataset.splits.items()
    }
    return replace(dataset, root=root, splits=splits)


def test_another_place_touched_files_and_lists_in_another_order_are_the_same_identity(dataset, tmp_path):
    before = DataIdentity.of(dataset)
    other = moved(dataset, tmp_path / "moved")
    for path in other.root.iterdir():
        os.utime(path, ns=(1, 1))
    other = replace(other, splits={split: records[::-1] for split, records in other.splits.items()})

    now = DataIdentity.of(other)

    assert before.differences(now) == []
    assert before.digest == now.digest == DataIdentity.of(dataset).digest
    again = DataIdentity.from_dict(json.loads(json.dumps(before.to_dict())))
    assert (again, again.digest) == (before, before.digest)


def overwrite(path, start=0, data=b"\xff\xfe"):
    """Other bytes of the same number, with the old time of change."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: overwrite(root / "0.mp4"),
        lambda root: overwrite(root / "1.mp4", 30),
        lambda root: overwrite(root / "4.mp4", 10),
        lambda root: overwrite(root / "4.mp4", 400_000),
        lambda root: (root / "0.mp4").unlink(),
        lambda root: (root / "0.mp4").write_bytes((root / "0.mp4").read_bytes() + b"1"),
        lambda root: shutil.copy(root / "3.mp4", root / "0.mp4"),
        lambda root: os.replace(root / "3.mp4", root / "0.mp4"),
        lambda root: overwrite(root / "frames" / "00000.jpg"),
        lambda root: (root / "frames" / "00019.jpg").unlink(),
        lambda root: (root / "frames" / "00019.jpg").rename(root / "frames" / "00020.jpg"),
    ],
)
def test_a_file_replaced_under_its_name_is_another_identity(dataset, change):
    for path in dataset.root.glob("*.mp4"):  # as of old, so that what was read of them is kept
        os.utime(path, (1, 1))
    before = DataIdentity.of(dataset)

    change(dataset.root)
    now = DataIdentity.of(dataset)

    assert now.digest != before.digest
    assert "with other content under the same name, first " in " ".join(before.differences(now))


def test_another_part_of_a_file_is_another_identity(dataset):
    records = dataset.splits["train"]
    other = replace(
        dataset,
        splits=dataset.splits | {"train": [records[0], replace(records[1], seconds=(0.0, 2.0)), records[2]]},
    )

    found = DataIdentity.of(dataset).differences(DataIdentity.of(other))

    assert found == ["1 video with other content under the same name, first v1"]


def test_files_that_were_not_touched_are_read_once(dataset, monkeypatch):
    monkeypatch.setattr("dynsearch.data.content._SETTLED_NS", -(10**18))
    before = DataIdentity.of(dataset)

    def unexpected(*args):
        raise AssertionError("read again")

    monkeypatch.setattr("dynsearch.data.content._of_file", unexpected)
    monkeypatch.setattr("dynsearch.data.content._of_folder", lambda path: "")
    again = DataIdentity.of(dataset)

    assert again.splits["train"] == before.splits["train"]


def identity(splits, class_names=CLASSES):
    return DataIdentity(
        class_names,
        {
            split: {name: VideoIdentity(*video) for name, video in videos.items()}
            for split, videos in splits.items()
        },
    )


BASE = {
    "train": {name: (("jump",), name.upper()) for name in "abcdefgh"},
    "test": {name: (("run",), name.upper()) for name in "uvwxyz"},
}


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (BASE | {"test": dict(list(BASE["test"].items())[1:])}, ["1 video gone in test, first u"]),
        (BASE | {"test": {}}, ["6 videos gone in test, first u, v, w, x, y, ..."]),
        (BASE | {"test": BASE["test"] | {"new": (("run",), "N")}}, ["1 video new in test, first new"]),
        (
            BASE | {"test": BASE["test"] | {"v": (("jump",), "V")}},
            ["1 video relabelled, first v (was run, now jump)"],
        ),
        (
            BASE | {"test": BASE["test"] | {"v": (("run",), "other")}},
            ["1 video with other content under the same name, first v"],
        ),
        (
            BASE | {"test": {{"v": "renamed"}.get(name, name): video for name, video in BASE["test"].items()}},
            ["1 video renamed, first v (now renamed)"],
        ),
        (
            {"train": BASE["train"] | {"z": BASE["test"]["z"]}, "test": {k: BASE["test"][k] for k in "uvwxy"}},
            ["1 video moved from test to train, first z"],
        ),
        (BASE, []),
    ],
)  # fmt: skip
def test_what_changed_is_named(now, found):
    assert identity(BASE).differences(identity(now)) == found


@pytest.mark.parametrize(
    ("class_names", "found"),
    [
        (("run", "jump"), ["the classes are in another order"]),
        (("jump", "run", "walk"), ["class walk new"]),
        (("jog", "jump", "run"), ["class jog new"]),
    ],
)
def test_changed_classes_are_named(class_names, found):
    before, now = identity(BASE), identity(BASE, class_names)
    assert before.differences(now) == found
    assert before.digest != now.digest


VIDEOS = st.dictionaries(
    st.sampled_from([f"v{n}" for n in range(6)]),
    st.tuples(st.sampled_from(("train", "calibration", "test")), st.sampled_from(CLASSES), st.sampled_from("ABC")),
)  # fmt: skip


def split_up(videos):
    splits = {"train": {}, "calibration": {}, "test": {}}
    for name, (split, label, content) in videos.items():
        splits[split][name] = ((label,), content)
    return identity(splits)


@given(before=VIDEOS, now=VIDEOS, order=st.randoms())
def test_two_identities_differ_if_and_only_if_a_difference_is_named(before, now, order):
    first, second = split_up(before), split_up(now)
    shuffled = list(before.items())
    order.shuffle(shuffled)

    assert (first.differences(second) == []) == (before == now) == (first.digest == second.digest)
    assert first.digest == split_up(dict(shuffled)).digest


@pytest.mark.parametrize(
    "values", [None, [], {}, {"class_names": ["a"], "splits": {"test": {"v": [[3], ""]}}}]
)
def test_a_record_that_is_none_is_refused(values):
    with pytest.raises(InputError, match="holds no identity"):
        DataIdentity.from_dict(values)
