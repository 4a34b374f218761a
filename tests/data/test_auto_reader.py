import contextlib
import subprocess
import sys

import numpy as np
import pytest

from dynsearch.data import num_frames, read_frames
from dynsearch.data.auto_reader import AutoReader
from dynsearch.data.frame_index import read_frame_index
from dynsearch.errors import InputError, VideoError
from tests.data import barcode
from tests.data.videos import encode

NUM_FRAMES = 60
OPEN_GROUPS = {"bf": "3", "g": "15", "x264-params": "open-gop=1:scenecut=0"}
KINDS = {
    "h264 mp4": ("v.mp4", "libx264", {"g": "20", "x264-params": "open-gop=0"}, None),
    "vp9 webm": ("v.webm", "libvpx-vp9", {"g": "16"}, None),
    "mpeg4 avi": ("v.avi", "mpeg4", {"bf": "0"}, None),
    "mpeg4 avi with B-frames": ("b.avi", "mpeg4", {"bf": "2"}, "AVI with B-frames"),
    "h264 ts": ("v.ts", "libx264", {}, "MPEG stream"),
    "open groups of pictures": ("o.mp4", "libx264", OPEN_GROUPS, "shown after it"),
}


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    frames = [barcode.draw(index) for index in range(NUM_FRAMES)]
    return {
        kind: encode(folder / name, frames, codec, **options)
        for kind, (name, codec, options, _) in KINDS.items()
    }


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("reader", ["auto", "pyav"])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_are_exact_in_every_container(videos, kind, reader, strict):
    asked = [59, 0, 7, 31, 31, 14, 15, 16, 58]

    frames = read_frames(videos[kind], asked, strict=strict, reader=reader)

    assert [barcode.read(frame) for frame in frames] == asked
    assert num_frames(videos[kind], reader=reader) == NUM_FRAMES


@pytest.mark.parametrize(("kind", "doubt"), [(kind, parts[3]) for kind, parts in KINDS.items()])
def test_what_decord_counts_wrong_is_seen_without_decoding(videos, kind, doubt):
    index = read_frame_index(videos[kind])

    assert index.num_frames == NUM_FRAMES
    assert index.safe == (doubt is None)
    assert doubt is None or any(doubt in text for text in index.doubts)
    assert index.damage == ()


class Recorder:
    def __init__(self, name, calls, inner):
        self.name, self.calls, self.inner = name, calls, inner

    def read(self, path, choose, *, strict):
        self.calls.append(self.name)
        return self.inner.read(path, choose, strict=strict)


@pytest.mark.parametrize(
    ("kind", "strict", "asked", "expected"),
    [
        ("h264 mp4", False, [0, 59], ["decord"]),
        ("h264 mp4", True, [0, 59], ["pyav"]),
        ("h264 mp4", False, [5, 15, 25, 35, 45, 55], ["pyav"]),  # 3 key frames: most would be decoded anyway
        ("h264 mp4", False, [3], ["pyav"]),  # decoding ends there
        ("mpeg4 avi with B-frames", False, [0, 59], ["pyav"]),
        ("open groups of pictures", False, [0, 59], ["pyav"]),
    ],
)
def test_auto_takes_decord_only_where_it_is_safe_and_seeking_pays(videos, kind, strict, asked, expected):
    calls = []
    auto = AutoReader()
    auto._decord = Recorder("decord", calls, auto._decord)
    auto._pyav = Recorder("pyav", calls, auto._pyav)

    auto.read(videos[kind], lambda count: asked, strict=strict)

    assert calls == expected


@pytest.mark.reliability("Files", "a video that decord refuses", happens="PyAV reads it")
def test_what_decord_cannot_read_goes_to_pyav(videos):
    class Failing:
        def read(self, path, choose, *, strict):
            raise RuntimeError("no decoder")

    auto = AutoReader()
    auto._decord = Failing()

    frames = auto.read(videos["h264 mp4"], lambda count: [55], strict=False)

    assert barcode.read(frames[0]) == 55


def test_a_wrong_index_is_not_taken_for_a_decoder_that_failed(videos):
    with pytest.raises(VideoError, match="frame 60 was asked for"):
        read_frames(videos["h264 mp4"], [60], strict=False)
    with pytest.raises(InputError, match="whole numbers"):
        read_frames(videos["h264 mp4"], [0.5], strict=False)


@pytest.mark.reliability(
    "Files",
    "a video cut short",
    happens="checks, scores and predictions refuse it",
    sees="`is damaged: ... of its ... frames can be decoded` or `its header can't be read: ...`",
)
@pytest.mark.parametrize("kind", ["h264 mp4", "vp9 webm", "mpeg4 avi"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.85])
def test_a_file_cut_short_is_an_error(videos, kind, share, tmp_path):
    content = videos[kind].read_bytes()
    cut = tmp_path / f"cut{videos[kind].suffix}"
    cut.write_bytes(content[: int(share * len(content))])

    with pytest.raises(VideoError, match="cut.*(damaged|header|decoded)") as caught:
        read_frames(cut, lambda count: [0])
    assert caught.value.hint


@pytest.mark.reliability(
    "Files",
    "a video with damaged bytes inside",
    happens="checks, scores and predictions refuse it instead of showing concealed pictures",
    sees="`is damaged: ...`",
)
@pytest.mark.parametrize("kind", ["h264 mp4", "mpeg4 avi"])
def test_damage_inside_a_file_is_never_silent_in_strict_mode(videos, kind, tmp_path):
    content = bytearray(videos[kind].read_bytes())
    middle = len(content) // 2
    for offset in range(middle, middle + 600, 7):
        content[offset] ^= 0x5A
    damaged = tmp_path / f"damaged{videos[kind].suffix}"
    damaged.write_bytes(content)

    with pytest.raises(VideoError, match="damaged"):
        read_frames(damaged, lambda count: [0])


@pytest.mark.reliability(
    "Files",
    "a video whose size changes on the way",
    happens="is refused",
    sees="`frame 5 is 64 x 64 yuv420p, not 32 x 32`",
)
def test_a_change_of_size_within_a_video_names_the_frame(tmp_path):
    import av

    parts = []
    for side in (32, 64):
        frames = [np.full((side, side, 3), 90, np.uint8)] * 5
        part = encode(tmp_path / f"{side}.ts", frames, bf="0")
        with av.open(str(part)) as container:
            assert container.streams.video[0].height == side
        parts.append(part.read_bytes())
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(parts))

    with pytest.raises(VideoError, match=r"frame 5 is 64 x 64 yuv420p, not 32 x 32"):
        read_frames(joined, [7], strict=False)


@pytest.mark.reliability("Files", "thousands of videos, one after the other", happens="memory stays")
def test_two_thousand_openings_need_no_more_memory(videos):
    program = (
        "import resource, sys; from dynsearch.data import read_frames\n"
        "def read(times):\n"
        "    for _ in range(times):\n"
        "        for path in sys.argv[1:]: read_frames(path, [0], strict=False, reader='pyav')\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "first = read(20); print(read(200) - first)"
    )
    paths = [str(path) for path in videos.values()]
    done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, text=True, check=True)

    assert float(done.stdout) < 30


@pytest.mark.reliability(
    "Files",
    "the 30 made good videos: variable rate, rotated, odd-sized, edit lists, 10 bit, two streams, B-frames",
    happens="every frame read is the one asked for",
)
def test_every_good_file_of_the_corpus_is_exact(corpus):
    wrong = {}
    for path in corpus.good:
        marked = corpus.meta[path.name]["n"]
        for strict in (True, False):
            count = num_frames(path)
            asked = np.unique(np.linspace(0, (marked or count) - 1, 24).astype(int))
            carried = [corpus.read(frame, path) for frame in read_frames(path, asked, strict=strict)]
            # Bars hold 14 bits; a stream cut with an edit list starts at the frame it was cut at.
            expected = (asked + (carried[0] if marked is None else 0)) % 2**14
            if carried != expected.tolist():
                wrong[path.name, strict] = carried
    assert wrong == {}
    assert len(corpus.good) == 30


@pytest.mark.reliability(
    "Files",
    "the 36 made bad videos: cut, zeroed, flipped, lying headers, audio only, no key frame",
    happens="each is an error with file, reason and advice, or read right; nothing on the screen but that",
    sees="`has no readable video stream`, `holds no frames`, `does not begin with a key frame`",
)
def test_every_bad_file_of_the_corpus_is_an_error_or_read_right(corpus, capfd):
    right, unclear = [], {}
    for path in corpus.bad:
        try:
            frames = read_frames(path, lambda count: range(0, count, 9))
        except VideoError as error:
            if error.where != str(path) or not error.hint or len(error.problem) < 8:
                unclear[path.name] = str(error)
        else:
            assert [corpus.barcode.read(frame) for frame in frames] == list(range(0, num_frames(path), 9))
            right.append(path.name)
    assert unclear == {}
    assert right == ["claim_65535x65535.mp4"]
    assert capfd.readouterr().err == ""


@pytest.mark.reliability(
    "Files", "the 36 made bad videos: cut, zeroed, flipped, lying headers, audio only, no key frame"
)
@pytest.mark.parametrize("reader", ["auto", "decord", "pyav"])
def test_bad_files_end_no_process_and_write_nothing_while_training(corpus, capfd, reader):
    for path in corpus.bad:
        with contextlib.suppress(VideoError):
            read_frames(path, lambda count: [0, count // 2, count - 1], strict=False, reader=reader)
    assert capfd.readouterr().err == ""
