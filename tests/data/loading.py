"""Loaders of clips in one call."""

from dynsearch.data.loader import ClipLoader, EpochOrder


def make_loader(clips, batch_size, **settings):
    names = settings.keys() & {"num_workers", "max_bad_videos", "write", "seconds"}
    reading = {name: settings.pop(name) for name in names}
    return ClipLoader(clips, EpochOrder(clips, batch_size, **settings), **reading)
