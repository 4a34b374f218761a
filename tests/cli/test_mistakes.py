"""Mistakes in what is asked of the command: one message each, and exit code 2."""

import pytest
import yaml

from tests.cli.miniature_study import SPACE, arguments, studied
from tests.cli.runner import dynsearch, dynsearch_here


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the data, a small search space, and a study called ``sthv2``."""
    return studied(tmp_path_factory.mktemp("work"))


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("study",), "Give --dataset"),
        (
            ("study", "--dataset", "sthv3"),
            "there is no study recipe 'sthv3'. Did you mean sthv2? Shipped: activitynet, ",
        ),
        (
            arguments("--set", "training.epochs=0"),
            "training.epochs: Input should be greater than or equal to 1",
        ),
        (arguments("--set", "training.epoch=3"), "training.epoch: unknown field"),
        (arguments("--set", "epochs"), "can't read 'epochs'. Write field=value"),
        (arguments("--space", "nowhere.yaml"), "nowhere.yaml"),
        (arguments("--max-gflops", "0.0001", "--name", "tight"), "below the cheapest point"),
        (arguments("--max-gflops", "nan", "--name", "nan"), "'--max-gflops': must be a number of GFLOPs"),
        (
            arguments("--set", "training.epochs=3"),
            "was begun with other settings: training.epochs was 2, now 3",
        ),
        (arguments("--name", "../up"), "'../up' can't name a study"),
        (
            arguments("--set", "training.weights=nowhere.pth", "--name", "noweights"),
            "nowhere.pth: there is no such",
        ),
        (("frontier", "nowhere"), "there is no study 'nowhere' in studies. Studies: "),
        (("export", "sthv2", "--max-gflops", "0.0001", "--output", "x"), "below the cheapest point"),
        (("evaluate", "data"), "data: is no bundle: plan.yaml, weights.safetensors"),
        (("predict", "data", "video.mp4"), "data: is no bundle"),
        (("train", "space.yaml", "--output", "x"), "needs --dataset"),
        (("train", "space.yaml", "--dataset", "motions", "--output", "x"), "space.yaml: plan: unknown field"),
        (("cost",), "Give either a plan file or --backbone"),
        (("cost", "--backbone", "resnet5"), "timm has no model 'resnet5'. Nearest: resnet"),
        (("cost", "nowhere.yaml"), "nowhere.yaml: can't be read"),
        (("dashboard", "nowhere"), "there is no study 'nowhere'"),
    ],
    ids=lambda value: " ".join(value)[-40:] if isinstance(value, tuple) else "",
)
def test_mistakes_are_one_message_and_exit_code_2(work, command, says):
    result = dynsearch_here(*command, cwd=work, code=2)
    assert says in result.err
    assert not (work / "x").exists()


def test_without_the_data_one_message_says_what_is_missing_and_how_to_get_it(tmp_path):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    result = dynsearch(*arguments("--data-root", "nowhere"), cwd=tmp_path, code=2)
    parts = (
        "train",
        "validation",
        "labels",
        "20bn-something-something-v2",
        str(tmp_path / "nowhere"),
        "Download",
    )
    for part in parts:
        assert part in result.err
    assert result.err.count("dynsearch:") == 1
