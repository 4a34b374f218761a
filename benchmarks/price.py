"""The promised and the real hours of whole studies.

    python benchmarks/price.py [--recipes motions,gestures] [--data-root FOLDER] [--set FIELD=VALUE ...] [--output FILE]

``gestures`` wants ``--data-root`` and ``--set training.weights=FILE`` (see ``studies/gestures.yaml``), and so is run
alone: ``--set`` is for all recipes.

For each recipe ``dynsearch study --dry-run`` is asked first, then the study is run in a folder that is thrown away, and
the clock is read. Goal: real hours within 25% of those promised. Both are of the same machine under the same load only
if nothing else runs; the load average before and after is written beside them, and above the cores nothing is written
to ``benchmarks/results/price.json`` without ``--output``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dynsearch.data.home import home
from dynsearch.machine import available_cores, described
from dynsearch.study.folder import StudyFolder
from dynsearch.study.learning import one_shot_folders, seconds_of_training

GOAL = 0.25
RESULTS = Path(__file__).parent / "results" / "price.json"


def dynsearch(*arguments: str) -> str:
    """Run a command and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "dynsearch", *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def compared(recipe: str, settings: list[str], data: str | None, root: Path) -> dict[str, Any]:
    """Return what was promised of a recipe's study and what it took, in hours."""
    shutil.rmtree(home() / "paces", ignore_errors=True)  # Timed now, not yesterday.
    given = [part for setting in settings for part in ("--set", setting)]
    given += ["--data-root", data] if data and recipe == "gestures" else []
    before = os.getloadavg()[0]
    begun = time.perf_counter()
    promised = json.loads(dynsearch("study", "--recipe", recipe, "--dry-run", "--json", *given))
    asked = time.perf_counter() - begun
    begun = time.perf_counter()
    dynsearch("study", "--recipe", recipe, "--studies", str(root), "--quiet", *given)
    real, hours = (time.perf_counter() - begun) / 3600, promised["total_hours"]
    folder = StudyFolder.existing(recipe, root)
    trained = {
        "one-shot networks": sum(map(seconds_of_training, one_shot_folders(folder))) / 3600,
        "plans alone": sum(map(seconds_of_training, folder.path.glob("trials/*"))) / 3600,
    }
    return {
        "promised_hours": hours, "real_hours": real, "real_to_promised": real / hours,
        "within_goal": abs(real / hours - 1) <= GOAL, "promised_by_stage": promised["hours"],
        "real_hours_in_epochs": trained, "seconds_to_ask": asked,
        "load_average": [before, os.getloadavg()[0]],
    }  # fmt: skip


def main() -> None:
    """Compare each recipe, print a line of each, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", default="motions,gestures")
    parser.add_argument("--data-root")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    results: dict[str, Any] = {
        "goal": GOAL,
        "settings": options.settings,
        "machine": described(),
        "studies": {},
    }
    for recipe in options.recipes.split(","):
        with tempfile.TemporaryDirectory() as root:
            found = compared(recipe, options.settings, options.data_root, Path(root))
        results["studies"][recipe] = found
        print(
            f"{recipe}: {found['promised_hours']:.3f} h promised, {found['real_hours']:.3f} h taken: "
            f"{found['real_to_promised']:.2f} (goal: {1 - GOAL:.2f} to {1 + GOAL:.2f})",
            flush=True,
        )
    busy = max(load for found in results["studies"].values() for load in found["load_average"])
    if options.output is None and busy > available_cores() + 1:
        print(f"The machine was busy (load {busy:.1f}): nothing is written without --output.")
        return
    (options.output or RESULTS).write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
