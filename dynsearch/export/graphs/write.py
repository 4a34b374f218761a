"""Writes a bundle's network as graph files, with what a runtime needs to stop early."""

import inspect
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dynsearch.data import frame_index, pyav_reader
from dynsearch.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from dynsearch.errors import BundleError, shown
from dynsearch.export.bundle import Bundle
from dynsearch.export.graphs import runner
from dynsearch.export.graphs.int8 import Int8, quantised
from dynsearch.export.graphs.share import share_weights
from dynsearch.export.int8_files import MANIFEST, POLICY
from dynsearch.export.loaded import load_network, short_side
from dynsearch.export.ownership import RUNNER, check_graphs, marked, replace_graphs, weights_digest
from dynsearch.files import write_text, written_whole
from dynsearch.measures import COUNTED
from dynsearch.network import MultiExitNetwork
from dynsearch.network.runtimes.onnx import check_onnx, onnx_graph
from dynsearch.network.step_module import StepModule, exported, step_modules
from dynsearch.scores import stop_rule
from dynsearch.scores.confidence import CONFIDENCE_MEASURES
from dynsearch.training.made import SCORES
from dynsearch.training.progress import OnStep
from dynsearch.training.source import DatasetClips

FORMATS = {"onnx": ".onnx", "torch-export": ".pt2"}
"""Suffix of the graph files by format."""

_ERROR = '''

class VideoError(ValueError):
    """A video file that can't be read, named with the reason."""

    def __init__(self, problem: str, *, where: str, hint: str) -> None:
        super().__init__(f"{where}: {problem}")


'''
"""What the reader raises where dynsearch is not."""


def write_graphs(
    bundle: Bundle,
    folder: Path,
    format_: str,
    *,
    int8: DatasetClips | None = None,
    force: bool = False,
    on_step: OnStep | None = None,
) -> Int8 | None:
    """Write one graph for each step from exit to exit, ``network.json`` and ``run.py`` into ``folder``.

    ``run.py`` needs neither torch (for ONNX) nor dynsearch. All is made elsewhere first; the manifest ``network.json``
    comes last and makes the folder complete. Batches of any size can be run.

    Args:
        bundle: The network with its policy.
        folder: Made if it is not there.
        format_: A key of :data:`FORMATS`.
        int8: The data set, on whose calibration clips ONNX graphs are quantised and their thresholds solved again.
        force: Write beside and over files that are not graph files as they were written.
        on_step: Told how far scoring for ``int8`` is.

    Returns:
        With ``int8``, what was measured; its scores lie in ``folder`` too.

    Raises:
        BundleError: The format is unknown, what writes it is not installed, or the network can't be traced or
            quantised; or ``folder`` holds something else.
        WeightsError: The weights are damaged or of another network.
    """
    if format_ not in FORMATS:
        raise BundleError(f"there is no graph format {format_!r}", hint=f"Formats: {', '.join(FORMATS)}")
    measure = bundle.policy.measure
    if measure != stop_rule.FIRST_CHOICE and not CONFIDENCE_MEASURES.is_shipped(measure):
        raise BundleError(
            f"the confidence measure {shown(measure)} is not dynsearch's own, and run.py can't compute it",
            hint="Serve the bundle itself: dynsearch.load(FOLDER).predict(VIDEO)",
        )
    training = bundle.recipe.training
    if (training.resize, training.sampling) != ("crop", "segments"):
        raise BundleError(
            "run.py crops the middle frames of segments, and this network was trained with "
            f"training.resize={training.resize} and training.sampling={training.sampling}",
            hint="Serve the bundle itself: dynsearch.load(FOLDER).predict(VIDEO)",
        )
    if format_ == "onnx":
        check_onnx()
    budgets = {bundle.recipe.measure.budget_name, *bundle.recipe.limits} - {COUNTED.budget_name}
    if int8 is not None and budgets:
        raise BundleError(
            f"its costs are in {min(budgets)[4:]}, which were measured in float32 and are others in int8",
            where=str(bundle.folder),
            hint="Export it without --quantize",
        )
    check_graphs(folder, force=force)
    network = load_network(bundle).eval()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
        found = _write_all(Path(made), bundle, network, format_, int8, on_step)
        replace_graphs(folder, Path(made), last=MANIFEST)
    return found


def _write_all(
    folder: Path,
    bundle: Bundle,
    network: MultiExitNetwork,
    format_: str,
    int8: DatasetClips | None,
    on_step: OnStep | None,
) -> Int8 | None:
    plan = bundle.plan
    clips = torch.randn(2, plan.num_frames, 3, plan.image_size, plan.image_size)
    steps: list[StepModule] = []
    files = []
    for step, tensors in step_modules(network, clips):
        path = folder / f"step{step.k}{FORMATS[format_]}"
        try:
            _write_step(step, tensors, path, format_)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise BundleError(
                f"{plan.backbone} can't be traced: {reason}",
                where=path.name,
                hint="Serve the bundle itself: dynsearch.load(FOLDER).predict(VIDEO)",
            ) from error
        steps.append(step)
        files.append(path)
    found = None
    if int8 is not None:
        found = quantised(bundle, network, files, int8, on_step)
        bundle = replace(bundle, policy=found.chosen.calibration.policy)
        bundle.policy.save(folder / POLICY)
        for name, scores in zip(SCORES.values(), found.scores, strict=True):
            scores.save(folder / name)
    if format_ == "onnx":
        share_weights(files, folder / "weights.bin")
    write_text(folder / RUNNER, marked(runner_source(), "# {}"))
    manifest = _manifest(bundle, network, steps, files) | ({} if found is None else {"quantized": "int8"})
    write_text(folder / MANIFEST, json.dumps(manifest, indent=1, allow_nan=False) + "\n")
    return found


def runner_source() -> str:
    """Return the text of ``run.py``: the runner, with the stop rule's and the reader's own source for their imports."""
    begin = "from __future__ import annotations\n"
    head, body = inspect.getsource(runner).split(begin)
    parts = [inspect.getsource(module).split(begin)[1] for module in (stop_rule, frame_index, pyav_reader)]
    lines = "".join([*parts[:1], _ERROR, *parts[1:], body]).splitlines(keepends=True)
    return head + begin + "".join(line for line in lines if not line.startswith("from dynsearch."))


def _write_step(step: StepModule, tensors: tuple[torch.Tensor, ...], path: Path, format_: str) -> None:
    program = exported(step, tensors)
    with written_whole(path) as temporary:
        if format_ == "onnx":
            onnx_graph(program, step).save(temporary, external_data=False)
        else:
            torch.export.save(program, temporary)


def _manifest(
    bundle: Bundle, network: MultiExitNetwork, steps: list[StepModule], files: list[Path]
) -> dict[str, Any]:
    plan, policy = bundle.plan, bundle.policy
    return {
        "plan_id": plan.plan_id,
        "plan": str(plan),
        "weights": weights_digest(bundle.weights).hex(),
        "labels": list(bundle.class_names),
        "num_frames": plan.num_frames,
        "cache_frames": bundle.recipe.frame_cache and bundle.recipe.frame_cache.num_frames,
        "short_side": short_side(bundle),
        "image_size": plan.image_size,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "confidence": policy.confidence,
        # JSON has no infinity; Python's float() reads these texts.
        "thresholds": [str(value) if value in (float("inf"), -float("inf")) else value
                       for value in policy.thresholds],
        "gain": policy.gain and policy.gain.facts(),
        **({} if network.measure == COUNTED else {"measure": network.measure.name}),
        "steps": [
            {
                "graph": path.name,
                "exit": str(plan.exits.exits[step.k]),
                "frames": list(network.frames_at(step.k)),
                "frames_seen": plan.frames_seen(plan.exits.exits[step.k]),
                network.measure.name: network.cost_E[step.k],
                "inputs": step.inputs,
                "outputs": step.outputs,
            }
            for step, path in zip(steps, files, strict=True)
        ],
    }  # fmt: skip
