import numpy as np
import pytest
from PIL import Image

from dynsearch.data import num_frames, open_dataset, read_frames
from dynsearch.data.catalogue import get_info, read_annotations
from dynsearch.data.layouts.kinetics import read_kinetics400, read_mini_kinetics
from dynsearch.data.layouts.numbered_clips import read_numbered_clips
from dynsearch.errors import DataError, VideoError
from tests.data.videos import encode

JESTER = {"prefix": "jester-v1", "folder": "20bn-jester-v1"}


def write_clip(folder, num=5, side=(32, 48), first=1):
    folder.mkdir(parents=True)
    for index in range(num):
        Image.new("RGB", side[::-1], (40 * index, 90, 0)).save(
            folder / f"{index + first:05d}.jpg", quality=95
        )
    return folder


def write_jester(root, prefix="jester-v1", folder="20bn-jester-v1"):
    root.mkdir()
    names = ["Swiping Left", "No gesture"]
    rows = [f"{number};{names[number % 2]}" for number in range(1, 13)]
    (root / f"{prefix}-labels.csv").write_text("\n".join(names) + "\n")
    (root / f"{prefix}-train.csv").write_text("\n".join(rows[:8]) + "\n")
    (root / f"{prefix}-validation.csv").write_text("\r\n".join(rows[8:]))
    for number in range(1, 13):
        write_clip(root / folder / str(number))
    return root


@pytest.mark.parametrize(
    ("name", "prefix", "folder"),
    [
        ("jester", "jester-v1", "20bn-jester-v1"),
        ("sthv1", "something-something-v1", "20bn-something-something-v1"),
    ],
)
def test_folders_of_frames_as_downloaded_are_opened(tmp_path, name, prefix, folder):
    dataset = open_dataset(name, write_jester(tmp_path / "data", prefix, folder), calibration_fraction=0.25)

    assert dataset.class_names == ("Swiping Left", "No gesture")
    assert [len(dataset.splits[split]) for split in ("train", "calibration", "test")] == [6, 2, 4]
    record = dataset.splits["test"][0]
    assert (record.video_id, record.label) == ("9", 1)
    frames = read_frames(record.path, [4, 0])
    assert frames.shape == (2, 32, 48, 3)
    np.testing.assert_allclose(frames[:, 16, 24], [[160, 90, 0], [0, 90, 0]], atol=3)


def test_clips_may_be_video_files(tmp_path, shared_data):
    root = tmp_path / "data"
    (root / "20bn-jester-v1").mkdir(parents=True)
    rows = (shared_data / "jester_samples/labels.csv").read_text().splitlines()[1:]
    clips = sorted((shared_data / "jester_samples").glob("*.mp4"))
    for clip in clips:
        (root / "20bn-jester-v1" / clip.name).write_bytes(clip.read_bytes())
    official = shared_data / "annotations/jester"
    labels = {}
    for part in ("train", "validation"):
        lines = (official / f"jester-v1-{part}.csv").read_text().splitlines()
        labels |= dict(line.split(";") for line in lines)
    lines = [f"{clip.stem};{labels[clip.stem]}" for clip in clips if clip.stem in labels]
    (root / "jester-v1-labels.csv").symlink_to(official / "jester-v1-labels.csv")
    (root / "jester-v1-train.csv").write_text("\n".join(lines[:-2]))
    (root / "jester-v1-validation.csv").write_text("\n".join(lines[-2:]))

    annotations = get_info("jester").read(root)

    assert len(rows) == 20
    assert len(annotations.train) + len(annotations.test) == len(lines) > 2
    assert all(num_frames(record.path) > 8 for record in annotations.train)


def test_the_official_jester_files_are_read(tmp_path, shared_data):
    for file in (shared_data / "annotations/jester").iterdir():
        (tmp_path / file.name).symlink_to(file)
    (tmp_path / "20bn-jester-v1").mkdir()

    annotations = read_numbered_clips(tmp_path, **JESTER)

    assert (len(annotations.train), len(annotations.test)) == (118_562, 14_787)
    assert len(annotations.class_names) == 27
    with pytest.raises(DataError, match="133349 of 133349 annotated videos are missing"):
        read_annotations("jester", tmp_path)


def test_something_something_v1s_real_labels_are_read(tmp_path, shared_data):
    lists = shared_data / "annotations/something-something-v1-tsn-lists"
    lines = (lists / "classInd.txt").read_text().splitlines()
    names = [line.partition(",")[2] for line in lines]
    prefix = "something-something-v1"
    (tmp_path / f"{prefix}-labels.csv").write_text("\n".join(names))
    for part, official in (("train", "train_split.txt"), ("validation", "validation_split.txt")):
        rows = [line.split() for line in (lists / official).read_text().splitlines()]
        text = "\n".join(f"{video_id};{names[int(label)]}" for video_id, _, label in rows)
        (tmp_path / f"{prefix}-{part}.csv").write_text(text)
    (tmp_path / "20bn-something-something-v1").mkdir()

    annotations = get_info("sthv1").read(tmp_path)

    assert (len(annotations.train), len(annotations.test)) == (86_017, 11_522)
    assert len(annotations.class_names) == 174


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,No gesture", "line 1: expected `ID;CLASS`"),
        ("../1;No gesture", "would leave the folder"),
        ("1;Nothing", "1 classes are not in jester-v1-labels.csv, first 'Nothing'"),
        ("99;No gesture", "1 of 5 annotated videos are missing, first 99"),
    ],
)
def test_broken_jester_files_are_named(tmp_path, line, reason):
    root = write_jester(tmp_path / "data")
    (root / "jester-v1-train.csv").write_text(line)

    with pytest.raises(DataError, match=reason):
        read_annotations("jester", root)


@pytest.mark.reliability("Security", "annotation ids and paths that leave the data root, and links that do")
def test_a_clip_that_is_a_link_out_of_the_folder_is_refused(tmp_path):
    root = write_jester(tmp_path / "data")
    clip = root / "20bn-jester-v1/3"
    clip.rename(tmp_path / "elsewhere")
    clip.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(DataError, match="outside the data root: 1, first 3 "):
        read_annotations("jester", root)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda folder: (folder / "00003.jpg").unlink(), "has no frame 3, but a frame 5"),
        (lambda folder: (folder / "00003.jpg").write_bytes(b"\xff\xd8cut"), "00003.jpg can't be decoded"),
        (lambda folder: Image.new("RGB", (9, 9)).save(folder / "00003.jpg"), "frames of different sizes"),
        (lambda folder: [file.unlink() for file in folder.iterdir()], "nor a folder of frames"),
    ],
)
def test_bad_folders_of_frames_are_named(tmp_path, change, reason):
    folder = write_clip(tmp_path / "7")
    change(folder)

    with pytest.raises(VideoError, match=reason) as caught:
        read_frames(folder, lambda count: range(count))
    assert caught.value.where == str(folder)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    frames = [np.full((32, 48, 3), 10 * index, np.uint8) for index in range(9)]
    return encode(tmp_path_factory.mktemp("mp4") / "v.mp4", frames).read_bytes()


def kinetics_ids(num):
    return [f"id_{number:08d}" for number in range(num)]


def write_kinetics(root, clip, *, flat=True, timed=True, header="label,youtube_id,time_start,time_end,split"):
    root.mkdir()
    ids = kinetics_ids(12)
    rows = [
        f"{('air drumming', 'yoga')[number % 2]},{video_id},{number},{number + 10},x"
        for number, video_id in enumerate(ids)
    ]
    (root / "train.csv").write_text("\n".join([header, *rows[:8]]))
    (root / "val.csv").write_text("\n".join([header, *rows[8:]]))
    for number, video_id in enumerate(ids):
        folder = root / ("train" if number < 8 else "val")
        folder = folder if flat else folder / ("air drumming", "yoga")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{video_id}_{number:06d}_{number + 10:06d}" if timed else video_id
        (folder / f"{name}.mp4").write_bytes(clip)
    return root


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("flat", [True, False])
def test_kinetics_clips_are_found_flat_or_in_class_folders(tmp_path, clip, flat, timed):
    root = write_kinetics(tmp_path / "k400", clip, flat=flat, timed=timed)

    dataset = open_dataset("kinetics400", root, calibration_fraction=0.25)

    assert dataset.class_names == ("air drumming", "yoga")
    assert [len(dataset.splits[split]) for split in ("train", "calibration", "test")] == [6, 2, 4]
    assert dataset.missing == ()
    assert all(record.path.is_file() for records in dataset.splits.values() for record in records)


def test_vanished_kinetics_clips_are_left_out_and_listed(tmp_path, clip):
    root = write_kinetics(tmp_path / "k400", clip)
    ids = kinetics_ids(12)
    next((root / "train").glob(f"{ids[2]}*")).unlink()
    next((root / "val").glob(f"{ids[9]}*")).unlink()

    dataset = open_dataset("kinetics400", root, calibration_fraction=0.25)

    assert dataset.missing == (ids[2], ids[9])
    assert sum(map(len, dataset.splits.values())) == 10
    assert len(read_kinetics400(root).train) == 8


def test_kinetics_without_csv_files_is_class_folders(tmp_path, clip):
    root = write_kinetics(tmp_path / "k400", clip, flat=False)
    (root / "train.csv").unlink()
    (root / "val.csv").unlink()

    annotations = read_kinetics400(root)

    assert annotations.class_names == ("air drumming", "yoga")
    assert (len(annotations.train), len(annotations.test)) == (8, 4)


def test_broken_kinetics_files_are_named(tmp_path, clip):
    root = write_kinetics(tmp_path / "k400", clip, header="label,id,start,end,split")
    with pytest.raises(DataError, match=r"train.csv: line 1: expected the columns label,youtube_id"):
        read_kinetics400(root)
    (root / "train.csv").write_text("label,youtube_id,time_start,time_end\nyoga,id,one,2\n")
    with pytest.raises(
        DataError, match=r"train.csv: line 2: expected label,youtube_id.* got 'yoga,id,one,2'"
    ):
        read_kinetics400(root)


def test_the_official_kinetics_validation_file_is_read(tmp_path, shared_data):
    official = shared_data / "annotations/kinetics/kinetics_val.csv"
    for name in ("train.csv", "val.csv"):
        (tmp_path / name).symlink_to(official)

    annotations = read_kinetics400(tmp_path)

    names = (shared_data / "annotations/kinetics/label_map_k400.txt").read_text().splitlines()
    assert annotations.class_names == tuple(sorted(names))
    assert len(annotations.test) == 19_906
    with pytest.raises(DataError, match="19906 of 19906 annotated videos are missing"):
        read_annotations("kinetics400", tmp_path)


def test_the_numbered_mini_kinetics_lists_are_read(tmp_path, shared_data, clip):
    for name in ("mini_kinetics_train.txt", "mini_kinetics_val.txt", "minik_classInd.txt"):
        (tmp_path / name).symlink_to(shared_data / "annotations/mini_kinetics" / name)

    annotations = read_mini_kinetics(tmp_path)

    assert len(annotations.class_names) == 200
    assert (len(annotations.train), len(annotations.test)) == (121_070, 9_864)
    (tmp_path / "clips").mkdir()
    for record in [*annotations.train[:3], *annotations.test[:2]]:
        (tmp_path / f"clips/{record.video_id}_000001_000011.mp4").write_bytes(clip)
    found = read_annotations("mini_kinetics", tmp_path)
    assert (len(found.train), len(found.test), len(found.missing)) == (3, 2, 121_070 + 9_864 - 5)


def test_mini_kinetics_id_lists_take_kinetics_labels(tmp_path, clip):
    root = write_kinetics(tmp_path / "k400", clip)
    ids = kinetics_ids(12)
    (root / "train_ytid_list.txt").write_text("\n".join(ids[:4]))
    (root / "val_ytid_list.txt").write_text("\n".join(ids[8:10]))

    annotations = read_mini_kinetics(root)

    assert [record.label for record in annotations.train] == [0, 1, 0, 1]
    assert len(annotations.test) == 2
    (root / "val_ytid_list.txt").write_text("unknown-id1\n")
    with pytest.raises(DataError, match="1 of its ids are in none of Kinetics-400's CSV files"):
        read_mini_kinetics(root)
