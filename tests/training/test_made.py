"""Results belong to what made them: found again under the same, refused under anything else."""

import json
import shutil

import pytest
import safetensors
import safetensors.torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynsearch.errors import InputError, WeightsError
from dynsearch.network.weights.files import load_weights, save_weights
from dynsearch.scores import ExitScores
from dynsearch.training.config import RefitConfig, TrainingConfig
from dynsearch.training.made import RESULTS, Made, facts_in, first_text, former_text
from dynsearch.training.run import plan_made, train_and_score
from tests.network.nets import lively_network
from tests.plans import small_plan
from tests.training.fakes import ArraySource
from tests.training.test_training import CONFIG, PLAN

ONE = CONFIG.model_copy(update={"epochs": 1})
OTHERS = {
    "refit_heads": [RefitConfig(), RefitConfig(passes=1)],
    "epochs": [2, 9], "batch_size": [6], "accumulate": [2], "optimizer": ["adamw"], "learning_rate": [0.06],
    "momentum": [0.8], "nesterov": [True], "weight_decay": [0.0], "schedule": ["step", "poly"],
    "milestones": [(1,)], "gamma": [0.5], "warmup_epochs": [1.0], "part_rates": [{"policy": 2.0}],
    "dropout": [0.0], "grad_clip": [1.0], "amp": ["off", "bf16"], "channels_last": [False], "compile": [True],
    "recompute": [True], "ema_decay": [0.5], "exit_loss": ["linear", "distill"], "freeze_batch_norm": [True],
    "sync_batch_norm": [True], "pretrained": [True], "multi_scale_crop": [False], "flip": [True],
    "resize": ["squeeze", "letterbox"], "sampling": ["ends", "padded"], "max_bad_videos": [0.5],
}  # fmt: skip
"""Of every training setting other values; a file of weights is looked at below."""


class OtherVideos(ArraySource):
    """The same data set with a test video less."""

    sizes = ArraySource.sizes | {"test": 32}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    train_and_score(PLAN, ArraySource(), ONE, folder, seed=1)
    return folder


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def again(folder, plan=PLAN, source=None, config=ONE, seed=1, start=None, **more):
    """Train into a folder that holds results; return the source, which knows what was read of it."""
    source = source or ArraySource()
    made = None if start is None else plan_made(plan, source, config, seed, start=start)
    train_and_score(plan, source, config, folder, seed=seed, made=made, **more)
    return source


def stripped(folder, target):
    """Copy results as earlier versions wrote them, without what made them."""
    shutil.copytree(folder, target)
    for name in ("calibration", "test"):
        path = target / f"scores-{name}.npz"
        ExitScores.load(path).save(path)
    path = target / "weights.safetensors"
    safetensors.torch.save_file(safetensors.torch.load_file(path), path, {"format": "pt"})
    assert all(facts_in(target / name) is None for name in RESULTS)
    return target


@pytest.mark.reliability(
    "Determinism",
    "a training run again, with a setting, the seed, the videos, the plan or the starting weights changed",
    happens="what is there is taken up under the same only; otherwise it is refused, and nothing is written",
    sees="`was made otherwise: ... was ..., now ...`",
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(sorted(OTHERS)), st.integers(0, 1), max_size=3))
def test_another_setting_is_refused_and_the_same_trains_nothing(finished, changes):
    before = contents(finished)
    values = {name: OTHERS[name][index % len(OTHERS[name])] for name, index in changes.items()}
    config = ONE.model_copy(update=values)
    if not values:
        assert again(finished, config=config).loads == []
    else:
        with pytest.raises(InputError, match="was made otherwise: training.") as caught:
            again(finished, config=config)
        assert all(f"training.{name}" in str(caught.value) for name in values)
    assert contents(finished) == before


def test_every_training_setting_was_tried():
    assert {*OTHERS, "weights"} == set(TrainingConfig.model_fields)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 2}, "seed was 1, now 2"),
        ({"plan": small_plan("1x3", "3x5")}, f"plan was {PLAN.plan_id}, now"),
        ({"source": OtherVideos()}, "videos was"),
        ({"start": {"one_shot": {"epochs": 3}}}, "start was None, now {'one_shot'"),
    ],
)
def test_whatever_else_decides_is_refused_too(finished, change, says):
    before = contents(finished)
    with pytest.raises(InputError) as caught:
        again(finished, **change)
    assert says in str(caught.value)
    assert "another --name or --output, or delete the folder" in str(caught.value)
    assert contents(finished) == before


@pytest.mark.parametrize("change", [{"save_every_steps": 3}, {"halvings": 2}, {"source": ArraySource(2)}])
def test_how_it_runs_never_blocks(finished, change):
    assert again(finished, **change).loads == []


@pytest.mark.parametrize("without", ["scores-test.npz", "weights.safetensors"])
def test_a_part_of_the_results_is_looked_at_too(finished, tmp_path, without):
    shutil.copytree(finished, tmp_path / "part")
    (tmp_path / "part" / without).unlink()
    with pytest.raises(InputError, match="seed was 1, now 2"):
        again(tmp_path / "part", seed=2)


@pytest.mark.reliability(
    "Files",
    "a file of starting weights that is gone, or holds other weights under the same name, when all is trained",
    happens="is refused",
    sees="`there is no such weights file`",
)
def test_the_content_of_starting_weights_counts_and_not_their_place(tmp_path):
    import timm

    model = timm.create_model("test_resnet", num_classes=11)
    (tmp_path / "there").mkdir()
    file, moved = tmp_path / "w.safetensors", tmp_path / "there" / "w.safetensors"
    safetensors.torch.save_file(model.state_dict(), file)
    config = ONE.model_copy(update={"weights": file})
    again(tmp_path / "trained", config=config)
    shutil.copyfile(file, moved)
    assert again(tmp_path / "trained", config=config.model_copy(update={"weights": moved})).loads == []
    safetensors.torch.save_file({k: v + 1 for k, v in model.state_dict().items()}, file)
    with pytest.raises(InputError, match="digest of training.weights was"):
        again(tmp_path / "trained", config=config)
    file.unlink()
    with pytest.raises(WeightsError, match=r"w\.safetensors: there is no such weights file"):
        again(tmp_path / "trained", config=config)


@pytest.mark.reliability(
    "Files",
    "results of an earlier version, which don't say what made them",
    happens="are taken if their plan and videos are the same",
    sees="`is of other videos than those of test now`",
)
def test_results_of_an_earlier_version_are_compared_by_what_they_hold(finished, tmp_path):
    old = stripped(finished, tmp_path / "old")
    assert again(old).loads == []
    with pytest.raises(InputError, match="is of other videos than those of test now"):
        again(old, source=OtherVideos())
    with pytest.raises(InputError, match=f"plan was {PLAN.plan_id}, now"):
        again(old, plan=small_plan("1x3", "3x5"))


def test_a_setting_that_comes_later_is_at_its_default_in_older_results(finished):
    made = Made(facts_in(finished / "weights.safetensors"))
    older = json.loads(made.text)
    del older["training"]["optimizer"], older["frame_cache" if "frame_cache" in older else "start"]
    assert made.differences(older) == []
    assert made.differences(older | {"seed": 7}) == ["seed was 7, now 1"]


SAME_SHAPES = {
    "frame order": small_plan("1x3", "4x5", order="sequential"),
    "shift": small_plan("1x3", "4x5", temporal_shift="none"),
    "exits": small_plan("2x3", "4x5"),
}


@pytest.mark.reliability(
    "Files",
    "weights of another plan whose tensors all fit: another frame order, shift or exit placement",
    happens="are refused, wherever weights are loaded into a plan's network",
    sees="`weights of another network: they are plan ...'s, not plan ...'s`",
)
@pytest.mark.parametrize("name", SAME_SHAPES)
def test_weights_of_another_plan_of_equal_shapes_are_refused(tmp_path, name):
    other = lively_network(SAME_SHAPES[name])
    save_weights(lively_network(PLAN), tmp_path / "w.safetensors")
    with pytest.raises(
        WeightsError, match=f"they are plan {PLAN.plan_id}'s, not plan {other.plan.plan_id}'s"
    ):
        load_weights(other, tmp_path / "w.safetensors")


CHANGED = {"epochs": 3, "part_rates": {"heads": 2.0}, "weights": "w.pth", "amp": "off", "milestones": (1, 2)}
WRITTEN = (  # by 0.1.0
    '{"epochs":3,"batch_size":128,"accumulate":1,"learning_rate":0.01,"momentum":0.9,"nesterov":false,'
    '"weight_decay":0.0005,"schedule":"step","milestones":[1,2],"gamma":0.1,"warmup_epochs":0.0,'
    '"part_rates":{"heads":2.0},"dropout":0.5,"grad_clip":null,"amp":"off","channels_last":true,"compile":false,'
    '"recompute":false,"ema_decay":null,"exit_loss":"sum","freeze_batch_norm":false,"sync_batch_norm":false,'
    '"pretrained":true,"weights":"w.pth","multi_scale_crop":true,"flip":false,"max_bad_videos":0.01}'
)
WRITTEN_FOR_ONE_SHOT = (
    "epochs=3 batch_size=128 accumulate=1 learning_rate=0.01 momentum=0.9 nesterov=False weight_decay=0.0005 "
    "schedule='step' milestones=(1, 2) gamma=0.1 warmup_epochs=0.0 part_rates={'heads': 2.0} dropout=0.5 "
    "grad_clip=None amp='off' channels_last=True compile=False recompute=False ema_decay=None exit_loss='sum' "
    "freeze_batch_norm=False sync_batch_norm=False pretrained=True weights=PosixPath('w.pth') "
    "multi_scale_crop=True flip=False num_workers=2 max_bad_videos=0.01 save_every_steps=None timeout=30.0"
)


def test_a_plans_settings_are_written_as_before():
    assert former_text(TrainingConfig.model_validate(CHANGED)) == WRITTEN


def test_a_one_shot_networks_settings_are_known_as_before():
    config = TrainingConfig.model_validate(CHANGED)
    assert first_text(config, 2, None, 30.0) == WRITTEN_FOR_ONE_SHOT
