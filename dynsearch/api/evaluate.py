"""Dynamic inference of a bundle, or of a plan with weights, over videos."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from dynsearch.api.score import OfPlans, Scorable, refuse_of_plans, score
from dynsearch.api.videos import Split, open_videos
from dynsearch.data.catalogue import get_metrics
from dynsearch.data.dataset_info import DatasetInfo
from dynsearch.export.evaluation import Evaluation
from dynsearch.export.evaluation import evaluate as measure
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.plan import Plan
from dynsearch.study.run_settings import RunSettings


def evaluate(
    bundle: Scorable,
    dataset: str | DatasetInfo | None = None,
    *,
    split: Split = "test",
    batch_size: int = 32,
    data_root: str | os.PathLike[str] | None = None,
    runtime: str = "auto",
    max_waiting: int | None = None,
    run: RunSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
    warn: Callable[[str], None] | None = None,
    **plans: Unpack[OfPlans],
) -> Evaluation:
    """Run a bundle on a split, really stopping early, and again to the last exit.

    Args:
        bundle: What :func:`dynsearch.load` returned, a bundle, or its folder; or a plan, which ``weights`` go with, and
            whose thresholds are chosen on the data set's calibration split.
        dataset: Name of a data set, or what :func:`dynsearch.add_dataset` returned; None takes the bundle's.
        split: Which of its splits; ``all`` takes every video there.
        batch_size: Videos that go through the network together.
        data_root: The data set's own folder; None takes where it was last, or its place below the data home.
        runtime: What runs the network; see :class:`dynsearch.export.loaded.LoadedNetwork`, which has its own.
        max_waiting: How many videos may wait, with their frames, for a full batch to go on; None: four batches.
        run: How videos are read: ``reader``, ``num_workers`` and ``allow_outside``.
        progress: Told after every batch how many videos are done, and of how many.
        warn: Told what makes the figures doubtful; None makes it a warning of Python's.
        plans: For a plan: ``weights``, ``class_names``, ``activation``, ``resize``, ``sampling``, ``max_gflops`` and
            ``max_ms``, as :func:`dynsearch.score` takes them. For a bundle the budgets as in :meth:`LoadedNetwork.at`.

    Raises:
        BundleError: The folder is no bundle.
        DataError: The data set's files can't be used, or none of its classes is the bundle's.
        VideoError: A video can't be read.
    """
    tell = warn or (lambda text: warnings.warn(text, stacklevel=3))
    if plans.get("weights") is not None or isinstance(bundle, Plan):
        with tempfile.TemporaryDirectory() as folder:
            made = score(
                bundle, dataset, output=folder, batch_size=batch_size, data_root=data_root, run=run, warn=tell, **plans
            ).bundle  # fmt: skip
            assert made is not None
            own = tell if split == "all" else lambda text: None  # the rest was said already
            return evaluate(
                LoadedNetwork(made, runtime=runtime), dataset, split=split, batch_size=batch_size,
                data_root=data_root, max_waiting=max_waiting, run=run, progress=progress, warn=own,
            )  # fmt: skip
    limits = {"max_gflops": plans.pop("max_gflops", None), "max_ms": plans.pop("max_ms", None)}
    refuse_of_plans(**plans)
    loaded = bundle if isinstance(bundle, LoadedNetwork) else LoadedNetwork(bundle, runtime=runtime)
    loaded = loaded.at(**limits)
    bundle = loaded.bundle
    name = dataset.name if isinstance(dataset, DatasetInfo) else dataset
    source = open_videos(
        bundle.recipe,
        bundle.class_names,
        split,
        dataset=name,
        data_root=bundle.root(name, None if data_root is None else Path(data_root)),
        run=run or RunSettings(),
        known=bundle.contents(),
        warn=tell,
    )
    config = bundle.recipe.training.model_copy(update={"batch_size": batch_size})
    loader = source.loader(split, bundle.plan, config, training=False, seed=bundle.recipe.seed)
    total = len(source.video_ids(split))
    done = None if progress is None else lambda count: progress(count, total)
    further = get_metrics(source.dataset.name)
    return measure(
        loaded, loader, further, on_videos=done, activation=bundle.activation, batch=batch_size,
        max_waiting=max_waiting, groups=source.sources(split),
    )  # fmt: skip
