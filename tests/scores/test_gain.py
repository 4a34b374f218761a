import numpy as np
import pytest
from scipy.optimize import minimize

from dynsearch.errors import PolicyError, ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.gain import HINGES, GainModel, _num_features, _ridge, fit_gain, normal_scale
from dynsearch.scores.stop_rule import gain_features
from tests.thresholds.tables import random_scores

SCORES = random_scores(3, num_exits=4, num_videos=600, nan_share=0.05)


def test_gains_are_those_of_models_that_never_saw_the_fold():
    model, crossed = fit_gain(SCORES, num_folds=3, seed=2)
    fold_N = np.random.default_rng(2).permutation(600) % 3
    features = gain_features(SCORES.confidence()[:3], model.quantiles, normal_scale(), HINGES)
    target = SCORES.correct()[2].astype(float) - SCORES.correct()[-1]
    for fold in range(3):
        others, own = fold_N != fold, (fold_N == fold) & ~np.isnan(SCORES.confidence()[2])
        weights = _ridge(features[others].T @ features[others], features[others].T @ target[others])
        np.testing.assert_allclose(crossed[2, own], features[own] @ weights)


def test_ridge_equals_the_closed_form_with_a_free_intercept():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(50), rng.normal(size=(50, 3)) * [1, 5, 0.2] + 2])
    target = rng.normal(size=50) + features[:, 1]
    got = _ridge(features.T @ features, features.T @ target)
    spread = features[:, 1:].var(axis=0)

    def loss(w):
        return ((target - features @ w) ** 2).sum() + 30 * (spread * w[1:] ** 2).sum()

    np.testing.assert_allclose(got, minimize(loss, np.zeros(4), tol=1e-12).x, atol=1e-4)


def test_one_exit_after_the_other_gives_the_same_gains():
    model, _ = fit_gain(SCORES)
    confidence = SCORES.confidence()
    for k in range(4):
        alone = np.concatenate([model.gain_at(confidence[: k + 1, n : n + 1]) for n in range(30)])
        np.testing.assert_allclose(alone, model.gains(confidence)[k, :30], atol=1e-12)


def test_missing_confidence_now_never_stops_and_earlier_does_not_matter_much():
    model, crossed = fit_gain(SCORES)
    missing = np.isnan(SCORES.confidence())
    np.testing.assert_array_equal(np.isnan(model.gains(SCORES.confidence()))[:-1], missing[:-1])
    np.testing.assert_array_equal(np.isnan(crossed)[:-1], missing[:-1])


def test_a_video_that_is_hopeless_everywhere_has_more_to_gain_from_stopping():
    rng = np.random.default_rng(1)
    hopeless = rng.random(4000) < 0.5
    # First exits are unsure of both kinds; only the others profit from going on.
    confidence = np.stack([np.where(hopeless, 0.2, 0.4) + 0.05 * rng.random(4000), np.ones(4000)])
    correct = np.stack([np.zeros(4000), ~hopeless])
    _, gains = fit_gain(ExitScores(cost_E=[1.0, 2.0], confidence_EN=confidence, correct_EN=correct))
    assert gains[0, hopeless].min() > gains[0, ~hopeless].max()
    np.testing.assert_allclose(gains[0, hopeless].mean(), 0, atol=0.1)
    np.testing.assert_allclose(gains[0, ~hopeless].mean(), -1, atol=0.1)


@pytest.mark.parametrize("exit_index", range(4))
def test_the_number_of_features_is_known_without_data(exit_index):
    features = gain_features(np.zeros((exit_index + 1, 2)), [[0.0, 1.0]] * 9, [-1.0, 1.0], HINGES)
    assert features.shape[1] == _num_features(exit_index)


def test_constant_and_missing_confidences_do_no_harm():
    for confidence in (np.full((3, 50), 0.5), np.full((3, 50), np.nan)):
        scores = ExitScores(cost_E=[1, 2, 3], confidence_EN=confidence, correct_EN=np.ones((3, 50)))
        model, gains = fit_gain(scores)
        assert np.isfinite(np.array(model.weights[1])).all()
        assert np.isnan(gains[:-1]).all() == np.isnan(confidence).all()


def test_dict_round_trip():
    model, _ = fit_gain(SCORES)
    assert GainModel.from_dict(model.to_dict()) == model
    assert hash(model) == hash(GainModel.from_dict(model.to_dict()))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("weights"),
        lambda d: d["weights"][0].pop(),
        lambda d: d["quantiles"][0].pop(),
        lambda d: d["quantiles"].pop(),
        lambda d: d.update(weights="many"),
    ],
)
def test_damaged_gains_are_refused(change):
    values = fit_gain(SCORES)[0].to_dict()
    change(values)
    with pytest.raises(PolicyError):
        GainModel.from_dict(values)


def test_too_few_videos_and_other_exits_are_refused():
    with pytest.raises(ScoresError, match="at least 5 videos"):
        fit_gain(random_scores(0, num_videos=4))
    with pytest.raises(PolicyError, match="4 exits, but there are 2"):
        fit_gain(SCORES)[0].gains(np.zeros((2, 3)))
