"""Torch's compiler is loaded when it is used, and is then torch's own."""

import subprocess
import sys

from dynsearch import compiler

PROGRAM = """
import sys, torch
from dynsearch import compiler
import dynsearch.search.run
from dynsearch.families import cost_table
from tests.search.toy import SPACE
costs = [cost_table(plan, 4).cost_E for plan in SPACE.cheapest_plans()]
print(sorted({"torch._dynamo", "torch._inductor", "triton"} & set(sys.modules)))
from torchvision.ops import roi_align
assert roi_align(torch.ones(1, 1, 4, 4), torch.tensor([[0, 0, 0, 2.0, 2.0]]), 2).eq(1).all()
weight = torch.nn.Parameter(torch.ones(1))
optimizer = torch.optim.SGD([weight], lr=0.5)
weight.grad = torch.ones(1)
optimizer.step()
assert weight.item() == 0.5
print("torch._dynamo" in sys.modules, torch._dynamo.__file__ is not None)
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
with compiler.only_shapes():
    assert torch.nn.BatchNorm1d(3).eval()(torch.ones(2, 3)).is_meta
import dynsearch.cost.backbone, dynsearch.network.backbone.cutting
for counted in (dynsearch.cost.backbone.backbone_cost, dynsearch.network.backbone.cutting.anatomy):
    counted.cache_clear()
assert costs == [cost_table(plan, 4).cost_E for plan in SPACE.cheapest_plans()]
"""


def test_a_study_counts_costs_without_it_and_an_optimizer_loads_it():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\nTrue True\n"


def test_what_nobody_foresaw_is_the_compilers_own():
    code = (
        "import sys\nfrom dynsearch import compiler\n"
        "with compiler.not_yet():\n    from torch._dynamo import reset\n"
        "import torch\nassert reset is torch._dynamo.reset\nprint(reset.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "torch._dynamo\n"


def test_one_that_is_loaded_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch._dynamo", sys)
    with compiler.not_yet():
        assert sys.modules["torch._dynamo"] is sys
