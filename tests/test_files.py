import os
import signal
import subprocess
import sys

import pytest

from dynsearch.errors import DynsearchError, InputError, PlanError
from dynsearch.files import read_json, read_yaml, remove_torn, write_text, write_yaml, written_whole


def test_yaml_round_trip(tmp_path):
    value = {"b": [1, 2.5, "x"], "a": {"nested": True}}
    write_yaml(tmp_path / "f.yaml", value)
    assert read_yaml(tmp_path / "f.yaml") == value
    assert list(read_yaml(tmp_path / "f.yaml")) == ["b", "a"]


@pytest.mark.reliability(
    "Files",
    "an error or a kill while a file is written",
    happens="the old file stays, whole; nothing half-written",
)
def test_an_error_while_writing_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "f.txt"
    write_text(path, "old")
    with pytest.raises(ZeroDivisionError), written_whole(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.reliability("Files", "an error or a kill while a file is written")
def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "f.txt"
    write_text(path, "old")
    code = (
        "import sys, os, signal\nfrom dynsearch.files import written_whole\n"
        "with written_whole(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old"


@pytest.mark.reliability(
    "Files",
    "a file where a folder should be",
    happens="is named",
    sees="`can't write: ... Check free space and permissions`",
)
def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DynsearchError, match=r"can't write.*free space and permissions") as caught:
        write_text(tmp_path / "file" / "f.txt", "x")
    assert str(tmp_path / "file" / "f.txt") in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.reliability(
    "Files",
    "a full disk while weights, scores or tables are written",
    happens="one message; the old file stays",
    sees="`can't write: ...`",
)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_full_disk_is_said_in_one_line(tmp_path):
    with pytest.raises(DynsearchError, match="No space left"), written_whole(tmp_path / "f.txt"):
        with open("/dev/full", "w") as full:
            full.write("x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.reliability(
    "Files",
    "files that are no YAML, JSON or UTF-8",
    happens="are named",
    sees="`not readable as YAML: ...`, `not readable as JSON, line ...`, `is not UTF-8 text`",
)
@pytest.mark.parametrize(
    ("reader", "content", "says"),
    [
        (read_yaml, b"a: [1", "not readable as YAML"),
        (read_yaml, b"\xff\xfe\x00", "is not UTF-8"),
        (read_yaml, b"!!python/object/apply:os.system ['true']", "not readable as YAML"),
        (read_json, b'{"a": 1,\n "b" 2}', "not readable as JSON, line 2"),
        (read_json, b"", "not readable as JSON, line 1"),
    ],
)
def test_broken_files_are_named(tmp_path, reader, content, says):
    path = tmp_path / "broken"
    path.write_bytes(content)
    with pytest.raises(PlanError) as caught:
        reader(path, PlanError)
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)


@pytest.mark.reliability("Files", "a missing file", happens="is named", sees="`can't be read: ...`")
def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_json(tmp_path / "nowhere.json")


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    (tmp_path / "f.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(tmp_path / "f.json") == {"a": 1}


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path):
    kept = {".hidden", ".driver.lock", "scores-test.npz", ".claims"}
    for name in kept:
        (tmp_path / name).touch()
    for name in ("scores-test.npz", "plan.yaml", "README"):
        with pytest.raises(KeyboardInterrupt), written_whole(tmp_path / name) as temporary:
            torn = temporary.with_name(temporary.name)
            torn.touch()
            (tmp_path / "copy").mkdir(exist_ok=True)
            torn.rename(tmp_path / "copy" / torn.name)  # out of reach of the block's own tidying
            raise KeyboardInterrupt
    for torn in (tmp_path / "copy").iterdir():
        torn.rename(tmp_path / torn.name)
    assert len(list(tmp_path.glob(".*"))) == 6
    remove_torn(tmp_path)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == kept
