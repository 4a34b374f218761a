import pytest

from dynsearch.data.video_names import VIDEO_ENDINGS, LeftOut, is_video
from dynsearch.data.video_sources import find_videos

MP4, OGG = b"\0\0\0\x20ftypisom", b"OggS\0\2" + 22 * b"\0"


@pytest.mark.parametrize(
    ("name", "content", "taken"),
    [
        *[(f"v{ending}", b"", True) for ending in VIDEO_ENDINGS],
        ("v.MPG", b"", True),
        ("v.Mp4", b"", True),
        ("v", MP4, True),
        ("README", b"About this data", False),
        ("v.ts", b"G" + 187 * b"\0" + b"G", True),
        ("code.ts", "export const größe = 3;\n".encode() * 40, False),
        ("v.ogg", OGG + b"\x80theora", True),
        ("sound.ogg", OGG + b"\1vorbis", False),
        ("v.wmv", MP4, False),
        ("v.mp4.part", MP4, False),
        ("sound.m4a", MP4, False),
        ("v.txt", b"mp4", False),
    ],
)
def test_what_is_a_video(tmp_path, name, content, taken):
    (tmp_path / name).write_bytes(content)

    assert is_video(tmp_path, name) == taken
    if taken:
        assert find_videos([str(tmp_path)]) == [tmp_path / name]


def test_what_is_left_out_is_counted_by_ending(tmp_path):
    left_out = LeftOut(tmp_path)
    assert left_out.notes() == ()
    for name, content in (("a.wmv", b"0&\xb2u"), ("b.WMV", b""), ("c.dat", MP4), ("LICENSE", b"Free")):
        (tmp_path / name).write_bytes(content)
        left_out.add(tmp_path / name)

    assert left_out.notes() == (
        "left out, as no videos by their names: 2 .wmv, 1 .dat, 1 without ending; first a.wmv, b.WMV, c.dat, LICENSE"
        ". .dat: they start like videos, so give them their right ending. .wmv: convert them to MP4 to have them read",
    )
