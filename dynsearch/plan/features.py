"""What an exit's head reads of a backbone."""

import re
from collections.abc import Mapping

FEATURES = ("timm", "mean")
"""``timm``: at the end of the backbone what timm's classifier reads, behind the norms, convolutions and pooling of its
head; before, the class token or the mean over space, as the model was trained. ``mean``: everywhere the latter."""

_PLAIN = re.compile(
    r"(wide_|se|eca|gc|sk|test_)?res(net|next)(v2)?(_?\d+(?!\w*_(clip|mlp))\w*)?|res2net\w+|regnet[xyz]_\d+|mobilenetv2_\d+d?"
    r"|(tf_|test_)?efficientnet(v2)?(_\w+)?|mnasnet_\d+|fbnetc_100|densenet\d+|inception_v3|xception\d+|swin(v2)?_\w+"
    r"|mobilevit\w*|pvt_v2_\w+|repvgg_\w+|(eca_|test_)?nfnet(_l\d)?|tresnet_\w+|rexnet_\d+|cspresnet50|darknet\w+"
    r"|fastvit_\w+|focalnet_\w+|visformer_\w+|gernet_\w|dla\d+|msdnet\d+|test_(byobnet|coatnet|maxvit)"
)
"""Architectures whose ``forward_head`` is one average pool and the classifier."""
_FIRST_FIELDS = {
    "family", "backbone", "num_frames", "num_sets", "image_size", "frame_order", "temporal_shift", "exits", "head",
}  # fmt: skip


def is_plain(backbone: str) -> bool:
    """Return whether timm's classifier reads the mean over space and nothing else, so that both are the same."""
    return _PLAIN.fullmatch(backbone.partition(".")[0]) is not None


def features_of_file(values: Mapping[str, object]) -> str:
    """Return what a plan's file without the field means: one written whole by an earlier version has ``mean``."""
    return "mean" if values.keys() >= _FIRST_FIELDS else "timm"
