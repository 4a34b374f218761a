"""A study's folder with something deleted, edited or exchanged: refused, or right; nothing is taken up in silence."""

import json
import re
import shutil

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dynsearch.api.export import export_point
from dynsearch.api.study import Study
from dynsearch.errors import InputError, ScoresError, StudyError
from dynsearch.search.evaluator import TrainingEvaluator
from dynsearch.search.run import run_study
from dynsearch.study.folder import StudyFolder
from dynsearch.study.recipe import OneShotConfig, StudyRecipe
from dynsearch.study.record import finished, open_record
from dynsearch.study.run_settings import RunSettings
from tests.search.one_shot.test_training_and_scoring import SPACE
from tests.search.toy import Silent
from tests.training.fakes import ArraySource
from tests.training.test_made import OTHERS, contents, stripped
from tests.training.test_training import CONFIG

RECIPE = {
    "dataset": "motions",
    "max_gflops": 0.008,
    "num_trials": 2,
    "strategy": "retrain",
    "training": CONFIG.model_copy(update={"epochs": 1}).model_dump(mode="json"),
    "one_shot": {"epochs": 1, "cells_per_step": 2, "norm_batches": 1, "retrain": 1},
}


def run(path, training=None, how=None, **changes):
    """Run a study in ``path``, or go on with it; return what was said."""
    values = RECIPE | {"space": str(path.parents[1] / "space.yaml")}
    values |= changes | {"training": RECIPE["training"] | (training or {})}
    observer = Silent()
    recipe = StudyRecipe.model_validate(values)
    run_study(recipe, StudyFolder(path), ArraySource(), observer, run=how or RunSettings())
    return observer.notes


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Studies of the same space: ``a/s``, ``b/s`` with another seed, and ``one-shot/s``."""
    folder = tmp_path_factory.mktemp("studies")
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE.model_dump(mode="json")))
    run(folder / "a" / "s")
    run(folder / "b" / "s", seed=3, num_trials=1)
    run(folder / "one-shot" / "s", strategy="one-shot")
    return folder


@pytest.fixture
def copy(studies):
    """Returns a copy of one of the studies."""

    def copied(name="a"):
        folder = studies / "copy" / "s"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(studies / name / "s", folder)
        return folder

    return copied


def refusal(folder, error=StudyError, **changes):
    """Return with what words going on is refused, after checking that it leaves every byte as it was."""
    before = contents(folder)
    with pytest.raises(error) as caught:
        run(folder, **changes)
    assert contents(folder) == before
    return str(caught.value)


def trained(folder):
    """Return the folders of the trained trials."""
    return sorted(path.parent for path in folder.glob("trials/*/weights.safetensors"))


def forget(folder, *names):
    for name in names:
        (folder / name).unlink()


def edit(folder, field, value):
    """Edit a field of the recipe in ``study.yaml``."""
    values = yaml.safe_load((folder / "study.yaml").read_text())
    values["recipe"][field] = value
    (folder / "study.yaml").write_text(yaml.safe_dump(values))


OTHER = [
    ({"training": {"epochs": 2}}, "training.epochs was 1, now 2"),
    ({"seed": 5}, "seed was 0, now 5"),
    ({"workers_per_trial": 2, "how": RunSettings(engine="ray")}, "processes was 1, now 2"),
]
"""Settings that decide what is trained."""


@pytest.mark.reliability(
    "Determinism",
    "a study whose `study.db` or `study.yaml` was deleted, run with other settings",
    happens="is refused, and nothing is written; with the same settings what is trained is taken up, and it is said",
    sees="`was made otherwise: ... was ..., now ...`",
)
@pytest.mark.parametrize(("changes", "says"), OTHER)
@pytest.mark.parametrize("gone", [("study.db",), ("study.yaml",), ("study.db", "study.yaml")], ids=str)
def test_deleted_files_bring_no_results_under_other_settings(copy, gone, changes, says):
    folder = copy()
    forget(folder, *gone)
    known = len(gone) == 1
    assert ("was begun with other settings" if known else says) in refusal(folder, InputError, **changes)


@pytest.mark.reliability(
    "Determinism", "a study whose `study.db` or `study.yaml` was deleted, run with other settings"
)
@pytest.mark.parametrize("gone", [("study.db",), ("study.yaml",), ("study.db", "study.yaml")], ids=str)
def test_under_the_same_settings_what_is_trained_is_taken_up(copy, gone):
    folder = copy()
    frontier = (folder / "frontier.csv").read_text()
    weights = {path: path.stat().st_mtime_ns for path in folder.glob("trials/*/weights.safetensors")}
    forget(folder, *gone)
    notes = run(folder)
    assert (folder / "frontier.csv").read_text() == frontier
    assert {path: path.stat().st_mtime_ns for path in weights} == weights
    said = [f"trial {path.name} is trained already" for path in trained(folder)]
    assert [note for note in notes if note in said] == (said if "study.db" in gone else [])


def test_the_record_knows_the_settings_that_no_network_does(copy):
    folder = copy()
    forget(folder, "study.yaml")
    said = refusal(folder, solver="geometric")
    assert "its record: was begun with other settings: solver was frontier, now geometric" in said
    assert "max_gflops was 0.008, now 0.009" in refusal(folder, max_gflops=0.009)


@pytest.mark.reliability(
    "Files",
    "a `study.yaml` that was edited by hand, or is another study's",
    happens="every command refuses, and says what differs from the record",
    sees="`was begun with other settings: ...`",
)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", 3),
        ("solver", "geometric"),
        ("max_gflops", 1.0),
        ("frame_cache", {"num_frames": 4, "size": 32}),
    ],
)
def test_an_edited_study_file_is_refused(copy, studies, field, value):
    folder = copy()
    edit(folder, field, value)
    with pytest.raises(StudyError, match=f"study.yaml and the record: .*{field}.* was .*, now "):
        Study.open(str(folder))
    assert re.search(f"{field}.* was", refusal(folder))
    if field == "seed":
        assert "the record: was begun with other settings: seed was 0, now 3" in refusal(folder, seed=3)
        shutil.copyfile(studies / "b" / "s" / "study.yaml", folder / "study.yaml")
        with pytest.raises(StudyError, match="seed was 0, now 3"):
            Study.open(str(folder))


def test_more_trials_may_be_asked_for_by_hand_too(copy):
    folder = copy()
    edit(folder, "num_trials", 7)
    assert len(Study.open(str(folder)).results.plans) == 2


@pytest.mark.reliability(
    "Files",
    "a trial's folder, or its weights, copied from another study or another trial",
    happens="is refused by the study, its frontier and the export",
    sees="`is of another training than the record's trial ...`",
)
def test_a_trial_of_another_study_is_refused(copy, studies):
    folder = copy()
    ours, theirs = trained(folder)[0], trained(studies / "b" / "s")[0]
    shutil.rmtree(ours)
    shutil.copytree(theirs, ours)
    with pytest.raises(ScoresError, match="is of another training than the record's trial"):
        Study.open(str(folder))
    assert "seed was 3, now 0" in refusal(folder, InputError)


def test_weights_of_another_trial_are_not_exported(copy, tmp_path):
    folder = copy()
    results = Study.open(str(folder)).results
    one, other = (path / "weights.safetensors" for path in trained(folder))
    first = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(first)
    with pytest.raises(
        InputError, match=r"weights\.safetensors: is of another training than the scores beside it"
    ):
        export_point(StudyFolder(folder), results, results.points[-1], tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_results_that_do_not_say_what_made_them_are_taken_with_a_line_or_refused(copy):
    folder = copy()
    for trial in trained(folder):
        old = stripped(trial, folder / "trials" / "old")
        shutil.rmtree(trial)
        old.rename(trial)
    forget(folder, "study.db")
    notes = run(folder)
    assert any("6 files of results don't say what made them" in note for note in notes)
    forget(folder, "study.db", "study.yaml")
    said = refusal(folder)
    assert "study.yaml is gone, and what is left does not say by which settings it was made" in said


@pytest.mark.reliability(
    "Determinism",
    "one-shot networks and score grids found again under other settings",
    happens="are refused, or made anew where only weights were deleted",
    sees="`was made otherwise: ...`",
)
def test_one_shot_networks_belong_to_their_settings(copy):
    folder = copy("one-shot")
    forget(folder, "study.db", "study.yaml")
    one_shot = RECIPE["one_shot"]
    for field, value in {"epochs": 2, "norm_batches": 2, "heads": "cell"}.items():
        changes = {"strategy": "one-shot", "one_shot": one_shot | {field: value}}
        assert re.search(f"{field} was .*, now {value}", refusal(folder, InputError, **changes))
    assert re.search("start was .*, now None", refusal(folder, InputError, strategy="retrain"))
    run(folder, strategy="one-shot")
    forget(folder, "study.db", "study.yaml")
    shutil.rmtree(folder / "trials")
    said = refusal(folder, InputError, strategy="one-shot", training={"epochs": 2})
    assert "training.epochs was 1, now 2" in said


def test_a_grid_of_other_weights_is_made_anew(studies, tmp_path):
    from dynsearch.search.one_shot.library import Library

    grids = next((studies / "one-shot" / "s").glob("one-shot/*/grids/*/grid.json"))
    shutil.copytree(grids.parents[2], tmp_path / grids.parents[2].name)
    mine = tmp_path / grids.parents[2].name / "grids" / grids.parent.name
    header = json.loads((mine / "grid.json").read_text())
    (mine / "grid.json").write_text(json.dumps(header | {"source": "other"}))
    trunk = next(trunk for trunk in _trunks(studies) if trunk.plan_id == mine.name)
    config = CONFIG.model_copy(update={"epochs": 1})
    Library(
        tmp_path, SPACE, ArraySource(), OneShotConfig.model_validate(RECIPE["one_shot"]), config, 0, Silent()
    ).grid(trunk)
    assert json.loads((mine / "grid.json").read_text()) == header


def _trunks(studies):
    from dynsearch.search.one_shot.strategy import trunk_of
    from dynsearch.study.record import plan_of

    record = open_record(StudyFolder(studies / "one-shot" / "s"), part="screening")
    return [trunk_of(plan_of(trial), SPACE) for trial in finished(record)]


HOW = {
    "concurrent": st.integers(1, 4), "max_hours": st.none() | st.floats(0.1, 9), "num_workers": st.integers(0, 3),
    "reader": st.sampled_from(["auto", "pyav"]), "save_every_steps": st.none() | st.integers(1, 99),
    "timeout": st.floats(1, 99), "max_cache_gb": st.floats(1, 99), "max_grid_gb": st.floats(1, 99),
}  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(OTHERS)), st.just(0), max_size=2),
    st.fixed_dictionaries({}, optional={"seed": st.integers(1, 9), "workers_per_trial": st.integers(2, 3)}),
    st.fixed_dictionaries({}, optional=HOW),
)
def test_any_other_setting_is_refused_and_no_run_setting_blocks(studies, training, recipe, how):
    """What a study checks before it writes anything, for a folder that has lost its record."""
    values = {name: OTHERS[name][0] for name in training}
    config = CONFIG.model_copy(update={"epochs": 1} | values)
    own = {name: how[name] for name in how if name == "save_every_steps"}
    evaluator = TrainingEvaluator(
        ArraySource(how.get("num_workers", 0)), config, recipe.get("seed", 0), **own
    )
    made = evaluator.made(recipe.get("workers_per_trial", 1))
    if values or recipe:
        with pytest.raises(InputError, match="was made otherwise"):
            made.check_study(studies / "a" / "s")
    else:
        assert made.check_study(studies / "a" / "s") == []
