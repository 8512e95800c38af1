"""A better place among all that wants the processor: for the process that makes the heartbeat.

Everything here is asked for and none of it needed. Where the system does not permit it (a systemd
unit does with `LimitRTPRIO=20`, `LimitMEMLOCK=infinity`) the heartbeat is made all the same, later
on a busy machine, and that is said.
"""

import gc
import os
import resource

PRIORITY = 20  # of SCHED_FIFO, sched(7): above all ordinary processes, below the kernel's threads
NICE = -10
MCL_CURRENT, MCL_FUTURE = 1, 2  # mlockall(2)
CAP_IPC_LOCK = 14  # capabilities(7)


def ask() -> tuple[bool, str]:
    """Ask for all of it; whether it is real-time now, and what was got, in words."""
    gc.collect()
    gc.freeze()  # what lives now lives on: a collection need not look at it
    locked = "memory locked" if _lock_memory() else "memory not locked"
    try:
        # What it starts is not to have it too.
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))
    except OSError:
        pass
    else:
        return True, f"real-time priority {PRIORITY}, {locked}"
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    except OSError:
        return False, f"ordinary priority, {locked}"
    return False, f"nice {NICE}, {locked}"


def _lock_memory() -> bool:
    """So that nothing of it waits for a disk. Only where there is no limit: beyond a limit, later
    allocations would fail."""
    if (
        resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY
        and not _may_lock()
    ):
        return False
    try:
        import ctypes  # noqa: PLC0415 - where its callbacks are forbidden this fails

        return int(ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_FUTURE)) == 0
    except (ImportError, MemoryError, OSError):
        return False


def _may_lock() -> bool:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> CAP_IPC_LOCK & 1)
    return False
