"""Which table costs a plan: of this machine, or carried; and one that is measured for real."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from dynsearch.errors import InputError
from dynsearch.families import build_network
from dynsearch.plan import FrameOrder
from dynsearch.timing.setup import Asked, Setup
from dynsearch.timing.tables import _FOUND, TABLES, TableCosts
from tests.cli.miniature import write_webm
from tests.cli.runner import dynsearch_here
from tests.plans import compressed_plan
from tests.timing.made import plan, table

HERE = Setup.here(Asked())


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty data home, and nothing remembered of another."""
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    _FOUND.clear()
    yield tmp_path / "home" / TABLES
    _FOUND.clear()


def other(**fields):
    return HERE.model_copy(update=fields)


def test_a_table_of_this_machine_costs_plans(home):
    table().save(home)
    measure = TableCosts().measure
    assert measure.cost_E(plan(), 10) == tuple(table().cost_E(plan(), 10))
    assert build_network(plan(), 10, measure=measure).cost_E == tuple(table().cost_E(plan(), 10))
    there = pickle.loads(pickle.dumps(measure))
    assert (there.costs, there) == (TableCosts(), measure)


@pytest.mark.reliability(
    "Numbers",
    "a table of times of another processor, dtype, or number of threads",
    happens="is refused with exit code 2",
    sees="what differs, how to measure again, and `--accept`",
)
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"threads": 63}, f"threads is 63, here {HERE.threads}"),
        ({"hardware": "Abacus 3"}, "hardware is Abacus 3, here"),
        ({"dtype": "bfloat16"}, "dtype is bfloat16, here float32"),
    ],
)
def test_a_table_of_another_machine_is_taken_only_on_request(home, fields, said):
    table(here=other(**fields)).save(home)
    with pytest.raises(InputError, match=said) as caught:
        TableCosts()(plan(), 10)
    assert "--accept" in str(caught.value)
    assert "dynsearch cost PLAN --measure ms" in str(caught.value)
    assert TableCosts(accept=True)(plan(), 10) == table().cost_E(plan(), 10)


def test_of_several_the_nearest_is_accepted_and_ones_own_is_preferred(home):
    table(here=other(hardware="Abacus", threads=63), kept=[9, 9, 9]).save(home)
    table(here=other(threads=63), kept=[1, 1, 1]).save(home)
    assert TableCosts(accept=True).table(plan()).setup.hardware == HERE.hardware
    table().save(home)
    _FOUND.clear()
    assert TableCosts(accept=True).table(plan()) == table()


@pytest.mark.reliability(
    "Numbers",
    "no table of times for a plan: never measured, for fewer frames, or for another number of videos at a time",
    happens="is refused with exit code 2",
    sees="the backbone, frames and machine, and the command that measures",
)
def test_a_table_that_is_not_there_is_named(home):
    table().save(home)
    for asked, of in [
        (Asked(), plan(backbone="resnet18")),
        (Asked(), plan("8x3", frames=8, sets=8)),
        (Asked(batch=4), plan()),
        (Asked(runtime="compile"), plan()),
    ]:
        with pytest.raises(InputError, match="there is no table of times of") as caught:
            TableCosts(asked)(of, 10)
        assert of.backbone in str(caught.value)
        assert "dynsearch cost PLAN --measure ms" in str(caught.value)
    with pytest.raises(InputError, match="--batch 4"):
        TableCosts(Asked(batch=4))(plan(), 10)


@pytest.mark.reliability(
    "Numbers",
    "a device that is not there",
    happens="is refused with exit code 2",
    sees="the devices that there are",
)
def test_a_device_that_is_not_there_is_named(home):
    with pytest.raises(InputError, match="there is no device 'cuda:7' here"):
        TableCosts(Asked(device="cuda:7"))(plan(), 10)
    table(here=other(device="cuda", hardware="GPU")).save(home)
    table().save(home)
    assert TableCosts(Asked(device="cuda:7"), accept=True).table(plan()).setup.hardware == "GPU"


def test_a_study_carries_its_tables_to_other_machines(home, tmp_path):
    """What costs were counted with stays with them, whatever is measured later and wherever it is read."""
    path = table().save(home)
    of_study = TableCosts(own=tmp_path / "study" / TABLES)
    assert of_study.table(plan()) == table()
    table(kept=[9, 9, 9]).save(home)
    _FOUND.clear()
    assert of_study.table(plan()) == table() != TableCosts().table(plan())
    path.unlink()
    carried = next((tmp_path / "study" / TABLES).glob("*.json"))
    carried.write_text(carried.read_text().replace(HERE.hardware, "Abacus"))
    _FOUND.clear()
    assert of_study(plan(), 10) == table().cost_E(plan(), 10)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A home with a table that was measured, and what the command printed."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYNSEARCH_HOME", str(home))
        _FOUND.clear()
        given = [
            "--backbone",
            "test_resnet",
            "--image-size",
            32,
            "--num-frames",
            3,
            "--measure",
            "ms",
            "--json",
        ]
        yield home, dynsearch_here("cost", *given, "--exits", "1x2 3x5", cwd=home)
    _FOUND.clear()


def test_the_command_measures_once_and_adds_up(measured, monkeypatch):
    home, done = measured
    monkeypatch.setenv("DYNSEARCH_HOME", str(home))
    assert "measuring test_resnet on" in done.err
    made = next((home / TABLES).glob("*.json"))
    assert json.loads(made.read_text()) == done.json["table"]
    assert (done.json["table"]["frames"], len(done.json["table"]["stages"])) == ([1, 2, 3], 5)
    assert [exit_["ms"] for exit_ in done.json["exits"]] == sorted(
        exit_["ms"] for exit_ in done.json["exits"]
    )
    again = ["cost", "--backbone", "test_resnet", "--image-size", 32, "--num-frames", 3, "--measure", "ms"]
    text = dynsearch_here(*again, "--exits", "1x2 2x3 3x5", "--exit-share", "1 1 2", cwd=home)
    assert "measuring" not in text.err
    assert "average" in text.out
    listed = dynsearch_here("cost", "--tables", "--json", cwd=home).json
    assert [(one["of"]["backbone"], one["file"]) for one in listed] == [("test_resnet", str(made))]
    assert "test_resnet" in dynsearch_here("cost", "--tables", cwd=home).out
    dynsearch_here("cost", "--backbone", "test_resnet", "--batch", 0, "--measure", "ms", cwd=home, code=2)
    wrong = dynsearch_here("cost", "--backbone", "test_resnet", "--batch", 2, cwd=home, code=2)
    assert "add --measure ms" in wrong.err


def test_reading_and_frames_as_they_come_are_stated_apart_and_kept(measured, monkeypatch):
    home, done = measured
    monkeypatch.setenv("DYNSEARCH_HOME", str(home))
    write_webm(home / "one.webm", (1, 0), seed=0, frames=9)
    asked = ["cost", "--backbone", "test_resnet", "--image-size", 32, "--num-frames", 3, "--measure", "ms"]
    asked += ["--exits", "2x2 3x5", "--num-classes", 10, "--stream"]
    given = [*asked, "--with-decoding", "one.webm"]
    first = dynsearch_here(*given, "--json", cwd=home)
    assert "reading 3 frames of each of 1 videos" in first.err
    decoding, stream = first.json["decoding"], first.json["stream"]
    assert (decoding["videos"], len(decoding["ms"])) == (1, 1)
    assert 0 < decoding["ms"][0] <= decoding["p95"][0]
    assert (len(stream["ms"]), len(stream["p95"]), stream["first_answer"]) == (3, 3, 2)
    assert min(stream["ms"]) > 0
    assert {key: first.json["table"][key] for key in ("stages", "heads")} == {
        key: done.json["table"][key] for key in ("stages", "heads")
    }, "the costs of plans are as they were"
    again = dynsearch_here(*given, cwd=home)
    assert not again.err, "nothing is measured twice"
    assert f"Reading and decoding 3 frames, which is not in it: {decoding['ms'][0]:.4g} ms" in again.out
    assert "The first answer is there with frame 2 of 3, " in again.out
    assert f"{sum(stream['ms'][:2]):.4g} ms of work in all" in again.out
    wrong = ["--with-decoding", "nothing.webm"]
    assert "nothing.webm" in dynsearch_here(*asked, *wrong, cwd=home, code=2).err
    named = dynsearch_here(
        "cost", "--measure", "ms", "--with-decoding", "joint-resnet50", cwd=home, code=2
    ).err
    assert "--with-decoding took 'joint-resnet50'; a plan comes before it" in named
    for more in (["--stream"], ["--with-decoding"]):
        assert (
            "add --measure ms"
            in dynsearch_here("cost", "--backbone", "test_resnet", *more, cwd=home, code=2).err
        )


@pytest.mark.reliability(
    "Numbers",
    "time a frame of a stream, for a plan that needs whole clips, or for several videos at a time",
    happens="is refused with exit code 2",
    sees="the frame order, shift and family, or the options that do not fit",
)
def test_a_stream_that_can_not_be_is_refused(home, tmp_path):
    table().save(home)
    table(here=other(batch=2)).save(home)
    replace(plan("2x2 4x3"), frame_order=FrameOrder.named("bisection", 4)).save(tmp_path / "plan.yaml")
    asked = ["cost", "plan.yaml", "--measure", "ms", "--stream"]
    assert "needs whole clips: of frame order bisection" in dynsearch_here(*asked, cwd=tmp_path, code=2).err
    assert "one video" in dynsearch_here(*asked, "--batch", 2, cwd=tmp_path, code=2).err


def test_other_families_are_measured_plan_by_plan(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path))
    _FOUND.clear()
    of = compressed_plan()
    costs = TableCosts(tell=lambda text: None)
    assert np.diff(costs(of, 10), prepend=0).tolist() == pytest.approx(costs.table(of).steps)
    assert len(costs.table(of).steps) == len(of.exits)
    _FOUND.clear()
