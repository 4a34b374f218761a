"""Screening on toy score grids, with a real SQLite record."""

from dataclasses import replace

import pytest
from optuna.trial import FixedTrial, TrialState

from dynsearch.errors import StudyError
from dynsearch.families import cost_table
from dynsearch.frontier.placements import search_placements
from dynsearch.measures import COUNTED
from dynsearch.search.one_shot import screening_record
from dynsearch.search.one_shot.screening import Screening, promising
from dynsearch.search.one_shot.screening_record import screened
from dynsearch.search.one_shot.strategy import shortlist, trunk_of
from dynsearch.space import SearchSpace
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record, plan_of
from tests.search.one_shot.toy_grids import NUM_CLASSES, toy_grid
from tests.search.toy import Silent

SPACE = SearchSpace.model_validate(
    {
        "backbones": ["test_resnet"],
        "frames": [{"num_frames": 4, "num_sets": 4}],
        "image_sizes": [48],
        "frame_orders": ["sequential", "paper"],
        "across_groups": [True, False],
        "exits": {"min_exits": 2, "max_exits": 3, "min_depth": 3, "max_depth": 5},
    }
)
FREE = SPACE.model_copy(update={"order_moves": 2})
BUDGET = 0.03


class Interrupted(BaseException):
    pass


class Grids:
    """Toy grids; the process 'dies' at the calls named."""

    def __init__(self, dies_at=()):
        self.asked = []
        self.dies_at = dies_at

    def __call__(self, trunk):
        self.asked.append(trunk)
        if len(self.asked) in self.dies_at:
            raise Interrupted
        return toy_grid(trunk)


def screen(path, grids=None, space=SPACE, num_trunks=20, budget=BUDGET, seed=1):
    path.mkdir(exist_ok=True)
    study = open_record(StudyFolder(path), create=COUNTED, part="screening")
    observer = Silent()
    Screening(study, space, grids or Grids(), NUM_CLASSES, budget, num_trunks, seed, observer).run()
    return study, observer


def complete(study):
    return study.get_trials(states=[TrialState.COMPLETE])


def summary(study):
    return sorted((sorted(t.params.items()), t.values, t.user_attrs["plan_id"]) for t in complete(study))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    grids = Grids()
    study, observer = screen(tmp_path_factory.mktemp("screening") / "s", grids)
    return study, observer, grids


def test_every_trunk_of_a_small_space_is_searched_once(undisturbed):
    _, observer, grids = undisturbed
    # The plain order, the paper's within groups, the paper's across them.
    assert len(grids.asked) == len(set(grids.asked)) == 3
    assert len(observer.notes) == 3
    assert "expected on new videos" in observer.notes[0]


def test_the_record_holds_each_plan_once_as_the_space_proposes_it(undisturbed):
    study, _, _ = undisturbed
    trials = complete(study)
    assert study.study_name == "s/screening"
    assert study.metric_names == ["top1", "gflops"]
    assert len({trial.user_attrs["plan_id"] for trial in trials}) == len(trials) > 6
    for trial in trials:
        plan = plan_of(trial)
        assert SPACE.sample(FixedTrial(trial.params)) == plan
        assert trial.values[1] <= BUDGET
        excess = cost_table(plan, NUM_CLASSES).cost_E[0]
        assert trial.constraints["gflops"] <= 0
        assert trial.system_attrs["constraints"] == [trial.constraints["gflops"]]
        assert excess >= BUDGET + trial.constraints["gflops"] - 1e-9  # the trunk's cheapest cell is no dearer
        assert trial.user_attrs["chosen_top1"] > 0.25


def test_points_can_be_had_again_from_the_record(undisturbed):
    study, _, _ = undisturbed
    found = screened(study)
    trunk = trunk_of(found[0].plan, SPACE)
    searched = search_placements(toy_grid(trunk), min_exits=2, max_exits=3, min_depth=3, max_depth=5, seed=1)
    expected = {point.placement: point.chosen.policy for point in promising(searched, BUDGET)}
    got = {f.plan.exits: f.policy for f in found if trunk_of(f.plan, SPACE) == trunk}
    assert {k: replace(v, plan_id="") for k, v in got.items()} == {
        k: replace(v, plan_id="") for k, v in expected.items()
    }


@pytest.mark.parametrize("dies_at", [(1,), (2, 4)])
def test_interrupted_it_goes_on_and_searches_nothing_twice(undisturbed, tmp_path, dies_at):
    grids = Grids(dies_at)
    for _ in dies_at:
        with pytest.raises(Interrupted):
            screen(tmp_path / "s", grids)
    study, _ = screen(tmp_path / "s", grids)
    assert summary(study) == summary(undisturbed[0])
    assert len(grids.asked) == 3 + len(dies_at)
    again, _ = screen(tmp_path / "s", grids)
    assert len(grids.asked) == 3 + len(dies_at)
    assert len(again.get_trials()) == len(study.get_trials())


def test_killed_while_plans_are_written_none_is_lost_or_doubled(undisturbed, tmp_path, monkeypatch):
    original, written = screening_record.note_screened, []

    def dying(*given):
        written.append(given)
        if len(written) in (2, 5):
            raise Interrupted
        original(*given)

    monkeypatch.setattr(screening_record, "note_screened", dying)
    for _ in range(2):
        with pytest.raises(Interrupted):
            screen(tmp_path / "s")
    study, _ = screen(tmp_path / "s")
    assert summary(study) == summary(undisturbed[0])


def test_a_large_space_is_sampled(tmp_path):
    grids = Grids()
    study, _ = screen(tmp_path / "s", grids, FREE, num_trunks=4)
    assert len(grids.asked) == len(set(grids.asked)) == 4
    assert any(trunk.frame_order.name is None for trunk in grids.asked)
    assert all(FREE.sample(FixedTrial(trial.params)) == plan_of(trial) for trial in complete(study))
    screen(tmp_path / "s", grids, FREE, num_trunks=5)
    assert len(set(grids.asked)) == 5


def test_trunks_over_the_budget_are_never_scored(tmp_path):
    frames = [{"num_frames": 8, "num_sets": 4}, {"num_frames": 4, "num_sets": 4}]
    both = SearchSpace.model_validate(SPACE.model_dump() | {"frames": frames, "across_groups": [True]})
    dear, cheap = (cost_table(plan, NUM_CLASSES).cost_E[0] for plan in both.cheapest_plans())
    grids = Grids()
    study, _ = screen(tmp_path / "s", grids, both, budget=(dear + cheap) / 2)
    assert {trunk.num_frames for trunk in grids.asked} == {4}
    refused = study.get_trials(states=[TrialState.PRUNED])
    assert [trial.constraints["gflops"] > 0 for trial in refused] == [True, True]
    with pytest.raises(StudyError, match="no plan that was screened keeps within max_gflops=0.001"):
        screen(tmp_path / "t", grids, both, budget=0.001)


def test_the_shortlist_is_made_of_screened_plans_and_holds_the_best(undisturbed):
    study, _, _ = undisturbed
    chosen = shortlist(study, SPACE, toy_grid, 4, BUDGET)
    ids = [found.plan.plan_id for found in chosen]
    assert 1 <= len(set(ids)) == len(ids) <= 4
    assert set(ids) <= {trial.user_attrs["plan_id"] for trial in complete(study)}
    assert ids[:2] == [found.plan.plan_id for found in shortlist(study, SPACE, toy_grid, 2, BUDGET)]
    assert all(SPACE.sample(FixedTrial(found.params)) == found.plan for found in chosen)
    assert "paper" in {str(found.plan.frame_order) for found in chosen}
