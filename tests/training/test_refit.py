"""Heads fitted alone: the backbone stays, groups stay whole, and what is found is what scikit-learn finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from dynsearch.errors import InputError
from dynsearch.families import build_network
from dynsearch.network.weights.files import read_tensors, save_weights
from dynsearch.plan import Plan
from dynsearch.training import refit
from dynsearch.training.config import RefitConfig, TrainingConfig
from dynsearch.training.only_heads import HeadFitting
from dynsearch.training.run import train_and_score
from tests.network.nets import lively_network
from tests.plans import focus_plan, small_plan
from tests.training.fakes import ArraySource

CPU = torch.device("cpu")


class Loader:
    """Clips of four frames, each of one grey; the class is the order of the greys, which their mean does not tell."""

    ORDERS = ((0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2))

    num_classes = 3

    def __init__(self, of=None, count=240):
        self.of = of
        rng = np.random.default_rng(0)
        self.labels = torch.from_numpy(rng.integers(3, size=count))
        greys = np.arange(4)[None] + rng.normal(0, 0.1, (count, 4))
        self.greys = torch.from_numpy(
            np.stack([row[list(self.ORDERS[k])] for row, k in zip(greys, self.labels, strict=True)])
        ).float()

        self.dataset = self.batch_sampler = self

    def loader(self, *_, **__):
        return self

    def groups(self, split):
        return self.of or [str(i) for i in range(len(self.labels))]

    def set_epoch(self, epoch):
        pass

    def __iter__(self):
        for rows in torch.arange(len(self.labels)).split(50):
            yield self.greys[rows][:, :, None, None, None].expand(-1, -1, 3, 32, 32), self.labels[rows], rows


def settings(passes=1, seeds=1, **options):
    return TrainingConfig(
        refit_heads=RefitConfig(passes=passes, seeds=seeds, epochs=options.pop("epochs", 60)), **options
    )


def fitted(*heads, **options):
    torch.manual_seed(0)
    networks = [build_network(small_plan("2x3", "4x5", head=head), 3) for head in heads]
    before = {name: value.clone() for name, value in networks[0].state_dict().items()}
    best, losses = refit.refit_heads(networks, Loader(), settings(**options), device=CPU, seed=0)
    return networks[best], before, losses


def top1(network):
    loader, right = Loader(), []
    with torch.inference_mode():
        for clips, labels, _ in loader:
            right.append(network(clips)[-1].argmax(dim=1) == labels)
    return float(torch.cat(right).float().mean())


def test_only_the_heads_change_and_those_that_know_the_order_see_it():
    network, before, losses = fitted("slots")
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in changed} == {"heads"}
    assert losses[1] < 0.1
    assert top1(network) > 0.97
    assert top1(fitted("linear")[0]) < 0.6


def test_a_linear_head_is_as_good_as_scikit_learns_on_videos_held_out(tmp_path):
    network, _, losses = fitted("linear", epochs=300)
    loader = Loader()
    features = refit._features(network, loader, settings(), CPU, 0, tmp_path)
    mean = features.by_depth[3][:, :2].astype(float).mean(axis=1)
    scale = mean.std(axis=0).mean()
    best = min(
        log_loss(
            features.labels[features.held_out],
            LogisticRegression(C=strength, max_iter=5000)
            .fit(mean[features.fitted] / scale, features.labels[features.fitted])
            .predict_proba(mean[features.held_out] / scale),
        )
        for strength in (0.01, 0.1, 1, 10)
    )
    assert losses[0] < best + 0.05


def test_groups_are_held_out_whole(tmp_path):
    network = build_network(small_plan("4x5"), 3)
    groups = [f"person {i % 9}" for i in range(240)]
    features = refit._features(network, Loader(groups), settings(passes=2), CPU, 0, tmp_path)
    fitted_on = {groups[row % 240] for row in features.fitted}
    held_out = {groups[row] for row in features.held_out}
    assert held_out
    assert not fitted_on & held_out
    assert len(features.fitted) == 2 * sum(group in fitted_on for group in groups)
    assert fitted_on | held_out == set(groups)


def test_the_last_exit_teaches_when_it_is_asked_to():
    taught, alone = fitted("mlp", exit_loss="distill")[0], fitted("mlp")[0]
    state = taught.state_dict()
    different = {name for name, value in alone.state_dict().items() if not torch.equal(value, state[name])}
    assert {name.split(".")[1] for name in different} == {"0"}


def test_heads_that_read_maps_stay_as_they_were():
    network, before, losses = fitted("conv128+slots")
    assert list(losses) == [1]
    assert all(
        torch.equal(value, before[name]) for name, value in network.state_dict().items() if "heads.0" in name
    )


def test_a_recipe_asks_for_it_and_the_same_seed_gives_the_same(tmp_path):
    plan = Plan.from_dict(small_plan("2x3", "4x5", head="slots").to_dict())
    config = TrainingConfig(
        epochs=1,
        batch_size=12,
        pretrained=False,
        warmup_epochs=0,
        refit_heads=RefitConfig(passes=1, epochs=2),
    )
    scores = [train_and_score(plan, ArraySource(), config, tmp_path / name) for name in ("a", "b")]
    np.testing.assert_array_equal(scores[0].test.logits_ENK, scores[1].test.logits_ENK)
    plain = train_and_score(
        plan, ArraySource(), config.model_copy(update={"refit_heads": None}), tmp_path / "c"
    )
    assert (plain.test.logits_ENK != scores[0].test.logits_ENK).any()


def test_families_without_such_heads_are_refused():
    with pytest.raises(InputError, match="heads of the family adafocus can't be fitted alone"):
        refit.refit_heads([build_network(focus_plan(), 3)], Loader(), settings(), device=CPU, seed=0)


def test_of_several_kinds_the_best_on_held_out_videos_stays():
    network, _, losses = fitted("linear", "slots", "mlp")
    assert network.plan.head == "slots"
    assert losses[1] < fitted("mlp")[2][1]


def test_only_heads_leaves_the_trained_backbone_and_is_done_once(tmp_path):
    plan, source = small_plan("2x3", "4x5"), ArraySource()
    config = TrainingConfig(batch_size=12, refit_heads=RefitConfig(passes=1, seeds=1))
    trained = lively_network(plan, num_classes=3)
    save_weights(trained, tmp_path / "trained.safetensors")
    fitting = HeadFitting(plan, ["mlp", "slots"], source, config, start_from=tmp_path / "trained.safetensors")
    best, scores = fitting.run(tmp_path / "out")
    assert best in fitting.plans
    assert Plan.load(tmp_path / "out/plan.yaml") == best
    kept = read_tensors(tmp_path / "out/weights.safetensors")
    for name, value in trained.state_dict().items():
        if name.startswith("backbone"):
            torch.testing.assert_close(kept[name], value, rtol=0, atol=0)
    assert scores.test.correct()[-1].mean() > 0.9

    source.loads.clear()
    again, found = fitting.run(tmp_path / "out")
    assert (again, source.loads) == (best, [])
    np.testing.assert_array_equal(found.test.logits_ENK, scores.test.logits_ENK)
    with pytest.raises(InputError, match=r"start\.kinds: mlp, slots -> mlp, slots, linear|kinds"):
        replace(fitting, kinds=["mlp", "slots", "linear"]).run(tmp_path / "out")


def test_heads_that_all_read_maps_are_refused():
    with pytest.raises(InputError, match="heads conv128, which read maps, can't be fitted alone"):
        fitted("conv128")
