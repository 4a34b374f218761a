"""The files of a bundle, each changed at every byte, and its weights."""

import itertools

import pytest
import torch
import yaml

from dynsearch.export import Bundle
from dynsearch.network.weights.files import load_weights
from tests.export.bundles import toy_bundle
from tests.mutations import NUMBER, as_yaml, changed_bytes, changed_documents, means, refused_or_right
from tests.network.nets import lively_network


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("bundle") / "b")


@pytest.fixture
def kept(bundle):
    """Give the bundle's files back after the test."""
    before = {path: path.read_bytes() for path in bundle.folder.iterdir()}
    yield bundle
    for path, content in before.items():
        path.write_bytes(content)


@pytest.mark.reliability(
    "Files",
    "a bundle with one of its files changed at any field or byte",
    happens="is refused with the file named, or is what the file says",
    sees="`the name ... is there twice`, `fitted for plan ..., not ...`",
)
@pytest.mark.parametrize("name", ["plan.yaml", "policy.yaml", "labels.txt", "recipe.yaml"])
def test_files(kept, name):
    path = kept.folder / name
    content = path.read_bytes()

    def check(found, changed):
        text = changed.decode("utf-8-sig" if name.endswith("yaml") else "utf-8")
        if name == "labels.txt":
            lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
            assert list(found.class_names) == lines
            assert len(set(lines)) == len(lines)
        elif name == "recipe.yaml":
            assert means(yaml.safe_load(text), found.recipe.resolved())
        elif name == "policy.yaml":
            assert list(found.policy.thresholds) == yaml.safe_load(text)["thresholds"]
        else:  # thresholds of another plan are refused, so only what means the same is left
            assert found.plan == kept.plan
        assert len(found.policy.thresholds) == len(found.plan.exits)

    changes = changed_bytes(content, 23, NUMBER // 2)
    if name.endswith("yaml"):
        document = yaml.safe_load(content)
        changes = itertools.chain(changes, as_yaml(changed_documents(document, 29, NUMBER // 2)))
    refused_or_right(changes, path, lambda path: Bundle.load(kept.folder), check)


@pytest.mark.reliability(
    "Files",
    "a weights file changed at any byte or cut short",
    happens="is refused: weights are loaded whole and as saved, or not at all",
    sees="`can't be read as weights: ...`",
)
def test_weights(kept):
    network = lively_network(kept.plan, len(kept.class_names))
    saved = {name: value.clone() for name, value in network.state_dict().items()}

    def read(path):
        load_weights(network, path)
        return network

    def check(found, content):
        assert all(torch.equal(value, saved[name]) for name, value in found.state_dict().items())

    path = kept.weights
    read(path)
    saved = {name: value.clone() for name, value in network.state_dict().items()}
    refused_or_right(changed_bytes(path.read_bytes(), 31), path, read, check)
