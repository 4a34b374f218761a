"""Lists of videos and tables of groups as people write them: headers, separators, encodings, names and numbers."""

import re
import unicodedata

import pytest

from dynsearch.data.catalogue import read_annotations
from dynsearch.errors import DataError

TESTS = ("dynsearch.data.layouts.disk_names", "dynsearch.data.layouts.groups")
NFC, NFD = (unicodedata.normalize(form, "vidéo-ü") for form in ("NFC", "NFD"))


def opened(root, text=None, *, name="all.csv", layout="csv", files=()):
    """Read a folder with empty files and a list."""
    for file in files or [f"v/{number}.mp4" for number in range(4)]:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    if text is not None:
        (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_annotations(layout, root)


def labels(found):
    """Return what each file's class is called."""
    records = [*found.train, *found.calibration, *found.test]
    return {record.path.name: found.class_names[record.label] for record in records}


def rows(form, names=("c0", "c1")):
    return "".join(form.format(n=number, c=names[number % 2]) + "\n" for number in range(4))


@pytest.mark.reliability(
    "Files",
    "headers of lists that people have: video_name,tag and others, in capitals, quoted, with semicolons or tabs",
    happens="are read by the names of their columns",
)
@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("video_name,tag", "v/{n}.mp4,{c}"),
        ("id,file_name,label", "{n},v/{n}.mp4,{c}"),
        ("video_id,filepath,label", "0{n},v/{n}.mp4,{c}"),
        ("clip_name,clip_path,label", "0{n},v/{n}.mp4,{c}"),
        ("filename,class", "v/{n}.mp4,{c}"),
        ("file,category", "v/{n}.mp4,{c}"),
        ("clip,action", "v/{n}.mp4,{c}"),
        ("video_path,class_id", "v/{n}.mp4,{c}"),
        (",path,num_frames,label", "{n},v/{n}.mp4,36,{c}"),
        ("PATH,Label", "v/{n}.mp4,{c}"),
        ("\ufeffVideo Name;Class-Name", "v/{n}.mp4;{c}"),
        ("path\tlabel\tcaption", "v/{n}.mp4\t{c}\ta, b; c"),
        ("path label", "v/{n}.mp4  {c}"),
        ("path|label", "v/{n}.mp4|{c}"),
        ('"path","label","text"', '"v/{n}.mp4","{c}","two\nlines"'),
        ("# path,label", "v/{n}.mp4,{c}"),
        ("# made by hand\n\npath,label,", "v/{n}.mp4,{c},\n# one, two, three, four"),
        ("label,path", "{c},v/{n}.mp4"),
        ("v/3.mp4,c1", "v/{n}.mp4,{c}"),
        ("v/3.mp4 c1", "v/{n}.mp4 {c}"),
        ("v/3.mp4 40 c1", None),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_headers(tmp_path, header, form, encoding):
    if form is None:
        header, form, names = "v/0.mp4 36 0", "v/{n}.mp4 37 {c}", ("0", "1")
    else:
        names = ("c0", "c1")
    text = f"{header}\n{rows(form, names)}".replace("\n", "\r\n")
    if header.startswith("v/"):  # No header, but the first video.
        text = text.replace(f"{header}\r\n", "", 1)
    found = opened(tmp_path, text.removeprefix("\ufeff" if encoding == "utf-16" else "").encode(encoding))
    assert labels(found) == {f"{n}.mp4": names[n % 2] for n in range(4)}
    assert [record.seconds for record in found.train] == [None] * 4


@pytest.mark.reliability(
    "Files",
    "a list with an unknown header, without labels, or of more columns and no header",
    happens="is refused with the header that was found and names that would do",
    sees="`expected columns called path and label, got ...`",
)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "movie,mood\n" + rows("v/{n}.mp4,{c}"),
            r"line 1: .*path and label, got 'movie, mood'\. Paths may .* file, filename.*; labels class",
        ),
        ("id,file_name\n" + rows("{n},v/{n}.mp4"), "line 1: .*path and label, got 'id, file_name'"),
        (
            "label,youtube_id,time_start\n" + rows("{c},abc{n},0"),
            "got 'label, youtube_id.*--dataset kinetics400",
        ),
        ("path,label\n", "has a header and no rows"),
        ("path,label\nv/0.mp4,a,b\n", "line 2: 3 cells, but the first row has 2.*double quotes"),
        ("v/0.mp4,c0\nv/1.mp4,c1,0,3\n", "line 2: 4 cells, but the first row has 2"),
        ("path,label\nv/0.mp4,c0\nv/\xe9.mp4,c1\n".encode("latin-1"), "line 3 has the byte 0xe9"),
        ("path,label,start\n" + rows("v/{n}.mp4,{c},1_0"), "line 2: expected start and end in seconds"),
        ('path,label\nv/0.mp4,"c0\nv/1.mp4,c1"\n', "line 3: expected cells of one line"),
    ],
)
def test_headers_that_can_not_be_read(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, text)


@pytest.mark.reliability(
    "Files",
    "a list of frames and labels (`path,36,0`) without a header",
    happens="is refused, or read as TSN's list where blanks are between",
    sees="`expected path,label[,start,end], got ...`",
)
@pytest.mark.parametrize("row", ["v/{n}.mp4,3{n},{c}", "v/{n}.mp4;3{n};{c}", "v/{n}.mp4 0 3{n} {c}"])
def test_frames_are_no_labels(tmp_path, row):
    with pytest.raises(DataError, match="Write a header that says which column is which"):
        opened(tmp_path, rows(row, "01"))


@pytest.mark.reliability(
    "Files",
    "paths with backslashes and Windows line ends, in another Unicode form than on disk, or without an ending",
    happens="find their files; another spelling of a path is the same video",
)
@pytest.mark.parametrize(
    ("listed", "on_disk"),
    [
        (r"v\{}.mp4", "v/{}.mp4"),
        (rf"v\{NFC}\{{}}.mp4", f"v/{NFD}/{{}}.mp4"),
        (f"v/{NFC}{{}}.mp4", f"v/{NFD}{{}}.mp4"),
        (f"v/{NFD}{{}}.mp4", f"v/{NFC}{{}}.mp4"),
        (f"v/{NFD}{{}}", f"v/{NFC}{{}}.mp4"),
        ("./v//{}", "v/{}"),
    ],
)
def test_paths_find_their_files(tmp_path, listed, on_disk):
    files = [on_disk.format(number) for number in range(4)]
    text = "path,label\r\n" + "".join(f"{listed.format(n)},c{n % 2}\r\n" for n in range(4))
    found = opened(tmp_path, text, files=files)
    assert [record.video_id for record in found.train] == files
    assert all(record.path.exists() for record in found.train)


@pytest.mark.parametrize("text", [r"..\x.mp4", "../x.mp4", "v/../../x.mp4", r"C:\v\0.mp4"])
def test_other_spellings_open_no_way_out(tmp_path, text):
    (tmp_path / "x.mp4").touch()
    with pytest.raises(DataError, match="data root|missing"):
        opened(tmp_path / "own", f"path,label\n{text},c0\nv/1.mp4,c1\n")


@pytest.mark.reliability(
    "Files", "ids, groups and class names that look like numbers, dates, true, NaN, None, NA or null"
)
def test_labels_and_groups_stay_as_they_are_written(tmp_path):
    names = ["None", "nan", "null", "NA", "01", "1", "1e5", "TRUE", "2026-01-31", "0x10"]
    files = [f"v/{number}.mp4" for number in range(len(names))]
    text = "path,label,person_id\n" + "".join(
        f"{file},{n},{n}\n" for file, n in zip(files, names, strict=True)
    )
    found = opened(tmp_path, text, files=files)
    assert labels(found) == {f"{number}.mp4": name for number, name in enumerate(names)}
    assert [record.group for record in found.train] == names


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["3.0", "0.0", "10.0", "3"], ("0", "3", "10")),
        (["1", "01", "001", "0"], ("0", "001", "01", "1")),
        (["1.0", "1.5", "2.0", "2.5"], ("1.0", "1.5", "2.0", "2.5")),
        (["9" * 5000, "8", "7", "8"], ("7", "8", "9" * 5000)),
    ],
)
def test_numbers_as_labels(tmp_path, names, classes):
    found = opened(tmp_path, "path,label\n" + "".join(f"v/{n}.mp4,{name}\n" for n, name in enumerate(names)))
    assert found.class_names == classes


CLIPS = [f"{name}/{number}.mp4" for number, name in enumerate(["wave"] * 4 + ["nod"] * 4)]


@pytest.mark.reliability(
    "Files",
    "a table beside class folders that is not about groups: metadata, captions, classes",
    happens="is not read as groups, which is said",
    sees="`is not used, as it has no column called group, subject, person or the like`",
)
@pytest.mark.parametrize(
    "text",
    [
        "file_name,label\n" + "".join(f"{clip},{clip[:3]}\n" for clip in CLIPS),
        "file_name,num_frames\n" + "".join(f"{clip},6\n" for clip in CLIPS),
        "file_name,text,label\n" + "".join(f'{clip},"a person\nwaves, or nods",x\n' for clip in CLIPS),
        "index,class\n0,wave\n1,nod\n",
        "a line of text\n",
    ],
)
def test_a_table_beside_folders_is_groups_only_if_it_says_so(tmp_path, text):
    found = opened(tmp_path, text, name="metadata.csv", layout="folders", files=CLIPS)
    assert {record.group for record in found.train} == {None}
    assert found.notes == (
        "metadata.csv is not used, as it has no column called group, subject, person or the like",
    )


@pytest.mark.reliability(
    "Files",
    "a blank cell in a column of groups, and rows of groups that match no video",
)
@pytest.mark.parametrize(
    ("name", "header", "form"),
    [
        ("metadata.csv", "File Name;Subject ID;text", "{0};{1};t"),
        ("groups.csv", "path,who", "./{0},{1}"),
        ("Groups.CSV", "path,group,path2", "{0},{1},x"),
        ("groups.tsv", "path\twho", "{0}\t{1}"),
    ],
)
def test_groups_beside_folders(tmp_path, name, header, form):
    clips = [clip.replace("/", f"/{NFD}") for clip in CLIPS]
    lines = [
        form.format(clip.replace(NFD, NFC).replace("/", "\\"), "0" * (n % 3)) for n, clip in enumerate(clips)
    ]
    text = "\r\n".join([header, *lines, form.format("wave/no.mp4", "9"), form.format("wave/none.mp4", "9")])
    found = opened(tmp_path, text, name=name, layout="folders", files=clips)
    groups = {record.video_id: record.group for record in found.train}
    assert groups == {clip: "0" * (n % 3) or None for n, clip in enumerate(clips)}
    (note,) = found.notes
    assert re.fullmatch(
        rf"2 of 10 rows of {name} match no video, first \S*wave/no.mp4, \S*wave/none.mp4", note
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("groups.csv", "path,group\nwave/0.mp4,a\nwave/0,b\n", "'wave/0' is in two groups, a and b"),
        ("people.csv", "wave/0.mp4,anna\nwave/1.mp4,ben\n", "names videos, but its columns have no names"),
        ("people.csv", "path,user,person\nwave/0.mp4,a,b\n", "2 columns that may be the groups"),
        ("people.csv", "path,person\nwave/\xe9.mp4,a\n".encode("latin-1"), "line 2 has the byte 0xe9"),
    ],
)
def test_groups_that_can_not_be_read(tmp_path, name, text, message):
    with pytest.raises(DataError, match=message):
        opened(tmp_path, text, name=name, layout="folders", files=CLIPS)


def test_names_of_official_lists_are_found_in_either_unicode_form(tmp_path):
    from dynsearch.data.layouts.video_tree import VideoTree

    (tmp_path / f"{NFD}.mp4").touch()
    assert VideoTree(tmp_path).find(NFC, where="list").name == f"{NFD}.mp4"
