"""A real PostgreSQL server on a free loopback port, below a temporary folder, as an unprivileged user."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

PASSWORD = "s3cret-of-the-tests"


def programs():
    """Return the folder of the server's programs, None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


needed = pytest.mark.skipif(programs() is None, reason="needs PostgreSQL: make programs, as root")


class Server:
    """A server that can be stopped and started again.

    Attributes:
        url: Of its database, with the password.
    """

    def __init__(self, folder, user):
        self._folder, self._user = folder, user
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"postgresql://tester:{PASSWORD}@127.0.0.1:{self._port}/postgres"

    def start(self):
        """Start it and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [programs() / "postgres", "-D", self._folder / "data", "-p", str(self._port), "-k", self._folder,
                 "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"],
                stdout=log, stderr=log, cwd=self._folder, **self._user,
            )  # fmt: skip
        while subprocess.run(
            [programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        ).returncode:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            time.sleep(0.05)

    def stop(self, number=signal.SIGINT):
        """End it, by SIGINT waiting for no client, by SIGQUIT as in a crash."""
        self._process.send_signal(number)
        self._process.wait()


@contextlib.contextmanager
def running():
    """Yield a server that is stopped and removed afterwards; it asks for a password."""
    user = {}
    folder = Path(tempfile.mkdtemp(prefix="dynsearch-postgres-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        os.chown(folder, account.pw_uid, account.pw_gid)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    subprocess.run(
        [programs() / "initdb", "-D", folder / "data", "-U", "tester", "--pwfile", folder / "password",
         "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **user,
    )  # fmt: skip
    process = Server(folder, user)
    process.start()
    try:
        yield process
    finally:
        process.stop()
        shutil.rmtree(folder)


@contextlib.contextmanager
def server():
    """Yield the URL of a server that is stopped and removed afterwards; it asks for a password."""
    with running() as process:
        yield process.url
