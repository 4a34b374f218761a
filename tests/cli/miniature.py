"""A miniature of Something-Something v2: VP9 webm files and the four official JSON files."""

import json

import av
import numpy as np

from tests.once import made_once

CLASSES = {
    "Pushing something from left to right": ("Pushing [something] from left to right", (2, 0)),
    "Pushing something from right to left": ("Pushing [something] from right to left", (-2, 0)),
    "Lifting something up": ("Lifting [something] up", (0, -2)),
}
SIZES = {"train": 24, "validation": 12}


def write_sthv2(root):
    """Write the official layout below ``root``; a bright square is pushed left, right or up."""
    return made_once("sthv2", _encode_sthv2, root)


def _encode_sthv2(root):
    labels = {name: str(index) for index, name in enumerate(sorted(CLASSES))}
    dump(root, "labels", labels)
    number = 0
    for split, size in SIZES.items():
        entries = []
        for index in range(size):
            name = sorted(CLASSES)[index % len(CLASSES)]
            template, step = CLASSES[name]
            number += 1
            write_webm(root / "20bn-something-something-v2" / f"{number}.webm", step, seed=number)
            entries.append(
                {"id": str(number), "label": name.lower(), "template": template, "placeholders": ["a box"]}
            )
        dump(root, split, entries)
    dump(root, "test", [{"id": "9999"}])


def dump(root, part, value):
    path = root / "labels" / f"{part}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def write_webm(path, step, seed, frames=16, height=64, width=96):
    """A square moves by ``step`` pixels a frame over noise, coded as in the data set (VP9, 12 frames a second)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    x, y = (
        rng.integers(20, size - 40) - s * frames // 2 + 10
        for size, s in zip((width, height), step, strict=True)
    )
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libvpx-vp9", rate=12, options={"cpu-used": "8", "deadline": "realtime"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for t in range(frames):
            picture = rng.integers(0, 60, (height, width, 3), dtype=np.uint8)
            left, top = (max(0, origin + s * t) for origin, s in zip((x, y), step, strict=True))
            picture[top : top + 20, left : left + 20] = 230
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
