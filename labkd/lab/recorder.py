r"""
# The recorder

Works through the missing records, piece by piece, each a process of its own.
On a CPU a small student cannot use two cores as well as two students can, one
core each; a GPU takes several at once for the same reason. Every piece leaves
checkpoints: the recorder can be stopped at any moment, and called again.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch

from labkd.lab.plans import Job, choose_rates, plan
from labkd.lab.voices import PAUSED

# Minutes that a piece is given to come to an end before the time is up.
ENDING = 0.1


def record(
    size: str,
    *,
    minutes: float,
    only: str,
    results: Path,
    folder: Path,
    workers: int,
    computed: tuple[str, ...] = (),
) -> bool:
    r"""
    Make the missing records until there is none or the time is up.

    * `minutes`: all has stopped, and what was done is kept, within them
    * `only`: a pattern of recipe names, such as `*soft*`
    * `results`, `folder`: of the records, and of weights and tables
    * `workers`: how many pieces at once, at least 1
    * `computed`: options of `run` that say how, such as `--precision`

    Returns whether all is done. Raises `ChildProcessError` when a piece fails.
    """
    deadline = time.monotonic() + 60 * minutes
    where = {"only": only, "results": results, "folder": folder}
    running, closing, missing = {}, False, None
    try:
        while time.monotonic() < deadline:
            ended = [p for p in running if p.poll() is not None]
            for process in ended:
                closing |= _end(process, running.pop(process), folder)
            # What is missing changes when a piece ends, and costs a look at
            # every file.
            if ended or missing is None:
                choose_rates(size, **where)
                missing = plan(size, **where)
            job = _next(missing, list(running.values()), workers)
            left = (deadline - time.monotonic()) / 60 - ENDING
            closing |= left < 0
            if job and not closing:
                running[_start(job, left, workers, folder, computed)] = job
            elif running:
                time.sleep(0.5)
            else:
                return not missing
    finally:
        # Killed or not, a piece goes on from its last epoch.
        for process in running:
            process.terminate()
            process.wait()
    return not plan(size, **where)


def _next(missing: list[Job], running: list[Job], workers: int) -> Job | None:
    if len(running) >= workers or any(job.alone for job in running):
        return None
    for job in missing:
        if job not in running and all(file.is_file() for file in job.needs):
            return None if job.alone and running else job
    return None


def _start(
    job: Job,
    minutes: float,
    workers: int,
    folder: Path,
    computed: tuple[str, ...],
) -> subprocess.Popen:
    words = ["--folder", str(folder), "--minutes", f"{minutes:.2f}"]
    if job.words[0] == "run":
        words += computed
    cores = torch.get_num_threads()
    environment = {
        "OMP_NUM_THREADS": str(cores if job.alone else cores // workers or 1),
    }
    log = _log(job, folder)
    log.parent.mkdir(parents=True, exist_ok=True)
    _say(" ".join(job.words))
    with log.open("a", encoding="utf-8") as stream:
        return subprocess.Popen(
            [sys.executable, "-m", "labkd", *job.words, *words],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment | os.environ,
        )


def _end(process: subprocess.Popen, job: Job, folder: Path) -> bool:
    if process.returncode == PAUSED:
        return True
    log = _log(job, folder)
    last = log.read_text("utf-8").strip().splitlines()[-1:]
    if process.returncode or not job.makes.is_file():
        raise ChildProcessError(
            f"{' '.join(job.words)} ended with status {process.returncode}: "
            f"{''.join(last)} (all of it: {log})"
        )
    _say(f"  done: {''.join(last)}")
    return False


def _log(job: Job, folder: Path) -> Path:
    return folder / job.words[1] / f"{job.makes.name}.log"


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
