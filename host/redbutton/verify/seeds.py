"""Bugs to plant into the text of firmware/decide.py, so that `redbutton verify` can find them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """What goes wrong, and the places in the text that make it so: (old, new)."""

    what: str
    edits: tuple[tuple[str, str], ...]


_VOID = "if found or self.state != STOPPED or late:"
_LENGTH = "RESET_PRESS_MIN <= self._reset_press <= RESET_PRESS_MAX"

BUGS = {
    "contact-b-ignored": Bug(
        "the second contact of the button does not stop",
        (("if not inputs & CONTACT_B:", "if not inputs & (CONTACT_A | CONTACT_B):"),),
    ),
    "stop-loses-to-reset": Bug(
        "a reset that acts in the same tick wins over a stop",
        (
            ("if found and not delayed:", "if found and not delayed and not reset:"),
            (_VOID, "if self.state != STOPPED or late:"),
        ),
    ),
    "heartbeat-ignored": Bug(
        "no heartbeat is needed", (("if age >= self.heartbeat_timeout:", "if False:"),)
    ),
    "heartbeat-one-late": Bug(
        "the heartbeat's timeout is one ms too long",
        (("if age >= self.heartbeat_timeout:", "if age > self.heartbeat_timeout:"),),
    ),
    "old-heartbeat-fresh": Bug(
        "the answer to an old challenge counts as new", (("age = heartbeat", "age = 0"),)
    ),
    "timeout-not-clamped": Bug(
        "the heartbeat's timeout may be set to an hour",
        (
            (
                "heartbeat_timeout, HEARTBEAT_TIMEOUT_MIN, HEARTBEAT_TIMEOUT_MAX",
                "heartbeat_timeout, HEARTBEAT_TIMEOUT_MIN, 3600000",
            ),
        ),
    ),
    "category-0-delayed": Bug(
        "a request of category 0 is delayed like one of category 1",
        ((" and not inputs & STOP_CATEGORY_0", ""),),
    ),
    "stopping-never-ends": Bug(
        "the delayed stop waits for standstill only",
        ((" or self._stopping >= self.stop_delay)", ")"),),
    ),
    "stopping-one-late": Bug(
        "the delayed stop ends one ms after its deadline",
        (("self._stopping >= self.stop_delay", "self._stopping > self.stop_delay"),),
    ),
    "standstill-resets": Bug(
        "the host's report of standstill acts like a reset",
        (("        if reset:\n", "        if reset or inputs & STANDSTILL:\n"),),
    ),
    "press-too-short": Bug(
        "a short press resets", ((_LENGTH, "self._reset_press <= RESET_PRESS_MAX"),)
    ),
    "press-too-long": Bug(
        "a press of more than three seconds resets",
        ((_LENGTH, "RESET_PRESS_MIN <= self._reset_press"),),
    ),
    "reset-on-press": Bug(
        "the press acts, and not its release",
        (("released = not raw", "released = bool(raw)"), (_LENGTH, "True")),
    ),
    "press-before-the-stop": Bug(
        "a press that began before the stop resets after it",
        ((_VOID, "if late:"),),
    ),
    "lockout-left-by-reset": Bug(
        "the table lets a reset lead out of LOCKOUT",
        (
            (
                "LOCKOUT: (0, LOCKOUT, LOCKOUT, LOCKOUT, LOCKOUT, LOCKOUT, ",
                "LOCKOUT: (0, LOCKOUT, LOCKOUT, LOCKOUT, LOCKOUT, TESTING, ",
            ),
        ),
    ),
    "lockout-left-by-key": Bug(
        "the key switch leads out of LOCKOUT without a power cycle",
        (
            (
                "        row = TABLE.get(self.state)\n",
                "        if self.state == LOCKOUT and inputs & KEY_MAINTENANCE:\n"
                "            self.state = STOPPED\n"
                "        row = TABLE.get(self.state)\n",
            ),
        ),
    ),
    "lockout-left-by-restart": Bug(
        "a restart by the watchdog in maintenance ends a lockout, not a power cycle only",
        (
            (
                "if lockout_causes and not (maintenance and boot_cause == POWER_UP):",
                "if lockout_causes and not maintenance:",
            ),
        ),
    ),
    "key-switch-ignored": Bug(
        "the relays may be energised in maintenance",
        (("if inputs & KEY_MAINTENANCE:", "if False:"),),
    ),
    "late-tick-ignored": Bug("a control loop that hung goes on", (("late and awake", "False"),)),
    "discrepancy-not-latched": Bug(
        "contacts that contradict stop, but do not lock out",
        (("const(INTERNAL | DISCREPANCY | MIRROR_K1", "const(INTERNAL | MIRROR_K1"),),
    ),
    "weld-ignored": Bug(
        "a mirror contact of K1 that stays open after a stop is not noticed",
        (("if self._mirror_1 >= limit:", "if energised and self._mirror_1 >= limit:"),),
    ),
    "mirror-unchecked-at-reset": Bug(
        "the test begins with the mirror contact of K2 open",
        (("if reset and not inputs & MIRROR_2:", "if False:"),),
    ),
    "no-test": Bug(
        "a reset leads to RUN without a test",
        (
            (
                "STOPPED, STOPPED, STOPPED, TESTING, STOPPED, STOPPED)",
                "STOPPED, STOPPED, STOPPED, RUN, STOPPED, STOPPED)",
            ),
        ),
    ),
    "test-step-skipped": Bug(
        "the second step of the test is left out",
        (("self._test_step += 1\n", "self._test_step += 2 if self._test_step == 0 else 1\n"),),
    ),
    "test-passed-while-open": Bug(
        "a step of the test passes with a mirror contact that did not move",
        (("self._test_time >= least and opened == at_end:", "self._test_time >= least:"),),
    ),
    "test-drives-both": Bug(
        "one step of the test drives both relays",
        (("(K2, MIRROR_2, MIRROR_2, ", "(K1 | K2, MIRROR_2, MIRROR_2, "),),
    ),
    "test-without-starving": Bug(
        "the test does not starve the pulse channel", (("    (K1_STARVED, ", "    (0, "),)
    ),
    "cause-never-raised": Bug(
        "the record never names the missing link key",
        (("present |= LINK_KEY_MISSING", "present |= KEY_SWITCH"),),
    ),
}
