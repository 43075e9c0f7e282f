r"""Commands of labkd in processes of their own, that start at once.

Importing torch takes seconds, which a test that starts a command ten times
cannot spare. Here a server imports it once and forks. What a command computed
is lost with its process all the same, whatever ends it.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["labkd.experiments"])
# The server inherits them: with one thread, no fork finds another at work.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


class Command:
    r"""
    `python -m labkd` with some words, in the way of `subprocess.Popen`.

    * `words`: after `python -m labkd`
    * `folder`: where it runs
    * `log`: a file that its output is appended to
    """

    def __init__(self, words, folder, log):
        self.log = Path(log)
        self.log.touch()
        arguments = ([str(word) for word in words], str(folder), str(log))
        self.process = SERVER.Process(target=_run, args=arguments)
        with patch.dict(os.environ, ENVIRONMENT):
            self.process.start()

    @property
    def returncode(self):
        return self.process.exitcode

    @property
    def output(self):
        return self.log.read_text("utf-8")

    def poll(self):
        return self.process.exitcode

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.join()

    def terminate(self):
        self.process.terminate()

    def wait(self, timeout=None):
        self.process.join(timeout)
        if self.process.is_alive():
            self.kill()
            raise subprocess.TimeoutExpired(self.log.name, timeout)
        return self.returncode


def popen(words, *, stdout, stderr, env):
    r"""Stands for `subprocess.Popen` of `[python, -m, labkd, ...]`."""
    assert words[:3] == [sys.executable, "-m", "labkd"]
    assert stderr is subprocess.STDOUT and env["OMP_NUM_THREADS"]
    return Command(words[3:], os.getcwd(), stdout.name)


def _run(words, folder, log):
    from labkd.__main__ import main

    os.chdir(folder)
    # Buffered like a file's, so that what is told late is missed.
    with (
        open(log, "a", encoding="utf-8") as stream,
        redirect_stdout(stream),
        redirect_stderr(stream),
    ):
        status = main(words)
    sys.exit(status)
