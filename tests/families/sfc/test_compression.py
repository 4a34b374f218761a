import math

import pytest
import torch

from dynsearch.families.sfc.compression import Compression, top_in_time


def test_top_k_pooling_by_hand():
    features = torch.randn(2, 5, 3, 4)
    found = top_in_time(features, 2)
    for b, p, c in torch.cartesian_prod(torch.arange(2), torch.arange(3), torch.arange(4)).tolist():
        values = features[b, :, p, c].tolist()
        largest = sorted(sorted(range(5), key=lambda t: values[t])[-2:])
        assert found[b, :, p, c].tolist() == [values[t] for t in largest]
    assert torch.equal(top_in_time(features, 5), features)


def softplus(x):
    return math.log1p(math.exp(x))


@pytest.mark.parametrize("side_ratio", [1, 2])
def test_attention_by_hand(side_ratio):
    """Every output place, one after the other: a softmax over all places of all frames."""
    side, num_frames, num_left, channels = 3, 4, 2, 8
    module = Compression(channels, side, side_ratio)
    with torch.no_grad():
        module.elsewhere.fill_(0.7)
        module.away.fill_(-0.3)
    features = torch.randn(1, num_frames, side * side, channels)
    abstract = module.abstraction(features)
    pooled = top_in_time(abstract, num_left)
    keys = module.key(abstract)
    left = -(-side // side_ratio)
    found = module(features, num_left)
    assert found.shape == (1, num_left, left * left, channels)
    for t, row, column in torch.cartesian_prod(*map(torch.arange, (num_left, left, left))).tolist():
        cell = [
            r * side + c
            for r in range(side)
            for c in range(side)
            if (r // side_ratio, c // side_ratio) == (row, column)
        ]
        query = module.query(pooled[0, t, cell].mean(dim=0))
        scores = []
        for frame in range(num_frames):
            moment = (frame + 0.5) * num_left / num_frames - 0.5
            for place in range(side * side):
                score = float((query @ keys[0, frame, place]).detach()) / 4  # of 16 channels
                score -= softplus(-0.3) * (t - moment) ** 2 + softplus(0.7) * (place not in cell)
                scores.append(score)
        weights = torch.tensor(scores).softmax(dim=0)
        expected = weights @ features[0].flatten(0, 1)
        torch.testing.assert_close(found[0, t, row * left + column], expected, atol=1e-5, rtol=1e-4)


def test_it_begins_near_its_own_place_and_moment():
    """Before training a compressed frame is about the mean of the frames it stands for, place by place."""
    torch.manual_seed(0)
    module = Compression(8, 6, 1)
    features = torch.randn(1, 4, 36, 8)
    means = features.unflatten(1, (2, 2)).mean(dim=2)
    found = module(features, 2)
    errors = [(found - other).square().mean() for other in (means, means.flip(1), means.roll(1, dims=2))]
    assert errors[0] < 0.5 * min(errors[1:])


def test_tokens_have_no_sides():
    module = Compression(8, None, 1)
    assert module(torch.randn(2, 6, 5, 8), 3).shape == (2, 3, 5, 8)
