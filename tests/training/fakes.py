"""A tiny data set in memory, behind the seam that training reads clips through."""

from typing import ClassVar

import torch
from torch.utils.data import DataLoader, Dataset


class ArrayClips(Dataset):
    """Clips whose class is the colour channel that is brightest: learnable in a few steps."""

    def __init__(self, count, plan, seed):
        generator = torch.Generator().manual_seed(seed)
        self.labels = torch.arange(count) % 3
        shape = (count, plan.num_frames, 3, plan.image_size, plan.image_size)
        self.clips = torch.randn(shape, generator=generator)
        self.clips[torch.arange(count), :, self.labels] += 0.7
        self.epoch = 0

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.clips[index], int(self.labels[index]), index

    def set_epoch(self, epoch):
        self.epoch = epoch


class Order:
    """A shuffle that depends on the epoch only, like the real loader's."""

    def __init__(self, clips, shuffle):
        self.clips, self.shuffle = clips, shuffle

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.clips.epoch)
        count = len(self.clips)
        yield from (
            torch.randperm(count, generator=generator) if self.shuffle else torch.arange(count)
        ).tolist()

    def __len__(self):
        return len(self.clips)


class ArraySource:
    """A ClipSource of random clips; ``train``, ``calibration`` and ``test`` are different draws."""

    num_classes = 3
    fingerprint = "array"
    sizes: ClassVar = {"train": 36, "calibration": 30, "test": 33}

    def __init__(self):
        self.loads = []

    def loader(self, split, plan, config, *, training, seed):
        self.loads.append(split)
        clips = ArrayClips(self.sizes[split], plan, seed=len(split))
        return DataLoader(clips, batch_size=config.batch_size, sampler=Order(clips, training))

    def video_ids(self, split):
        return [f"{split}-{i}" for i in range(self.sizes[split])]
