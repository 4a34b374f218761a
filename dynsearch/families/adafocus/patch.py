"""Cutting a patch so that its place has a gradient."""

import torch
from torch.nn import functional as F


def cut_patches(frames_BCHW: torch.Tensor, places_B2: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Cut one square patch out of each frame, interpolating bilinearly.

    The patch is moved, never scaled, so that at whole pixels it is a plain crop, and its derivative by the place
    is that of the interpolated picture (AdaFocusV2, section 3.2).

    Args:
        frames_BCHW: The frames.
        places_B2: Across and down, each 0..1: where in the room there is the patch's upper left corner lies.
        patch_size: P, the side of the patches in pixels, at most H and W.

    Returns:
        The patches, (B, C, P, P).
    """
    height, width = frames_BCHW.shape[-2:]
    # Numbers from the host can't be recorded on a GPU; these are filled in there.
    sides = torch.stack([places_B2.new_full((), width), places_B2.new_full((), height)])
    corners_B2 = places_B2 * (sides - patch_size)
    # affine_grid counts from the picture's middle, in halves of its sides.
    move_B2 = (2 * corners_B2 + patch_size) / sides - 1
    theta_B23 = torch.cat([torch.diag_embed((patch_size / sides).expand_as(move_B2)), move_B2[..., None]], -1)
    shape = (*frames_BCHW.shape[:2], patch_size, patch_size)
    grid = F.affine_grid(theta_B23, list(shape), align_corners=False)
    grid = grid.to(frames_BCHW.dtype)
    return F.grid_sample(frames_BCHW, grid, padding_mode="border", align_corners=False)
