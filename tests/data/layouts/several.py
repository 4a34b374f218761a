"""A miniature of ActivityNet 1.3: untrimmed webm files and the official JSON file."""

import json

from tests.cli.miniature import write_webm

CLASSES = ("Archery", "Breakdancing", "Canoeing")
STEPS = ((2, 0), (-2, 0), (0, -2))


def write_activitynet(root, sizes=(24, 12), folder="videos", frames=16):
    """Write the official layout; every third video has two classes, and one of the testing subset has none."""
    database = {}
    for subset, size in zip(("training", "validation"), sizes, strict=True):
        for index in range(size):
            video_id = f"{subset[:2]}{index:09d}"
            labels = [CLASSES[index % 3]] + ([CLASSES[(index + 1) % 3]] if index % 3 == 0 else [])
            segments = [{"segment": [0.1 * n, 0.5 + n], "label": name} for n, name in enumerate(labels * 2)]
            database[video_id] = {"subset": subset, "duration": 1.3, "annotations": segments}
            if frames:
                write_webm(root / folder / f"v_{video_id}.webm", STEPS[index % 3], seed=index, frames=frames)
    database["te000000000"] = {"subset": "testing", "duration": 1.0, "annotations": []}
    root.mkdir(exist_ok=True)
    write_json(root, {"version": "VERSION 1.3", "taxonomy": [], "database": database})
    return root


def write_json(root, content):
    (root / "activity_net.v1-3.min.json").write_text(
        content if isinstance(content, str) else json.dumps(content)
    )
