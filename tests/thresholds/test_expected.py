import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy, evaluate_policy
from dynsearch.thresholds.expected import expected_loss


@pytest.mark.parametrize("loss", [-0.015, -0.004, 0.0, 0.01, 0.08])
def test_it_is_the_mean_of_a_normal_loss_cut_off_at_zero(loss):
    """E[max(loss, 0)] by way of scipy's truncated normal."""
    error = 0.01
    if loss < -0.02:
        pytest.skip("beyond chance")
    above = truncnorm.mean(-loss / error, np.inf, loc=loss, scale=error)
    assert expected_loss(loss, error) == pytest.approx(above * norm.cdf(loss / error))


def test_what_is_won_beyond_chance_and_what_is_known_is_taken_as_it_is():
    assert expected_loss(-0.021, 0.01) == -0.021
    assert expected_loss(0.3, 0.0) == 0.3


def told(harmed, helped, num_videos):
    """What a point says that stops every video at the first of two exits."""
    correct = np.ones((2, num_videos), dtype=bool)
    correct[0, :harmed] = False
    correct[1, harmed : harmed + helped] = False
    scores = ExitScores(cost_E=[1.0, 2.0], confidence_EN=np.ones((2, num_videos)), correct_EN=correct)
    return evaluate_policy(ExitPolicy((0.5, -np.inf)), scores)


def test_a_point_is_doubtful_where_its_videos_cannot_exclude_a_loss_of_several_points():
    few = told(0, 0, 19)
    assert (few.loss, few.top1) == (0.0, 1.0)
    assert few.doubt == "19 videos can't tell its loss against full inference from up to 7 points"
    assert told(10, 10, 200).doubt
    assert not told(10, 10, 2000).doubt
    assert not told(50, 0, 200).doubt, "it is known to lose much"
    point = told(12, 5, 400)
    assert point.loss == pytest.approx(7 / 400)
    assert point.loss_error == pytest.approx(np.sqrt(17.5) / 400)
