"""A disk of one megabyte, where this machine allows to make one."""

import subprocess

import pytest

SIZE = 1 << 20


@pytest.fixture
def small_disk(tmp_path):
    """The folder of a file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if made.returncode:
        pytest.skip(f"needs the right to mount: sudo make test ({made.stderr.strip()})")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)
