import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dynsearch.errors import InputError, TrainingError, WeightsError
from dynsearch.network.losses import sum_of_cross_entropies
from dynsearch.network.weights.files import load_weights, read_tensors, save_weights
from dynsearch.scores import ExitScores
from dynsearch.training import TrainingConfig
from dynsearch.training.run import train_and_score
from tests.network.nets import lively_network, random_clips, start
from tests.plans import small_plan
from tests.training.fakes import ArraySource

CONFIG = TrainingConfig(
    epochs=3,
    batch_size=12,
    learning_rate=0.05,
    schedule="cosine",
    dropout=0.2,
    pretrained=False,
)
PLAN = small_plan("1x3", "4x5")


def read_all(folder):
    return {
        "weights": read_tensors(folder / "weights.safetensors"),
        "test": ExitScores.load(folder / "scores-test.npz").logits_ENK,
        "metrics": [
            line.split('"seconds"')[0] for line in (folder / "metrics.jsonl").read_text().splitlines()
        ],
    }


def assert_same(one, other):
    assert one["metrics"] == other["metrics"]
    np.testing.assert_array_equal(one["test"], other["test"])
    assert all(torch.equal(one["weights"][name], other["weights"][name]) for name in one["weights"])


def assert_an_interruption_changes_nothing(folder, config):
    """A training that is stopped after an epoch and goes on ends as one that never stopped."""

    def interrupt(report):
        raise KeyboardInterrupt

    train_and_score(PLAN, ArraySource(), config, folder / "whole", seed=1)
    with pytest.raises(KeyboardInterrupt):
        train_and_score(PLAN, ArraySource(), config, folder / "resumed", seed=1, on_epoch=interrupt)
    train_and_score(PLAN, ArraySource(), config, folder / "resumed", seed=1)
    assert_same(read_all(folder / "whole"), read_all(folder / "resumed"))


def test_the_loss_is_the_sum_over_exits():
    logits_EBK = torch.randn(3, 8, 5)
    labels_B = torch.randint(0, 5, (8,))
    expected = sum(F.cross_entropy(logits_EBK[k], labels_B) for k in range(3))
    torch.testing.assert_close(sum_of_cross_entropies(logits_EBK, labels_B), expected)


def test_training_learns_and_leaves_whole_files(tmp_path):
    scores = train_and_score(PLAN, ArraySource(), CONFIG, tmp_path, seed=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "metrics.jsonl", "plan.yaml", "scores-calibration.npz", "scores-test.npz", "tensorboard",
        "weights.safetensors",
    ]  # fmt: skip
    assert (scores.calibration.num_videos, scores.test.num_videos) == (30, 33)
    assert scores.test.plan_id == PLAN.plan_id
    assert list(scores.test.video_ids_N[:2]) == ["test-0", "test-1"]
    assert scores.test.correct().mean() > 0.6  # chance is a third


def test_scores_are_the_networks_own_logits(tmp_path):
    source = ArraySource()
    scores = train_and_score(PLAN, source, CONFIG, tmp_path, seed=1)
    network = lively_network(PLAN, num_classes=3)
    load_weights(network, tmp_path / "weights.safetensors")
    clips = torch.cat([batch[0] for batch in source.loader("test", PLAN, CONFIG, training=False, seed=1)])
    with torch.inference_mode():
        np.testing.assert_allclose(network(clips).numpy(), scores.test.logits_ENK, atol=1e-4)


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train_and_score(PLAN, ArraySource(), CONFIG, tmp_path / name, seed=seed)
    a, b, c = (read_all(tmp_path / name) for name in "abc")
    assert_same(a, b)
    assert not np.array_equal(a["test"], c["test"])


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_interrupted_training_ends_with_the_same_weights(tmp_path, stop_after):
    train_and_score(PLAN, ArraySource(), CONFIG, tmp_path / "whole", seed=1)

    def interrupt(report):
        if report.epoch == stop_after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_score(PLAN, ArraySource(), CONFIG, tmp_path / "resumed", seed=1, on_epoch=interrupt)
    epochs = []
    train_and_score(
        PLAN, ArraySource(), CONFIG, tmp_path / "resumed", seed=1, on_epoch=lambda r: epochs.append(r.epoch)
    )
    assert epochs == list(range(stop_after + 1, 4))
    assert_same(read_all(tmp_path / "whole"), read_all(tmp_path / "resumed"))


def test_a_finished_trial_is_only_read(tmp_path):
    train_and_score(PLAN, ArraySource(), CONFIG, tmp_path)
    source = ArraySource()
    train_and_score(PLAN, source, CONFIG, tmp_path)
    assert source.loads == []


@pytest.mark.reliability(
    "Files",
    "an interrupted training's state that is cut short, or of other settings",
    happens="cut short it is not resumed: training begins again; of other settings it is refused, and kept",
    sees="`was made otherwise: ...`",
)
def test_a_damaged_state_begins_anew_and_one_of_other_settings_is_kept(tmp_path):
    def interrupt(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_and_score(PLAN, ArraySource(), CONFIG, tmp_path, on_epoch=interrupt)
    state = tmp_path / "training-state.safetensors"
    saved = state.read_bytes()
    changed = CONFIG.model_copy(update={"learning_rate": 0.06})
    with pytest.raises(InputError, match=r"training\.learning_rate was 0\.05, now 0\.06.*delete the folder"):
        train_and_score(PLAN, ArraySource(), changed, tmp_path)
    assert state.read_bytes() == saved
    for damaged in (saved[:1000], saved):
        state.write_bytes(damaged)
        epochs = []
        halvings = int(damaged == saved)  # It ran out of memory: with smaller batches it begins anew.
        train_and_score(
            PLAN,
            ArraySource(),
            CONFIG,
            tmp_path,
            halvings=halvings,
            on_epoch=lambda r, e=epochs: e.append(r.epoch),
        )
        assert epochs == [1, 2, 3]
        for path in (*tmp_path.glob("scores-*"), tmp_path / "weights.safetensors"):
            path.unlink()


@pytest.mark.reliability(
    "Numbers",
    "a loss that is NaN or infinite",
    happens="the trial ends with epoch and step, and leaves no scores",
    sees="`the loss became ... in epoch 1, step ...`",
)
def test_a_loss_that_is_no_number_ends_training(tmp_path):
    hot = CONFIG.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) in epoch 1, step \d+"):
        train_and_score(PLAN, ArraySource(), hot, tmp_path)
    assert not (tmp_path / "scores-test.npz").exists()


def test_gradient_clipping_limits_the_step(tmp_path):
    from dynsearch.families import build_network
    from dynsearch.training.loop import train

    config = CONFIG.model_copy(
        update={"epochs": 1, "batch_size": 36, "grad_clip": 1e-3, "momentum": 0.0, "weight_decay": 0.0}
    )
    torch.manual_seed(0)
    network = build_network(PLAN, 3)
    before = {name: value.clone() for name, value in network.named_parameters()}
    loader = ArraySource().loader("train", PLAN, config, training=True, seed=0)
    train(network, loader, config, device=torch.device("cpu"))
    moved = math.sqrt(
        sum(float((v.detach() - before[n]).square().sum()) for n, v in network.named_parameters())
    )
    assert moved == pytest.approx(1e-3 * config.learning_rate, rel=1e-3)


class TestWeights:
    def test_round_trip(self, tmp_path):
        network, other = lively_network(PLAN, seed=0), lively_network(PLAN, seed=1)
        save_weights(network, tmp_path / "w.safetensors")
        load_weights(other, tmp_path / "w.safetensors")
        with torch.inference_mode():
            assert torch.equal(network(random_clips(PLAN)), other(random_clips(PLAN)))

    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_a_backbone_starts_from_a_timm_file(self, tmp_path, suffix):
        import timm
        from safetensors.torch import save_file

        model = timm.create_model("test_resnet", num_classes=11)
        path = tmp_path / f"backbone{suffix}"
        (save_file if suffix == ".safetensors" else torch.save)(model.state_dict(), path)
        network = lively_network(small_plan("1x3", "4x4"))
        start(network, pretrained=False, weights=path)
        state = network.backbone.model.state_dict()
        assert all(torch.equal(state[name], model.state_dict()[name]) for name in state)
        assert not any(name.startswith(("fc", "layer4")) for name in state)

    @pytest.mark.reliability(
        "Files",
        "weights of another network",
        happens="are refused",
        sees="`weights of another network: missing ...`",
    )
    def test_weights_of_another_network_are_refused(self, tmp_path):
        save_weights(lively_network(small_plan("4x3")), tmp_path / "w.safetensors")
        with pytest.raises(
            WeightsError, match=r"w\.safetensors: weights of another network: missing .*layer3"
        ):
            load_weights(lively_network(PLAN), tmp_path / "w.safetensors")

    def test_pickled_code_is_never_run(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (open, (str(tmp_path / "pwned"), "w"))

        torch.save({"layer": Evil()}, tmp_path / "evil.pth")
        with pytest.raises(WeightsError, match=r"evil\.pth: can't be read as weights"):
            read_tensors(tmp_path / "evil.pth")
        assert not (tmp_path / "pwned").exists()

    @pytest.mark.reliability(
        "Files",
        "a weights file that is empty, garbage or cut short",
        happens="is refused",
        sees="`can't be read as weights: ...`",
    )
    @pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x04."])
    def test_damaged_files_are_named(self, tmp_path, content):
        for name in ("w.safetensors", "w.pth"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(WeightsError, match=name):
                read_tensors(tmp_path / name)

    def test_what_was_loaded_is_told_and_written(self, tmp_path):
        torch.save(lively_network(PLAN).backbone.model.state_dict(), tmp_path / "w.pth")
        config = CONFIG.model_copy(update={"epochs": 1, "weights": tmp_path / "w.pth"})
        told = []
        train_and_score(PLAN, ArraySource(), config, tmp_path / "trial", on_start=told.append)
        assert f"{tmp_path / 'w.pth'} (names as in timm):" in told[0]
        assert "begin afresh: the heads of 1x3, 4x5" in told[0]
        assert (tmp_path / "trial" / "started.txt").read_text() == f"{told[0]}\n"

    @pytest.mark.reliability(
        "Files",
        "pretrained weights that can't be downloaded",
        happens="one message says how to name a file instead",
        sees="`can't be had`",
    )
    def test_pretrained_weights_that_cannot_be_had(self, monkeypatch, tmp_path):
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        plan = small_plan(backbone="resnet18")
        with pytest.raises(
            WeightsError, match=r"training.pretrained: .*resnet18 can't be had.*training.weights=FILE"
        ):
            start(lively_network(plan), pretrained=True, weights=None)


def test_steps_are_torchs_nesterov_momentum():
    """Two steps by hand on the settings of the embedded study."""
    from dynsearch.families import build_network
    from dynsearch.study.recipe_file import load_recipe
    from dynsearch.training.stepper import Stepper

    config = load_recipe("motions", settings=["training.amp=off"])[0].training
    assert config.nesterov
    torch.manual_seed(0)
    ours, reference = build_network(PLAN, 3), build_network(PLAN, 3)
    reference.load_state_dict(ours.state_dict())
    optimizer = torch.optim.SGD(
        reference.parameters(),
        lr=0.05,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=True,
    )
    reference.to(memory_format=torch.channels_last).train()
    stepper = Stepper(ours, config, torch.device("cpu"))
    stepper.begin_epoch()
    clips, labels = random_clips(PLAN, batch=6), torch.arange(6) % 3
    for _ in range(2):
        stepper.step(clips, labels, 0.05)
        optimizer.zero_grad()
        sum_of_cross_entropies(reference(clips), labels).backward()
        optimizer.step()
    for name, value in reference.named_parameters():
        torch.testing.assert_close(dict(ours.named_parameters())[name], value)
