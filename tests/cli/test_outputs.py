"""Nothing of the user's is overwritten: every option of every command that writes, and every folder."""

import os
import shutil
from pathlib import Path

import click
import pytest

from dynsearch.api.study import Study
from dynsearch.cli.main import cli
from dynsearch.cli.options import UserPath
from dynsearch.errors import BundleError, InputError
from dynsearch.export.ownership import check_graphs, check_training, marked
from dynsearch.network.weights.files import save_weights
from dynsearch.plan import Plan
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from tests.cli.miniature import write_webm
from tests.cli.runner import dynsearch_here as dynsearch
from tests.export.bundles import CLASSES, toy_bundle
from tests.network.nets import lively_network
from tests.plans import small_plan
from tests.search.toy import NUM_CLASSES, ToyEvaluator, run

TESTS = ("dynsearch.export.ownership",)

LISTED = ("data", "check", "--dataset", "csv", "--data-root", "d", "--workers", "0", "--quiet")
SCORED = ("--dataset", "csv", "--data-root", "d", "--split", "all")
FILES = {
    ("calibrate", "--csv"): (("calibrate", "s.npz"), "o.csv", "s.npz"),
    ("calibrate", "--plot"): (("calibrate", "s.npz"), "o.svg", "s.npz"),
    ("calibrate", "--policy"): (("calibrate", "s.npz", "--max-gflops", "9"), "o.yaml", "s.npz"),
    ("calibrate", "--report"): (("calibrate", "s.npz"), "o.html", "s.npz"),
    ("score", "--output"): (("score", "net", *SCORED), "o.npz", "d/videos.csv"),
    ("frontier", "--plot"): (("frontier", "toy"), "o.png", "studies/toy/study.db"),
    ("frontier", "--plot-grid"): (("frontier", "toy"), "o.pdf", "studies/toy/study.db"),
    ("report", "--output"): (("report", "toy"), "o.html", "studies/toy/study.yaml"),
    ("data check", "--csv"): (LISTED, "o.csv", "d/videos.csv"),
    ("predict", "--annotate"): (("predict", "net", "a.webm"), "o.mp4", "a.webm"),
    ("predict", "--monitor"): (("predict", "net", "a.webm"), "o.json", "a.webm"),
}
"""Options that name a file to write: a command, a name for the file, and one of the command's inputs."""
FOLDERS = {("export", "--output"), ("train", "--output")}
READ = {
    "bundle", "what", "folder", "scores", "study", "--labels",
    "--apply", "--check", "--rematch", "--data-root", "--studies", "--weights",
}  # fmt: skip
"""Paths that are read, or below which a study or a data set has a place of its own."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study, a bundle, scores, a video and a data set."""
    folder = tmp_path_factory.mktemp("outputs")
    study = StudyFolder(folder / "studies" / "toy")
    run(study.path, ToyEvaluator(), max_gflops=0.05, num_trials=4)
    Origin(data_root="/nowhere", class_names=CLASSES, num_videos={"test": 1}).add_to(study)
    for trial, plan in Study.open("toy", folder / "studies").results.plans.items():
        save_weights(lively_network(plan, NUM_CLASSES), study.trial(trial) / "weights.safetensors")
    shutil.copy(study.trial(trial) / "scores-calibration.npz", folder / "s.npz")
    toy_bundle(folder / "net", small_plan("4x4", image_size=48), dataset="motions", space="motions")
    write_webm(folder / "a.webm", (2, 0), seed=1)
    lines = ["path,label,split"]
    for i, split in enumerate((*4 * ["train"], *4 * ["test"])):
        write_webm(folder / "d" / f"{i}.webm", (2, 0), seed=i)
        lines.append(f"{i}.webm,{CLASSES[i % 2]},{split}")
    (folder / "d" / "videos.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def work(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "work"))


def commands(group=cli, name=""):
    """Yield the name and the command of every command."""
    with click.Context(group) as context:
        for each in group.list_commands(context):
            command = group.get_command(context, each)
            if isinstance(command, click.Group):
                yield from commands(command, f"{name}{each} ")
            else:
                yield f"{name}{each}", command


def test_every_option_that_writes_is_tried_here():
    """A new option that takes a path is read, or stands in a table above."""
    known = {*FILES, *FOLDERS}
    for name, command in commands():
        for option in command.params:
            words = (getattr(option, "help", None) or "").lower().removeprefix("also ")
            writes = words.startswith(("write ", "draw ")) and not isinstance(
                option.type, click.types.BoolParamType | click.Choice
            )
            if isinstance(option.type, click.Path) or writes:
                place = (name, option.opts[0])
                assert isinstance(option.type, UserPath), place
                assert place in known or (option.opts[0] in READ and not writes), f"{place}: does it write?"
    assert {name for name, _ in known} <= {name for name, _ in commands()}


@pytest.mark.reliability(
    "Files",
    "an output of a command that is an input of it: the same path, another spelling, a link, a hard link",
    happens="is refused before anything is written, with `--force` too",
    sees="`... which is read or written too, and would be lost`",
)
@pytest.mark.parametrize("option", FILES, ids=" ".join)
def test_no_output_goes_onto_an_input(work, option):
    command, name, given = FILES[option]
    other, before = work / f"other{Path(name).suffix}", (work / given).read_bytes()
    for link, more in ((os.symlink, ()), (os.symlink, ("--force",)), (os.link, ())):
        link(work / given, other)
        said = dynsearch(*command, option[1], f"net/../{other.name}", *more, cwd=work, code=2).err
        # A hard link to what lies within an input folder is known only as a file of somebody else's.
        assert "would be lost" in said or (link is os.link and "did not make it" in said)
        assert (work / given).read_bytes() == before
        other.unlink()


@pytest.mark.reliability(
    "Files",
    "an output named like a file that dynsearch did not make, like a folder or a device",
    happens="is refused; `--force` writes over a file; what dynsearch made is written anew",
    sees="`is there already, and dynsearch did not make it`",
)
@pytest.mark.parametrize("option", FILES, ids=" ".join)
def test_what_others_made_is_not_overwritten_unasked(work, option):
    command, name, _ = FILES[option]
    (work / name).write_bytes(b"mine")
    said = dynsearch(*command, option[1], name, cwd=work, code=2).err
    assert "did not make it" in said
    assert (work / name).read_bytes() == b"mine"
    for more in (("--force",), ()):
        dynsearch(*command, option[1], name, *more, cwd=work)
        assert (work / name).read_bytes() != b"mine"
    (work / "folder").mkdir()
    folder = (work / "folder").rename(work / f"x{Path(name).suffix}")
    said = dynsearch(*command, option[1], folder.name, "--force", cwd=work, code=2).err
    assert "is a folder" in said or "is a directory" in said


def test_outputs_among_themselves_and_devices(work):
    both = dynsearch(
        "calibrate", "s.npz", "--csv", "x", "--max-gflops", "9", "--policy", "./x", cwd=work, code=2
    )
    assert "would be lost" in both.err
    device = dynsearch("calibrate", "s.npz", "--csv", os.devnull, "--force", cwd=work, code=2)
    assert "is no regular file" in device.err
    (work / "empty.csv").touch()
    dynsearch("calibrate", "s.npz", "--csv", "empty.csv", cwd=work)
    inside = dynsearch("data", "check", *LISTED[2:], "--csv", "d/0.webm", "--force", cwd=work, code=2)
    assert "is part of" in inside.err


@pytest.mark.reliability(
    "Files",
    "`~` in a path that the shell does not expand",
    happens="is the user's home, in every option that takes a path",
)
def test_the_home_is_meant_by_its_sign(work, monkeypatch):
    monkeypatch.setenv("HOME", str(work))
    dynsearch("calibrate", "~/s.npz", "--csv=~/home.csv", cwd=work.parent)
    assert (work / "home.csv").is_file()
    assert not (work.parent / "~").exists()
    assert dynsearch("predict", "~/net", "~/*.webm", cwd=work.parent).out.count("a.webm") == 1


def export(work, *more, code=0):
    return dynsearch("export", "toy", "--output", "mine", *more, cwd=work, code=code).err


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def costs(work):
    return [point.calibration.cost for point in Study.open("toy", work / "studies").points]


def test_an_untouched_bundle_is_exported_anew_whole(work):
    low, *_, high = costs(work)
    export(work, "--max-gflops", high)
    first = files(work / "mine")
    export(work, "--max-gflops", high)
    assert files(work / "mine") == first

    (work / "mine" / "policy.yaml").unlink()  # broken off
    (work / "mine" / "labels.txt").unlink()
    export(work, "--max-gflops", high)
    assert files(work / "mine") == first

    # Another plan: nothing of the first one stays, its graph files neither.
    (work / "mine" / "onnx").mkdir()
    for name in ("step9.onnx", "network.json"):
        (work / "mine" / "onnx" / name).write_text("old")
    (work / "mine" / "onnx" / "run.py").write_text(marked("old", "# {}"))
    export(work, "--max-gflops", low)
    assert files(work / "mine").keys() == first.keys()
    plan = Plan.load(work / "mine" / "plan.yaml").plan_id
    assert plan in (work / "mine" / "README.md").read_text()
    assert plan.encode() not in first["plan.yaml"]


def user_readme(folder):
    (folder / "README.md").write_text("# my project")


def user_notes(folder):
    (folder / "notes.txt").write_text("mine")


def edited_card(folder):
    with (folder / "README.md").open("a") as file:
        file.write("Mine too.\n")


def edited_policy(folder):
    (folder / "policy.yaml").write_text((folder / "policy.yaml").read_text() + "# mine\n")


def other_weights(folder):
    (folder / "weights.safetensors").write_bytes(b"fine-tuned")


def trained(folder):
    for name in ("scores-calibration.npz", "scores-test.npz", "metrics.jsonl"):
        (folder / name).write_bytes(b"of a training")


def edited_graphs(folder):
    (folder / "onnx").mkdir()
    (folder / "onnx" / "run.py").write_text(marked("run", "# {}") + "mine()")


TOUCHED = {
    user_readme: "holds files that were changed since they were exported, or that no export wrote",
    user_notes: "holds notes.txt, which no export wrote",
    edited_card: "were changed since",
    edited_policy: "were changed since",
    other_weights: "were changed since",
    trained: "holds metrics.jsonl: a training, which would be lost",
    edited_graphs: "onnx/run.py was changed since it was written",
}


@pytest.mark.reliability(
    "Files",
    "a bundle exported onto the user's own folder, onto a bundle that was changed or trained, onto its study",
    happens="is refused; with `--force` the bundle is whole and nothing of the other one stays; never onto the study",
    sees="`holds ...: a training, which would be lost`",
)
@pytest.mark.parametrize(
    ("touch", "exported"), [*((touch, True) for touch in TOUCHED), (user_readme, False), (user_notes, False)]
)
def test_a_bundle_is_not_exported_over_what_others_made(work, touch, exported):
    if exported:
        export(work)
    (work / "mine").mkdir(exist_ok=True)
    touch(work / "mine")
    before = files(work / "mine")
    assert TOUCHED[touch] in export(work, code=2)
    assert files(work / "mine") == before

    export(work, "--force")
    export_names = {
        "plan.yaml",
        "labels.txt",
        "recipe.yaml",
        "policy.yaml",
        "README.md",
        "weights.safetensors",
        "promise.json",
    }
    assert files(work / "mine").keys() == export_names | ({"notes.txt"} if touch is user_notes else set())


def test_force_removes_nothing_where_there_was_no_bundle(work):
    (work / "mine").mkdir()
    trained(work / "mine")
    export(work, "--force")
    assert (work / "mine" / "metrics.jsonl").read_bytes() == b"of a training"


@pytest.mark.parametrize(
    "output", ["studies/toy", "studies", ".", "studies/toy/trials/1", "studies/../studies/toy"]
)
def test_no_bundle_goes_onto_its_study(work, output):
    before = files(work)
    said = dynsearch("export", "toy", "--output", output, "--force", cwd=work, code=2).err
    assert "would be lost" in said
    assert files(work) == before


def test_the_same_from_python(work):
    study = Study.open("toy", work / "studies")
    study.export(work / "mine")
    study.export(work / "mine")
    user_notes(work / "mine")
    with pytest.raises(BundleError, match="holds notes.txt"):
        study.export(work / "mine")
    study.export(work / "mine", force=True)
    with pytest.raises(InputError, match="would be lost"):
        study.export(work / "studies", force=True)
    user_readme(work / "mine")
    from dynsearch.export.loaded import LoadedNetwork

    with pytest.raises(BundleError, match="is not a bundle's card"):
        LoadedNetwork(work / "net").save_pretrained(work / "mine")


@pytest.mark.reliability(
    "Files",
    "`train --output` onto another plan's training, an exported bundle, the bundle that is read, or other files",
    happens="is refused before anything is read or written",
    sees="`is a bundle that was exported, and not trained here`, `holds plan ..., not ...`",
)
def test_a_training_needs_a_folder_of_its_own(work):
    said = dynsearch("train", "net", "--output", "./net", cwd=work, code=2).err
    assert "would be lost" in said

    plan, folder = Plan.load(work / "net" / "plan.yaml"), work / "training"
    check_training(folder, [plan], [work / "net", None])
    folder.mkdir()
    check_training(folder, [plan], [])
    for write, says in (
        (user_notes, "holds notes.txt, which no training wrote"),
        (user_readme, "its README.md or another file of the bundle was changed"),
        (small_plan("3x3").save, "holds plan "),
        (lambda at: shutil.copytree(work / "net", at, dirs_exist_ok=True), "exported, and not trained here"),
    ):
        shutil.rmtree(folder)
        folder.mkdir()
        write(folder / "plan.yaml" if says == "holds plan " else folder)
        with pytest.raises(BundleError, match=says):
            check_training(folder, [plan], [])
    shutil.rmtree(folder)
    folder.mkdir()
    plan.save(folder / "plan.yaml")  # A training that was interrupted, with notes beside it, goes on.
    (folder / "metrics.jsonl").touch()
    user_notes(folder)
    check_training(folder, [plan], [work / "net"])
    with pytest.raises(InputError, match="holds .*plan.yaml"):
        check_training(folder, [plan], [folder / "plan.yaml"])


def test_graph_files_need_a_folder_of_their_own(tmp_path):
    check_graphs(tmp_path / "new", force=False)
    user_notes(tmp_path)
    with pytest.raises(BundleError, match="notes.txt, which is no graph file"):
        check_graphs(tmp_path, force=False)
    check_graphs(tmp_path, force=True)
