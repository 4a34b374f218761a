"""Files changed in every way that comes to mind, and what a reader may do about it: accept or refuse, never break.

The number of mutations of each contract is that of ``DYNSEARCH_MUTATIONS``: 200, and 2,000 in `make reliability`.
"""

import copy
import datetime
import os
import random
import traceback

import yaml

from dynsearch.errors import InputError

NUMBER = int(os.environ.get("DYNSEARCH_MUTATIONS", "200"))
DELETED = object()


def deep(levels=60):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


VALUES = [
    None, True, False, 0, 1, -1, 3, 2**31, 2**63, 10**400, 0.5, -0.0, 1e308, 1e-320, float("nan"), float("inf"),
    float("-inf"), "", " ", "x", "1", "nan", "1e999", "true", "null", "../../etc/passwd", "/etc/passwd", "a\0b",
    "ÿ\u2028", "<script>", "%s{0}", "é" * 5000, [], {}, [[]], [None], [1, "a"], {"a": 1}, {"": ""}, {1: 2}, deep(),
    b"\xff\x00", datetime.date(2020, 1, 1),
]  # fmt: skip
SNIPPETS = [
    b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\t", b"\r", b"\n", b"---\n", b"...\n", b"%YAML 9.9\n", b"'", b'"', b"`",
    b"@", b"&a ", b"*a", b"&a [*a]\n", b"!!python/object/apply:os.system ['touch pwned']\n", b"!!timestamp x\n",
    b"!!int ''\n", b"!!bool x\n", b"2020-99-99\n", b"1_000", b"0x1F", b"1:30", b"<<: *a\n", b"? [a]\n", b": ",
    b"- ", b"[", b"]", b"{", b"}", b",", b"NaN", b"Infinity", b"-", b"#", b"|", b">", b"\\u0000", b"\\ud800",
    b"9" * 5000, b"1e400", b"[" * 3000, b'{"a":' * 3000, b"\xe2\x80\xa8", b"\x1b[31m", b"/../", b"\n\n", b"=",
    b"~",
]  # fmt: skip
BOMB = b"".join(
    b"%c: &%c [%s]\n" % (97 + n, 97 + n, b", ".join([b"x" if n == 0 else b"*%c" % (96 + n)] * 9))
    for n in range(12)
)


def changed_documents(document, seed, number=NUMBER):
    """Yield ``document`` with one to three of its fields changed; every field has its turn."""
    rng = random.Random(seed)
    places = list(places_in(document))
    for turn in range(number):
        changed = copy.deepcopy(document)
        change(changed, places[turn % len(places)], rng)
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            left = list(places_in(changed))
            if left:
                change(changed, rng.choice(left), rng)
        yield changed


def places_in(value, path=()):
    """Yield the path of every field and item, at any depth."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield (*path, key)
            if len(path) < 6:
                yield from places_in(value[key], (*path, key))


def change(document, path, rng):
    """Change what is at ``path`` in place."""
    *way, key = path
    holder = document
    for step in way:
        holder = holder[step]
    value, is_list = holder[key], isinstance(holder, list)
    kind = rng.choice(
        ["delete", "value", "value", "value", "double", "unknown", "rename", "wrap", "text", "swap"]
    )
    if kind == "delete":
        del holder[key]
    elif kind == "value":
        holder[key] = copy.deepcopy(rng.choice(VALUES))
    elif kind == "wrap":
        holder[key] = rng.choice([[value], {"value": value}, [value, value]])
    elif kind == "text":
        holder[key] = str(value)
    elif is_list:
        holder.insert(rng.randrange(len(holder) + 1), value if kind == "double" else holder.pop())
    elif kind == "unknown":
        holder[rng.choice(["extra", "", "__class__", "model_config", 7, None])] = copy.deepcopy(
            rng.choice(VALUES)
        )
    elif kind == "rename":
        holder[str(key) + rng.choice(["s", " ", "\0"])] = holder.pop(key)
    else:
        other = rng.choice(list(holder))
        holder[key], holder[other] = holder[other], value


def changed_bytes(content, seed, number=NUMBER):
    """Yield ``content`` cut, with bits flipped, and with lines and other pieces doubled, taken out or put in."""
    rng = random.Random(seed)
    for _ in range(number):
        data = bytearray(content)
        for _ in range(rng.choice([1, 1, 1, 2, 4])):
            at = rng.randrange(len(data) + 1)
            kind = rng.choice(["cut", "flip", "flip", "flip", "out", "in", "in", "line", "zeros"])
            if kind == "cut":
                del data[at:]
            elif kind == "flip" and data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            elif kind == "out":
                del data[at : at + rng.choice([1, 2, 10, 100])]
            elif kind == "in":
                data[at:at] = rng.choice(SNIPPETS)
            elif kind == "line":
                lines = bytes(data).splitlines(keepends=True) or [b""]
                data[:0] = rng.choice(lines)
            elif kind == "zeros":
                data[at : at + 20] = bytes(len(data[at : at + 20]))
        yield bytes(data)
    yield BOMB


def means(given, kept):
    """Tell whether what was read, ``kept``, is what a file says, ``given``: fields left out may be there."""
    if isinstance(given, dict):
        return isinstance(kept, dict) and all(
            name in kept and means(given[name], kept[name]) for name in given
        )
    if isinstance(given, list | tuple):
        same = isinstance(kept, list | tuple) and len(given) == len(kept)
        return same and all(map(means, given, kept))
    if isinstance(given, bool) or isinstance(kept, bool) or given is None:
        return given is kept
    if isinstance(kept, int | float):  # YAML reads 1e-3 as a text
        return (float(given) if isinstance(given, str) else given) == kept and abs(kept) < float("inf")
    return given == kept if isinstance(given, str) else isinstance(given, bytes) and given.decode() == kept


def as_yaml(documents):
    """Yield documents as YAML, those that YAML can't hold left out."""
    for document in documents:
        yield yaml.safe_dump(document, sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def refused_or_right(contents, path, read, check):
    """Read each of ``contents`` from ``path``; return what broke, at most ten.

    A reader may raise an ``InputError`` of one line, not too long, that can be printed. What it accepts is given, with
    its content, to ``check``, which asserts that it is right.
    """
    broken, accepted, tried = [], 0, 0
    for content in contents:
        path.write_bytes(content)
        tried += 1
        try:
            value = read(path)
            accepted += 1
            check(value, content)
        except InputError as error:
            text = str(error)
            if "\n" in text or len(text) > 1500 or not text.encode() or error.exit_code != 2:
                broken.append(("message", text[:300], content[:300]))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            broken.append(
                (type(error).__name__, str(error)[:300], f"{where.filename}:{where.lineno}", content[:500])
            )
        if len(broken) >= 10:
            break
    assert broken == [], "\n".join(map(str, broken))
    assert tried > 0
    return accepted / tried
