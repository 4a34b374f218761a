"""Wrong names, paths with ~, and what is meant: said before torch is imported."""

import subprocess
import sys

import pytest

from dynsearch.files import at_home
from dynsearch.resources import find
from dynsearch.study.recipe_file import load_recipe

PROGRAM = """
import sys
from dynsearch.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as stopped:
    print("torch" in sys.modules, stopped.code)
"""


@pytest.mark.reliability(
    "Files",
    "names of data sets, spaces, solvers, recipes, studies, bundles, plans, fields and commands that there are not",
    happens="are refused before torch is imported, with what may be meant",
    sees="Did you mean ...",
)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("study --dataset motion", "Did you mean motions?"),
        ("study --dataset motions --space motion", "Did you mean motions?"),
        ("study --dataset motions --solver frontir", "Did you mean frontier?"),
        (
            "study --dataset motions --set training.epoch=3",
            "training.epoch: unknown field. Did you mean epochs?",
        ),
        ("study --dataset motions --set max_gflop=3", "max_gflop: unknown field. Did you mean max_gflops?"),
        ("study --dataset motions --set run.stroage=journal", "Did you mean storage?"),
        ("study --dataset motions --max-gflop 3", "--max-gflops"),
        ("study --dataset motions --engine lcoal", "'local', 'ray'"),
        ("study --recipe own.yaml --data-root nowhere", "nowhere: there is no such folder"),
        ("stduy --dataset motions", "No such command 'stduy'. Did you mean study?"),
        ("data check --dataset folder", "Did you mean folders?"),
        ("evaluate nowhere", "is no bundle"),
        ("export nowhere --output x", "there is no study 'nowhere'"),
        ("cost resnet50", "If it is a backbone: --backbone resnet50"),
        ("cost joint-resnet5o", "Did you mean joint-resnet50?"),
    ],
)
def test_wrong_names_are_refused_before_torch_is_imported(tmp_path, words, says):
    (tmp_path / "own.yaml").write_text("dataset: folders\nspace: motions\nmax_gflops: 1\n")

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words.split()], capture_output=True, text=True, cwd=tmp_path
    )

    assert done.stdout == "False 2\n", done.stderr
    assert says in done.stderr
    assert not (tmp_path / "studies").exists()


@pytest.mark.reliability(
    "Files", "`~` in a recipe: space, plugins, weights, storage", happens="is the home folder"
)
def test_paths_in_recipes_are_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "space.yaml").write_bytes(find("search_spaces", "motions").read_bytes())
    (tmp_path / "home_plugin.py").touch()
    (tmp_path / "own.yaml").write_text(
        "dataset: motions\nspace: ~/space.yaml\nmax_gflops: 1\nplugins: [~/home_plugin.py]\n"
        "training: {weights: ~/w.pth}\nrun: {storage: 'sqlite:///~/study.db'}\n"
    )

    recipe, run = load_recipe("~/own.yaml")

    assert recipe.training.weights == tmp_path / "w.pth"
    assert run.storage == f"sqlite:///{tmp_path}/study.db"
    assert "home_plugin" in sys.modules
    assert at_home("journal:~/j.log") == f"journal:{tmp_path}/j.log"
    assert at_home("a~/b") == "a~/b"
