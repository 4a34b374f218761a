"""A toy evaluator: real exit scores in milliseconds, drawn from a model of accuracy rising with cost."""

import numpy as np

from dynsearch.cost import cost_table
from dynsearch.scores import ExitScores
from dynsearch.search.recipe import StudyRecipe
from dynsearch.space import SearchSpace
from dynsearch.training.run import TrainedScores

NUM_CLASSES = 4
SPACE = SearchSpace.model_validate(
    {
        "backbones": ["test_resnet"],
        "frames": [{"num_frames": 4, "num_sets": 4}, {"num_frames": 8, "num_sets": 8}],
        "image_sizes": [48],
        "frame_orders": ["sequential", "paper"],
        "exits": {"min_exits": 1, "max_exits": 4, "min_depth": 3, "max_depth": 5},
    }
)


def recipe(**changes):
    values = {"dataset": "toy", "space": "toy", "max_gflops": 0.05, "num_trials": 6, "seed": 3}
    return StudyRecipe.model_validate(values | changes)


class ToyEvaluator:
    """Draws logits whose right class stands out the more, the more an exit costs. Deterministic by plan."""

    def __init__(self, fail_on=()):
        self.evaluated = []
        self.fail_on = fail_on

    def __call__(self, job):
        self.evaluated.append(job.number)
        if job.number in self.fail_on:
            raise RuntimeError("out of memory")
        path = job.folder / "scores-test.npz"
        scores = {split: self.draw(job.plan, split) for split in ("calibration", "test")}
        for split, measured in scores.items():
            measured.save(path.with_name(f"scores-{split}.npz"))
        return TrainedScores(**scores)

    @staticmethod
    def draw(plan, split):
        rng = np.random.default_rng([int(plan.plan_id, 16) % 2**32, len(split)])
        gmacs_E = np.array(cost_table(plan, NUM_CLASSES).gmacs_E)
        labels_N = rng.integers(0, NUM_CLASSES, 120)
        logits_ENK = rng.normal(size=(len(gmacs_E), 120, NUM_CLASSES))
        logits_ENK[:, np.arange(120), labels_N] += 2 + 2 * np.log10(gmacs_E / 0.005)[:, None]
        return ExitScores.from_logits(
            logits_ENK.astype(np.float32), labels_N, gmacs_E,
            video_ids=[f"{split}{i}" for i in range(120)], plan_id=plan.plan_id, split=split,
        )  # fmt: skip


class Silent:
    """An observer that remembers what it was told."""

    def __init__(self):
        self.refusals, self.ends, self.was_exhausted = [], [], False

    def refused(self, number, plan, reason):
        self.refusals.append((number, reason))

    def started(self, number, plan):
        pass

    def ended(self, number, point, error):
        self.ends.append((number, error))

    def exhausted(self):
        self.was_exhausted = True
