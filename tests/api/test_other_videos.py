"""A bundle on videos of others: however their folders look, classes go by name and what was trained on is known."""

import csv
import json
import shutil

import pytest

from tests.api.own_videos import CLASSES, write_folder, write_network
from tests.cli.runner import dynsearch_here

SEVEN = dict.fromkeys(CLASSES, 7)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A bundle, its own videos in ``data`` and others in ``other``; it says that it was trained on the rest of them."""
    folder = tmp_path_factory.mktemp("work")
    write_network(folder)
    write_folder(folder / "data", SEVEN)
    write_folder(folder / "other", SEVEN, seed=300)
    made = ("score", "plan.yaml", "--weights", "net.pth", "--dataset", "folders", "--data-root", "data")
    dynsearch_here(*made, "--output", "net", cwd=folder)
    from dynsearch.data.catalogue import open_dataset
    from dynsearch.data.identity import DataIdentity

    contents = DataIdentity.of(open_dataset("folders", folder / "data", calibration_fraction=0.2)).contents()
    (folder / "net/contents.json").write_text(json.dumps(contents))
    return folder


def evaluated(work, root, *more, dataset="folders"):
    return dynsearch_here(
        "evaluate",
        "net",
        "--dataset",
        dataset,
        "--data-root",
        root,
        "--split",
        "all",
        "--json",
        *more,
        cwd=work,
    )


def class_folders(work, root):
    shutil.copytree(work / "other", root)


def all_test(work, root):
    shutil.copytree(work / "other", root / "test")


def all_val(work, root):
    shutil.copytree(work / "other", root / "val")


def in_splits(work, root):
    for number, split in enumerate(("train", "val", "test")):
        for name in CLASSES:
            (root / split / name).mkdir(parents=True)
            for file in sorted((work / "other" / name).iterdir())[number::3]:
                shutil.copy(file, root / split / name)


def other_spelling(work, root):
    for name in CLASSES:
        shutil.copytree(work / "other" / name, root / name.upper().replace(" ", "-"))


def listed(work, root, name="test.csv", extra=()):
    shutil.copytree(work / "other", root / "clips")
    files = sorted(path.relative_to(root) for path in (root / "clips").rglob("*.mp4"))
    with (root / name).open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), *((path, path.parent.name) for path in files), *extra])


def listed_twice(work, root):
    listed(work, root, "train.csv")
    shutil.copy(root / "train.csv", root / "test.csv")


@pytest.mark.parametrize(
    ("write", "dataset"),
    [
        (class_folders, "folders"), (all_test, "folders"), (all_val, "folders"), (in_splits, "folders"),
        (other_spelling, "folders"), (listed, "csv"), (listed_twice, "csv"),
    ],
)  # fmt: skip
def test_split_all_takes_every_video_whatever_the_folder_looks_like(work, tmp_path, write, dataset):
    root = tmp_path / "videos"
    write(work, root)
    expected = evaluated(work, work / "other").json
    found = evaluated(work, root, dataset=dataset)
    assert found.json["num_videos"] == 21
    assert (found.json["top1"], found.json["exit_share"]) == (expected["top1"], expected["exit_share"])
    assert "trained on" not in found.err


def test_classes_go_by_name_and_missing_and_unknown_ones_are_said(work, tmp_path):
    shutil.copytree(work / "other/wave", tmp_path / "v/wave")
    shutil.copytree(work / "other/jump", tmp_path / "v/hop")
    found = evaluated(work, tmp_path / "v")
    assert found.json["num_videos"] == 7
    assert "not the network's classes: hop; 7 videos of them are left out" in found.err
    assert "2 of the network's 3 classes are not there: Brush hair, jump" in found.err


def test_one_class_alone_can_be_measured(work, tmp_path):
    shutil.copytree(work / "other/wave", tmp_path / "v/wave")
    assert evaluated(work, tmp_path / "v").json["num_videos"] == 7


def test_what_was_trained_on_is_known_by_content_not_by_name(work, tmp_path):
    """A merged folder: 21 own videos under new names, some of which were trained on, and 21 others."""
    shutil.copytree(work / "other", tmp_path / "merged")
    assert "trained on" not in evaluated(work, tmp_path / "merged").err
    for name in CLASSES:
        for file in (work / "data" / name).iterdir():
            shutil.copy(file, tmp_path / "merged" / name / f"own-{file.name}")
    trained = len(json.loads((work / "net/contents.json").read_text())["train"])
    assert 0 < trained < 21
    assert f"{trained} of these videos were trained on" in evaluated(work, tmp_path / "merged").err


def test_a_part_of_the_videos_is_said_to_be_one(work):
    found = dynsearch_here("evaluate", "net", "--dataset", "folders", "--data-root", "other", cwd=work)
    assert "of the 21 videos there are its test split; --split all takes them all" in found.err


def test_groups_of_the_recipe_are_not_looked_for_among_others(work, tmp_path):
    shutil.copytree(work / "net", tmp_path / "net")
    recipe = tmp_path / "net/recipe.yaml"
    recipe.write_text(recipe.read_text().replace("dataset: folders", "dataset: folders@anna"))
    command = ("evaluate", tmp_path / "net", "--data-root", "other")
    assert dynsearch_here(*command, "--split", "all", "--json", cwd=work).json["num_videos"] == 21
    assert "`--split all`" in dynsearch_here(*command, cwd=work, code=2).err


@pytest.mark.reliability(
    "Files",
    "a bundle on videos none of whose classes it knows",
    happens="is refused; the classes of both are named",
    sees="none of its classes (...) is the network's (...)",
)
def test_videos_of_other_classes_are_refused(work, tmp_path):
    shutil.copytree(work / "other/wave", tmp_path / "v/swim")
    result = dynsearch_here("evaluate", "net", "--dataset", "folders", "--data-root", tmp_path / "v", "--split", "all",
                            cwd=work, code=2)  # fmt: skip
    assert "none of its classes (swim) is the network's (Brush hair, jump, wave)" in result.err
