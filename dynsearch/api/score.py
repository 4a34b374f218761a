"""Exit scores of a trained network, and a bundle of a network that was trained elsewhere: nothing is trained."""

import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypedDict

import torch

from dynsearch.api.videos import Split, open_videos
from dynsearch.data.dataset_info import DatasetInfo
from dynsearch.data.sampling import Resize, Sampling
from dynsearch.errors import InputError, WeightsError
from dynsearch.export.bundle import Bundle, class_names_in
from dynsearch.export.loaded import LoadedNetwork, load_network
from dynsearch.export.ownership import check_export
from dynsearch.export.train import calibrated_bundle
from dynsearch.families import build_network, family_of
from dynsearch.files import check_outputs
from dynsearch.network import MultiExitNetwork
from dynsearch.network.runtimes import runtime_for
from dynsearch.network.weights.files import load_weights, read_tensors, save_weights
from dynsearch.plan import Plan
from dynsearch.plan.shipped import find_plan
from dynsearch.plan.starting_weights import Files, Weights, as_weights, check_names, weights_files
from dynsearch.scores import ExitScores
from dynsearch.scores.suspicions import suspicions
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.recipe_file import load_recipe, recipe_for
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.device import pick_device
from dynsearch.training.made import SCORES, WEIGHTS
from dynsearch.training.run import TrainedScores
from dynsearch.training.scorer import score as measured
from dynsearch.training.seeding import seed_torch
from dynsearch.training.source import DatasetClips

Scorable = LoadedNetwork | Bundle | Plan | str | os.PathLike[str]
"""A bundle or its folder; or a plan, its file or the name of one of the papers', with weights."""


class OfPlans(TypedDict, total=False):
    """What a plan with weights is asked for, and a bundle has."""

    weights: Files | None
    class_names: Sequence[str] | os.PathLike[str] | None
    activation: str | None
    resize: Resize | None
    sampling: Sampling | None
    max_gflops: float | None
    max_ms: float | None


class Scored(NamedTuple):
    """What :func:`score` returns.

    Attributes:
        scores: The exit scores, by split.
        bundle: The bundle that was written; None where none was.
        runtime: What ran the network.
    """

    scores: dict[str, ExitScores]
    bundle: Bundle | None
    runtime: str


def score(
    what: Scorable,
    dataset: str | DatasetInfo | None = None,
    *,
    weights: Files | None = None,
    split: Split | None = None,
    output: str | os.PathLike[str] | None = None,
    class_names: Sequence[str] | os.PathLike[str] | None = None,
    activation: str | None = None,
    resize: Resize | None = None,
    sampling: Sampling | None = None,
    max_gflops: float | None = None,
    max_ms: float | None = None,
    batch_size: int = 32,
    runtime: str = "auto",
    data_root: str | os.PathLike[str] | None = None,
    run: RunSettings | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Scored:
    """Measure every exit of a trained network on a data set, without training it.

    Args:
        what: A bundle; or a plan, for which ``weights`` are given.
        dataset: Name of a data set, or what :func:`dynsearch.add_dataset` returned; None takes the bundle's.
        weights: The network's weights, in any layout that is read; or files by name of a backbone.
        split: ``calibration``, ``test``, or ``all``, which takes every video there; None measures on the first two.
        output: With a split, the file for the scores; else the folder for both, and a bundle with thresholds chosen on
            calibration.
        class_names: With a plan: the classes in the order of the network's logits, or the file that names them, one a
            line; None takes the data set's order.
        activation: With a plan: what made probabilities of the logits in the network's loss, as in ``ExitScores``.
        resize: With a plan: how frames become squares, as in ``training.resize``.
        sampling: With a plan: which frames it sees, as in ``training.sampling``.
        max_gflops: The budget of the bundle's thresholds. Without one, the cheapest point is taken that is as accurate
            on calibration as the full network.
        max_ms: The same in milliseconds; a plan is then costed by a table of times of this machine.
        batch_size: Videos that go through the network together.
        runtime: What runs the network; on a CPU ``auto`` is the network as it is, ``eager``.
        data_root: The data set's own folder; None takes where it was last, or its place below the data home.
        run: How videos are read.
        force: Write over what is there.
        progress: Told after every batch how many videos of a split are done, and of how many.
        warn: Told what looks wrong; None makes it a warning of Python's.

    Raises:
        InputError: Names, files or wishes don't go together.
        WeightsError: The weights can't be had, are of another network, or some exit has no head among them.
        DataError: The data set's files can't be used, or have none of the classes.
        VideoError: A video can't be read.
    """
    tell = warn or (lambda text: warnings.warn(text, stacklevel=3))
    name = dataset.name if isinstance(dataset, DatasetInfo) else dataset
    target, root = (None if path is None else Path(path) for path in (output, data_root))
    file = as_weights(weights)
    bundle = what.bundle if isinstance(what, LoadedNetwork) else what if isinstance(what, Bundle) else None
    if bundle is None and file is None and isinstance(what, str | os.PathLike):
        bundle = Bundle.load(what)
    inputs = [path for path in (root, *weights_files(file), bundle and bundle.folder) if path]
    if target and split:
        own = [bundle.folder / name for name in SCORES.values()] if bundle else []
        check_outputs([(target, r"made\.npy")], [*inputs, *own], force=force)
    elif target:
        check_export(target, inputs, force=force)
    if bundle is not None:
        refuse_of_plans(
            weights=file, class_names=class_names, activation=activation, resize=resize, sampling=sampling
        )  # fmt: skip
        recipe, plan, known = bundle.recipe, bundle.plan, bundle.contents()
        root, class_names = bundle.root(name, root), bundle.class_names
    else:
        if file is None or name is None:
            raise InputError("a plan needs weights and a data set", hint="Give --weights FILE and --dataset")
        assert not isinstance(what, LoadedNetwork | Bundle)
        plan, known = what if isinstance(what, Plan) else find_plan(os.fspath(what)), {}
        check_names(file, family_of(plan).backbone_names)
        recipe = _recipe(name, max_ms, resize=resize or "crop", sampling=sampling or "segments")
        if isinstance(class_names, os.PathLike):
            class_names = class_names_in(Path(class_names))
    source = open_videos(
        recipe, class_names, split, dataset=name, data_root=root, run=run or RunSettings(), known=known, warn=tell
    )  # fmt: skip
    count = len(source.dataset.class_names)
    network = load_network(bundle) if bundle else brought_network(plan, count, recipe, file or {}, tell)
    config = recipe.training.model_copy(update={"batch_size": batch_size})
    device, scores = pick_device(), dict[str, ExitScores]()
    network.to(device).to(memory_format=torch.channels_last).eval()
    as_it_is = runtime == "eager" or (runtime == "auto" and device.type == "cpu")
    ran, steps = ("eager", None) if as_it_is else runtime_for(runtime, network, tell)
    for one in source.dataset.splits:
        loader = source.loader(one, plan, config, training=False, seed=recipe.seed)
        found = measured(
            network, loader, video_ids=source.video_ids(one), split=one, device=device, steps=steps,
            groups=source.sources(one), on_step=progress and (lambda report: progress(report.done, report.total)),
        )  # fmt: skip
        scores[one] = replace(found, activation=activation or "")
        for said in suspicions(scores[one]):
            tell(f"{one} scores: {said}")
    if target and split:
        scores[split].save(target, json.dumps({"plan": plan.plan_id, "dataset": source.dataset.name}))
    elif target:
        limit = recipe.measure.one_budget(None, max_gflops=max_gflops, max_ms=max_ms)
        recipe = recipe.model_copy(update={"dataset": source.dataset.name})
        made = _kept(target, network, scores, recipe, source, limit, brought=bundle is None)
        return Scored(scores, made, ran)
    return Scored(scores, None, ran)


def _kept(
    target: Path,
    network: MultiExitNetwork,
    scores: dict[str, ExitScores],
    recipe: StudyRecipe,
    source: DatasetClips,
    budget: float | None,
    *,
    brought: bool,
) -> Bundle:
    """Write a scored network as a bundle, with its scores."""
    target.mkdir(parents=True, exist_ok=True)
    save_weights(network, target / WEIGHTS)
    for split, each in scores.items():
        each.save(target / SCORES[split])
    names, both = source.dataset.class_names, TrainedScores(**scores)
    more = {"data": source.identity, "root": source.dataset.root, "brought": brought}
    return calibrated_bundle(target, network.plan, recipe, names, both, budget, target / WEIGHTS, **more)[0]


def _recipe(dataset: str, max_ms: float | None, **asked: str) -> StudyRecipe:
    """Return the recipe that says how a brought network sees a data set's videos."""
    settings = [f"training.{field}={value}" for field, value in {"pretrained": "false", **asked}.items()]
    overrides = {"dataset": dataset, "max_ms": max_ms}
    recipe, _ = load_recipe(recipe_for(dataset), settings=settings, overrides=overrides)
    return recipe.model_copy(update={"frame_cache": None})


def refuse_of_plans(**wishes: object) -> None:
    """Refuse with a bundle what only a plan is asked for: InputError names it."""
    if given := [name for name, value in wishes.items() if value is not None]:
        raise InputError(
            f"a bundle has its own {', '.join(given)}", hint="Give them with a plan and its weights"
        )


def brought_network(
    plan: Plan, num_classes: int, recipe: StudyRecipe, weights: Weights, tell: Callable[[str], None]
) -> MultiExitNetwork:
    """Return the plan's network with the weights of a file, heads and all.

    Raises:
        WeightsError: They can't be had, are of another network, or some part of it has none among them.
    """
    seed_torch(0, "init")
    network = build_network(plan, num_classes, measure=recipe.measure)
    if isinstance(weights, Path) and network.state_dict().keys() == read_tensors(weights).keys():
        load_weights(network, weights)
        return network
    loaded = family_of(plan).start(network, pretrained=False, weights=weights)
    for found in loaded:
        tell(str(found))
    if fresh := [part for found in loaded for part in found.fresh] if loaded else ["the network"]:
        raise WeightsError(
            f"gives no weights for {num_classes} classes to {'; '.join(fresh)}",
            where=", ".join(map(str, weights_files(weights))),
            hint="The plan's exits need heads in the file, for as many classes as the data set (or class_names) has; "
            "heads alone are fitted by `dynsearch train PLAN --only heads`",
        )
    return network
