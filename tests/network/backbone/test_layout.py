"""Tensors that are put together lie in memory as those of several videos do."""

import torch

from dynsearch.network.backbone.layout import joined


def test_one_frame_of_one_video_lies_as_several_do():
    """The stride of an axis of one says nothing: taken for a long one, frames lay interleaved, and pools were slow."""
    for videos in (1, 2):
        frames = torch.randn(videos, 3, 4, 5, 6).flatten(0, 1).to(memory_format=torch.channels_last)
        row = frames.unflatten(0, (videos, 3))[:, :1]
        together = joined([row, frames.unflatten(0, (videos, 3))[:, 1:]], 1)
        assert torch.equal(together.flatten(0, 1), frames)
        assert together.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    odd = torch.randn(1, 4, 5, 6).to(memory_format=torch.channels_last).unflatten(0, (1, 1))
    assert joined([odd, odd], 1).flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
