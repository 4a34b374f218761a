"""What fitting the heads of a one-shot network for an order brings it, on the embedded data set.

    python benchmarks/one_shot_heads.py --work FOLDER

Trains the recipe's one-shot network with several seeds, takes statistics anew for the paper's order, and prints test
top-1 of the cells of the grid, a row for each depth, a column for each number of sets: first with the heads that were
trained with it, then with heads fitted for the order as a study fits them. What FOLDER holds is not trained again.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dynsearch import resources
from dynsearch.data.loader import begin_epoch
from dynsearch.families.grid.one_shot import FedNetwork
from dynsearch.plan import FrameOrder
from dynsearch.search.one_shot.library import FIT, reestimate_norms
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.training import trained_one_shot
from dynsearch.space import SearchSpace
from dynsearch.study.recipe_file import load_recipe
from dynsearch.study.source import open_clips
from dynsearch.training.refit import refit_heads


def main() -> None:
    """Print both tables of every network, and the mean gain."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--networks", type=int, default=5)
    arguments = parser.parse_args()
    recipe, _ = load_recipe("motions")
    source, training = open_clips(recipe), recipe.training
    space = SearchSpace.load(resources.find("search_spaces", recipe.space))
    shape = Shape("test_resnet", 8, 48, "slots")
    gains = []
    for seed in range(arguments.networks):
        folder = arguments.work / str(seed)
        network = trained_one_shot(shape, space, source, recipe.one_shot, training, folder, seed=seed)
        trunk = replace(shape.finest_trunk(space), frame_order=FrameOrder.named("paper", 8))
        fed = FedNetwork(network, trunk)
        batches = source.loader("train", trunk, training, training=True, seed=seed)
        begin_epoch(batches, 0)
        reestimate_norms(fed, fed, batches, recipe.one_shot.norm_batches)
        loader = source.loader("test", trunk, training, training=False, seed=seed)
        before = cells_top1(fed, loader)
        config = training.model_copy(update={"refit_heads": FIT})
        refit_heads([fed], source, config, device=torch.device("cpu"), seed=seed)
        after = cells_top1(fed, loader)
        gains.append(after.mean() - before.mean())
        print(f"network {seed}: {before.mean():.1f} -> {after.mean():.1f}")
        print(np.hstack([before.T, after.T]).round(1), flush=True)
    print(
        f"mean gain over {len(gains)} networks {np.mean(gains):.1f} ({min(gains):.1f} to {max(gains):.1f}) points"
    )


@torch.inference_mode()
def cells_top1(fed: FedNetwork, loader: object) -> np.ndarray:
    """Return test top-1 of every cell in percent, (sets, depths)."""
    right = [(fed(clips).argmax(dim=-1) == labels).float() for clips, labels, _ in loader]
    top1_E = 100 * torch.cat(right, dim=1).mean(dim=1)
    return top1_E.reshape(fed.plan.num_sets, -1).numpy()


if __name__ == "__main__":
    main()
