"""In MicroPython: thousands of steps of the decision while the heap is locked. Prints OK.

With the argument `allocate` each step also makes an object, which must be noticed.
"""

import sys

import decide
import micropython

WELL = decide.CONTACT_A | decide.CONTACT_B | decide.SUPPLY | decide.LINK_KEY
MIRRORS = decide.MIRROR_1 | decide.MIRROR_2
STATES = (decide.STOPPED, decide.RUN, decide.STOPPING, decide.LOCKOUT)
# All transitions but the ones that no rule allows.
EXPECTED = (
    (decide.STOPPED, decide.STOPPED),
    (decide.STOPPED, decide.RUN),
    (decide.STOPPED, decide.LOCKOUT),
    (decide.RUN, decide.RUN),
    (decide.RUN, decide.STOPPED),
    (decide.RUN, decide.STOPPING),
    (decide.RUN, decide.LOCKOUT),
    (decide.STOPPING, decide.STOPPING),
    (decide.STOPPING, decide.STOPPED),
    (decide.STOPPING, decide.LOCKOUT),
    (decide.LOCKOUT, decide.LOCKOUT),
)


class Allocating(decide.Decide):
    """What must not pass this check: a step that makes an object."""

    def step(self, elapsed, inputs, heartbeat):
        made = [elapsed]
        return decide.Decide.step(self, made[0], inputs, heartbeat)


KIND = Allocating if "allocate" in sys.argv else decide.Decide
machines = [KIND(100, delay, decide.POWER_UP) for delay in (30, 30, 30, 300, 30, 30)]
seen = bytearray(128 * 128)
steps = [0]


def tick(machine, elapsed, inputs, heartbeat):
    before = machine.state
    machine.step(elapsed, inputs, heartbeat)
    if 0 <= before < 128:
        seen[before * 128 + machine.state] = 1
    steps[0] += 1


def healthy(machine):
    if machine.state == decide.RUN:
        return WELL
    return WELL if machine.state == decide.STOPPING else WELL | MIRRORS


def wait(machine, ms):
    for _ in range(ms):
        tick(machine, 1, healthy(machine), 2)


def reset(machine):
    wait(machine, 60)
    for _ in range(200):
        tick(machine, 1, healthy(machine) | decide.RESET_PRESSED, 2)
    wait(machine, 51)


def story(machine, request, fault):
    """Reset, run, a request, a late tick, silence, and at last a fault."""
    reset(machine)
    tick(machine, 1, healthy(machine) | request, decide.NO_HEARTBEAT)
    wait(machine, 40)
    reset(machine)
    tick(machine, 50, healthy(machine), 0)
    reset(machine)
    for _ in range(120):
        tick(machine, 1, healthy(machine), decide.NO_HEARTBEAT)
    reset(machine)
    if fault == 1:
        machine.state ^= 0x04
        tick(machine, 1, WELL, 2)
    elif fault == 2:  # from RUN
        for _ in range(120):
            tick(machine, 1, healthy(machine) | decide.MIRROR_1, 2)
    elif fault == 3:  # from STOPPED
        for _ in range(120):
            tick(machine, 1, healthy(machine) & ~decide.CONTACT_A, 2)
    elif fault == 4:  # from STOPPING
        tick(machine, 1, healthy(machine) | decide.STOP_CATEGORY_1, 2)
        for _ in range(120):
            tick(machine, 1, healthy(machine) | decide.MIRROR_2, 2)
    wait(machine, 100)


def noise(machine, number):
    """Any inputs and times; every state as a start."""
    for i in range(8000):
        number = (number * 1103515245 + 12345) & 0x3FFFFFFF
        machine.state = STATES[i & 3]
        tick(machine, (number >> 20) % 14, (number >> 8) & 0xFFF, (number & 0xFF) - 1)
    tick(machine, -5, 0, -1)
    tick(machine, (1 << 29) - 1, 0xFFF, (1 << 29) - 1)


micropython.heap_lock()
try:
    story(machines[0], decide.STOP_CATEGORY_1, 1)
    story(machines[1], decide.STOP_CATEGORY_0, 2)
    story(machines[2], decide.STANDSTILL, 3)
    story(machines[3], decide.VERSION_DIFFERS, 4)
    noise(machines[4], 1)
    noise(machines[5], 2)
    failed = None
except MemoryError as error:
    failed = error
finally:
    micropython.heap_unlock()

missing = [pair for pair in EXPECTED if not seen[pair[0] * 128 + pair[1]]]
if failed:
    print("MemoryError in step", steps[0])
elif missing:
    print("not reached:", missing)
else:
    print("OK", steps[0])
