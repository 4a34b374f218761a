"""A report of 2,000 trials: bytes, seconds to write it, and seconds until a browser has drawn it.

    python benchmarks/report_size.py

Promised: under 10 MB, open in under 2 s. Opening is measured in headless Chromium, five times, from the start of
the navigation to the first frame after the page's script has run.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from pathlib import Path

from dynsearch.report.html import render_report
from tests.browser import chromium
from tests.report.html.studies import facts

NUM_TRIALS, NUM_CLASSES, NUM_VIDEOS, REPEATS = 2000, 174, 2400, 5
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() / 1000))))"


def main() -> None:
    names = [f"class number {i}" for i in range(NUM_CLASSES)]
    study = facts(num_trials=NUM_TRIALS, num_measured=12, class_names=names, num_videos=NUM_VIDEOS)
    started = time.perf_counter()
    text = render_report(study)
    written = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path = Path(folder) / "report.html"
        path.write_text(text)
        seconds = []
        for _ in range(REPEATS):
            # The page's own clock starts with the navigation.
            seconds.append(browser.open(path.as_uri()).run(DRAWN))
    size = len(text.encode())
    results = {
        "trials": NUM_TRIALS,
        "points": len(study.points),
        "megabytes": round(size / 1e6, 2),
        "seconds_to_write": round(written, 2),
        "seconds_to_open": [round(value, 2) for value in seconds],
        "median_seconds_to_open": round(statistics.median(seconds), 2),
        "share_of_10_megabytes": round(size / 10e6, 3),
        "share_of_2_seconds": round(statistics.median(seconds) / 2, 3),
    }
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
