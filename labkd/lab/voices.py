r"""
# One voice

Several processes that `torchrun` or `accelerate launch` started run one
command, and whoever gave it expects one answer. They make the same mistakes,
too: the first process tells of it and ends, and the launcher ends the others.
A process whose mistake is its own is heard a little later.
"""

import os
import sys
import time

# Seconds after which another process than the first says what went wrong.
HEARD_AFTER = 10.0
# The status of a process whose time is up: EX_TEMPFAIL of sysexits.h, which
# asks for the same command later.
PAUSED = 75


def first() -> bool:
    r"""Whether this process is the first, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def wait_for_the_first() -> None:
    r"""Gives the first process the time to say it, whatever it is."""
    if not first():
        time.sleep(HEARD_AFTER)


def leave() -> None:
    r"""Ends the group of processes: one that keeps it aborts at its exit."""
    # Without torch, whose import takes seconds, there is none.
    torch = sys.modules.get("torch")
    if torch and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
