"""Bundles without training: random but lively weights, scores from a toy model, thresholds that really stop some."""

from dataclasses import replace

import numpy as np
import torch

from dynsearch.export import Bundle, write_bundle
from dynsearch.frontier import merge
from dynsearch.network.weights.files import save_weights
from dynsearch.thresholds import ExitPolicy, full_inference
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan
from tests.search.toy import NUM_CLASSES, ToyEvaluator, recipe

CLASSES = [f"class {i}" for i in range(NUM_CLASSES)]


def toy_bundle(folder, plan=None, confidence="max-softmax", **changes):
    """Write a bundle whose thresholds are medians of the network's own confidences on random clips."""
    plan = plan or small_plan(image_size=48)
    network = lively_network(plan, NUM_CLASSES)
    scores = {split: ToyEvaluator.draw(plan, split) for split in ("calibration", "test")}
    points = merge({0: (scores["calibration"], scores["test"])})
    folder.mkdir(parents=True)
    save_weights(network, folder / "trained.safetensors")
    bundle = write_bundle(
        folder,
        plan=plan,
        point=points[-1],
        full=full_inference(scores["test"]),
        frontier=[(plan, point) for point in points],
        weights=folder / "trained.safetensors",
        class_names=CLASSES,
        recipe=recipe(**changes),
    )
    (folder / "trained.safetensors").unlink()
    policy = middle_policy(network, plan, confidence)
    policy.save(folder / "policy.yaml")
    return replace(bundle, policy=policy)


def middle_policy(network, plan, confidence):
    """Return thresholds that stop about half of all random clips at each exit."""
    with torch.inference_mode():
        logits_EBK = network(random_clips(plan, batch=8, seed=3)).double()
    from dynsearch.scores.confidence import confidence_from_logits

    if confidence == "patience":
        limits = [0.5] * len(plan.exits)
    else:
        limits = np.median(confidence_from_logits(confidence, logits_EBK.numpy()), axis=1)
    return ExitPolicy((*limits[:-1], float("-inf")), confidence, plan.plan_id)


__all__ = ["CLASSES", "Bundle", "middle_policy", "toy_bundle"]
