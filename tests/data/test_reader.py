import os

import numpy as np
import pytest

from dynsearch.data import num_frames, read_frames
from dynsearch.data.motions.video_writer import write_h264
from dynsearch.errors import InputError, VideoError
from tests.data import barcode
from tests.data.videos import encode

NUM_FRAMES = 60


@pytest.fixture(scope="module", params=["h264 mp4", "h264 mp4 with B-frames", "vp9 webm"])
def video(request, tmp_path_factory):
    frames = [barcode.draw(index) for index in range(NUM_FRAMES)]
    folder = tmp_path_factory.mktemp("video")
    if request.param == "h264 mp4":
        write_h264(folder / "v.mp4", np.stack(frames))
        return folder / "v.mp4"
    if request.param == "vp9 webm":
        return encode(folder / "v.webm", frames, "libvpx-vp9", g="16")
    options = {"bf": "2", "g": "20", "flags": "+cgop", "x264-params": "open-gop=0"}
    return encode(folder / "b.mp4", frames, **options)


@pytest.mark.parametrize(
    "indices",
    [range(NUM_FRAMES), [0], [59], [7, 31, 50], [50, 7, 31], [12, 12, 3, 12], np.array([1, 58])],
    ids=str,
)
def test_read_frames_are_exactly_those_asked_for(video, indices):
    frames = read_frames(video, indices)

    assert frames.dtype == np.uint8
    assert frames.shape == (len(indices), 64, 96, 3)
    assert [barcode.read(frame) for frame in frames] == list(indices)


def test_num_frames(video):
    assert num_frames(video) == NUM_FRAMES
    assert num_frames(str(video)) == NUM_FRAMES


def test_indices_may_be_chosen_from_the_number_of_frames(video):
    frames = read_frames(video, lambda count: [count - 1, 0], strict=False)

    assert [barcode.read(frame) for frame in frames] == [NUM_FRAMES - 1, 0]


@pytest.mark.parametrize(("height", "width"), [(48, 48), (32, 32), (50, 46), (36, 64), (24, 16)])
def test_narrow_videos_are_read_whatever_the_padding_of_their_rows(tmp_path, height, width):
    import av

    frames = np.random.default_rng(0).integers(0, 256, (6, height, width, 3), dtype=np.uint8)
    write_h264(tmp_path / "narrow.mp4", frames)
    with av.open(str(tmp_path / "narrow.mp4")) as container:
        expected = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])

    read = read_frames(tmp_path / "narrow.mp4", [0, 3, 5, 3])

    np.testing.assert_array_equal(read, expected[[0, 3, 5, 3]])


@pytest.mark.parametrize("index", [-1, NUM_FRAMES, 10**9])
def test_an_index_outside_the_video_names_file_and_range(video, index):
    with pytest.raises(VideoError, match=f"{video.name}.*frame {index} .*60 frames.*0 to 59"):
        read_frames(video, [0, index])


@pytest.mark.parametrize("indices", [[], [0.5], ["1"]])
def test_indices_must_be_whole_numbers(video, indices):
    with pytest.raises(InputError, match=r"whole numbers|no frame index"):
        read_frames(video, indices)


def test_an_unknown_reader_lists_the_known_ones(video):
    with pytest.raises(InputError, match=r"'nope'.*auto, decord, pyav"):
        read_frames(video, [0], reader="nope")


def _missing(folder):
    return folder / "missing.mp4"


def _directory(folder):
    return folder


def _pipe(folder):
    os.mkfifo(folder / "pipe.mp4")
    return folder / "pipe.mp4"


def _dangling_link(folder):
    (folder / "link.mp4").symlink_to(folder / "nowhere.mp4")
    return folder / "link.mp4"


def _file(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


@pytest.mark.reliability(
    "Files",
    "a missing video; a folder, pipe, web page, playlist, git-lfs pointer, address, 0 bytes or zeros as video",
    happens="is refused by its first bytes, before a decoder sees it; the message names the file and what to do",
    sees="`does not exist`, `is not a regular file`, `is a web page, not a video...`",
)
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_missing, "does not exist"),
        (_directory, "not a regular file"),
        (_pipe, "not a regular file"),
        (_dangling_link, "does not exist"),
        (_file("empty.mp4", b""), "empty"),
        (_file("page.mp4", b"<!DOCTYPE html><title>404"), "a web page, not a video.*DOCTYPE"),
        (_file("list.mp4", b"#EXTM3U\nfile:///etc/hostname\n"), "a playlist, not a video.*EXTM3U"),
        (_file("pointer.webm", b"version https://git-lfs"), "git-lfs pointer.*git lfs pull"),
        (_file("stub.mp4", b"./stub.mp4"), "a link that was copied as text: ./stub.mp4"),
        (_file("zeros.mp4", bytes(4096)), "not a video"),
        (_file("cut.mp4", b"\0\0\0\x18ftypmp42" + bytes(500)), "header can't be read"),
        (lambda folder: "http://127.0.0.1:9/v.mp4", "an address"),
        (lambda folder: "concat:a.mp4|b.mp4", "an address"),
    ],
)
def test_bad_files_are_named_with_reason_and_advice(tmp_path, make, reason):
    path = make(tmp_path)

    with pytest.raises(VideoError, match=reason) as caught:
        read_frames(path, [0])

    assert caught.value.where == str(path)
    assert caught.value.hint


@pytest.mark.reliability("Files", "a video cut short")
def test_a_truncated_video_is_an_error_that_names_it(tmp_path, video):
    cut = tmp_path / f"cut{video.suffix}"
    cut.write_bytes(video.read_bytes()[:900])

    with pytest.raises(VideoError, match="cut"):
        read_frames(cut, [0, NUM_FRAMES - 1])


def test_real_clips_are_read(shared_data):
    clips = sorted(shared_data.glob("ssv2_samples/20bn-something-something-v2/*.webm"))

    for clip in clips:
        frames = read_frames(clip, lambda count: [0, count // 2, count - 1])
        assert frames.shape[0] == 3
        assert frames.shape[1] == 240
    assert len(clips) == 13
