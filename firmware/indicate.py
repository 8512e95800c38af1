"""What stack light and buzzer show in each state. No rule of safety hangs on it.

Colours of IEC 60204-1: red for a stop and for what needs a person, green for normal operation.
"""

import decide
import micropython

RED = 0x01
GREEN = 0x02
BUZZER = 0x04

PERIOD_MS = 512  # of blinking, half on and half off

# state: (in the first half of the period, in the second half)
LAMPS = {
    decide.STOPPED: (RED, RED),
    decide.TESTING: (RED | GREEN, RED | GREEN),
    decide.RUN: (GREEN, GREEN),
    decide.STOPPING: (GREEN | BUZZER, BUZZER),
    decide.LOCKOUT: (RED | BUZZER, 0),
}
UNKNOWN = (RED | BUZZER, RED | BUZZER)


@micropython.native
def lamps(state: int, uptime: int) -> int:
    """The bits to light in this state, `uptime` ms after power-up."""
    first, second = LAMPS.get(state, UNKNOWN)
    return first if uptime % PERIOD_MS < PERIOD_MS // 2 else second
