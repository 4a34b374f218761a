"""An environment with the lowest versions that ``pyproject.toml`` allows:  python -m tests.lowest FOLDER

Only what has a range is installed anew, and what that asks for in another version. What is pinned, torch above all, and
everything else is that of the environment that runs this, by its place behind on the path.
"""

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
UNMET = """
import sys
from importlib import metadata
from packaging.requirements import Requirement

for name in sys.argv[1:]:
    for asked in map(Requirement, metadata.requires(name) or ()):
        if asked.marker is None or asked.marker.evaluate({"extra": ""}):
            try:
                there = metadata.version(asked.name)
            except metadata.PackageNotFoundError:
                there = None
            if there is None or not asked.specifier.contains(there, prereleases=True):
                print(f"{asked.name}{asked.specifier}")
"""
VERSIONS = "import sys; from importlib.metadata import version\nfor n in sys.argv[1:]: print(n, version(n))"


def lowest_versions():
    """Return (name, version) of every dependency that may have several versions, the lowest."""
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    found = [re.match(r"([\w-]+)>=([\d.]+)", wanted) for wanted in dependencies]
    return [match.groups() for match in found if match]


def make(folder):
    """Make it in ``folder``, or bring one that is there to these versions."""
    venv.create(folder, with_pip=True)
    (place,) = (folder / "lib").glob("python*/site-packages")
    (place / "behind.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python, lowest = folder / "bin" / "python", dict(lowest_versions())
    exactly = folder / "lowest.txt"
    exactly.write_text("".join(f"{name}=={version}\n" for name, version in lowest.items()))
    subprocess.run(
        [python, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"], check=True
    )  # torch wants a newer one
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--ignore-installed"]
    subprocess.run([*install, "--no-deps", "--requirement", exactly], check=True)

    def ask(code):
        return subprocess.run(
            [python, "-c", code, *lowest], check=True, capture_output=True, text=True
        ).stdout

    if unmet := ask(UNMET).split():
        print("also:", *unmet)
        subprocess.run([*install, "--constraint", exactly, *unmet], check=True)
    print(ask(VERSIONS), end="")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
