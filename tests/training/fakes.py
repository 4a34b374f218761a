"""A tiny data set in memory, behind the seam that training reads clips through."""

from typing import ClassVar

import torch
from torch.utils.data import DataLoader, Dataset

from dynsearch.data.identity import DataIdentity, VideoIdentity
from dynsearch.data.loader import EpochOrder
from dynsearch.training.ranks import ALONE
from dynsearch.training.stepper import Stepper


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


class ArraySource:
    """A ClipSource of random clips; ``train``, ``calibration`` and ``test`` are different draws."""

    num_classes = 3
    fingerprint = "array"
    sizes: ClassVar = {"train": 36, "calibration": 30, "test": 33}

    def __init__(self, num_workers=0):
        self.loads = []
        self.num_workers = num_workers

    def loader(self, split, plan, config, *, training, seed, ranks=ALONE):
        self.loads.append(split)
        clips = ArrayClips(self.sizes[split], plan, seed=len(split))
        order = EpochOrder(
            clips, config.batch_size, shuffle=training, seed=seed, rank=ranks.rank, num_ranks=ranks.count
        )
        return DataLoader(clips, batch_sampler=order, num_workers=self.num_workers)

    @property
    def identity(self):
        names = ("red", "green", "blue")
        return DataIdentity(
            names,
            {
                split: {
                    name: VideoIdentity((names[label],), "")
                    for name, label in zip(self.video_ids(split), self.labels(split), strict=True)
                }
                for split in self.sizes
            },
        )

    @property
    def key(self):
        return {"videos": self.identity.digest}

    def video_ids(self, split):
        return [f"{split}-{i}" for i in range(self.sizes[split])]

    groups = video_ids

    def sources(self, split):
        return None

    def labels(self, split):
        return torch.arange(self.sizes[split]).remainder(3).numpy()


class Steps:
    """Counts the batches trained on, stops training before one of them, and calls ``at[n]`` in the n-th."""

    def __init__(self, monkeypatch, at=None):
        self.count, self.stop_before = 0, None
        step = Stepper.step

        def counted(stepper, *args, **kwargs):
            if self.count == self.stop_before:
                raise KeyboardInterrupt
            self.count += 1
            (at or {}).get(self.count, lambda: None)()
            return step(stepper, *args, **kwargs)

        monkeypatch.setattr(Stepper, "step", counted)
