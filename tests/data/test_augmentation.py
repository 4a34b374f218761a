import numpy as np
import pytest
import torch

from dynsearch.data.augmentation import (
    Crop,
    apply_crop,
    centre_crop,
    draw_multi_scale_crop,
    normalise,
    resize_short_side,
    to_square,
)


def draw_many(height, width, image_size, count=3000):
    rng = np.random.default_rng(0)
    return {draw_multi_scale_crop(height, width, image_size, rng) for _ in range(count)}


def test_multi_scale_crop_draws_tsns_ten_pairs_of_sizes():
    sizes = {(crop.height, crop.width) for crop in draw_many(256, 340, 224)}

    # 256 * (1, .875, .75, .66) = 256, 224, 192, 168; neighbours may pair.
    assert sizes == {
        (256, 256), (224, 224), (192, 192), (168, 168),
        (256, 224), (224, 256), (224, 192), (192, 224), (192, 168), (168, 192),
    }  # fmt: skip


def test_multi_scale_crop_draws_tsns_thirteen_places():
    crops = {(crop.top, crop.left) for crop in draw_many(256, 340, 224) if crop.height == crop.width == 192}

    rows, columns = [0, 16, 32, 48, 64], [0, 37, 74, 111, 148]
    grid = {(rows[i], columns[j]) for i in (0, 2, 4) for j in (0, 2, 4)}
    quarters = {(rows[i], columns[j]) for i in (1, 3) for j in (1, 3)}
    assert crops == grid | quarters


@pytest.mark.parametrize(
    ("short", "image_size", "first_sizes"),
    [(256, 223, {256, 223}), (258, 224, {258, 224}), (240, 224, {240, 210})],
)
def test_sizes_within_three_pixels_of_the_input_become_it(short, image_size, first_sizes):
    sizes = sorted({crop.height for crop in draw_many(short, 400, image_size)}, reverse=True)

    assert set(sizes[:2]) == first_sizes


@pytest.mark.parametrize(("height", "width"), [(48, 48), (5, 9), (1, 1), (1080, 1920)])
def test_crops_stay_inside(height, width):
    for crop in draw_many(height, width, 48, 300):
        assert crop.top >= 0
        assert crop.left >= 0
        assert crop.top + crop.height <= height
        assert crop.left + crop.width <= width


def test_apply_crop_is_the_same_for_all_frames():
    frame = torch.randint(0, 256, (1, 3, 40, 60), dtype=torch.uint8)
    clip = apply_crop(frame.expand(5, -1, -1, -1), Crop(3, 7, 30, 20), 24)

    assert clip.shape == (5, 3, 24, 24)
    assert clip.dtype == torch.uint8
    assert (clip == clip[:1]).all()


def test_a_crop_of_the_inputs_size_takes_the_pixels_as_they_are():
    frames = torch.randint(0, 256, (2, 3, 40, 60), dtype=torch.uint8)

    torch.testing.assert_close(apply_crop(frames, Crop(3, 7, 24, 24), 24), frames[..., 3:27, 7:31])


@pytest.mark.parametrize(
    ("shape", "expected"), [((240, 427), (256, 455)), ((96, 48), (512, 256)), ((256, 300), (256, 300))]
)
def test_resize_short_side(shape, expected):
    frames = torch.zeros((2, 3, *shape), dtype=torch.uint8)

    assert resize_short_side(frames, 256).shape[-2:] == expected


def test_centre_crop():
    frames = torch.arange(6 * 8).view(1, 1, 6, 8)

    assert centre_crop(frames, 2)[0, 0].tolist() == [[19, 20], [27, 28]]


def test_normalise_uses_imagenets_mean_and_deviation():
    grey = torch.full((2, 3, 4, 4), 128, dtype=torch.uint8)
    normal = normalise(grey)

    expected = [(128 / 255 - mean) / std for mean, std in [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]]
    assert normal.dtype == torch.float32
    torch.testing.assert_close(normal[0, :, 0, 0], torch.tensor(expected))


@pytest.mark.parametrize("turned", [False, True])
def test_what_becomes_of_a_wide_picture(turned):
    """Four columns of 20 pixels: cropped, the outer two are lost; squeezed or between bars, all are there."""
    columns = torch.tensor([50, 100, 150, 200], dtype=torch.uint8).repeat_interleave(20).expand(1, 3, 40, 80)

    def seen(how):
        square = to_square(columns.transpose(2, 3) if turned else columns, 40, how)
        assert square.shape == (1, 3, 40, 40)
        return square[0, 0].T if turned else square[0, 0]

    assert sorted(set(seen("crop").flatten().tolist())) == [100, 150]
    squeezed = seen("squeeze")
    assert squeezed[0, 4::10].tolist() == [50, 100, 150, 200]
    assert (squeezed == squeezed[0]).all()
    barred = seen("letterbox")
    assert (barred[:10] == 0).all()
    assert (barred[30:] == 0).all()
    assert (barred[10:30] == squeezed[0]).all()
