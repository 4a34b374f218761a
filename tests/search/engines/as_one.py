"""What two processes of an engine make of a trial, beside what one makes."""

import numpy as np

from dynsearch.scores import ExitScores
from dynsearch.search.evaluator import TrainingEvaluator
from dynsearch.study.record import plan_of
from dynsearch.training.run import train_and_score
from tests.search.toy import SPACE, run
from tests.training.fakes import ArraySource
from tests.training.test_ranks import ONE, PAIR


def assert_trained_as_by_one(engine, tmp_path):
    """Check that an engine's two processes give a trial the scores of one that has both their batches."""
    space = SPACE.model_copy(update={"frames": SPACE.frames[:1]})
    evaluator = TrainingEvaluator(ArraySource(), PAIR, seed=1)
    study, _ = run(tmp_path / "s", evaluator, space, engine=engine, num_trials=1, max_gflops=1)
    (trial,) = study.trials
    train_and_score(plan_of(trial), ArraySource(), ONE, tmp_path / "alone", seed=1)
    for split in ("calibration", "test"):
        alone, together = (
            ExitScores.load(folder / f"scores-{split}.npz")
            for folder in (tmp_path / "alone", tmp_path / "s" / "trials" / "0")
        )
        np.testing.assert_allclose(together.logits_ENK, alone.logits_ENK, rtol=1e-3, atol=1e-4)
    assert not (tmp_path / "s" / "trials" / "0" / "training-state.safetensors").exists()
