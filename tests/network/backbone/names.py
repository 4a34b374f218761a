"""The backbones that must work, at the smallest input each of them takes."""

import timm

MINIATURES = timm.list_models("test_*")
NAMED = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet10t", "resnext50_32x4d", "regnety_008",
    "mobilenetv2_100", "mobilenetv3_large_100", "efficientnet_b0", "ghostnet_100", "convnext_tiny", "densenet121",
    "vit_tiny_patch16_224", "deit_small_patch16_224", "swin_tiny_patch4_window7_224", "msdnet38",
]  # fmt: skip
SIZES = {"swin_tiny_patch4_window7_224": 56, "test_coatnet": 160, "test_maxvit": 160}
NO_BRANCH = {"test_efficientnet", "test_efficientnet_gn", "test_efficientnet_ln", "test_efficientnet_evos"}
"""Backbones without residual branches, so without a temporal shift."""


def size_of(name):
    return SIZES.get(name, 64)
