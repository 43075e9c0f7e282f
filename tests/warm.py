r"""Commands of labkd, and kernels of notebooks, that start at once.

Importing torch and what comes with it takes ten seconds, which a test that
starts a process cannot spare. Here a server imports it once and forks. labkd
itself it has not seen. What was computed is lost with its process all the
same, whatever ends it.
"""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from functools import cached_property
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    """accelerate ipykernel.kernelapp matplotlib
    pandas scipy.stats sklearn.datasets torch torchvision""".split()
)
# The server inherits them: with one thread, no fork finds another at work.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


class Forked:
    r"""A function in a process of its own, as of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, target, *arguments):
        self.process = SERVER.Process(target=target, args=arguments)
        with patch.dict(os.environ, ENVIRONMENT):
            self.process.start()

    @property
    def pid(self):
        return self.process.pid

    @property
    def returncode(self):
        return self.process.exitcode

    def poll(self):
        return self.process.exitcode

    def send_signal(self, number):
        os.kill(self.process.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)
        self.process.join()

    def terminate(self):
        self.process.terminate()

    def wait(self, timeout=None):
        self.process.join(timeout)
        if self.process.is_alive():
            self.kill()
            raise subprocess.TimeoutExpired(self.process.name, timeout)
        return self.returncode


class Command(Forked):
    r"""
    `python -m labkd` with some words.

    * `words`: after `python -m labkd`
    * `folder`: where it runs
    * `log`: a file that its output is appended to
    """

    def __init__(self, words, folder, log):
        self.log = Path(log)
        self.log.touch()
        words = [str(word) for word in words]
        super().__init__(_run, words, str(folder), str(log))

    @property
    def output(self):
        return self.log.read_text("utf-8")


class Kernel(Forked):
    r"""
    A notebook's kernel, with these variables and no others.

    * `words`: the command that starts one
    * `env`, `cwd`: its variables and its folder, as of `subprocess.Popen`

    `seconds` are those of the processor, of its children too, once it ended.
    """

    def __init__(self, words, *, env, cwd, **_):
        file = words[words.index("-f") + 1]
        self.told, teller = SERVER.Pipe(duplex=False)
        super().__init__(_serve, file, dict(env), str(cwd), teller)
        teller.close()
        # From here on a signal to its group reaches no other process.
        self.told.recv()

    @cached_property
    def seconds(self):
        self.wait()
        return self.told.recv()


def popen(words, *, stdout, stderr, env):
    r"""Stands for `subprocess.Popen` of `[python, -m, labkd, ...]`."""
    assert words[:3] == [sys.executable, "-m", "labkd"]
    assert stderr is subprocess.STDOUT and env["OMP_NUM_THREADS"]
    return Command(words[3:], os.getcwd(), stdout.name)


def _run(words, folder, log):
    from labkd.lab.cli import main

    os.chdir(folder)
    # Buffered like a file's, so that what is told late is missed.
    with (
        open(log, "a", encoding="utf-8") as stream,
        redirect_stdout(stream),
        redirect_stderr(stream),
    ):
        status = main(words)
    sys.exit(status)


def _serve(file, environment, folder, teller):
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # As in a new process: what PYTHONPATH has, then what is installed.
    first = environment.get("PYTHONPATH", "").split(os.pathsep)
    installed = (sys.prefix, sys.base_prefix)
    sys.path[:] = [*filter(None, first)] + [
        path for path in sys.path if path.startswith(installed)
    ]
    teller.send("a session of its own")
    import matplotlib
    from ipykernel.kernelapp import IPKernelApp

    # A kernel says so to a matplotlib that is not there yet.
    matplotlib.use("module://matplotlib_inline.backend_inline")
    IPKernelApp.launch_instance(["-f", file])
    usages = map(
        resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    teller.send(sum(used.ru_utime + used.ru_stime for used in usages))
