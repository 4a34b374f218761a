"""``dynsearch predict``: files, folders, patterns, streams, annotated videos."""

import json

import av
import pytest

from dynsearch.data.video_sources import find_videos
from dynsearch.errors import InputError
from tests.cli.miniature import write_webm
from tests.cli.runner import dynsearch_here as dynsearch
from tests.export.bundles import CLASSES, toy_bundle
from tests.plans import small_plan
from tests.warm import Warm


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Two bundles, three videos in two folders, and a frame folder."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("predict")
    toy_bundle(folder / "net", small_plan("2x3", "4x5", order="sequential", image_size=48))
    toy_bundle(folder / "paper", small_plan("2x3", "4x5", order="paper", image_size=48))
    for i, name in enumerate(("a.webm", "b.WEBM", "below/c.webm")):
        write_webm(folder / "clips" / name, (2, 0), seed=i)
    (folder / "clips" / "notes.txt").write_text("no video")
    (folder / "clips" / "jpegs").mkdir()
    for i in range(4):
        Image.new("RGB", (60, 50), (i * 50, 0, 0)).save(folder / "clips" / "jpegs" / f"{i + 1:05d}.jpg")
    return folder


def test_files_folders_and_patterns_each_video_once(work, monkeypatch):
    monkeypatch.chdir(work)
    names = [str(path) for path in find_videos(["clips/a.webm", "clips", "clips/**/*.webm"])]
    assert names == ["clips/a.webm", "clips/b.WEBM", "clips/below/c.webm", "clips/jpegs"]
    for source, says in (("net", "holds no video"), ("clips/*.avi", "fits no file")):
        with pytest.raises(InputError, match=says):
            find_videos([source])


def test_a_folder_is_labelled_as_a_table_and_as_json(work):
    lines = dynsearch("predict", "net", "clips", "--json", cwd=work).out.splitlines()
    answers = [json.loads(line) for line in lines]
    assert [answer["video"] for answer in answers] == [
        "clips/a.webm", "clips/b.WEBM", "clips/below/c.webm", "clips/jpegs",
    ]  # fmt: skip
    table = dynsearch("predict", "net", "clips", cwd=work).out.splitlines()
    assert table[0].split() == ["video", "label", "sure", "exit", "frames", "GFLOPs"]
    for line, answer in zip(table[1:], answers, strict=True):
        assert answer["label"] in line
        assert f"{answer['exit']}/2" in line


def test_exits_are_counted_in_a_file_from_run_to_run(work):
    bundle = toy_bundle(work / "watched", small_plan("2x3", "4x5", order="sequential", image_size=48))
    promise = json.loads((work / "watched/promise.json").read_text())
    promise["thresholds"] = list(map(str, bundle.policy.thresholds))
    (work / "watched/promise.json").write_text(json.dumps(promise))
    exits = [
        json.loads(line)["exit"]
        for line in dynsearch("predict", "watched", "clips", "--json", cwd=work).out.splitlines()
    ]
    for runs in (1, 2):
        said = dynsearch("predict", "watched", "clips", "--monitor", "seen.json", cwd=work).err
        assert f"monitor: {4 * runs} videos" in said
        assert "as promised" in said
        assert json.loads((work / "seen.json").read_text())["exits"] == [
            runs * exits.count(k) for k in (1, 2)
        ]
    refused = dynsearch("predict", "watched", "clips", "--monitor", "clips/notes.txt", cwd=work, code=2)
    assert "notes.txt" in refused.err


def test_the_reader_can_be_chosen_for_files(work):
    by_itself, forced, refused = (
        dynsearch("predict", "net", "clips/a.webm", *options, cwd=work, code=code)
        for options, code in (
            (("--json",), 0),
            (("--json", "--reader", "pyav"), 0),
            (("--stream", "--reader", "pyav"), 2),
        )
    )
    assert by_itself.json == forced.json
    assert "a stream is always read by PyAV" in refused.err


def test_a_stream_through_standard_input(work):
    command = ("predict", "net", "-", "--stream", "--window", "0.5", "--json")
    with (work / "clips" / "a.webm").open("rb") as video:
        process = Warm(command, cwd=work, stdin=video)
    out, told = process.communicate()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["start"] for answer in answers[:2]] == [0, 0.5]  # 16 frames, 12 a second
    assert all(answer["label"] in CLASSES and answer["decided"] >= answer["start"] for answer in answers)
    assert (process.returncode, told) == (0, "")


def test_another_order_says_that_it_waits_for_the_window(work):
    result = dynsearch(
        "predict", "paper", "clips/a.webm", "--stream", "--window", "0.6", "--annotate", "out.mp4", cwd=work
    )
    assert "feeds frames in order paper, so every window is computed when it is over" in result.err
    assert result.out.splitlines()[0].split()[:3] == ["from", "decided", "label"]
    with av.open(str(work / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 16


def test_an_annotated_video_has_all_frames_at_their_times_with_text_below(work):
    dynsearch("predict", "net", "clips/a.webm", "--annotate", "annotated.mp4", cwd=work)
    with av.open(str(work / "annotated.mp4")) as container:
        frames = list(container.decode(video=0))
    assert [round(frame.time * 12) for frame in frames] == list(range(16))
    picture = frames[0].to_ndarray(format="rgb24")
    assert picture.shape[1] == 480  # 96 pixels wide, enlarged so that the text can be read
    below = picture[480 * 64 // 96 :]
    assert below.max() > 200  # Text, white
    assert (below < 40).mean() > 0.6  # on black.


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("clips/a.webm", "clips/b.WEBM", "--stream"), "--stream takes one VIDEO, got 2"),
        (("clips", "--annotate", "x.mp4"), "--annotate takes one VIDEO, got 4"),
        (("-",), "needs --stream"),
        (("clips/a.webm", "--annotate", "x.docx"), "x.docx: is no name of a video"),
        (("clips/a.webm", "--stream"), "ended within 4 s, before an exit could answer"),
        (("clips/notes.txt", "--stream"), "is not a video that we read"),
        (("clips/*.avi",), "clips/*.avi: fits no file"),
    ],
)
def test_mistakes(work, arguments, says):
    result = dynsearch("predict", "net" if "4 s" not in says else "paper", *arguments, cwd=work, code=2)
    assert says in result.err
    assert not (work / "x.mp4").exists()
