"""Recipes, search spaces and study.yaml, changed at every field and byte: what is accepted is what the file says."""

import copy
import itertools
from pathlib import Path

import pytest
import yaml

from dynsearch.errors import RecipeError
from dynsearch.space import SearchSpace
from dynsearch.study.folder import StudyFolder
from dynsearch.study.origin import Origin
from dynsearch.study.recipe_file import FORMER_PLACES, load_recipe, split_settings
from tests.mutations import NUMBER, as_yaml, changed_bytes, changed_documents, means, refused_or_right

ROOT = Path(__file__).parents[2]
RECIPE = {
    **yaml.safe_load((ROOT / "studies/sthv2.yaml").read_text()),
    "families": ["grid", "tsm"],
    "frame_cache": {"num_frames": 24, "size": 48},
    "one_shot": {"epochs": 3, "retrain": 2, "distil": True, "heads": "cell"},
}
RECIPE["run"] |= {"max_hours": 3.5, "storage": "journal", "max_cache_gb": 10.0, "timeout": 30.0}
RECIPE["training"] |= {"part_rates": {"heads": 2.0}, "amp": "bf16", "weights": "w.pth", "ema_decay": 0.9}
ORIGIN = {
    "commands": ["dynsearch study --dataset x", "dynsearch study x"],
    "data_root": "/data/x",
    "class_names": ["wave", "clap: twice", "7"],
    "num_videos": {"train": 20, "calibration": 5, "test": 6},
}
SPACE = yaml.safe_load((ROOT / "search_spaces/families-motions.yaml").read_text())


def mutations(document, seed):
    text = yaml.safe_dump(document, sort_keys=False).encode()
    return itertools.chain(
        as_yaml(changed_documents(document, seed, NUMBER - NUMBER // 3)),
        changed_bytes(text, seed + 1, NUMBER // 3),
    )


def said(content):
    return yaml.safe_load(content.decode("utf-8-sig"))


@pytest.mark.reliability(
    "Files",
    "a study recipe changed at any field or byte",
    happens="is refused with every wrong field named, or means what it says",
    sees="`unknown field`, `is missing`, `must not be true or false (got ...)`, `is there twice`",
)
def test_recipes(tmp_path):
    def check(both, content):
        whole = both[0].resolved() | {"run": both[1].resolved()}
        assert means(said(content), whole if "run" in said(content) else as_before(whole))
        assert split_settings(whole) == both

    for document, seed in ((RECIPE, 1), (as_before(RECIPE), 9)):
        accepted = refused_or_right(
            mutations(document, seed), tmp_path / "r.yaml", lambda path: load_recipe(str(path)), check
        )
        assert 0 < accepted < 0.5


def as_before(values):
    """Return the fields of a recipe file where 0.1 had them."""
    values = copy.deepcopy(values)
    run = values.pop("run")
    for place, field in FORMER_PLACES.items():
        *outer, name = place.split(".")
        section = values[outer[0]] if outer else values
        if field in run and section is not None:
            section[name] = run[field]
    return values


@pytest.mark.reliability(
    "Files",
    "a search space changed at any field or byte",
    happens="is refused with every wrong field named, or means what it says",
)
def test_search_spaces(tmp_path):
    def check(space, content):
        values = said(content)
        family = values.pop("family", values.get("families", ["grid"]))
        values["families"] = [family] if isinstance(family, str) else family
        assert means(values, space.model_dump(mode="json"))
        assert SearchSpace.model_validate(space.model_dump(mode="json")).fingerprint == space.fingerprint

    accepted = refused_or_right(mutations(SPACE, 3), tmp_path / "s.yaml", SearchSpace.load, check)
    assert 0 < accepted < 0.5


@pytest.mark.reliability(
    "Files",
    "a `study.yaml` changed at any field or byte",
    happens="the study is not gone on with, or with the settings the file says",
    sees="`holds no mapping of fields, got ...`, `was begun with other settings: ...`",
)
def test_study_files(tmp_path):
    folder = StudyFolder(tmp_path / "study")
    recipe, run = split_settings(RECIPE)
    folder.record(recipe, SearchSpace.model_validate(SPACE), run=run)
    whole = said(folder.study_file.read_bytes())

    def check(found, content):
        assert means(said(content)["recipe"], found.resolved())

    refused_or_right(mutations(whole, 5), folder.study_file, lambda path: folder.recipe(), check)


@pytest.mark.reliability(
    "Files",
    "an `origin.yaml` changed at any field or byte",
    happens="is refused with every wrong field named, or means what it says; it decides no figure",
)
def test_origins(tmp_path):
    folder = StudyFolder(tmp_path)

    def check(origin, content):
        assert means(said(content), origin.model_dump(mode="json"))
        assert len(origin.class_names) > 0
        assert min(origin.num_videos.values(), default=0) >= 0

    accepted = refused_or_right(
        mutations(ORIGIN, 7), tmp_path / "origin.yaml", lambda path: Origin.of_study(folder), check
    )
    assert 0 < accepted < 0.5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dataset: a\ndataset: b\n", "'dataset' is there twice"),
        ("dataset: &a [*a]\n", "an anchor that stands for a part of itself"),
        ("dataset: " + "[" * 60 + "]" * 60, "nested more than 50 levels"),
        ("dataset: !!timestamp x\n", "not readable as YAML"),
        ("dataset: 2020-99-99\n", "not readable as YAML"),
        ("training: {epochs: true}\n", "epochs: must not be true or false (got True)"),
        ("training: {nesterov: 1}\n", "nesterov: must be true or false (got 1)"),
        ("training: {learning_rate: .inf}\n", "learning_rate: Input should be a finite number"),
        ("training: {part_rates: {heads: true}}\n", "part_rates: must not be true or false"),
    ],
)
def test_what_no_recipe_may_hold(tmp_path, text, says):
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(str(path))
    assert says in str(caught.value)


def test_numbers_without_a_point_are_numbers(tmp_path):
    path = tmp_path / "r.yaml"
    path.write_text("{dataset: motions, space: motions, max_gflops: 1, training: {learning_rate: 1e-3}}")
    assert load_recipe(str(path))[0].training.learning_rate == 0.001
