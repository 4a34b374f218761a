"""Commands in processes of their own that begin with the libraries loaded.

Importing torch and timm takes seconds of CPU, far more than most commands of the tests. So one process imports all
of dynsearch and does nothing else; a command is forked from it, and is what ``python -m dynsearch`` would be: a process
with its own directory, environment, output, signals and exit code. The process from which a study's workers are forked
is itself forked in it, before the command begins. Tests of starting and importing need :class:`subprocess.Popen`.
"""

import atexit
import gc
import importlib
import io
import json
import os
import pickle
import pkgutil
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from multiprocessing import connection, forkserver, resource_tracker, spawn
from pathlib import Path

ROOT = Path(__file__).parents[1]
_AS_STARTED = ("PYTHON", "OMP_", "MKL_", "LD_", "TMPDIR")
"""Variables that are read when Python or a library starts, by how they begin."""


class Warm:
    """A running command, as :class:`subprocess.Popen` would show it; its output is text, in files until it is read.

    Args:
        arguments: Of ``python -m dynsearch``.
        cwd: Where it runs.
        start_new_session: Whether it leads a group of processes of its own.
        stdin: A file that it reads as its standard input.
        call: A function to be called instead, with arguments and named ones, all of which can be pickled.
    """

    _server = None

    def __init__(self, arguments, *, cwd, start_new_session=False, stdin=None, call=None):
        cls = type(self)
        if cls._server is not None and cls._server.started != _started():
            cls._server.close()
            cls._server = None
        cls._server = cls._server or _Server()
        self._output = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115
        self.returncode = None
        request = {
            "arguments": [str(argument) for argument in arguments],
            "call": pickle.dumps(call).hex(),
            "cwd": str(cwd),
            "environment": dict(os.environ),
            "session": start_new_session,
        }
        with open(os.devnull) as nothing:
            self.pid = self._server.ask(
                request, [file.fileno() for file in (stdin or nothing, *self._output)]
            )

    @classmethod
    def calls(cls, function, *arguments, **named):
        """Call a function of a module of the tests, in a group of processes of its own."""
        return cls([], cwd=ROOT, start_new_session=True, call=(function, arguments, named))

    @classmethod
    def script(cls, path, *arguments, cwd):
        """Run ``python PATH ARGUMENTS`` in ``cwd``."""
        return cls(arguments, cwd=cwd, call=(runpy.run_path, [str(path)], {"run_name": "__main__"}))

    def poll(self):
        if self.returncode is None:
            self.returncode = self._server.ask({"wait": self.pid, "block": False})
        return self.returncode

    def wait(self):
        if self.returncode is None:
            self.returncode = self._server.ask({"wait": self.pid, "block": True})
        return self.returncode

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number):
        if self.returncode is None:
            os.kill(self.pid, number)

    def communicate(self):
        """Wait for its end and return what it printed, as (output, errors)."""
        self.wait()
        texts = []
        for file in self._output:
            file.seek(0)
            with io.TextIOWrapper(file) as text:  # As in subprocess: all ends of lines are newlines.
                texts.append(text.read())
        return tuple(texts)


def _started():
    return {name: value for name, value in os.environ.items() if name.startswith(_AS_STARTED)}


class _Server:
    """The process that commands are forked from."""

    def __init__(self):
        self.started = _started()
        self._ours, theirs = socket.socketpair()
        command = [sys.executable, "-c", f"from tests.warm import serve; serve({theirs.fileno()})"]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], cwd=ROOT)
        theirs.close()
        atexit.register(self.close)

    def ask(self, request, files=()):
        message = json.dumps(request).encode()
        socket.send_fds(self._ours, [len(message).to_bytes(8, "big")], files)
        self._ours.sendall(message)
        answer = self._ours.recv(100)
        assert answer, "the process that commands are forked from is gone"
        return json.loads(answer)

    def close(self):
        self._ours.close()
        self._process.wait()


def serve(number):
    """Fork commands as asked for, until the other end is closed."""
    import dynsearch

    gc.disable()
    for module in pkgutil.walk_packages(dynsearch.__path__, "dynsearch."):
        if not re.search("__main__$|ray_|mlflow|weights_and", module.name):  # extras, imported where needed
            importlib.import_module(module.name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The terminal's: the tests end, and this with them.
    gc.freeze()
    with socket.socket(fileno=number) as asked:
        while True:
            head, files, _, _ = socket.recv_fds(asked, 8, 3)
            if not head:
                os._exit(0)
            request = json.loads(_exactly(asked, int.from_bytes(head, "big")))
            if "wait" in request:
                answer = _ended(request["wait"], 0 if request["block"] else os.WNOHANG)
            else:
                answer = os.fork()
                if answer == 0:
                    break
                for file in files:
                    os.close(file)
            asked.sendall(json.dumps(answer).encode())
    _become(request, files)


def _exactly(source, size):
    data = b""
    while len(data) < size:
        data += source.recv(size - len(data))
    return data


def _ended(process, options):
    found, status = os.waitpid(process, options)
    return os.waitstatus_to_exitcode(status) if found else None


def _become(request, files):
    """Be ``python -m dynsearch ARGUMENTS``, with its own input, output, directory and environment."""
    gc.enable()
    if request["session"]:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["cwd"]
    sys.argv = ["dynsearch", *request["arguments"]]
    call = pickle.loads(bytes.fromhex(request["call"]))
    if call or "study" in request["arguments"]:
        _fork_forkserver()
    try:
        if call:
            function, arguments, named = call
            function(*arguments, **named)
        else:
            runpy.run_module("dynsearch", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)  # To take all modules apart would need a second.


def _fork_forkserver():
    """Do what ``multiprocessing.forkserver.ensure_running`` does, by a fork of this process, which runs nothing yet."""
    tracker, server = resource_tracker._resource_tracker, forkserver._forkserver
    tracker.ensure_running()
    listener = socket.socket(socket.AF_UNIX)
    address = connection.arbitrary_address("AF_UNIX")
    listener.bind(address)
    listener.listen()
    alive, server._forkserver_alive_fd = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None
        os.close(tracker._fd)
        tracker._fd = tracker._pid = None
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            forkserver.main(
                listener.detach(),
                alive,
                server._preload_modules,
                sys_path=spawn.get_preparation_data("x")["sys_path"],
            )
        finally:
            os._exit(0)
    os.close(alive)
    listener.close()
    server._forkserver_address, server._forkserver_pid = address, process
