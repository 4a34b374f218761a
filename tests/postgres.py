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

PASSWORD = "s3cret-of-the-tests"


def programs():
    """Return the folder of the server's programs, None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    on_path = shutil.which("postgres")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextlib.contextmanager
def server():
    """Yield the URL of a server that is stopped and removed afterwards; it asks for a password."""
    user = {}
    folder = Path(tempfile.mkdtemp(prefix="dynsearch-postgres-"))
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        os.chown(folder, account.pw_uid, account.pw_gid)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    subprocess.run(
        [programs() / "initdb", "-D", data, "-U", "tester", "--pwfile", folder / "password", "-A", "scram-sha-256",
         "-E", "UTF8", "--no-locale", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **user,
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [programs() / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1",
             "-c", "fsync=off", "-c", "shared_buffers=16MB"],
            stdout=log, stderr=log, cwd=folder, **user,
        )  # fmt: skip
    try:
        while subprocess.run(
            [programs() / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        ).returncode:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"postgresql://tester:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # a fast shutdown, which waits for no client
        process.wait()
        shutil.rmtree(folder)
