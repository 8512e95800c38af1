"""The safety decision. Every rule that decides whether the load is energised stands in this file.

Pure: no pins, no clock, no link. Integers come in, integers go out, and `step` allocates nothing,
so it runs with the heap locked. The machine is three tables, CAUSES, TABLE and TEST: tests, the
state diagram and exhaustive exploration read the same tables that the controller runs.
Compiled to machine code (`native`) a step takes a quarter of the time that it takes as bytecode.

Rule 1: the load is energised only if TABLE says so for the present state.
Rule 2: at most one trigger moves the machine in a tick, and the triggers are tried in the order in
        which they are numbered, so that a stop wins over everything that arrives with it.
Rule 3: only the trigger RESET leaves STOPPED, and nothing leaves LOCKOUT.
Rule 4: RUN is entered only from TESTING, when every step of TEST has passed: there one relay at
        most is driven, so that the load stays dead.

Vocabulary: ISO 13850 (stop, reset), IEC 60204-1 (stop categories 0 and 1), ISO 13849-1 (EDM).
"""

try:
    import micropython
    from micropython import const
except ImportError:  # unreached: with blinka installed. CPython has neither

    class micropython:  # type: ignore
        native = staticmethod(lambda function: function)

    def const(value):  # type: ignore
        return value


# Inputs, as the board read them in this tick. A set bit means closed, pressed, present.
CONTACT_A = const(0x0001)
CONTACT_B = const(0x0002)
MIRROR_1 = const(0x0004)
MIRROR_2 = const(0x0008)
RESET_PRESSED = const(0x0010)
KEY_MAINTENANCE = const(0x0020)
SUPPLY = const(0x0040)
LINK_KEY = const(0x0080)
# Requests that the link took in this tick.
STOP_CATEGORY_0 = const(0x0100)
STOP_CATEGORY_1 = const(0x0200)
STANDSTILL = const(0x0400)
VERSION_DIFFERS = const(0x0800)
# What the board says of itself: both button contacts still raise their interrupt.
INTERRUPTS = const(0x1000)

INPUT_NAMES = (
    "contact_a",
    "contact_b",
    "mirror_1",
    "mirror_2",
    "reset_pressed",
    "key_maintenance",
    "supply",
    "link_key",
    "stop_category_0",
    "stop_category_1",
    "standstill",
    "version_differs",
    "interrupts",
)

# Outputs. The last three are for TEST only.
K1 = const(0x01)  # pulses
K2 = const(0x02)  # a level
K1_LEVEL = const(0x04)  # K1's pin is high and does not pulse
K1_STARVED = const(0x08)  # K1's pulse channel is switched on and not fed
WATCHDOG_STARVED = const(0x10)  # K2's watchdog is not fed

# States. Any two codes differ in four bits: a flipped bit never turns one into another.
STOPPED = const(0x0F)
LOCKOUT = const(0x33)
TESTING = const(0x3C)
STOPPING = const(0x55)
RUN = const(0x69)

STATE_NAMES = {
    STOPPED: "STOPPED",
    LOCKOUT: "LOCKOUT",
    TESTING: "TESTING",
    STOPPING: "STOPPING",
    RUN: "RUN",
}

# Triggers, in order of precedence.
FAULT = const(0)
STOP = const(1)
CUT = const(2)
DELAYED_STOP = const(3)
RESET = const(4)
PASSED = const(5)
QUIET = const(6)

TRIGGER_NAMES = ("FAULT", "STOP", "CUT", "DELAYED_STOP", "RESET", "PASSED", "QUIET")

# state: (outputs, next state for FAULT, STOP, CUT, DELAYED_STOP, RESET, PASSED, QUIET)
TABLE = {
    STOPPED: (0, LOCKOUT, STOPPED, STOPPED, STOPPED, TESTING, STOPPED, STOPPED),
    TESTING: (0, LOCKOUT, STOPPED, STOPPED, STOPPED, TESTING, RUN, TESTING),
    RUN: (K1 | K2, LOCKOUT, STOPPED, STOPPED, STOPPING, RUN, RUN, RUN),
    STOPPING: (K1 | K2, LOCKOUT, STOPPED, STOPPED, STOPPING, STOPPING, STOPPING, STOPPING),
    LOCKOUT: (0, LOCKOUT, LOCKOUT, LOCKOUT, LOCKOUT, LOCKOUT, LOCKOUT, LOCKOUT),
}

# What TESTING does, step by step (SR-13): the controller's own means of stopping, one relay at a
# time. (outputs, mirror contacts that may open, that are open at its end, least ms, most ms)
TEST = (
    (K1_STARVED, 0, 0, 30, 30),  # without pulses K1 does not pull in,
    (K1_LEVEL, 0, 0, 30, 30),  # nor on a pin that is stuck
    (K2, 0, 0, 2, 2),  # sets the watchdog's latch, too short for the relay
    (0, 0, 0, 30, 30),  # K2 does not pull in on the latch alone,
    (WATCHDOG_STARVED, 0, 0, 10, 10),
    (K2 | WATCHDOG_STARVED, 0, 0, 30, 30),  # nor on the pin alone,
    (K2, 0, 0, 30, 30),  # nor when the watchdog is fed again under a pin that is high
    (0, 0, 0, 2, 2),
    # K2 alone, and K1 alone, move their own mirror contacts. So long, because a contactor behind
    # an output that is bypassed needs the time to show itself in the other's mirror contact.
    (K2, MIRROR_2, MIRROR_2, 120, 120),
    (0, MIRROR_2, 0, 10, 50),
    (K1, MIRROR_1, MIRROR_1, 120, 120),
    (0, MIRROR_1, 0, 10, 50),
)

# What a cause is: an EVENT happened and is over; a CONDITION lasts, and no reset acts while it
# does; a LATCHED_FAULT locks out.
EVENT = const(0)
CONDITION = const(1)
LATCHED_FAULT = const(2)

# Stop causes. Of several in one tick the first here is reported as the first cause: the supply
# comes before the contacts, because without it every input reads open.
CAUSES = (
    ("internal", LATCHED_FAULT),
    ("watchdog reset", EVENT),
    ("power up", EVENT),
    ("brown-out", CONDITION),
    ("button contact A", CONDITION),
    ("button contact B", CONDITION),
    ("contact discrepancy", LATCHED_FAULT),
    ("mirror contact K1", LATCHED_FAULT),
    ("mirror contact K2", LATCHED_FAULT),
    ("self-test", LATCHED_FAULT),
    ("control tick late", EVENT),
    ("key switch", CONDITION),
    ("link key missing", CONDITION),
    ("protocol version", EVENT),
    ("heartbeat lost", CONDITION),
    ("stop requested", EVENT),
    ("reset button stuck", CONDITION),
)
INTERNAL = const(1 << 0)
WATCHDOG_RESET = const(1 << 1)
POWER_UP = const(1 << 2)
BROWN_OUT = const(1 << 3)
BUTTON_A = const(1 << 4)
BUTTON_B = const(1 << 5)
DISCREPANCY = const(1 << 6)
MIRROR_K1 = const(1 << 7)
MIRROR_K2 = const(1 << 8)
SELF_TEST = const(1 << 9)
TICK_LATE = const(1 << 10)
KEY_SWITCH = const(1 << 11)
LINK_KEY_MISSING = const(1 << 12)
PROTOCOL_VERSION = const(1 << 13)
HEARTBEAT_LOST = const(1 << 14)
STOP_REQUESTED = const(1 << 15)
RESET_STUCK = const(1 << 16)
FAULTS = const(INTERNAL | DISCREPANCY | MIRROR_K1 | MIRROR_K2 | SELF_TEST)

NO_CAUSE = const(0xFF)
NO_HEARTBEAT = const(-1)

# Limits, in milliseconds.
HEARTBEAT_TIMEOUT_MIN = const(40)
HEARTBEAT_TIMEOUT_MAX = const(1000)
STOP_DELAY_MAX = const(1000)
DISCREPANCY_MAX = const(100)  # SR-11
MIRROR_CLOSE_MAX = const(50)  # SR-12, after de-energising
MIRROR_OPEN_MAX = const(100)  # SR-12, after energising
RESET_SETTLE = const(50)  # the reset contact counts as moved when it has been still this long
RESET_PRESS_MIN = const(150)  # SR-07
RESET_PRESS_MAX = const(3000)
TICK_LATE_MAX = const(4)  # K2's watchdog ends after 4.5 ms at least (hardware/)
TIMER_MAX = const(60000)  # timers stop counting here


class Decide:
    """The decision and its memory.

    `state`, `first` (index into CAUSES or NO_CAUSE), `causes` and `present` (bit masks over
    CAUSES: all since the load was last energised, and those that last now), `tripped` (index of
    the cause that made the last transition), `heartbeat_age` (ms) and `resets_refused` are read
    by the layer above and written here only.
    """

    def __init__(
        self,
        heartbeat_timeout: int,
        stop_delay: int,
        boot_cause: int,
        lockout_causes: int = 0,
        maintenance: bool = False,
    ) -> None:
        """Start in STOPPED, or in LOCKOUT if one was recorded (SR-09, SR-16).

        Times in ms, clamped to their limits. `boot_cause` is POWER_UP, WATCHDOG_RESET or
        BROWN_OUT. `lockout_causes` is the recorded lockout; it is over only if this is a power-up
        with the key switch in maintenance.
        """
        self.heartbeat_timeout = clamp(
            heartbeat_timeout, HEARTBEAT_TIMEOUT_MIN, HEARTBEAT_TIMEOUT_MAX
        )
        self.stop_delay = clamp(stop_delay, 0, STOP_DELAY_MAX)
        self.state = STOPPED
        self.causes = boot_cause
        if lockout_causes and not (maintenance and boot_cause == POWER_UP):
            self.state = LOCKOUT
            self.causes |= lockout_causes
        self.first = lowest(lockout_causes if self.state == LOCKOUT else boot_cause)
        self.tripped = self.first
        self.present = 0
        self.heartbeat_age = TIMER_MAX
        self.resets_refused = 0
        self._stopping = 0
        self._test_step = 0
        self._test_time = 0
        self._discrepancy = 0
        self._mirror_1 = 0
        self._mirror_2 = 0
        # A press is void until the contact has been seen open for RESET_SETTLE.
        self._reset_level = 0
        self._reset_open = 0
        self._reset_settle = 0
        self._reset_press = 0
        self._reset_void = True

    @micropython.native
    def step(self, elapsed: int, inputs: int, heartbeat: int) -> int:
        """One control tick: what happened since the last one in, K1 | K2 or 0 out.

        `elapsed`: ms since the last tick. `heartbeat`: age in ms of the challenge that an
        authentic heartbeat of this tick answers, or NO_HEARTBEAT.
        """
        row = TABLE.get(self.state)
        if row is None:  # a corrupted state word
            row = TABLE[LOCKOUT]
            self.state = LOCKOUT
            self._note(INTERNAL)
            self.tripped = lowest(INTERNAL)
        energised = row[0]
        late = elapsed < 0 or elapsed > TICK_LATE_MAX
        if elapsed < 0 or elapsed > TIMER_MAX:
            elapsed = TIMER_MAX

        self.present = self._lasting(elapsed, inputs, heartbeat)
        awake = energised != 0 or self.state == TESTING
        found = self.present | self._events(inputs, late and awake)
        # Contacts were not watched between late ticks: one look proves nothing lasting.
        found |= self._faults(TICK_LATE_MAX if late else elapsed, inputs, energised)
        if self.state == TESTING and inputs & SUPPLY and not late:
            found |= self._test(elapsed, inputs)  # else the mirror contacts prove nothing
        reset = self._reset(elapsed, inputs, found)
        if reset and not inputs & MIRROR_1:  # SR-12: open before energising
            found |= MIRROR_K1
        if reset and not inputs & MIRROR_2:
            found |= MIRROR_K2
        trigger = self._trigger(elapsed, inputs, found, reset)

        if trigger == RESET:
            self.causes = 0
            self.first = NO_CAUSE
            self.tripped = NO_CAUSE
        elif found:
            self._note(found)
        if row[trigger + 1] != self.state:
            self._enter(row[trigger + 1], found)
        if self.state == TESTING:
            return TEST[self._test_step][0]
        return TABLE[self.state][0]

    @micropython.native
    def _trigger(self, elapsed: int, inputs: int, found: int, reset: bool) -> int:
        """The one trigger of this tick: the first that applies, in order of precedence."""
        if self.state == STOPPING:
            self._stopping = count(self._stopping, elapsed)
        if found & FAULTS:
            return FAULT
        delayed = found == STOP_REQUESTED and self.stop_delay and not inputs & STOP_CATEGORY_0
        if found and not delayed:
            return STOP
        if self.state == STOPPING and (inputs & STANDSTILL or self._stopping >= self.stop_delay):
            return CUT
        if delayed:
            return DELAYED_STOP
        if reset:
            return RESET
        return PASSED if self._test_step == len(TEST) else QUIET

    def _enter(self, state: int, found: int) -> None:
        """Go to another state; the timers of what changes with it begin at zero."""
        if TABLE[state][0] != TABLE[self.state][0]:
            self._mirror_1 = 0
            self._mirror_2 = 0
        self.state = state
        self._stopping = 0
        self._test_step = 0
        self._test_time = 0
        if found:
            self.tripped = lowest(found & FAULTS or found)

    def _note(self, found: int) -> None:
        """Keep the first cause and all of them."""
        if not self.causes:
            self.first = lowest(found)
        self.causes |= found

    @micropython.native
    def _lasting(self, elapsed: int, inputs: int, heartbeat: int) -> int:
        """The conditions that last in this tick: a stop while energised, no reset until gone."""
        age = count(self.heartbeat_age, elapsed)
        if 0 <= heartbeat < age:
            age = heartbeat
        self.heartbeat_age = age
        present = 0
        if not inputs & SUPPLY:
            present |= BROWN_OUT
        if not inputs & CONTACT_A:
            present |= BUTTON_A
        if not inputs & CONTACT_B:
            present |= BUTTON_B
        if inputs & KEY_MAINTENANCE:
            present |= KEY_SWITCH
        if not inputs & LINK_KEY:
            present |= LINK_KEY_MISSING
        if age >= self.heartbeat_timeout:
            present |= HEARTBEAT_LOST
        if self.state == STOPPED and self._reset_press > RESET_PRESS_MAX:
            present |= RESET_STUCK
        return present

    @micropython.native
    def _events(self, inputs: int, late: bool) -> int:
        """What happened in this tick and is over; latched until a reset."""
        events = TICK_LATE if late else 0
        if inputs & VERSION_DIFFERS:
            events |= PROTOCOL_VERSION
        if inputs & (STOP_CATEGORY_0 | STOP_CATEGORY_1):
            events |= STOP_REQUESTED
        return events

    @micropython.native
    def _faults(self, elapsed: int, inputs: int, energised: int) -> int:
        """Contacts that disagree (SR-11), mirror contacts that do not follow (SR-12), a board
        that has lost its interrupts.

        The contacts are wetted from the supply: without it they all read open and prove nothing,
        the load is dead, and BROWN_OUT has stopped the machine.
        """
        faults = 0 if inputs & INTERRUPTS else INTERNAL
        if not inputs & SUPPLY:
            self._discrepancy = 0
            self._mirror_1 = 0
            self._mirror_2 = 0
            return faults
        disagree = (inputs & CONTACT_A != 0) != (inputs & CONTACT_B != 0)
        self._discrepancy = count(self._discrepancy, elapsed) if disagree else 0
        if self._discrepancy > DISCREPANCY_MAX:
            faults |= DISCREPANCY
        if self.state == TESTING:
            return faults  # `_test` judges the mirror contacts, and more strictly
        # A mirror contact is closed exactly when its relay is not energised.
        limit = MIRROR_OPEN_MAX if energised else MIRROR_CLOSE_MAX
        wrong_1 = (inputs & MIRROR_1 != 0) == (energised & K1 != 0)
        wrong_2 = (inputs & MIRROR_2 != 0) == (energised & K2 != 0)
        self._mirror_1 = count(self._mirror_1, elapsed) if wrong_1 else 0
        self._mirror_2 = count(self._mirror_2, elapsed) if wrong_2 else 0
        if self._mirror_1 >= limit:
            faults |= MIRROR_K1
        if self._mirror_2 >= limit:
            faults |= MIRROR_K2
        return faults

    @micropython.native
    def _test(self, elapsed: int, inputs: int) -> int:
        """Go on with the step of TEST, or to the next; SELF_TEST if a mirror contact is wrong."""
        _, may_open, at_end, least, most = TEST[self._test_step]
        opened = ~inputs & (MIRROR_1 | MIRROR_2)
        self._test_time = count(self._test_time, elapsed)
        if opened & ~may_open:
            return SELF_TEST
        if self._test_time >= least and opened == at_end:
            self._test_step += 1
            self._test_time = 0
        elif self._test_time >= most:
            return SELF_TEST
        return 0

    @micropython.native
    def _reset(self, elapsed: int, inputs: int, found: int) -> bool:
        """Whether the reset button's release acts in this tick (SR-07, SR-08).

        A press counts if the whole of it, from the first closing of the contact to the settled
        release, fell into STOPPED with no cause there, and if it lasted 150 ms to 3 s.
        """
        raw = inputs & RESET_PRESSED
        late = elapsed > TICK_LATE_MAX  # the contact was not watched: nothing is known of it
        released = False
        self._reset_open = 0 if raw else count(self._reset_open, elapsed)
        if raw == self._reset_level:
            self._reset_settle = 0
        else:
            self._reset_settle = count(self._reset_settle, elapsed)
        if self._reset_level:
            self._reset_press = count(self._reset_press, elapsed)
        if self._reset_settle >= RESET_SETTLE:
            self._reset_settle = 0
            self._reset_level = raw
            released = not raw
        if found or self.state != STOPPED or late:
            self._reset_void = True
        acts = released and not self._reset_void
        acts = acts and RESET_PRESS_MIN <= self._reset_press <= RESET_PRESS_MAX
        if released and not acts and self.state != RUN:
            self.resets_refused = (self.resets_refused + 1) & 0xFFFF
        if not self._reset_level:
            self._reset_press = 0
            if self._reset_open >= RESET_SETTLE and not found and self.state == STOPPED:
                self._reset_void = late
        return acts


def clamp(value: int, low: int, high: int) -> int:
    """`value`, or the limit that it is beyond."""
    return low if value < low else high if value > high else value


@micropython.native
def count(timer: int, elapsed: int) -> int:
    """A timer after `elapsed` more ms; it stops at TIMER_MAX instead of growing."""
    return timer + elapsed if timer + elapsed < TIMER_MAX else TIMER_MAX


@micropython.native
def lowest(causes: int) -> int:
    """Index of the first cause in the order of CAUSES, or NO_CAUSE."""
    index = 0
    while causes:
        if causes & 1:
            return index
        causes >>= 1
        index += 1
    return NO_CAUSE
