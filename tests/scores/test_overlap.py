import numpy as np
import pytest

from dynsearch.errors import ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.overlap import check_disjoint


def scores(ids, seed=0):
    confidence = np.random.default_rng(seed).random((2, 3))
    return ExitScores(cost_E=[1, 2], confidence_EN=confidence, correct_EN=np.ones((2, 3)), video_ids_N=ids)


def test_shared_ids_are_refused_and_named():
    with pytest.raises(ScoresError, match="2 of 3 videos are also in the calibration scores, one is 'b'"):
        check_disjoint(scores(["a", "b", "c"]), scores(["b", "c", "d"], seed=1))
    with pytest.raises(ScoresError, match="1 of 3 videos are also"):
        check_disjoint(scores(["a", "b", "vid\u00e9"]), scores(["vide\u0301", "c", "d"], seed=1))


def test_different_ids_pass():
    assert check_disjoint(scores(["a", "b", "c"]), scores(["d", "e", "f"]))


def test_without_ids_only_identical_scores_are_noticed():
    assert not check_disjoint(scores(None), scores(["d", "e", "f"], seed=1))
    with pytest.raises(ScoresError, match="the calibration scores themselves"):
        check_disjoint(scores(None), scores(None))
