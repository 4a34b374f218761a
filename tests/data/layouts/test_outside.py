"""Paths and links that stay inside a data root, and those that leave it."""

import pytest

from dynsearch.data.catalogue import open_dataset, read_annotations
from dynsearch.data.check import check_dataset
from dynsearch.errors import DataError


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "own"
    (root / "all").mkdir(parents=True)
    for number in range(8):
        (root / f"all/{number}.mp4").write_bytes(bytes([number]))
    return root


def farm(root, target, places=("train/a", "train/b", "test/a", "test/b")):
    for number in range(8):
        folder = root / places[number % len(places)]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.mp4").symlink_to(target(number))


@pytest.mark.reliability(
    "Files",
    "absolute paths, `..` and links in a data set of one's own",
    happens="are fine as long as they stay inside the data root; the rest is refused, or taken by "
    "`--allow-outside`, which is said and recorded",
    sees="videos outside the data root: ..., first ... Put the files there, or give --allow-outside ...",
)
@pytest.mark.parametrize("relative", [True, False])
def test_links_inside_the_root_are_fine(root, relative):
    farm(root, lambda number: f"../../all/{number}.mp4" if relative else root / f"all/{number}.mp4")

    found = read_annotations("folders", root)

    assert [len(records) for records in found.splits().values()] == [4, 0, 4]
    assert found.notes == ("all/ is left out with 8 videos, because train/ is there and it is no split",)


@pytest.mark.reliability("Files", "absolute paths, `..` and links in a data set of one's own")
def test_links_out_of_the_root_need_the_switch(root, tmp_path):
    snapshot = tmp_path / "hub/snapshots/1"
    farm(snapshot, lambda number: root / f"all/{number}.mp4", ("a", "b"))

    for use in (open_dataset, check_dataset):
        with pytest.raises(DataError, match=r"outside the data root: 8, first a/0.mp4 .*--allow-outside"):
            use("folders", snapshot)
    found = open_dataset("folders", snapshot, allow_outside=True, calibration_fraction=0.4)
    assert sum(len(records) for records in found.splits.values()) == 8
    assert found.notes[0].startswith("videos outside the data root: 8, first a/0.mp4")


@pytest.mark.reliability("Files", "absolute paths, `..` and links in a data set of one's own")
@pytest.mark.parametrize(
    ("folder", "path", "inside"),
    [
        ("own", "{root}/all/{number}.mp4", True),
        ("own", "all/../all/./{number}.mp4", True),
        ("link", "{root}/all/{number}.mp4", True),
        ("own", "../own/all/{number}.mp4", True),
        ("own", "lists/../all/{number}.mp4", True),
        ("own/all", "../all/{number}.mp4", True),
        ("own/all", "{root}/all/{number}.mp4", True),
        ("own/lists", "../all/{number}.mp4", False),
        ("own/lists", "{root}/all/{number}.mp4", False),
        ("own/lists", "linked/{number}.mp4", False),
    ],
)
def test_paths_in_a_list(root, tmp_path, folder, path, inside):
    (root / "lists").mkdir()
    (root / "lists/linked").symlink_to(root / "all")
    (tmp_path / "link").symlink_to(root)
    at = tmp_path / folder
    lines = [f"{path.format(root=root, number=number)},{number % 2}" for number in range(8)]
    (at / "list.csv").write_text("\n".join(lines))

    if not inside:
        with pytest.raises(DataError, match="outside the data root: 8"):
            read_annotations("csv", at)
    found = read_annotations("csv", at, allow_outside=not inside)

    assert sorted(record.path.read_bytes()[0] for record in found.train) == list(range(8))
    assert len(found.notes) == (not inside)
    if inside:
        expected = "0.mp4" if folder == "own/all" else "all/0.mp4"
        assert found.train[0].video_id == expected


def test_lists_in_a_folder_of_their_own_may_name_videos_from_there(root):
    (root / "splits").mkdir()
    (root / "splits/train.csv").write_text("\n".join(f"../all/{n}.mp4,{n % 2}" for n in range(8)))

    assert read_annotations("csv", root).train[0].video_id == "all/0.mp4"


def test_a_dangling_link_is_a_missing_video(root):
    farm(root, lambda number: f"../../all/{number + 1}.mp4", ("train/a", "train/b"))

    with pytest.raises(DataError, match="1 of 8 annotated videos are missing, first train/b/7.mp4"):
        read_annotations("folders", root)
    (root / "train/b/7.mp4").unlink()
    (root / "train/b/7.mp4").symlink_to("7.mp4")
    with pytest.raises(DataError, match=r"1 of 8 annotated videos are missing, first train/b/7.mp4"):
        read_annotations("folders", root)
