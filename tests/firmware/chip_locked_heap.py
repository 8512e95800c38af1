"""In MicroPython: thousands of steps of the decision while the heap is locked. Prints OK.

With the argument `allocate` each step also makes an object, which must be noticed.
"""

import sys

import decide
import micropython

WELL = decide.CONTACT_A | decide.CONTACT_B | decide.SUPPLY | decide.LINK_KEY | decide.INTERRUPTS
MIRRORS = decide.MIRROR_1 | decide.MIRROR_2
STATES = (decide.STOPPED, decide.TESTING, decide.RUN, decide.STOPPING, decide.LOCKOUT)
# All transitions that a rule allows.
EXPECTED = (
    (decide.STOPPED, decide.STOPPED),
    (decide.STOPPED, decide.TESTING),
    (decide.STOPPED, decide.LOCKOUT),
    (decide.TESTING, decide.TESTING),
    (decide.TESTING, decide.RUN),
    (decide.TESTING, decide.STOPPED),
    (decide.TESTING, decide.LOCKOUT),
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
machines = [KIND(100, delay, decide.POWER_UP) for delay in (30, 30, 30, 300, 30, 30, 30)]
seen = bytearray(128 * 128)
steps = [0]
# The plant: what is driven, whether the latch of K2's watchdog is set, ms that K2's coil has been
# live. A list of small integers can change without making an object.
OUTPUTS, LATCHED, K2_MS = range(3)
plant = [0, 0, 0]


def tick(machine, elapsed, inputs, heartbeat):
    before = machine.state
    outputs = machine.step(elapsed, inputs, heartbeat)
    if outputs & decide.WATCHDOG_STARVED:
        plant[LATCHED] = 0
    elif outputs & decide.K2 and not plant[OUTPUTS] & decide.K2:
        plant[LATCHED] = 1
    live = outputs & decide.K2 and plant[LATCHED]
    plant[K2_MS] = plant[K2_MS] + 1 if live else 0
    plant[OUTPUTS] = outputs
    if 0 <= before < 128:
        seen[before * 128 + machine.state] = 1
    steps[0] += 1


def healthy(machine):
    """All is well, and the mirror contacts follow: K1's at once, K2's after 5 ms."""
    inputs = WELL
    if not plant[OUTPUTS] & decide.K1:
        inputs |= decide.MIRROR_1
    if plant[K2_MS] < 5:
        inputs |= decide.MIRROR_2
    return inputs


def wait(machine, ms):
    for _ in range(ms):
        tick(machine, 1, healthy(machine), 2)


def press(machine):
    """A press of the reset button: into the test before energising."""
    wait(machine, 60)
    for _ in range(200):
        tick(machine, 1, healthy(machine) | decide.RESET_PRESSED, 2)
    wait(machine, 51)


def reset(machine):
    """Through the test into RUN."""
    press(machine)
    wait(machine, 430)


def story(machine, request, fault):
    """A test that is stopped; reset, run, a request, a late tick, silence, and at last a fault."""
    press(machine)
    wait(machine, 200)
    tick(machine, 1, healthy(machine) | decide.STOP_CATEGORY_1, 2)
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
    elif fault == 5:  # from TESTING
        tick(machine, 1, healthy(machine) | decide.STOP_CATEGORY_0, 2)
        press(machine)
        wait(machine, 200)
        tick(machine, 1, healthy(machine) & ~decide.MIRROR_1, 2)
    wait(machine, 100)


def noise(machine, number):
    """Any inputs and times; every state as a start."""
    for i in range(8000):
        number = (number * 1103515245 + 12345) & 0x3FFFFFFF
        machine.state = STATES[i % 5]
        tick(machine, (number >> 20) % 14, (number >> 8) & 0x1FFF, (number & 0xFF) - 1)
    tick(machine, -5, 0, -1)
    tick(machine, (1 << 29) - 1, 0x1FFF, (1 << 29) - 1)


micropython.heap_lock()
try:
    story(machines[0], decide.STOP_CATEGORY_1, 1)
    story(machines[1], decide.STOP_CATEGORY_0, 2)
    story(machines[2], decide.STANDSTILL, 3)
    story(machines[3], decide.VERSION_DIFFERS, 4)
    story(machines[4], decide.STOP_CATEGORY_1, 5)
    noise(machines[5], 1)
    noise(machines[6], 2)
    failed = None
except MemoryError as error:
    failed = error
finally:
    micropython.heap_unlock()

missing = [pair for pair in EXPECTED if not seen[pair[0] * 128 + pair[1]]]
allowed = [before * 128 + after for before, after in EXPECTED]
wrong = [
    (before, after)
    for before in STATES
    for after in range(128)
    if seen[before * 128 + after] and before * 128 + after not in allowed
]
if failed:
    print("MemoryError in step", steps[0])
elif missing:
    print("not reached:", missing)
elif wrong:
    print("reached against the rules:", wrong)
else:
    print("OK", steps[0])
