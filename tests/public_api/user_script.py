"""What a user writes, and what a type checker says of it: `test_types.py` reads what is revealed here."""

from pathlib import Path
from typing import reveal_type

import numpy as np

import dynsearch

plan = dynsearch.Plan(
    "resnet50", num_frames=16, num_sets=8, frame_order="paper", exits="2x3 8x5", temporal_shift="online"
)
reveal_type(plan)
reveal_type(plan.plan_id)
reveal_type(plan.exits)
reveal_type(plan.to_dict())
reveal_type(plan.to_pandas())
reveal_type(plan.plot())
reveal_type(dynsearch.Plan.load("plan.yaml"))

scores = dynsearch.ExitScores.load(Path("scores.npz"))
reveal_type(scores)
reveal_type(scores.logits_ENK)
reveal_type(scores.labels_N)
reveal_type(scores.correct())
reveal_type(scores.confidence())
reveal_type(scores.to_pandas())
reveal_type(dynsearch.ExitScores.from_logits(np.zeros((2, 3, 4)), [0, 1, 2], [1.0, 2.0]))

curve = dynsearch.solve_thresholds(scores, "geometric", qs=[0.5, 1.0])
reveal_type(curve)
reveal_type(curve[0])
reveal_type(curve.to_pandas())
reveal_type(curve.plot())
point = curve.best_under(max_gflops=25)
reveal_type(point.thresholds)
reveal_type(point.top1)
reveal_type(point.exit_share)
reveal_type(point.evaluate(scores))
reveal_type(point.policy)
reveal_type(point.to_dict())

found = dynsearch.calibrate("scores.npz", max_gflops=25, test=scores, safe=True)
reveal_type(found)
reveal_type(found.point)
reveal_type(found.policy)
reveal_type(found.applied)
reveal_type(found.rows())
reveal_type(found.to_dict())
reveal_type(found.to_json())
reveal_type(found.to_pandas())
reveal_type(found.plot())


def tell(event: dynsearch.StudyEvent) -> None:
    """Print what happens."""
    print(reveal_type(event.text), reveal_type(event.trial), reveal_type(event.point))


videos = dynsearch.add_dataset("mine", [("a.mp4", "nod"), (Path("b.mp4"), "wave", "test")])
reveal_type(videos)
study = dynsearch.run_study(
    videos,
    0.04,
    recipe="motions",
    run=dynsearch.RunSettings(concurrent=2),
    settings={"num_trials": 4},
    progress=tell,
)
reveal_type(study)
reveal_type(study.points)
reveal_type(study.best_under())
reveal_type(study.plan(study.best_under()))
reveal_type(study.to_pandas())
reveal_type(study.plot())
reveal_type(study.export("net", max_gflops=0.04))
reveal_type(dynsearch.Study.open("motions").results)

net = dynsearch.load("net", device="cpu")
reveal_type(net)
reveal_type(net.predict("video.mp4"))
reveal_type(net.predict(["a.mp4", "b.mp4"], batch=4))
reveal_type(net.predict(np.zeros((8, 64, 64, 3), np.uint8)).top5)
reveal_type(net.bundle)
reveal_type(net.at(0.03))
measured = dynsearch.evaluate(net, split="calibration")
reveal_type(measured)
reveal_type(measured.top1)
reveal_type(measured.difference)

network = dynsearch.build_network(plan, 10)
reveal_type(network)
reveal_type(dynsearch.cost_table(plan, 10))
reveal_type(dynsearch.read_frames("video.mp4", [0, 1]))
reveal_type(dynsearch.SOLVERS)
reveal_type(dynsearch.CONFIDENCE_MEASURES)
reveal_type(dynsearch.DATASETS)
