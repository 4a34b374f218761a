"""Files written whole or not at all, never over the user's; YAML and JSON read with errors that name the file."""

import codecs
import contextlib
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from dynsearch.errors import DynsearchError, InputError, shown
from dynsearch.strict_yaml import load_yaml

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}(\.\w+)?")
"""Names that ``tempfile`` makes for ``written_whole``."""


@contextlib.contextmanager
def written_whole(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block ends well.

    The file is flushed to disk before the rename, so that a kill or a full disk at any moment leaves
    either the old file or the new one, never a part.

    Raises:
        DynsearchError: The file can't be written (no space, no permission); the old one is kept.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays, because writers such as matplotlib and numpy choose a format by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except Exception as error:
        told = system_error(error)
        if told is None:
            raise
        raise DynsearchError(
            f"can't write: {told.strerror or told}",
            where=str(path),
            hint="Check free space and permissions",
        ) from error


def check_outputs(
    outputs: Iterable[tuple[str | os.PathLike[str] | None, str]],
    inputs: Iterable[str | os.PathLike[str] | None],
    *,
    force: bool = False,
) -> None:
    """Refuse, before there is work to lose, to write files over inputs, each other, or what dynsearch did not make.

    Args:
        outputs: Each with a pattern that such a file has near its beginning or end if dynsearch made it. None is left
            out.
        inputs: Files and folders that are read; None is left out.
        force: Write over what others made too, but never over an input.

    Raises:
        InputError: It names the file and says what would be lost.
    """
    inputs = list(inputs)
    for output, own in outputs:
        if output is None:
            continue
        path = Path(output)
        ours = path.is_file() and _says(path, own)
        check_no_input(path, inputs, ours=ours)
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise InputError(f"is {what}; a file is to be written", where=str(path), hint="Give another name")
        if path.is_file() and not (ours or force):
            raise InputError(
                "is there already, and dynsearch did not make it",
                where=str(path),
                hint="Give another name, or --force to overwrite it",
            )
        inputs.append(path)


def check_no_input(
    path: Path, inputs: Iterable[str | os.PathLike[str] | None], *, ours: bool = False
) -> None:
    """Refuse to write onto an input: the same file or folder by whatever name, one that holds it, or a part of it.

    What dynsearch made (``ours``) may be part of an input. None among the inputs is left out.

    Raises:
        InputError: It names both.
    """
    for given in (Path(given) for given in inputs if given is not None):
        real, read = path.resolve(), given.resolve()
        same = real == read or (path.exists() and given.exists() and path.samefile(given))
        held, part = real in read.parents, read in real.parents and path.exists() and not ours
        if same or held or part:
            what = "is" if same else "holds" if held else "is part of"
            raise InputError(
                f"{what} {given}, which is read or written too, and would be lost",
                where=str(path),
                hint="Give another name",
            )


def _says(path: Path, own: str) -> bool:
    """Return whether a file is empty, or has the pattern ``own`` near its beginning or end."""
    with path.open("rb") as file:
        head, size = file.read(2**16), file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2**16))
        return not size or re.search(own.encode(), head + file.read()) is not None


def at_home(text: str) -> str:
    """Return a path whose ``~`` is a home folder, also after a storage's ``journal:`` or ``sqlite:///``."""
    start = re.match(r"(journal:|sqlite:///)?(?=~)", text)
    return start[0] + os.path.expanduser(text[start.end() :]) if start else text


def system_error(error: Exception) -> OSError | None:
    """Return what the operating system said; writers in Rust, such as safetensors, tell it in their text only."""
    if isinstance(error, OSError):
        return error
    code = re.search(r"os error (\d+)", str(error))
    return OSError(int(code[1]), os.strerror(int(code[1]))) if code else None


def is_torn(path: Path) -> bool:
    """Return whether a file is one that ``written_whole`` was writing, or was killed in."""
    return _TEMPORARY.fullmatch(path.name) is not None


def remove_torn(folder: Path) -> None:
    """Remove what processes that were killed in ``written_whole`` left in ``folder``; nobody may be writing there."""
    for path in folder.iterdir():
        if is_torn(path):
            path.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` as UTF-8, whole or not at all."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_text(path: str | os.PathLike[str], error: type[InputError] = InputError) -> str:
    """Return the text of the file at ``path``: UTF-8, or UTF-16 with its mark.

    Raises:
        InputError: The file can't be read, or is in another encoding; raised as the subclass ``error``.
    """
    try:
        content = Path(path).read_bytes()
        encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        return io.TextIOWrapper(io.BytesIO(content), encoding).read()
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise error(
            f"is not UTF-8 text: line {line} has the byte 0x{content[problem.start]:02x}",
            where=str(path),
            hint="Save it as UTF-8",
        ) from problem
    except OSError as problem:
        raise error(f"can't be read: {problem.strerror or problem}", where=str(path)) from problem


def write_yaml(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` (dicts, lists, numbers, strings) to ``path`` as YAML, in the order given."""
    write_text(path, yaml_text(value))


def yaml_text(value: Any) -> str:
    """Return ``value`` as :func:`write_yaml` writes it."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110)


def read_yaml(path: str | os.PathLike[str], error: type[InputError] = InputError) -> Any:
    """Return what the YAML file at ``path`` holds.

    Raises:
        InputError: The file is missing or is not YAML, has a key twice, is nested too deeply or grows too large
            by its anchors; raised as the subclass ``error``.
    """
    text = read_text(path, error)
    try:
        return load_yaml(text)
    except Exception as problem:  # The parser lets value, key and recursion errors of odd scalars through.
        raise error(f"not readable as YAML: {_one_line(problem)}", where=str(path)) from problem


def read_json(path: str | os.PathLike[str], error: type[InputError] = InputError) -> Any:
    """Return what the JSON file at ``path`` holds.

    Raises:
        InputError: The file is missing or is not JSON, or has a key twice; raised as the subclass ``error``.
    """
    text = read_text(path, error)
    try:
        return json.loads(text, object_pairs_hook=_each_once, parse_constant=_no_constant)
    except json.JSONDecodeError as problem:
        raise error(
            f"not readable as JSON, line {problem.lineno}: {problem.msg}", where=str(path)
        ) from problem
    except (ValueError, RecursionError) as problem:
        raise error(f"not readable as JSON: {_one_line(problem)}", where=str(path)) from problem


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        twice = next(key for n, (key, _) in enumerate(pairs) if key in dict(pairs[:n]))
        raise ValueError(f"{shown(twice)} is there twice")
    return values


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _one_line(problem: Exception) -> str:
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text if len(text) <= 300 else f"{text[:297]}..."
