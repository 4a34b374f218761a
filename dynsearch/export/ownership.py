"""Whose is what lies where a bundle or graph files are to be written: nothing of the user's is replaced unasked."""

import hashlib
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from dynsearch.errors import BundleError
from dynsearch.files import check_no_input
from dynsearch.plan import Plan
from dynsearch.timing.tables import TABLES
from dynsearch.training.made import SCORES, STATE, WEIGHTS

HUB_WEIGHTS = "model.safetensors"
"""The same under the name that model hubs look for."""
FILES = ("plan.yaml", "labels.txt", "recipe.yaml", "policy.yaml")
"""What makes a folder a bundle, with the weights."""
CARD, RUNNER = "README.md", "run.py"
BUDGETS = "budgets.safetensors"
"""Networks and points for all budgets."""
CONTENTS = "contents.json"
"""What tells the content of the videos apart that it was trained and measured on, by split."""
PROMISE = "promise.json"
"""What the operating point achieved on test, which ``predict --monitor`` compares with."""

_TRAINED = (*SCORES.values(), "frontier-calibration.npz", STATE, "metrics.jsonl", "tensorboard", "bases", HUB_WEIGHTS,
            "config.json")  # fmt: skip
"""What trainings and model hubs leave beside a bundle."""
_GRAPHS = ("onnx", "torch-export")
_GRAPH_FILE = re.compile(
    r"step\d+\.(onnx|pt2)|weights\.bin|network\.json|policy\.yaml|run\.py|__pycache__|(scores|frontier)-\w+\.npz"
)
_MARK = "as written by dynsearch: "
UNMARKED = {CARD: "library_name: dynsearch", RUNNER: "Runs the graphs in this folder"}
"""What these files said before they had a mark."""
_ELSEWHERE = "Give another --output"


def marked(text: str, comment: str, *others: bytes) -> str:
    """Return ``text`` with a last comment by which it is known later whether it, or ``others``, were changed.

    Args:
        text: Of a file.
        comment: How comments are written in it, with ``{}`` for what they say.
        others: What the mark is about too.
    """
    begin, end = f"{text}\n{comment}\n".rsplit("{}", 1)
    return f"{begin}{_MARK}{_digest(begin.encode(), *others)}{end}"


def weights_digest(path: Path) -> bytes:
    """Return the digest of a weights file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def check_export(folder: Path, inputs: Iterable[Path], *, force: bool) -> None:
    """Refuse to write a bundle over anything but an exported one that nobody has changed or trained.

    Raises:
        BundleError: It says what is there.
        InputError: ``folder`` is an input, or holds one.
    """
    names, problem = _names(folder), None
    if trained := names.intersection(_TRAINED):
        problem = f"holds {min(trained)}: a training, which would be lost"
    elif others := names.difference(FILES, _GRAPHS, (WEIGHTS, CARD, CONTENTS, BUDGETS, PROMISE, TABLES)):
        problem = f"holds {min(others)}, which no export wrote"
    elif names and not _untouched(folder):
        problem = "holds files that were changed since they were exported, or that no export wrote"
    problem = problem or next(filter(None, (_graphs_problem(folder / name) for name in _GRAPHS)), None)
    check_no_input(folder, inputs, ours=problem is None)
    if problem and not force:
        raise BundleError(
            problem, where=str(folder), hint=f"{_ELSEWHERE}, or --force to replace what a bundle is made of"
        )


def check_training(folder: Path, plans: Sequence[Plan], inputs: Iterable[Path | None]) -> None:
    """Refuse to train in a folder that holds anything but the training of one of these plans.

    Raises:
        BundleError: It says what is there.
        InputError: ``folder`` is an input, or holds one.
    """
    names, problem = _names(folder), None
    others = names.difference(FILES, _TRAINED, _GRAPHS, (WEIGHTS, CARD, CONTENTS, BUDGETS, PROMISE, TABLES))
    if others and not ("plan.yaml" in names and names.intersection(_TRAINED)):
        problem = f"holds {min(others)}, which no training wrote"
    elif "policy.yaml" in names and SCORES["test"] not in names:
        problem = "is a bundle that was exported, and not trained here"
    elif CARD in names and not _untouched(folder):
        problem = f"its {CARD} or another file of the bundle was changed since it was trained"
    elif "plan.yaml" in names and (there := Plan.load(folder / "plan.yaml")) not in plans:
        problem = f"holds plan {there.plan_id}, not {plans[0].plan_id}"
    check_no_input(folder, inputs, ours=problem is None)
    if problem:
        raise BundleError(problem, where=str(folder), hint=_ELSEWHERE)


def check_graphs(folder: Path, *, force: bool) -> None:
    """Refuse to write graph files beside others, or over a ``run.py`` that was changed.

    Raises:
        BundleError: It says what is there.
    """
    problem = _graphs_problem(folder)
    if problem and not force:
        raise BundleError(problem, where=str(folder), hint=f"{_ELSEWHERE}, or --force")


def replace_graphs(folder: Path, made: Path, *, last: str) -> None:
    """Move graph files from ``made`` to ``folder``, in the place of those there, the file ``last`` last."""
    folder.mkdir(exist_ok=True)
    for path in (folder / last, *folder.iterdir()):
        if _GRAPH_FILE.fullmatch(path.name) and path.name != "__pycache__":
            path.unlink(missing_ok=True)
    for path in sorted(made.iterdir(), key=lambda path: path.name == last):
        path.replace(folder / path.name)


def clear(folder: Path) -> None:
    """Remove what an earlier bundle, training or set of graph files left; where there is none, nothing."""
    names = _names(folder)
    if "plan.yaml" not in names or not names.intersection((WEIGHTS, *_TRAINED)):
        return
    for name in ("policy.yaml", CONTENTS, BUDGETS, PROMISE, TABLES, *_TRAINED):
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    for graphs in (folder / name for name in names.intersection(_GRAPHS)):
        for name in _names(graphs):
            if _GRAPH_FILE.fullmatch(name) and (graphs / name).is_file():
                (graphs / name).unlink()
        if not any(graphs.iterdir()):
            graphs.rmdir()


def _names(folder: Path) -> set[str]:
    """Return what lies in a folder, without what killed writers and systems leave."""
    if folder.exists() and not folder.is_dir():
        raise BundleError("is a file; a bundle is a folder", where=str(folder), hint=_ELSEWHERE)
    return {path.name for path in folder.iterdir() if path.name[0] != "."} if folder.is_dir() else set()


def _untouched(folder: Path) -> bool:
    """Return whether a bundle is as it was written; of one that was broken off, whether dynsearch began it."""
    files = [folder / name for name in FILES]
    if not all(path.is_file() for path in (*files, folder / WEIGHTS)):
        return (folder / CARD).is_file() and _MARK in (folder / CARD).read_text(errors="replace")
    return _as_marked(folder / CARD, weights_digest(folder / WEIGHTS), *(path.read_bytes() for path in files))


def _graphs_problem(folder: Path) -> str | None:
    names = _names(folder)
    if others := [name for name in names if not _GRAPH_FILE.fullmatch(name)]:
        return f"{folder.name} holds {min(others)}, which is no graph file"
    if RUNNER in names and not _as_marked(folder / RUNNER):
        return f"{folder.name}/{RUNNER} was changed since it was written"
    return None


def _as_marked(path: Path, *others: bytes) -> bool:
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    begin, mark, end = text.rpartition(_MARK)
    if not mark:
        return UNMARKED[path.name] in text
    return end.removesuffix(" -->\n").removesuffix("\n") == _digest(begin.encode(), *others)


def _digest(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:16]
