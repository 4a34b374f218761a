import torch
from torch import nn

from dynsearch.families.adafocus.classifier import RunningMaxClassifier
from dynsearch.families.adafocus.policy import RecurrentPolicy, WholeVideoPolicy


def test_the_policy_is_torchs_recurrent_network():
    policy = RecurrentPolicy((6, 3, 3), 8).eval()
    maps = torch.randn(2, 5, 6, 3, 3)
    places, memory = policy(maps, None)
    reference = nn.GRU(8, 8, batch_first=True)
    reference.load_state_dict({f"{name}_l0": value for name, value in policy.memory.state_dict().items()})
    encoded = torch.stack([policy.encoder(maps[:, t]) for t in range(5)], dim=1)
    hidden, last = reference(encoded)
    expected = torch.sigmoid(policy.place[0](hidden))
    torch.testing.assert_close(places, expected)
    torch.testing.assert_close(memory, last[0])
    assert places.shape == (2, 5, 2)
    assert ((places > 0) & (places < 1)).all()


def test_the_policy_goes_on_where_it_stopped():
    policy = RecurrentPolicy((6, 3, 3), 8).eval()
    maps = torch.randn(2, 5, 6, 3, 3)
    whole, _ = policy(maps, None)
    first, memory = policy(maps[:, :2], None)
    rest, _ = policy(maps[:, 2:], memory)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)


def test_the_policy_of_a_video_by_hand():
    """Maps side by side as channels, then 1x1 convolution and two hidden layers, with tanh."""
    policy = WholeVideoPolicy((4, 3, 3), 2, 8).eval()
    maps = torch.randn(3, 2, 4, 3, 3)
    convolution, _, _, _, first, _, _, second, _, _, place, _ = policy.layers
    scale = (1 + 1e-5) ** -0.5  # of batch normalisation that has seen nothing
    x = torch.einsum(
        "bchw,oc->bohw", torch.cat([maps[:, 0], maps[:, 1]], dim=1), convolution.weight[:, :, 0, 0]
    )
    x = torch.tanh(scale * x).reshape(3, -1)
    x = torch.tanh(scale * (x @ first.weight.T))
    x = torch.tanh(scale * (x @ second.weight.T))
    expected = torch.sigmoid(x @ place.weight.T + place.bias)
    assert place.in_features == 4
    torch.testing.assert_close(policy(maps), expected)


def test_the_running_maximum_by_hand():
    classifier = RunningMaxClassifier(6, 4, 3, 3, 0.0).eval()
    features = torch.randn(2, 5, 6)
    ends = [1, 3, 5]
    hidden = classifier.hidden
    for b in range(2):
        peak = [0.0] * 4
        for t in range(5):
            values = torch.relu(hidden[1](hidden[0](features[b, t : t + 1])))[0].tolist()
            peak = [max(pair) for pair in zip(peak, values, strict=True)]
            if t + 1 in ends:
                found = classifier.peaks(features, ends)[ends.index(t + 1)][b]
                torch.testing.assert_close(found, torch.tensor(peak))
    (first,) = classifier.peaks(features[:, :1], [1])
    (last,) = classifier.peaks(features[:, 1:], [4], first)
    torch.testing.assert_close(last, classifier.peaks(features, ends)[-1])
