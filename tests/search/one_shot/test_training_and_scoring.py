"""One-shot networks: trained, resumed, scored into grids, cut into plans' networks."""

import hashlib
import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn.functional import cross_entropy

from dynsearch.errors import ScoresError
from dynsearch.families import build_network, cost_table
from dynsearch.families.grid.choices import sample_trunk, trunk_choices
from dynsearch.families.grid.one_shot import FedNetwork, OneShotNetwork, grid_cells, has_heads_of
from dynsearch.network.losses import distilled_cross_entropies, sum_of_cross_entropies
from dynsearch.network.weights.files import load_weights, read_tensors, save_weights
from dynsearch.plan import Exit, ExitPlacement, FrameOrder
from dynsearch.search.one_shot.library import Library, reestimate_norms
from dynsearch.search.one_shot.sandwich import SandwichTraining, drawn_cells, weighted
from dynsearch.search.one_shot.scoring import grid_steps
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.training import SharedWeights, order_file, trained_one_shot
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import OneShotConfig
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.config import RefitConfig, TrainingConfig
from dynsearch.training.loop import EpochReport
from tests.search.one_shot.draws import ToyDraws
from tests.search.toy import Silent
from tests.training.fakes import ArraySource

SPACE = SearchSpace.model_validate(
    {
        "backbones": ["test_resnet"],
        "frames": [{"num_frames": 4, "num_sets": 2}, {"num_frames": 4, "num_sets": 4}],
        "image_sizes": [32],
        "frame_orders": ["sequential", "paper"],
        "temporal_shifts": ["none", "online"],
        "across_groups": [True, False],
        "exits": {"min_exits": 1, "max_exits": 3, "min_depth": 3, "max_depth": 5},
    }
)
CONFIG = TrainingConfig(epochs=2, batch_size=12, learning_rate=0.05, pretrained=False, dropout=0.1)
SETTINGS = OneShotConfig(cells_per_step=4, norm_batches=2)
SHAPE = Shape("test_resnet", 4, 32, "linear")


def library(folder, **changes):
    fields = {"space": SPACE, "source": ArraySource(), "settings": SETTINGS, "config": CONFIG, "seed": 0}
    return Library(folder, **(fields | changes), observer=Silent())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a trained network, and the trunk of the paper's order on four sets with its grid."""
    folder = tmp_path_factory.mktemp("one-shot")
    trunk = sample_trunk(SPACE, ToyDraws({"frames": "4 frames in 4 sets", "frame_order": "paper"}))
    made = library(folder)
    return folder, trunk, made.grid(trunk), made.observer.notes


def train_here(folder, **changes):
    settings = SETTINGS.model_copy(update=changes)
    return trained_one_shot(SHAPE, SPACE, ArraySource(), settings, CONFIG, folder, seed=0)


def test_the_finest_sets_hold_all_others():
    assert SHAPE.finest_trunk(SPACE).num_sets == 4
    thirds = SPACE.model_copy(
        update={"frames": [g.model_copy(update={"num_frames": 12, "num_sets": n}) for g, n in
                           zip(SPACE.frames, (2, 3), strict=True)]}
    )  # fmt: skip
    assert (
        Shape("test_resnet", 12, 32, "linear").finest_trunk(thirds).num_sets == 6
    )  # sets of 6 and of 4 frames


@pytest.mark.parametrize("num_others", [1, 4, 9, None])
def test_a_step_takes_the_last_of_every_depth_the_first_and_some_others(num_others):
    trunk = SHAPE.finest_trunk(SPACE)
    seen = set()
    torch.manual_seed(0)
    for _ in range(100):
        cells = drawn_cells(trunk, 3, num_others)
        assert (cells[0], cells[-3:]) == (Exit(1, 3), [Exit(4, 3), Exit(4, 4), Exit(4, 5)])
        assert len(set(cells)) == len(cells) == (num_others or 9) + 3
        seen |= set(cells)
    assert num_others == 1 or seen == set(grid_cells(trunk, 3))


def test_steps_draw_all_trunks_of_the_space(trained):
    folder, _, _, _ = trained
    network = train_here(folder / SHAPE.folder_name)
    fed = set()
    network.register_forward_pre_hook(lambda _, inputs: fed.add((inputs[1], inputs[2])))
    training = SandwichTraining(network, SPACE, 2)
    torch.manual_seed(0)
    for _ in range(60):
        training.draw()
        logits = training(torch.zeros(1, 4, 3, 32, 32))
        assert logits.shape == (5, 1, 3)
    trunks = {sample_trunk(SPACE, ToyDraws(params)) for params in trunk_choices(SPACE)}
    assert fed == {(trunk.frame_order, trunk.temporal_shift) for trunk in trunks}


def test_the_last_cell_of_every_depth_weighs_one_and_the_others_two_together():
    logits, labels = torch.randn(7, 6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    one = [cross_entropy(cell, labels) for cell in logits]
    expected = sum(one[:5]) * 2 / 5 + one[5] + one[6]
    torch.testing.assert_close(weighted(sum_of_cross_entropies, 2)(logits, labels), expected)


def test_the_last_cell_teaches_all_others():
    logits, labels = torch.randn(4, 6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    last = cross_entropy(logits[-1], labels)
    taught = [distilled_cross_entropies(logits[[k, 3]], labels) - last for k in range(3)]
    expected = sum(taught[:2]) + taught[2] + last
    torch.testing.assert_close(weighted(distilled_cross_entropies, 2)(logits, labels), expected)


def test_an_interrupted_training_ends_as_if_undisturbed(tmp_path):
    class Stop(BaseException):
        pass

    def stop(report):
        if isinstance(report, EpochReport):
            raise Stop

    undisturbed = train_here(tmp_path / "a").state_dict()
    with pytest.raises(Stop):
        trained_one_shot(
            SHAPE, SPACE, ArraySource(), SETTINGS, CONFIG, tmp_path / "b", seed=0, on_report=stop
        )
    epochs = []
    again = trained_one_shot(
        SHAPE, SPACE, ArraySource(), SETTINGS, CONFIG, tmp_path / "b", seed=0, on_report=epochs.append
    )
    assert [report.epoch for report in epochs if isinstance(report, EpochReport)] == [2]
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in undisturbed.items())


def test_statistics_are_the_mean_over_batches_and_momenta_stay():
    norm = torch.nn.BatchNorm2d(3)
    network = torch.nn.Sequential(norm, torch.nn.Dropout(0.9)).train()
    batches = [(torch.randn(4, 3, 5, 5) + i, None, None) for i in range(5)]
    reestimate_norms(network, network, batches, 3)
    means = [clips.mean(dim=(0, 2, 3)) for clips, _, _ in batches[:3]]
    variances = [clips.var(dim=(0, 2, 3)) for clips, _, _ in batches[:3]]
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(dim=0))
    torch.testing.assert_close(norm.running_var, torch.stack(variances).mean(dim=0))
    assert (norm.momentum, network.training) == (0.1, False)


def test_a_grid_is_the_networks_own_answers_under_statistics_of_its_order(trained):
    folder, trunk, grid, notes = trained
    network = train_here(folder / SHAPE.folder_name)
    source = ArraySource()
    batches = source.loader("train", trunk, CONFIG, training=True, seed=0)
    run = lambda clips: network(clips, trunk.frame_order, trunk.temporal_shift, [Exit(4, 5)])  # noqa: E731
    reestimate_norms(network, run, batches, 2)
    loader = source.loader("calibration", trunk, CONFIG, training=False, seed=0)
    cells = [Exit(sets, depth) for sets, depth in itertools.product((1, 2, 3, 4), (3, 4, 5))]
    with torch.inference_mode():
        logits = torch.cat(
            [network(clips, trunk.frame_order, trunk.temporal_shift, cells) for clips, _, _ in loader], dim=1
        )
    np.testing.assert_allclose(
        grid.logits_SMNK.reshape(12, 30, 3), logits, atol=2e-3, rtol=2e-3
    )  # kept as float16
    assert grid.labels_N.tolist() == [i % 3 for i in range(30)]
    assert [note for note in notes if "30 calibration videos: 0.0 MB" in note]
    assert "test" not in source.loads


def test_heads_are_fitted_for_the_order_before_it_is_scored(trained, tmp_path):
    _, trunk, _, _ = trained
    source, config = ArraySource(), CONFIG.model_copy(update={"refit_heads": RefitConfig(seeds=1)})
    shape, space = Shape("test_resnet", 4, 32, "slots"), SPACE.model_copy(update={"heads": ["slots"]})
    trunk = replace(trunk, head="slots")
    made = library(tmp_path, space=space, config=config)
    grid = made.grid(trunk)
    waiting = trained_one_shot(shape, space, source, SETTINGS, config, tmp_path / shape.folder_name, seed=0)
    fed = FedNetwork(waiting, trunk)
    plain = fed(clips := next(iter(source.loader("train", trunk, config, training=False, seed=0)))[0])
    assert plain.shape == (12, 12, 3)
    vectors = fed.frame_vectors(clips)
    for k, cell in enumerate(fed.cells):
        assert fed.head_depths[k] == cell.depth
        times = fed.times_seen(k)
        read = fed.head(k)(vectors[cell.depth][:, : len(times)], times)
        torch.testing.assert_close(read, plain[k])
    calibration, labels_N, _ = next(iter(source.loader("calibration", trunk, config, training=False, seed=0)))
    first = len(labels_N)
    fitted = torch.as_tensor(grid.logits_SMNK.reshape(12, 30, 3)[:, :first].astype(np.float32))
    reestimate_norms(fed, fed, source.loader("train", trunk, config, training=True, seed=0), 2)
    loss = lambda logits_EBK: float(cross_entropy(logits_EBK.flatten(0, 1), labels_N.repeat(12)))  # noqa: E731
    with torch.inference_mode():
        assert loss(fitted) < loss(fed(calibration))
    again = library(tmp_path, space=space, config=config)
    np.testing.assert_array_equal(again.grid(trunk).logits_SMNK, grid.logits_SMNK)
    assert not again.observer.notes


def test_a_placements_cost_is_the_plans(trained):
    _, trunk, grid, _ = trained
    plan = trunk.from_dict(trunk.to_dict() | {"exits": ["1x3", "3x4", "4x5"]})
    assert tuple(grid.cost_E(plan.exits)) == cost_table(plan, 3).cost_E
    for head in ("conv128+linear", "slots"):
        other = replace(trunk, head=head)
        steps = grid_steps(other, 3, 3)
        plan = replace(plan, head=head, exits=ExitPlacement.of("1x3", "3x4", "4x5"))
        cells = [list(map(str, grid_cells(other, 3))).index(str(exit_)) for exit_ in plan.exits.exits]
        np.testing.assert_allclose(steps.cost_E(cells), cost_table(plan, 3).cost_E, rtol=1e-12)


def test_an_interrupted_scoring_goes_on_where_it_stopped(trained, tmp_path):
    folder, trunk, grid, _ = trained
    made = library(folder)
    (folder / SHAPE.folder_name / "grids" / trunk.plan_id).rename(tmp_path / "kept")
    network = made._network(SHAPE)
    original, passes = network.forward, []

    def counted(clips, order, shift, cells):
        if len(passes) == 2:
            raise KeyboardInterrupt
        passes.append(len(clips))
        return original(clips, order, shift, cells)

    network.forward = counted
    with pytest.raises(KeyboardInterrupt):
        made.grid(trunk)
    passes.clear()
    again = made.grid(trunk)
    assert passes == [6]  # the last batch only: the order's statistics are kept
    np.testing.assert_array_equal(again.logits_SMNK, grid.logits_SMNK)


def test_a_grid_above_the_limit_is_refused_before_it_is_scored(trained, tmp_path):
    folder, _, _, _ = trained
    other = sample_trunk(SPACE, ToyDraws({"frames": "4 frames in 4 sets", "frame_order": "sequential"}))
    tight = RunSettings(max_grid_gb=1e-7)
    with pytest.raises(ScoresError, match="2,160 bytes; the limit is 100"):
        library(folder, run=tight).grid(other)


def test_a_plan_begins_as_the_one_shot_network_left_it(trained, tmp_path):
    folder, trunk, _, _ = trained
    plan = trunk.from_dict(trunk.to_dict() | {"exits": ["1x3", "3x4"]})
    save_weights(
        SharedWeights(folder, SPACE, 3, SETTINGS, seed=0).network(plan), tmp_path / "start.safetensors"
    )
    own = build_network(plan, 3)
    load_weights(own, tmp_path / "start.safetensors")
    network = train_here(folder / SHAPE.folder_name)
    clips = torch.randn(2, 4, 3, 32, 32)
    with torch.inference_mode():
        expected = network(clips, plan.frame_order, plan.temporal_shift, plan.exits.exits)
        torch.testing.assert_close(own.eval()(clips), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("head", ["linear", "slots"])
def test_a_plan_that_shares_the_networks_weights_answers_as_its_grid_says(head, tmp_path):
    """Statistics and heads are those of its frame order, whichever order was prepared last."""
    space = SPACE.model_copy(update={"heads": [head]})
    config = CONFIG.model_copy(update={"refit_heads": RefitConfig(epochs=2)})
    made = library(tmp_path, space=space, config=config)
    draws = [{"frames": "4 frames in 4 sets", "frame_order": order} for order in ("paper", "sequential")]
    trunks = [sample_trunk(space, ToyDraws(draw)) for draw in draws]
    grids = {trunk.plan_id: made.grid(trunk) for trunk in trunks}
    shared = SharedWeights(tmp_path, space, 3, SETTINGS, seed=5)
    batches = made.source.loader("calibration", trunks[0], CONFIG, training=False, seed=0)
    clips = torch.cat([batch for batch, _, _ in batches])
    for trunk in trunks:
        plan = replace(trunk, exits=ExitPlacement.of("1x3", "2x4", "3x5"))
        with torch.inference_mode():
            logits = shared.network(plan, trunk).eval()(clips)
        expected = grids[trunk.plan_id].exit_scores(plan.exits).logits_ENK
        np.testing.assert_allclose(logits.numpy(), expected, rtol=2e-3, atol=1e-3)  # kept in 16 bits
    trunk, path = trunks[0], order_file(tmp_path, trunks[0])
    kept = read_tensors(path)
    path.unlink()  # as studies of before have none
    library(tmp_path, space=space, config=config).prepared(trunk)
    assert read_tensors(path).keys() == kept.keys()
    for name, value in read_tensors(path).items():
        torch.testing.assert_close(value, kept[name], rtol=0, atol=0)


def test_heads_of_another_kind_can_not_be_shared():
    trunk = sample_trunk(SPACE, ToyDraws({"frames": "4 frames in 4 sets", "frame_order": "paper"}))
    for head, exits, whole in (("mlp", ["1x3", "3x4"], True), ("mlp+linear", ["1x3", "3x4"], False),
                               ("mlp+linear", ["1x3", "4x5"], True)):  # fmt: skip
        plan = replace(trunk, head=head, exits=ExitPlacement.of(*exits))
        assert has_heads_of(plan, 5) == whole
        network = OneShotNetwork(replace(trunk, head=head), 3, first_depth=3, share_heads=True)
        wanted = {name for name in build_network(plan, 3).state_dict() if name.startswith("heads")}
        assert (wanted <= network.weights_of(plan).keys()) == whole


def test_sets_of_several_frames_are_scored_by_the_same_network(trained):
    folder, _, _, _ = trained
    trunk = sample_trunk(SPACE, ToyDraws({"frames": "4 frames in 2 sets", "frame_order": "paper"}))
    made = library(folder)
    grid = made.grid(trunk)
    assert (grid.num_sets, grid.num_depths) == (2, 3)
    assert not [note for note in made.observer.notes if "epochs" in note]
    plan = trunk.from_dict(trunk.to_dict() | {"exits": ["1x3", "2x5"]})
    assert tuple(grid.cost_E(plan.exits)) == cost_table(plan, 3).cost_E


def test_milestones_move_with_the_epochs():
    config = OneShotConfig(epochs=20, distil=True).training(TrainingConfig())
    assert (config.epochs, config.milestones, config.exit_loss) == (20, (10, 14, 18), "distill")
    assert OneShotConfig().training(TrainingConfig(exit_loss="linear")) == TrainingConfig()


def test_orders_are_fed_as_named():
    assert (
        FrameOrder.named("paper", 4)
        == sample_trunk(SPACE, ToyDraws({"frames": "4 frames in 4 sets", "frame_order": "paper"})).frame_order
    )
    assert ExitPlacement.of("4x5") == SHAPE.finest_trunk(SPACE).exits


@pytest.mark.parametrize("former", [False, True, "without processes"])
def test_an_interrupted_training_goes_on_with_other_workers_and_from_0_1(tmp_path, former, monkeypatch):
    first, other = RunSettings(num_workers=2, timeout=30.0), RunSettings(num_workers=0, save_every_steps=7)
    run, seen = first if former is True else other, []

    def interrupt(report):
        if isinstance(report, EpochReport):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained_one_shot(
            SHAPE, SPACE, ArraySource(), SETTINGS, CONFIG, tmp_path, seed=0, run=first, on_report=interrupt
        )
    path = tmp_path / "training-state.safetensors"
    if former == "without processes":  # as states were before several could train a network
        with safetensors.safe_open(path, "pt") as file:
            facts = file.metadata()
        made = {name: fact for name, fact in json.loads(facts["made"]).items() if name != "processes"}
        facts = facts | {"made": json.dumps(made, sort_keys=True)}
        safetensors.torch.save_file(safetensors.torch.load_file(path), path, facts)
    elif former:
        keys = FORMER_FACTS.format(shape=SHAPE.within(SPACE).fingerprint, torch=torch.__version__)
        rename_key(path, hashlib.sha256(keys.encode()).hexdigest()[:16])
    trained_one_shot(
        SHAPE, SPACE, ArraySource(), SETTINGS, CONFIG, tmp_path, seed=0, run=run,
        on_report=seen.append,
    )  # fmt: skip
    assert [report.epoch for report in seen if isinstance(report, EpochReport)] == [2]


FORMER_FACTS = (
    "{shape} array epochs=2 batch_size=12 accumulate=1 learning_rate=0.05 momentum=0.9 nesterov=False "
    "weight_decay=0.0005 schedule='step' milestones=(25, 35, 45) gamma=0.1 warmup_epochs=0.0 part_rates={{}} "
    "dropout=0.1 grad_clip=None amp='auto' channels_last=True compile=False recompute=False ema_decay=None "
    "exit_loss='sum' freeze_batch_norm=False sync_batch_norm=False pretrained=False weights=None "
    "multi_scale_crop=True flip=False num_workers=2 max_bad_videos=0.01 save_every_steps=1000 timeout=30.0 "
    "4 depth 0 {torch}"
)
"""What 0.1.0 made the key of."""


def rename_key(path, key):
    with safetensors.safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["dynsearch"])
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(
        tensors, path, {"dynsearch": json.dumps(facts | {"key": key, "num_ranks": 1})}
    )
