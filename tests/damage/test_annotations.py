"""Annotation files of data sets, changed at every field and byte."""

import csv
import io
import itertools
import json
import math

import numpy as np
import pytest

from dynsearch.data import open_dataset
from dynsearch.data.catalogue import read_annotations
from dynsearch.data.layouts.sthv2 import read_sthv2
from dynsearch.errors import DataError
from tests.data.layouts.several import write_activitynet
from tests.data.layouts.test_clips_and_kinetics import write_kinetics
from tests.data.layouts.test_sthv2 import LABELS, TEMPLATES, write_layout
from tests.mutations import NUMBER, changed_bytes, changed_documents, refused_or_right

ENTRIES = [{"id": str(100 + n), "template": TEMPLATES[n % 2], "placeholders": ["a"]} for n in range(8)]


def as_json(documents):
    for document in documents:
        try:
            yield json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
        except TypeError:
            continue  # bytes, dates


def mutations(document, seed):
    return itertools.chain(
        as_json(changed_documents(document, seed, NUMBER)),
        changed_bytes(json.dumps(document).encode(), seed + 1, NUMBER // 3),
    )


def plain(name):
    return name.replace("[", "").replace("]", "")


@pytest.mark.reliability(
    "Files",
    "Something-Something annotation files changed at any field or byte",
    happens="are refused with file and entry, or each video has the class they say",
    sees="`entry ... should be ...`, `the indices must be 0 to ..., each once`",
)
@pytest.mark.parametrize("part", ["labels", "train"])
def test_sthv2(tmp_path, part):
    root = write_layout(tmp_path / "sthv2", names="{}.json")
    path = root / f"{part}.json"

    def check(found, content):
        labels, train = (
            json.loads((root / f"{name}.json").read_text("utf-8-sig")) for name in ("labels", "train")
        )
        given = {name: int(index) for name, index in labels.items() if not isinstance(index, bool | float)}
        assert len(given) == len(labels) == len(found.class_names)
        assert all(found.class_names[index] == name for name, index in given.items())
        assert [(r.video_id, r.label) for r in found.train] == [
            (str(entry["id"]), given[plain(entry["template"])]) for entry in train
        ]
        assert all(record.path.parent == root / "20bn-something-something-v2" for record in found.train)

    document = LABELS if part == "labels" else ENTRIES
    refused_or_right(mutations(document, 17), path, lambda path: read_sthv2(root), check)


def table():
    lines = [["path", "label", "start", "end", "group"]]
    return lines + [[f"clips/{n}.avi", ("wave", "jump")[n % 2], "0.5", "2", f"p{n % 3}"] for n in range(12)]


def changed_tables():
    rng = np.random.default_rng(0)
    values = [
        "",
        "x",
        "nan",
        "inf",
        "-1",
        "1e400",
        "../x.avi",
        "/etc/passwd",
        "clips/0.avi",
        "a\0",
        '"',
        "'",
        "é",
        "1,2",
        "\n",
    ]
    for turn in range(NUMBER):
        cells = table()
        row, column = (turn // 5) % len(cells), turn % 5
        kind = rng.choice(
            ["cell", "cell", "cell", "row out", "row twice", "column out", "short", "long", "quote"]
        )
        if kind == "cell":
            cells[row][column] = str(rng.choice(values))
        elif kind == "row out":
            del cells[row]
        elif kind == "row twice":
            cells.insert(row, cells[row])
        elif kind == "column out":
            cells = [line[:column] + line[column + 1 :] for line in cells]
        elif kind == "short":
            cells[row] = cells[row][:column]
        elif kind == "long":
            cells[row] = [*cells[row], "more"]
        text = io.StringIO()
        csv.writer(text).writerows(cells)
        content = text.getvalue()
        yield (
            content.replace(cells[row][0], f'"{cells[row][0]}', 1) if kind == "quote" else content
        ).encode()
    yield from changed_bytes("\n".join(map(",".join, table())).encode(), 19, NUMBER // 3)


def cells_of(content):
    lines = [line.strip() for line in content.decode("utf-8-sig").splitlines()]
    return [[cell.strip() for cell in row] for row in csv.reader([line for line in lines if line])]


def check_csv(dataset, content):
    """Read the same file by Python's csv module, without splits; every row is one video of its class."""
    rows = cells_of(content)
    records = [record for split in dataset.splits.values() for record in split]
    header = ["path", "label", "start", "end", "group"]
    if {"path", "label"} & {cell.lower() for cell in rows[0]}:
        header, rows = [cell.lower() for cell in rows[0]], rows[1:]
    assert len(records) == len(rows)
    expected = set()
    for row in rows:
        cells = {name: cell for name, cell in zip(header, row, strict=False) if cell}
        start, end = (float(cells.get(name, other)) for name, other in (("start", 0), ("end", math.inf)))
        expected.add((cells["path"], cells["label"], start if {"start", "end"} & set(cells) else None, end))
    names = dataset.class_names
    found = {
        (
            record.path.relative_to(dataset.root).as_posix(),
            names[record.label],
            record.seconds[0] if record.seconds else None,
            record.seconds[1] if record.seconds else math.inf,
        )
        for record in records
    }
    assert found == expected


@pytest.mark.reliability(
    "Files",
    "a CSV data set changed at any cell, row, column or byte",
    happens="is refused with file and line, or each video has the class it says",
    sees="`line ...: expected ..., got ...`, `would leave the data root`",
)
def test_csv(tmp_path):
    (tmp_path / "own/clips").mkdir(parents=True)
    for n in range(12):
        (tmp_path / f"own/clips/{n}.avi").touch()

    def read(path):
        return open_dataset("csv", tmp_path / "own", calibration_fraction=0.3)

    accepted = refused_or_right(changed_tables(), tmp_path / "own/all.csv", read, check_csv)
    assert 0 < accepted < 0.9


@pytest.mark.reliability(
    "Files",
    "ActivityNet's annotation file changed at any field or byte",
    happens="is refused with the video named, or each video has the classes it says",
    sees="`video ... should be ...`, `... classes have no training video, first ...`",
)
def test_activitynet(tmp_path):
    root = write_activitynet(tmp_path / "net", sizes=(4, 2), frames=0)
    path = root / "activity_net.v1-3.min.json"
    document = json.loads(path.read_text())
    parts = {"training": "train", "validation": "test"}

    def check(found, content):
        database = json.loads(content.decode("utf-8-sig"))["database"]
        given, kept = {}, {}
        for video_id, entry in database.items():
            names = {annotation["label"] for annotation in entry.get("annotations", ())}
            if entry["subset"] in parts and names:
                given[parts[entry["subset"]], video_id] = names
        for part in parts.values():
            for record in getattr(found, part):
                kept[part, record.video_id] = {found.class_names[label] for label in record.labels}
        assert kept == given

    def read(path):
        return read_annotations("activitynet", root, allow_missing=True)

    refused_or_right(mutations(document, 37), path, read, check)


@pytest.mark.reliability(
    "Files",
    "Kinetics' CSV files changed at any line or byte",
    happens="are refused with file and line, or each clip has the class they say",
    sees="`line ...: expected ..., got ...`",
)
def test_kinetics(tmp_path):
    root = write_kinetics(tmp_path / "k400", b"")
    path = root / "train.csv"

    def check(found, content):
        header, *rows = cells_of(content)
        header = [name.lower() for name in header]
        places = [header.index(name) for name in ("label", "youtube_id", "time_start")]
        given = sorted((row[places[1]], row[places[0]]) for row in rows)
        kept = sorted((record.video_id, found.class_names[record.label]) for record in found.train)
        assert [label for _, label in given] == [label for _, label in kept]
        assert all(a in b for (a, _), (b, _) in zip(given, kept, strict=True))

    def read(path):
        return read_annotations("kinetics400", root, allow_missing=True)

    refused_or_right(changed_bytes(path.read_bytes(), 41), path, read, check)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ('{"a": "0", "a": "1"}', "'a' is there twice"),
        ('{"a": true, "b": 1}', "is not a whole number: True"),
        ('{"a": 0.7, "b": 1}', "is not a whole number: 0.7"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ("[" * 5000, "not readable as JSON"),
    ],
)
def test_what_no_label_file_may_hold(tmp_path, labels, says):
    root = write_layout(tmp_path / "sthv2", labels=labels)
    with pytest.raises(DataError) as caught:
        read_sthv2(root)
    assert says in str(caught.value)
