"""A network that was trained elsewhere: scores of every exit, a bundle, and dynamic inference, without training."""

import shutil

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

import dynsearch
from dynsearch.data.augmentation import normalise, to_square
from dynsearch.errors import WeightsError
from dynsearch.export.bundle import Bundle
from tests.api.own_videos import CLASSES, PLAN, write_folder, write_network
from tests.cli.runner import dynsearch_here

TESTS = ("dynsearch.cli.score", "dynsearch.api.evaluate")

COUNTS = dict.fromkeys(CLASSES, 10)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    write_network(folder)
    write_folder(folder / "data", COUNTS)
    made = ("score", "plan.yaml", "--weights", "net.pth", "--dataset", "folders", "--data-root", "data")
    dynsearch_here(*made, "--output", "net", cwd=folder)
    return folder


def test_scores_are_the_networks_own_logits_and_the_bundle_holds_its_weights(work):
    network = write_network(work)
    loaded = dynsearch.load(work / "net")
    state = loaded.network.state_dict()
    assert all(torch.equal(value, state[name].cpu()) for name, value in network.state_dict().items())
    for split in ("calibration", "test"):
        scores = dynsearch.ExitScores.load(work / "net" / f"scores-{split}.npz")
        clips = torch.stack([loaded.read_clip(work / "data" / name) for name in scores.video_ids_N])
        with torch.inference_mode():
            logits = network(clips).numpy()
        np.testing.assert_allclose(scores.logits_ENK, logits, rtol=1e-4, atol=1e-4)
        assert [CLASSES[label] for label in scores.labels_N] == [n.split("/")[0] for n in scores.video_ids_N]


def test_thresholds_are_the_cheapest_that_lose_nothing_on_calibration(work):
    assert "trained elsewhere" in (work / "net/README.md").read_text()
    calibration = dynsearch.ExitScores.load(work / "net/scores-calibration.npz")
    curve = dynsearch.solve_thresholds(calibration)
    full = calibration.correct()[-1].mean()
    wanted = next(point for point in curve if point.top1 >= full)
    assert Bundle.load(work / "net").policy.thresholds == wanted.thresholds


def test_evaluate_takes_a_plan_with_weights_or_the_bundle_and_finds_the_same(work):
    bundle = dynsearch_here("evaluate", "net", "--json", cwd=work).json  # the data root is remembered
    plan = dynsearch_here(
        "evaluate", "plan.yaml", "--weights", "net.pth", "--dataset", "folders", "--data-root", "data", "--json",
        cwd=work,
    ).json  # fmt: skip
    for values in (bundle, plan):
        for name in [name for name in values if "second" in name]:
            del values[name]
    assert bundle == plan
    scores = dynsearch.ExitScores.load(work / "net/scores-test.npz")
    exits = Bundle.load(work / "net").policy.first_exit(scores.confidence())
    assert bundle["top1"] == pytest.approx(scores.correct()[exits, range(len(exits))].mean())
    assert bundle["full_top1"] == pytest.approx(scores.correct()[-1].mean())


def test_predict_answers_as_evaluate_does(work):
    loaded = dynsearch.load(work / "net")
    scores = dynsearch.ExitScores.load(work / "net/scores-test.npz")
    exits = loaded.bundle.policy.first_exit(scores.confidence())
    for place, name in enumerate(scores.video_ids_N):
        answer = loaded.predict(work / "data" / name)
        assert answer.label == CLASSES[scores.logits_ENK[exits[place], place].argmax()]
        assert answer.exit == exits[place] + 1


@pytest.mark.parametrize(
    ("resize", "sampling"), [("crop", "ends"), ("squeeze", "padded"), ("letterbox", "segments")]
)
@pytest.mark.parametrize("cache", [None, {"num_frames": 5, "size": 56}])
def test_predict_sees_what_is_scored_however_frames_are_taken(work, tmp_path, resize, sampling, cache):
    shutil.copytree(work / "net", tmp_path / "net")
    recipe = yaml.safe_load((tmp_path / "net/recipe.yaml").read_text())
    recipe["training"] |= {"resize": resize, "sampling": sampling}
    recipe["frame_cache"] = cache
    (tmp_path / "net/recipe.yaml").write_text(yaml.safe_dump(recipe))
    loaded = dynsearch.load(tmp_path / "net")
    (scores,) = dynsearch.score(loaded, split="test", data_root=work / "data").scores.values()
    clips = torch.stack([loaded.read_clip(work / "data" / name) for name in scores.video_ids_N])
    with torch.inference_mode():
        np.testing.assert_allclose(loaded.network(clips).numpy(), scores.logits_ENK, rtol=1e-4, atol=1e-4)


def test_class_names_of_the_network_number_its_logits(work, tmp_path):
    """Its logits mean jump, wave, brushing; the folders' order is another one."""
    names = [CLASSES[1], CLASSES[2], CLASSES[0].lower().replace(" ", "_")]
    (tmp_path / "labels.txt").write_text("".join(f"{name}\n" for name in names))
    command = ("score", "plan.yaml", "--weights", "net.pth", "--dataset", "folders", "--data-root", "data")
    more = ("--split", "all", "--labels", tmp_path / "labels.txt", "--output", tmp_path / "all.npz", "--json")
    values = dynsearch_here(*command, *more, cwd=work).json
    scores = dynsearch.ExitScores.load(tmp_path / "all.npz")
    assert values["videos"] == {"all": 30}
    assert values["runtime"] == "eager"
    truth = [[1, 2, 0].index(CLASSES.index(name.split("/")[0])) for name in scores.video_ids_N]
    assert scores.labels_N.tolist() == truth
    own = dynsearch.ExitScores.load(work / "net/scores-test.npz")
    where = [list(scores.video_ids_N).index(name) for name in own.video_ids_N]
    np.testing.assert_allclose(scores.logits_ENK[:, where], own.logits_ENK, rtol=1e-4, atol=1e-4)


def test_scores_of_a_bundle_on_other_videos_are_what_calibrate_checks(work, tmp_path):
    write_folder(tmp_path / "new", dict.fromkeys(CLASSES, 3), seed=500)
    dynsearch_here(
        "score",
        "net",
        "--data-root",
        tmp_path / "new",
        "--split",
        "all",
        "--output",
        tmp_path / "new.npz",
        cwd=work,
    )
    result = dynsearch_here(
        "calibrate", "net/scores-calibration.npz", "--max-gflops", "1", "--check", tmp_path / "new.npz", "--json",
        cwd=work,
    )  # fmt: skip
    assert sum(result.json["drift"]["exit_share"]) == pytest.approx(1)


def test_from_python_everything_is_returned_and_nothing_written(work):
    plan = dynsearch.Plan.load(work / "plan.yaml")
    heard = []
    scored = dynsearch.score(
        plan,
        "folders",
        weights=work / "net.pth",
        data_root=work / "data",
        warn=heard.append,
        activation="softmax",
    )
    assert scored.bundle is None
    assert scored.runtime == "eager"
    assert {split: scores.activation for split, scores in scored.scores.items()} == {
        "calibration": "softmax", "test": "softmax",
    }  # fmt: skip
    assert any("not known" in text for text in heard)


def test_a_plan_is_scored_with_frames_and_weights_as_asked(work, tmp_path):
    """Six frames: the network sees 0, 2, 4, 5 of them; its weights go to the backbone by name, with timm's names."""
    network = write_network(work)
    model = network.backbone.model.state_dict()
    torch.save(
        model | {f"fc.{k}": v for k, v in network.heads[2].linear.state_dict().items()}, tmp_path / "timm.pth"
    )
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(PLAN | {"exits": ["4x5"]}))
    dynsearch_here(
        "score", tmp_path / "plan.yaml", "--weights", f"backbone={tmp_path / 'timm.pth'}", "--dataset", "folders",
        "--data-root", "data", "--split", "test", "--output", tmp_path / "s.npz", "--sampling", "ends", "--resize",
        "squeeze", cwd=work,
    )  # fmt: skip
    scores = dynsearch.ExitScores.load(tmp_path / "s.npz")
    for place, name in enumerate(scores.video_ids_N):
        frames = dynsearch.read_frames(work / "data" / name, lambda count: [0, 2, 4, 5])
        clip = normalise(to_square(torch.from_numpy(frames).permute(0, 3, 1, 2), 48, "squeeze"))
        with torch.inference_mode():
            logits = network(clip[None])[2, 0]
        np.testing.assert_allclose(scores.logits_ENK[0, place], logits, rtol=1e-4, atol=1e-4)


def test_training_starts_backbones_by_name(work, tmp_path):
    options = {"local_backbone": "test_resnet", "patch_size": 24, "policy_width": 16, "classifier_width": 24}
    plan = PLAN | {"family": "adafocus", "exits": ["2x1", "4x1"], "options": options}
    (tmp_path / "focus.yaml").write_text(yaml.safe_dump(plan))
    state = write_network(work).backbone.model.state_dict()
    torch.save(state, tmp_path / "a.pth")
    torch.save({name: value + 1 for name, value in state.items()}, tmp_path / "b.pth")
    where = ("--dataset", "folders", "--data-root", "data", "--output", tmp_path / "o")
    slow = ("--epochs", "1", "--set", "training.learning_rate=1e-9", "--set", "training.refit_heads=null")
    command = ("train", tmp_path / "focus.yaml", *where)
    first, second = f"local={tmp_path / 'a.pth'}", f"global={tmp_path / 'b.pth'}"
    dynsearch_here(*command, "--weights", first, second, *slow, cwd=work)
    weights = load_file(tmp_path / "o/weights.safetensors")
    name = "backbone.model.layer1.0.conv1.weight"
    for net, moved in (("local", 0), ("global", 1)):
        torch.testing.assert_close(
            weights[f"{net}_net.{name}"], state[name[15:]] + moved, rtol=1e-4, atol=1e-4
        )
    again = dynsearch_here(*command, f"--weights={second}", "--weights", first, *slow, cwd=work)
    assert "trained already" in again.out
    for more, says in (
        (("--weights", "lokal=a.pth"), "has no backbone 'lokal'. Did you mean local"),
        (("--weights", "local="), "names no file"),
        (("--weights", "a.pth", "--weights", "b.pth"), "is a second file for the backbone"),
        (("--weights", "local=a.pth", "local=b.pth"), "is a second file for local"),
        (("--set", "training.weights.head=a.pth"), "has no backbone 'head'"),
        (
            ("--weights", first, second, "--set", "training.refit_heads={}"),
            "heads of the family adafocus can't be fitted alone",
        ),
    ):
        command = (*command[:-1], tmp_path / "other")
        assert says in (told := dynsearch_here(*command, *more, cwd=work, code=2).err)
        assert "epoch 1/1" not in told


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("evaluate", ("--sampling", "ends")),
        ("score", ("--labels", "data/names")),
        ("score", ("--activation", "sigmoid", "--output", "o", "--split", "test")),
    ],
)
def test_a_bundle_is_not_asked_for_what_it_has(work, command, option):
    option = (*option, *(("--output", "o") if command == "score" and "--output" not in option else ()))
    assert "a bundle has its own" in dynsearch_here(command, "net", *option, cwd=work, code=2).err


@pytest.mark.reliability(
    "Files",
    "scoring a network some exits of which have no weights in the file, or another number of classes",
    happens="is refused before anything is measured",
    sees="gives no weights for ... classes to the heads of ...",
)
def test_a_network_without_all_its_weights_is_refused(work, tmp_path):
    state = torch.load(work / "net.pth")["state_dict"]
    backbone = {
        name.removeprefix("backbone.model."): v for name, v in state.items() if not name.startswith("heads")
    }
    torch.save(backbone, tmp_path / "bare.pth")
    with pytest.raises(WeightsError, match="gives no weights for 3 classes to the heads of 1x4, 2x5, 4x5"):
        dynsearch.score(
            work / "plan.yaml", "folders", weights=tmp_path / "bare.pth", data_root=work / "data",
            warn=lambda text: None,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("plan.yaml", "--output", "x"), "or give --weights FILE with a plan"),
        (("plan.yaml", "--weights", "net.pth", "--output", "x"), "needs --dataset"),
        (("nothing", "--weights", "net.pth", "--dataset", "folders", "--output", "x"), "there is no plan"),
        (
            ("net", "--weights", "net.pth", "--dataset", "folders", "--output", "x"),
            "A bundle has its own weights",
        ),
        (("net", "--output", "net"), "net"),
        (("net", "--output", "net/scores-test.npz", "--split", "test"), "net"),
        (("net", "--output", "data", "--dataset", "folders", "--data-root", "data"), "data"),
    ],
)
def test_wishes_that_do_not_go_together_are_one_message(work, arguments, says):
    assert says in dynsearch_here("score", *arguments, cwd=work, code=2).err
    assert not (work / "x").exists()
