from pathlib import Path

import pytest

from dynsearch.errors import WeightsError
from dynsearch.plan.starting_weights import check_names, weights_of


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["w.pth"], Path("w.pth")),
        (["local=a.pth"], {"local": Path("a.pth")}),
        (["local=a.pth", "global=b=c.pth"], {"local": Path("a.pth"), "global": Path("b=c.pth")}),
        (["runs/lr=0.1/w.pth"], Path("runs/lr=0.1/w.pth")),
        (["./lr=0.1.pth"], Path("./lr=0.1.pth")),
        (["lr=0.2.pth"], Path("lr=0.2.pth")),  # is there
        (["local=~/w.pth"], {"local": Path.home() / "w.pth"}),
        (["~/w.pth"], Path.home() / "w.pth"),
    ],
)
def test_files_and_named_files(tmp_path, monkeypatch, texts, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=0.2.pth").touch()
    assert weights_of(texts) == expected


@pytest.mark.reliability(
    "Files",
    "`--weights` that names a backbone twice or none that there is, or no file",
    happens="is refused before videos are read, with the names that there are",
    sees="`the plan has no backbone ...`, `... is a second file for ...`, `... names no file`",
)
@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["local="], "'local=' names no file. Write NAME=FILE"),
        (["local= "], "names no file"),
        ([""], "names no file"),
        (["local=a", "local=b"], "'local=b' is a second file for local"),
        (["a", "b"], "'b' is a second file for the backbone"),
        (["a", "local=b"], "a has no name, the others have"),
        (["head=a"], "has no backbone 'head'. Its backbones: global, local; a file of that name is ./head="),
        (["globl=a"], "Did you mean global"),
    ],
)
def test_what_can_not_be_meant(texts, says):
    with pytest.raises(WeightsError, match=says):
        check_names(weights_of(texts), ("global", "local"))
