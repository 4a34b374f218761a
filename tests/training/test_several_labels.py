import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dynsearch.network.losses import EXIT_LOSSES, num_hits
from dynsearch.training.ranks import ALONE
from dynsearch.training.run import train_and_score
from tests.training.fakes import ArraySource
from tests.training.test_training import CONFIG, PLAN


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 6, 4, generator=generator)
    return logits, torch.randint(0, 2, (6, 4), generator=generator, dtype=torch.uint8)


def by_hand(logits_BK, labels_BK):
    """Binary cross-entropy written out, summed over classes, mean over videos."""
    p = torch.sigmoid(logits_BK)
    return -torch.where(labels_BK == 1, p, 1 - p).log().sum(dim=1).mean()


def test_losses_are_binary_cross_entropies_summed_over_classes(batch):
    logits, labels = batch
    each = [by_hand(logits_BK, labels) for logits_BK in logits]

    torch.testing.assert_close(EXIT_LOSSES["sum"](logits, labels), sum(each))
    torch.testing.assert_close(
        EXIT_LOSSES["linear"](logits, labels), (each[0] + 2 * each[1] + 3 * each[2]) / 2
    )


def test_distillation_teaches_each_classs_probability(batch):
    logits, labels = batch
    divergence = 0.0
    for early in logits[:2]:
        p, q = torch.sigmoid(logits[2] / 3), torch.sigmoid(early / 3)
        divergence += (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(dim=1).mean()
    each = [by_hand(logits_BK, labels) for logits_BK in logits]

    expected = each[2] + 0.5 * (each[0] + each[1]) + 0.5 * 9 * divergence
    torch.testing.assert_close(EXIT_LOSSES["distill"](logits, labels), expected)


def test_a_hit_is_a_first_choice_among_the_labels(batch):
    logits, labels = batch
    expected = sum(int(labels[n, logits[0, n].argmax()]) for n in range(6))
    assert num_hits(logits[0], labels) == expected
    assert num_hits(logits[0], logits[0].argmax(dim=1)) == 6


class SeveralLabels(ArraySource):
    """Class 2 comes with class 0, so the videos of class 2 have both."""

    def loader(self, split, plan, config, *, training, seed, ranks=ALONE):
        loader = super().loader(split, plan, config, training=training, seed=seed, ranks=ranks)
        clips = loader.dataset
        several = F.one_hot(clips.labels, 3).to(torch.uint8)
        several[clips.labels == 2, 0] = 1
        get = type(clips).__getitem__
        clips.__class__ = type(
            "Several", (type(clips),), {"__getitem__": lambda self, n: (get(self, n)[0], several[n], n)}
        )
        return loader


def test_a_network_learns_all_labels_of_a_video(tmp_path):
    scores = train_and_score(PLAN, SeveralLabels(), CONFIG, tmp_path, seed=1).test

    with np.load(tmp_path / "scores-test.npz") as file:
        assert (file["labels"].shape, file["labels"].dtype) == ((33, 3), np.uint8)
    assert scores.labels_N.sum(axis=1).tolist() == [1, 1, 2] * 11
    right = (scores.logits_ENK[-1] > 0) == scores.labels_N
    assert right.mean() > 0.7
    assert scores.correct().mean() > 0.6
