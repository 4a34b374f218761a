"""YAML read strictly: no objects, no key twice, no document that grows or nests without end."""

from typing import Any

import yaml

from dynsearch.errors import InputError, shown

_MAX_DEPTH = 50
_MAX_NODES = 1_000_000


class _StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which takes the last of two equal keys; this one refuses them."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        written = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        seen: set[Any] = set()
        for key_node in written:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, list | dict | set):
                raise InputError("a key is no text", where=f"line {key_node.start_mark.line + 1}")
            if key in seen:
                raise InputError(f"{shown(key)} is there twice", where=f"line {key_node.start_mark.line + 1}")
            seen.add(key)
        values: dict[Any, Any] = super().construct_mapping(node, deep)
        return values


def load_yaml(text: str) -> Any:
    """Return what a YAML document holds: dicts, lists, texts, numbers, dates.

    Raises:
        InputError: It is refused by the rules above.
        Exception: It is not YAML (``yaml.YAMLError``, or what odd scalars raise).
    """
    loader = _StrictLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _expanded_size(node, {}, 0)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _expanded_size(node: yaml.Node, known: dict[int, int | None], depth: int) -> int:
    """Return how many nodes there are once every alias is what it stands for."""
    if depth > _MAX_DEPTH:
        raise InputError(f"is nested more than {_MAX_DEPTH} levels deep")
    if id(node) in known:
        size = known[id(node)]
        if size is None:
            raise InputError("holds an anchor that stands for a part of itself")
        return size
    known[id(node)] = None
    children: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        children = node.value
    elif isinstance(node, yaml.MappingNode):
        children = [part for pair in node.value for part in pair]
    total = 1 + sum(_expanded_size(child, known, depth + 1) for child in children)
    if total > _MAX_NODES:
        raise InputError(f"its anchors stand for more than {_MAX_NODES:,} values")
    known[id(node)] = total
    return total
