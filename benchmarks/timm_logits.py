"""Networks of one frame with timm's own weights and classifier, compared with timm's model: logits, parameters, MACs.

    python benchmarks/timm_logits.py                    # the 78 models of docs/bring.md, at random weights
    python benchmarks/timm_logits.py vit_tiny_patch16_224 --classes 10

Prints one row a model. Differences are the largest of two random frames' logits, as a share of their spread.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import timm
import torch
from torch import nn

from dynsearch.cost.counter import count_macs, count_parameters
from dynsearch.families import build_network, cost_table, family_of
from dynsearch.network.backbone.stages import backbone_stages
from dynsearch.plan import Plan

MODELS = """
resnet18 resnet34 resnet50 resnet101 resnet152 resnet26d resnet50d wide_resnet50_2 resnext50_32x4d seresnet50
ecaresnet50d resnetv2_50 res2net50_26w_4s regnety_004 regnety_016 regnety_032 regnetx_032 mobilenetv2_100
mobilenetv3_small_100 mobilenetv3_large_100 mobilenetv4_conv_small mobilenetv4_hybrid_medium efficientnet_b0
efficientnet_b2 tf_efficientnetv2_b0 tf_efficientnetv2_s efficientnet_lite0 mnasnet_100 ghostnet_100 fbnetc_100
densenet121 vgg16 inception_v3 xception41 convnext_atto convnext_tiny convnextv2_tiny vit_tiny_patch16_224
vit_small_patch16_224 vit_base_patch16_224 vit_base_patch32_224 deit_small_patch16_224 deit3_small_patch16_224
swin_tiny_patch4_window7_224 swinv2_tiny_window8_256 swin_small_patch4_window7_224 mixer_b16_224 poolformer_s12
edgenext_small mobilevit_s efficientformer_l1 levit_128s pvt_v2_b0 coatnet_0_rw_224 maxvit_tiny_rw_224 hrnet_w18
repvgg_a2 dla34 nfnet_l0 tresnet_m rexnet_100 cspresnet50 darknet53 fastvit_t8 caformer_s18 beit_base_patch16_224
crossvit_small_240 xcit_nano_12_p16_224 eva02_tiny_patch14_224 hiera_tiny_224 tiny_vit_5m_224 efficientvit_b0
repghostnet_100 mambaout_tiny davit_tiny focalnet_tiny_srf visformer_tiny sequencer2d_s gernet_s gcresnet50t
"""


def stir(model: nn.Module) -> nn.Module:
    """Draw statistics and zero weights anew, so that no branch is silent and no logits are zero."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.normal_(0, 0.02)
    return model.eval()


@torch.no_grad()
def compare(name: str, classes: int = 1000) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """Return the largest difference of logits over their spread, and parameters and MACs of timm's model and ours."""
    torch.manual_seed(0)
    size = timm.get_pretrained_cfg(name).input_size[-1]
    model = stir(timm.create_model(name, num_classes=classes))
    plan = Plan(name, 1, "sequential", f"1x{len(backbone_stages(name, size, None))}", size, "none")
    network = build_network(plan, classes).eval()
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "w.pth")
        family_of(plan).start(network, pretrained=False, weights=Path(folder) / "w.pth")
    frames = torch.randn(2, 3, size, size, dtype=torch.double)
    model, network = (
        model.double(),
        network.double(),
    )  # Deep ones at random weights lose all digits of single ones.
    expected, logits = model(frames), network(frames[:, None])[-1]
    table, spread = cost_table(plan, classes), float(expected.max() - expected.min())
    macs = count_macs(model, frames[:1])
    return (
        float((logits - expected).abs().max()) / spread, (count_parameters(model), count_parameters(network)),
        (macs, round(table.cost_E[-1] * 1e9)),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS.split())
    parser.add_argument("--classes", type=int, default=1000)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    print("| model | difference | parameters, timm | here | MACs, timm | here |\n|---|---|---|---|---|---|")
    same = 0
    for name in options.models:
        try:
            difference, parameters, macs = compare(name, classes=options.classes)
        except Exception as error:
            print(f"| {name} | {' '.join(str(error).split())[:150]} |", flush=True)
            continue
        same += difference < 1e-4
        cells = f"{parameters[0]:,} | {parameters[1]:,} | {macs[0]:,} | {macs[1]:,}"
        print(f"| {name} | {difference:.1e} | {cells} |", flush=True)
    print(f"\n{same} of {len(options.models)} equal to 1e-4")


if __name__ == "__main__":
    main()
