"""Previews, indexes and bins beside videos are no videos, wherever videos are looked for in folders."""

import pytest

from dynsearch.data.catalogue import read_annotations
from dynsearch.data.video_names import is_byproduct
from dynsearch.data.video_sources import find_videos

BESIDE = (
    "wave/@eaDir/0.mp4/SYNOPHOTO_FILM_M.mp4",
    "wave/._0.mp4",
    "wave/.thumbnails/0.mp4",
    "nod/.ipynb_checkpoints/0-checkpoint.mp4",
    "nod/Thumbs.db",
    "nod/desktop.ini",
    "nod/@Recycle/old.mp4",
    "nod/#recycle/old.mp4",
    "nod/$RECYCLE.BIN/$RX.mp4",
    "__MACOSX/wave/._0.mp4",
    "__MACOSX/wave/0.mp4",
    "@eaDir/wave/0.mp4",
    "lost+found/1234.mp4",
    "System Volume Information/x.mp4",
    ".Trashes/501/0.mp4",
)


@pytest.fixture
def root(tmp_path):
    for name in (*BESIDE, *(f"{label}/{number}.mp4" for label in ("wave", "nod") for number in range(3))):
        path = tmp_path / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "own"


def found(paths, root):
    return sorted(path.relative_to(root).as_posix() for path in paths)


WANTED = [f"{label}/{number}.mp4" for label in ("nod", "wave") for number in range(3)]


@pytest.mark.reliability(
    "Files",
    "previews and bins that file servers and desktops leave among videos (`@eaDir`, `._x.mp4`, `__MACOSX`)",
    happens="are no videos of their own, in class folders, in lists found beside them and in `predict FOLDER`",
)
def test_six_videos_are_six(root):
    (root / "._groups.csv").write_bytes(b"\0\5\x16\7")
    annotations = read_annotations("folders", root)
    assert annotations.class_names == ("nod", "wave")
    assert found((record.path for record in annotations.train), root) == WANTED
    assert found(find_videos([str(root)]), root) == WANTED
    assert found(find_videos([f"{root}/**/*.mp4"]), root) == WANTED
    assert found(find_videos([f"{root}/*/@eaDir/**/*.mp4"]), root) == [BESIDE[0]]  # asked for by name


@pytest.mark.reliability(
    "Files",
    "previews and bins that file servers and desktops leave among videos (`@eaDir`, `._x.mp4`, `__MACOSX`)",
)
def test_a_preview_of_a_list_is_no_list(root):
    (root / "all.csv").write_text("path,label\n" + "\n".join(f"{name},{name[:3]}" for name in WANTED))
    (root / "._all.csv").write_bytes(b"\0\5\x16\7")
    assert len(read_annotations("csv", root).train) == 6


@pytest.mark.parametrize(
    "name", ["wave", "clip@2.mp4", "lost.mp4", "recycle", "@home", "a.thumbnails", "tmp"]
)
def test_names_of_videos_and_classes_are_none(name):
    assert not is_byproduct(name)
