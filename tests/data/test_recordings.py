"""No file, and no time of a file, is in two splits, whatever the layout, the spelling of paths and the seed."""

import itertools
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.data import open_dataset
from dynsearch.data.from_python import add_dataset
from dynsearch.data.recordings import overlaps, sources, units
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DataError, InputError

SWITCH = {"split_files": True}


def write(root, *names):
    for name in names:
        path = Path(root) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return Path(root)


def segments(files=6, parts=6):
    return [
        (f"v/{file}.mp4", "ab"[part % 2], part, part + 1) for file in range(files) for part in range(parts)
    ]


def write_list(root, rows, name="all.csv"):
    (root / name).write_text(
        "path,label,start,end\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    )


def splits_of(dataset, what=lambda record: os.stat(record.path).st_ino):
    found = {}
    for split, records in dataset.splits.items():
        for record in records:
            found.setdefault(what(record), set()).add(split)
    return found


@pytest.fixture
def root(tmp_path):
    return write(tmp_path / "own", *(f"v/{file}.mp4" for file in range(6)))


@pytest.mark.reliability(
    "Statistics",
    "parts of one file, or one file under two spellings, listed as videos of their own",
    happens="all of a file lies in one split; `split_files: true` allows parts that share no time",
    sees="... files are in two splits, ... of them at the same time, first ... (train) and ... (test)",
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_parts_of_a_file_are_in_one_split(root, seed):
    write_list(root, segments())
    dataset = open_dataset("csv", root, seed=seed)
    assert all(len(splits) == 1 for splits in splits_of(dataset).values())
    assert {split: len(records) for split, records in dataset.splits.items()} == {
        "train": 24, "calibration": 6, "test": 6,
    }  # fmt: skip
    assert max(map(len, splits_of(open_dataset("csv", root, seed=seed, **SWITCH)).values())) > 1


@pytest.mark.reliability(
    "Statistics", "parts of one file, or one file under two spellings, listed as videos of their own"
)
def test_a_file_in_two_of_the_users_lists_is_refused_with_names(root):
    write_list(root, segments()[::2], "train.csv")
    write_list(root, segments()[1::2], "test.csv")
    with pytest.raises(
        DataError, match=r"6 files are in two splits, 0 .*v/0.mp4#0-1 \(train\) and v/0.mp4#1-2"
    ):
        open_dataset("csv", root)
    assert len(open_dataset("csv", root, **SWITCH).splits["test"]) == 18


@pytest.mark.reliability(
    "Statistics", "parts of one file, or one file under two spellings, listed as videos of their own"
)
@pytest.mark.parametrize("test", [(0.5, 1.5), (0, 1), (0.9, 5), ("", ""), (0, "")])
def test_the_same_time_in_two_splits_is_refused_always(root, test):
    write_list(
        root,
        [("v/0.mp4", "a", 0, 1), *((f"v/{n}.mp4", "ab"[n % 2], "", "") for n in range(1, 5))],
        "train.csv",
    )
    write_list(
        root,
        [("v/0.mp4" if test != (0, 1) else "v/../v/0.mp4"[5:], "a", *test), ("v/5.mp4", "b", "", "")],
        "test.csv",
    )
    for switch in ({}, SWITCH):
        with pytest.raises(DataError, match=r"1 (files are in two splits, 1 of them at the same|video ids)"):
            open_dataset("csv", root, **switch)


SPELLINGS = {
    "dots": lambda root: "v/./1.mp4",
    "slashes": lambda root: "v//1.mp4",
    "a link": lambda root: os.symlink("1.mp4", root / "v/other.mp4"),
    "a linked folder": lambda root: os.symlink("v", root / "other"),
    "a hard link": lambda root: os.link(root / "v/1.mp4", root / "v/other.mp4"),
    "another ending": lambda root: write(root, "v/1.avi") and "v/1.avi",
}
PLACES = {"a linked folder": "other/1.mp4"}


@pytest.mark.reliability(
    "Statistics", "parts of one file, or one file under two spellings, listed as videos of their own"
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_two_spellings_of_a_file_are_one_file(root, spelling):
    other = SPELLINGS[spelling](root) or PLACES.get(spelling, "v/other.mp4")
    rows = [(f"v/{file}.mp4", "ab"[part], 2 * part, 2 * part + 1) for file in range(6) for part in range(2)]
    write_list(root, [*rows, (other, "a", 10, 11), (other, "b", 12, 13)])
    for seed in range(6):
        dataset = open_dataset("csv", root, seed=seed, calibration_fraction=0.3)
        together = splits_of(dataset, lambda record: record.path.stem.replace("other", "1"))
        assert all(len(splits) == 1 for splits in together.values())


@pytest.mark.parametrize(
    ("names", "recordings"),
    [
        (["-abcdefghij_000001_000011", "-abcdefghij_000020_000030", "zbcdefghijk_000001_000011"], 2),
        (["v_Archery_g01_c01", "v_Archery_g01_c02", "v_Archery_g02_c01"], 2),
        (
            [
                "Film_1_clap_u_cm_np1_fr_med_0",
                "Film_1_clap_f_nm_np1_fr_bad_1",
                "Film_2_clap_u_cm_np1_fr_med_0",
            ],
            2,
        ),
        (["wave_person_1_2", "wave_person_3_4", "IMG_0001", "IMG_0002"], 4),
    ],
)
def test_clips_that_published_data_sets_cut_from_one_recording_stay_together(names, recordings):
    records = [VideoRecord(name, Path(f"class{n}/{name}.mp4"), n) for n, name in enumerate(names)]
    assert len(set(units(records))) == recordings
    assert len(set(sources(records) or names)) == recordings


def test_what_videos_are_of_is_their_group_their_recording_or_their_file():
    def of(*rows):
        return sources([VideoRecord(name, Path(path), 0, group=group) for name, path, group in rows])

    assert of(("a", "a.avi", None), ("b", "b.avi", None)) is None
    assert of(("a", "a.avi", "anna"), ("b", "b.avi", "anna"), ("c", "c.avi", None)) == ["anna", "anna", "c"]
    assert of(("a#0-2", "a.avi", None), ("a#2-4", "a.avi", None), ("b", "b.avi", None)) == [
        "a#0-2",
        "a#0-2",
        "b",
    ]
    # UCF101 numbers the recordings of each class from 1.
    names = ("v_Archery_g01_c01", "v_Archery_g01_c02", "v_Biking_g01_c01")
    assert of(*((name, f"{name}.avi", "g01") for name in names)) == [name[:-4] for name in names]


def test_kinetics_may_have_two_clips_of_one_video(tmp_path):
    clips = [(f"{'ab'[n % 2]}", f"abcdefgh{n // 2:03d}", 10 * (n % 2), 10 * (n % 2) + 9) for n in range(24)]
    for part in ("train", "val"):
        chosen = clips[:20] if part == "train" else clips[20:]
        rows = "".join(",".join(map(str, clip)) + "\n" for clip in chosen)
        (tmp_path / f"{part}.csv").write_text("label,youtube_id,time_start,time_end\n" + rows)
    write(tmp_path, *(f"clips/{name}_{start:06d}_{end:06d}.mp4" for _, name, start, end in clips))
    dataset = open_dataset("kinetics400", tmp_path, calibration_fraction=0.3)
    assert all(
        len(splits) == 1 for splits in splits_of(dataset, lambda record: record.path.name[:11]).values()
    )
    assert len(dataset.splits["calibration"]) == 6


spans = st.lists(
    st.tuples(st.integers(0, 2), st.one_of(st.none(), st.tuples(st.integers(0, 8), st.integers(1, 4)))),
    max_size=12,
)


@given(spans, st.lists(st.sampled_from("xy"), min_size=12, max_size=12))
@settings(max_examples=150, deadline=None)
def test_every_part_that_shares_time_with_an_earlier_one_of_a_split_is_in_a_pair(parts, splits):
    records = [
        VideoRecord(str(n), Path(str(file)), 0, seconds=time and (time[0], time[0] + time[1]))
        for n, (file, time) in enumerate(parts)
    ]
    spans = [record.seconds or (0, float("inf")) for record in records]
    truth = {
        pair
        for pair in itertools.combinations(range(len(records)), 2)
        if records[pair[0]].path == records[pair[1]].path
        and max(spans[n][0] for n in pair) < min(spans[n][1] for n in pair)
    }
    found = {tuple(sorted(pair)) for pair in overlaps(records, [record.path for record in records], splits)}
    assert found <= truth
    split_pairs = lambda pairs: {(pair[n], splits[pair[1 - n]]) for pair in pairs for n in (0, 1)}  # noqa: E731
    crossing = {(records[a].path, frozenset({splits[a], splits[b]})) for a, b in truth}
    assert {(records[a].path, frozenset({splits[a], splits[b]})) for a, b in found} == crossing
    assert split_pairs(found) <= split_pairs(truth)


FILES = ["v/a.mp4", "v/b.mp4", "v/c.avi", "v/d.mp4", "v/e.mp4", "v/f.mp4", "v/g.mp4"]
row = st.tuples(
    st.integers(0, len(FILES) - 1),
    st.sampled_from(["{}", "./{}", "v/./{n}", "link/{n}", "v//{n}"]),
    st.sampled_from("ab"),
    st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(1, 3))),
    st.sampled_from(["", "", "p", "q"]),
)


@pytest.mark.reliability(
    "Statistics", "parts of one file, or one file under two spellings, listed as videos of their own"
)
@given(
    st.lists(row, min_size=4, max_size=30),
    st.sampled_from(["one list", "two lists", "a column", "python"]),
    st.lists(st.booleans(), min_size=30, max_size=30),
    st.integers(0, 50),
    st.floats(0.05, 0.6),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_no_layout_no_list_and_no_seed_gives_a_file_to_two_splits(rows, form, tested, seed, fraction, switch):
    with tempfile.TemporaryDirectory() as folder:
        root = write(folder, *FILES)
        (root / "link").symlink_to("v")
        lines = []
        for number, (file, spelling, label, time, group) in enumerate(rows):
            path = spelling.format(FILES[file], n=FILES[file][2:])
            start, end = ("", "") if time is None else (time[0], time[0] + time[1])
            lines.append((path, label, start, end, group, "test" if tested[number] else "train"))
        name = "csv"
        if form == "python":
            videos = [(root / path, label, None, group or None) for path, label, _, _, group, _ in lines]
            try:
                name = add_dataset(f"drawn-{folder}", videos).name
            except DataError:
                return
        parts = {"all": lines}
        if form == "two lists":
            parts = {part: [line for line in lines if line[-1] == part] for part in ("train", "test")}
        for part, chosen in parts.items():
            header = "path,label,start,end,group" + ",split" * (form == "a column")
            text = "\n".join(",".join(map(str, line[: header.count(",") + 1])) for line in chosen)
            (root / f"{part}.csv").write_text(f"{header}\n{text}\n")
        try:
            dataset = open_dataset(name, root, seed=seed, calibration_fraction=fraction, split_files=switch)
        except InputError:
            return
        if not switch:
            assert all(len(splits) == 1 for splits in splits_of(dataset).values())
        if form in ("one list", "python"):
            groups = splits_of(dataset, lambda record: record.group)
            assert all(len(splits) == 1 for group, splits in groups.items() if group)
        by_split = [(split, record) for split, records in dataset.splits.items() for record in records]
        for (split, one), (other_split, other) in itertools.combinations(by_split, 2):
            if split != other_split and os.path.samefile(one.path, other.path):
                (start, end), (begin, stop) = one.seconds, other.seconds
                assert min(end, stop) <= max(start, begin)


placed = st.tuples(
    st.integers(0, 2),
    st.sampled_from("ab"),
    st.integers(0, 9),
    st.sampled_from(["file", "file", "hard link", "link"]),
)


@pytest.mark.reliability(
    "Statistics", "parts of one file, or one file under two spellings, listed as videos of their own"
)
@given(
    st.lists(placed, min_size=6, max_size=30),
    st.sampled_from(
        [("", "", ""), ("train/", "test/", "test/"), ("train/", "val/", "test/"), ("train/", "val/", "val/")]
    ),
    st.integers(0, 50),
    st.floats(0.05, 0.6),
)
@settings(max_examples=80, deadline=None)
def test_no_tree_of_class_folders_gives_a_file_to_two_splits(places, tops, seed, fraction):
    with tempfile.TemporaryDirectory() as folder:
        root, earlier = Path(folder), []
        for top, label, number, kind in places:
            path = root / f"{tops[top]}{label}/{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                continue
            if kind == "file" or not earlier:
                path.write_bytes(str(path).encode())
                earlier.append(path)
            else:
                (os.link if kind == "hard link" else os.symlink)(earlier[-1], path)
        try:
            dataset = open_dataset("folders", root, seed=seed, calibration_fraction=fraction)
        except InputError:
            return
        assert all(len(splits) == 1 for splits in splits_of(dataset).values())


def test_what_a_study_may_suffer_from_is_said_when_it_opens(root):
    header = "path,label,start,end,group,split\n"
    rows = [f"v/{n}.mp4,{'ab'[n % 2]},,,p{n % 3},{'test' if n > 3 else 'train'}" for n in range(6)]
    (root / "all.csv").write_text(header + "\n".join([*rows, "v//0.mp4,a,2,3,p0,train"]))
    notes = open_dataset("csv", root, calibration_fraction=0.4).notes
    assert any(
        "2 groups or recordings are in two of the splits that the lists name, first p1, p2" in n
        for n in notes
    )
    assert "1 videos show some of the same as another of their split, first v/0.mp4 and v/0.mp4#2-3" in notes


def test_the_switch_is_named_only_where_it_helps(root):
    write_list(root, segments(files=1))
    with pytest.raises(
        DataError, match="in 1 groups or files that are never split, leave none.*split_files: true"
    ):
        open_dataset("csv", root)
    rows = "\n".join(f"v/{n}.mp4,{'ab'[n % 2]},ann" for n in range(6))
    (root / "all.csv").write_text("path,label,person\n" + rows)
    with pytest.raises(DataError, match=r"in 1 groups or files .* larger share for test$"):
        open_dataset("csv", root)
