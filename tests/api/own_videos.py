"""Small folders of videos as people have them, and a network whose weights come from elsewhere."""

import numpy as np
import torch

from dynsearch.data.motions.video_writer import write_h264
from dynsearch.families import build_network
from dynsearch.plan import Plan

CLASSES = ("Brush hair", "jump", "wave")
PLAN = {
    "backbone": "test_resnet", "num_frames": 4, "image_size": 48, "frame_order": "sequential",
    "exits": ["1x4", "2x5", "4x5"],
}  # fmt: skip


def write_video(path, seed, height=48, width=64, frames=6):
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    square = rng.integers(0, 255, (frames, 6, 8, 3), dtype=np.uint8)
    write_h264(path, square.repeat(height // 6, axis=1).repeat(width // 8, axis=2))


def write_folder(root, counts, seed=0):
    """Write ``counts[NAME]`` videos into each folder ``root/NAME``; return the root."""
    for place, (name, count) in enumerate(counts.items()):
        for number in range(count):
            write_video(root / name / f"{number}.mp4", seed + 1000 * place + number)
    return root


def write_network(folder, seed=0):
    """Write a plan and random weights for it as torch writes them; return the network."""
    plan = Plan.from_dict(PLAN)
    plan.save(folder / "plan.yaml")
    torch.manual_seed(seed)
    network = build_network(plan, len(CLASSES)).eval()
    for head in network.heads:  # so that answers differ from video to video
        torch.nn.init.normal_(head.linear.weight, std=3)
    torch.save({"state_dict": network.state_dict()}, folder / "net.pth")
    return network
