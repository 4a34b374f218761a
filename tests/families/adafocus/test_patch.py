import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dynsearch.families.adafocus.patch import cut_patches


def picture(height=9, width=12, channels=2, seed=0):
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize(("left", "top"), [(0, 0), (7, 4), (3, 2)])
def test_at_whole_pixels_it_is_a_crop(left, top):
    frames = picture()
    place = torch.tensor([[left / 7, top / 4]]).double()
    patch = cut_patches(frames, place, 5)
    torch.testing.assert_close(patch, frames[..., top : top + 5, left : left + 5])


def test_a_patch_as_large_as_the_frame_is_the_frame():
    frames = picture(10, 10).float()
    for place in ([[0.0, 0.0]], [[0.3, 1.0]]):
        torch.testing.assert_close(cut_patches(frames, torch.tensor(place), 10), frames)


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 9))
def test_between_pixels_it_is_scipys_linear_interpolation(across, down, size):
    frames = picture()
    left, top = across * (12 - size), down * (9 - size)
    rows, columns = np.mgrid[top : top + size - 0.5, left : left + size - 0.5]
    expected = [
        ndimage.map_coordinates(channel, [rows, columns], order=1, mode="nearest") for channel in frames[0]
    ]
    patch = cut_patches(frames, torch.tensor([[across, down]], dtype=torch.double), size)
    np.testing.assert_allclose(patch[0].numpy(), np.stack(expected), atol=1e-12)


def test_the_gradient_is_that_of_finite_differences():
    places = torch.tensor([[0.31, 0.62], [0.87, 0.14]]).double().requires_grad_()
    frames = torch.cat([picture(seed=1), picture(seed=2)]).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, p: cut_patches(x, p, 4), (frames, places), eps=1e-6, atol=1e-6)


def test_each_frame_has_its_own_place():
    frames = torch.cat([picture(seed=1), picture(seed=2)])
    places = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).double()
    patches = cut_patches(frames, places, 4)
    torch.testing.assert_close(patches[0], frames[0, :, :4, :4])
    torch.testing.assert_close(patches[1], frames[1, :, -4:, -4:])
