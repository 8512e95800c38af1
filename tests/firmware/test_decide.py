"""The safety decision: its tables in reading order, then requirement by requirement.

What is expected stands written out here. Nothing is computed from the tables or limits under test.
"""

import copy
import dataclasses
import importlib.util
import itertools
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from rig import (
    BUTTON,
    FRESH,
    IN_STATE,
    MIRRORS,
    NEVER,
    SETTLE_MS,
    WELL,
    Plant,
    Rig,
    about_to_test,
    energised,
    locked_out,
    names,
    running,
    stopped,
    stopping,
    under_test,
)

from redbutton.firmware import decide
from redbutton.firmware.decide import (
    BROWN_OUT,
    CONTACT_A,
    CONTACT_B,
    INTERRUPTS,
    K1,
    K1_LEVEL,
    K1_STARVED,
    K2,
    KEY_MAINTENANCE,
    LINK_KEY,
    MIRROR_1,
    MIRROR_2,
    NO_HEARTBEAT,
    POWER_UP,
    RESET_PRESSED,
    STANDSTILL,
    STOP_CATEGORY_0,
    STOP_CATEGORY_1,
    SUPPLY,
    VERSION_DIFFERS,
    WATCHDOG_RESET,
    WATCHDOG_STARVED,
)

BOTH = K1 | K2
ALL_INPUTS = (1 << 13) - 1
REQUESTS = STOP_CATEGORY_0 | STOP_CATEGORY_1 | STANDSTILL | VERSION_DIFFERS
REQUEST_BITS = (STANDSTILL, STANDSTILL, STANDSTILL, STOP_CATEGORY_0, STOP_CATEGORY_1)
SMALL_INTEGER_MAX = (1 << 30) - 1  # of the chip: beyond it an integer takes memory
NAMED_BOOT_CAUSES = {
    "power up": POWER_UP,
    "watchdog reset": WATCHDOG_RESET,
    "brown-out": BROWN_OUT,
}

# What stops in the tick in which it appears, and keeps a reset from acting in that tick.
STOPPERS = {
    "contact A": {"opened": CONTACT_A},
    "contact B": {"opened": CONTACT_B},
    "both contacts": {"opened": BUTTON},
    "supply": {"opened": SUPPLY},
    "supply and all that it wets": {"opened": SUPPLY | BUTTON | MIRRORS},
    "link key": {"opened": LINK_KEY},
    "key switch": {"closed": KEY_MAINTENANCE},
    "stop of category 0": {"closed": STOP_CATEGORY_0},
    "stop of category 1": {"closed": STOP_CATEGORY_1},
    "protocol version": {"closed": VERSION_DIFFERS},
}


# --- The tables ------------------------------------------------------------------------------

TRIGGERS = ("FAULT", "STOP", "CUT", "DELAYED_STOP", "RESET", "PASSED", "QUIET")
EXPECTED_TABLE = {
    # state: outputs, then the next state for each of TRIGGERS
    "STOPPED": (0, "LOCKOUT", "STOPPED", "STOPPED", "STOPPED", "TESTING", "STOPPED", "STOPPED"),
    "TESTING": (0, "LOCKOUT", "STOPPED", "STOPPED", "STOPPED", "TESTING", "RUN", "TESTING"),
    "RUN": (BOTH, "LOCKOUT", "STOPPED", "STOPPED", "STOPPING", "RUN", "RUN", "RUN"),
    "STOPPING": (BOTH, "LOCKOUT", "STOPPED", "STOPPED", *["STOPPING"] * 4),
    "LOCKOUT": (0, *["LOCKOUT"] * 7),
}

# The test before energising, and the mirror contacts in it: all others are closed throughout.
EXPECTED_TEST = (
    # outputs, contacts that may open, contacts that are open at the end, least and most ms
    (K1_STARVED, 0, 0, 30, 30),
    (K1_LEVEL, 0, 0, 30, 30),
    (K2, 0, 0, 2, 2),
    (0, 0, 0, 30, 30),
    (WATCHDOG_STARVED, 0, 0, 10, 10),
    (K2 | WATCHDOG_STARVED, 0, 0, 30, 30),
    (K2, 0, 0, 30, 30),
    (0, 0, 0, 2, 2),
    (K2, MIRROR_2, MIRROR_2, 120, 120),
    (0, MIRROR_2, 0, 10, 50),
    (K1, MIRROR_1, MIRROR_1, 120, 120),
    (0, MIRROR_1, 0, 10, 50),
)
# With relays that drop out within 10 ms: when each step begins, and when the test is over.
STEP_AT_MS = (0, 30, 60, 62, 92, 102, 132, 162, 164, 284, 294, 414)
HEALTHY_TEST_MS = 424
K1_DRIVES = K1 | K1_LEVEL | K1_STARVED


@pytest.mark.requirement("SR-01", "SR-07", "SR-13", "SR-16")
def test_the_table_is_the_one_of_the_specification():
    written = {
        decide.STATE_NAMES[state]: (row[0], *(decide.STATE_NAMES[to] for to in row[1:]))
        for state, row in decide.TABLE.items()
    }
    assert written == EXPECTED_TABLE
    assert decide.TRIGGER_NAMES == TRIGGERS


@pytest.mark.requirement("SR-13")
def test_the_steps_of_the_test_are_the_ones_of_the_specification():
    assert decide.TEST == EXPECTED_TEST


@pytest.mark.requirement("SR-01", "SR-13")
def test_no_step_of_the_test_drives_both_relays_or_one_in_two_ways():
    for outputs, *_ in decide.TEST:
        assert not (outputs & K2 and outputs & K1_DRIVES)
        assert outputs & K1_DRIVES in (0, K1, K1_LEVEL, K1_STARVED)


def test_each_output_has_a_bit_of_its_own():
    assert (K1, K2, K1_LEVEL, K1_STARVED, WATCHDOG_STARVED) == (1, 2, 4, 8, 16)


def test_each_input_has_the_bit_of_its_place_among_the_names():
    for place, name in enumerate(decide.INPUT_NAMES):
        assert getattr(decide, name.upper()) == 1 << place
        assert name.islower()
    assert len(decide.INPUT_NAMES) == 13


def test_the_states_have_the_codes_that_hosts_and_journals_know():
    codes = {0x0F: "STOPPED", 0x33: "LOCKOUT", 0x3C: "TESTING", 0x55: "STOPPING", 0x69: "RUN"}
    assert codes == decide.STATE_NAMES


def test_triggers_and_kinds_of_causes_are_numbered_in_their_order():
    assert [getattr(decide, name) for name in decide.TRIGGER_NAMES] == list(range(7))
    assert (decide.EVENT, decide.CONDITION, decide.LATCHED_FAULT) == (0, 1, 2)


def test_any_two_state_codes_differ_in_at_least_four_bits():
    assert set(decide.STATE_NAMES) == set(decide.TABLE)
    for one, other in itertools.combinations(decide.TABLE, 2):
        assert bin(one ^ other).count("1") >= 4


def raise_trigger(rig: Rig, trigger: str) -> None:
    """What the world does for this trigger."""
    if trigger == "FAULT":
        rig.tick(opened=INTERRUPTS)
    elif trigger == "STOP":
        rig.tick(closed=STOP_CATEGORY_0)
    elif trigger == "CUT":
        rig.tick(closed=STANDSTILL)
    elif trigger == "DELAYED_STOP":
        rig.tick(closed=STOP_CATEGORY_1)
    elif trigger == "RESET":
        rig.press(200)
    elif trigger == "PASSED":
        rig.wait(HEALTHY_TEST_MS)
    else:
        rig.tick()


@pytest.mark.requirement("SR-01", "SR-07", "SR-13")
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("state", EXPECTED_TABLE)
def test_each_trigger_leads_from_each_state_where_the_table_says(state, trigger):
    rig = IN_STATE[state](stop_delay=1000)
    after = EXPECTED_TABLE[state][1 + TRIGGERS.index(trigger)]
    if trigger == "CUT" and state in ("TESTING", "RUN"):
        after = state  # a report of standstill alone is no trigger

    raise_trigger(rig, trigger)

    assert rig.state == after
    if after == "TESTING":
        assert not rig.plant.load
    else:
        assert rig.outputs == EXPECTED_TABLE[after][0]


def corrupt(rig: Rig) -> None:
    rig.decide.state ^= 0x01
    rig.tick()


def relay_stays_shut(rig: Rig, mirror: int) -> None:
    rig.tick(closed=STOP_CATEGORY_0)
    rig.wait(50, opened=mirror)


# cause: its kind, the state after it came while the load was energised, and how it comes
STEP_CAUSES = {
    "internal": ("fault", corrupt),
    "brown-out": ("condition", lambda rig: rig.tick(opened=SUPPLY)),
    "button contact A": ("condition", lambda rig: rig.tick(opened=CONTACT_A)),
    "button contact B": ("condition", lambda rig: rig.tick(opened=CONTACT_B)),
    "contact discrepancy": ("fault", lambda rig: rig.wait(101, opened=CONTACT_A)),
    "mirror contact K1": ("fault", lambda rig: relay_stays_shut(rig, MIRROR_1)),
    "mirror contact K2": ("fault", lambda rig: relay_stays_shut(rig, MIRROR_2)),
    "control tick late": ("event", lambda rig: rig.tick(5)),
    "key switch": ("condition", lambda rig: rig.tick(closed=KEY_MAINTENANCE)),
    "link key missing": ("condition", lambda rig: rig.tick(opened=LINK_KEY)),
    "protocol version": ("event", lambda rig: rig.tick(closed=VERSION_DIFFERS)),
    "heartbeat lost": ("condition", lambda rig: rig.wait(98, heartbeat=NO_HEARTBEAT)),
    "stop requested": ("event", lambda rig: rig.tick(closed=STOP_CATEGORY_0)),
}
BOOT_CAUSES = {"watchdog reset": "event", "power up": "event"}
HELD_ONLY = {"reset button stuck": "condition"}
IN_TESTING_ONLY = {"self-test": "fault"}
KINDS = {"event": decide.EVENT, "condition": decide.CONDITION, "fault": decide.LATCHED_FAULT}


def test_the_tests_know_every_cause_and_its_kind():
    kinds = {name: kind for name, (kind, _) in STEP_CAUSES.items()}
    kinds |= BOOT_CAUSES | HELD_ONLY | IN_TESTING_ONLY
    assert dict(decide.CAUSES) == {name: KINDS[kind] for name, kind in kinds.items()}


def test_each_cause_has_the_bit_of_its_place_in_the_table():
    bits = (
        decide.INTERNAL,
        decide.WATCHDOG_RESET,
        decide.POWER_UP,
        decide.BROWN_OUT,
        decide.BUTTON_A,
        decide.BUTTON_B,
        decide.DISCREPANCY,
        decide.MIRROR_K1,
        decide.MIRROR_K2,
        decide.SELF_TEST,
        decide.TICK_LATE,
        decide.KEY_SWITCH,
        decide.LINK_KEY_MISSING,
        decide.PROTOCOL_VERSION,
        decide.HEARTBEAT_LOST,
        decide.STOP_REQUESTED,
        decide.RESET_STUCK,
    )
    assert bits == tuple(1 << place for place in range(len(decide.CAUSES)))
    assert names(decide.FAULTS) == {n for n, kind in decide.CAUSES if kind == KINDS["fault"]}


def test_no_cause_has_the_number_that_frames_know():
    assert decide.NO_CAUSE == 0xFF


@pytest.mark.requirement("SR-01", "SR-02")
@pytest.mark.parametrize("cause", STEP_CAUSES)
def test_each_cause_cuts_power_and_is_recorded(cause):
    kind, happen = STEP_CAUSES[cause]
    rig = running()

    happen(rig)

    assert rig.outputs == 0
    assert rig.state == ("LOCKOUT" if kind == "fault" else "STOPPED")
    assert cause in rig.causes
    assert rig.tripped == cause


@pytest.mark.requirement("SR-07", "SR-16")
@pytest.mark.parametrize("cause", STEP_CAUSES)
def test_a_reset_after_each_cause_acts_unless_it_was_a_fault(cause):
    kind, happen = STEP_CAUSES[cause]
    rig = running()
    happen(rig)

    rig.wait(100)
    rig.reset()

    assert rig.state == ("LOCKOUT" if kind == "fault" else "RUN")


@pytest.mark.requirement("SR-07")
@pytest.mark.parametrize(
    "lasting",
    [
        {"opened": SUPPLY},
        {"opened": BUTTON},
        {"closed": KEY_MAINTENANCE},
        {"opened": LINK_KEY},
        {"heartbeat": NO_HEARTBEAT},
    ],
    ids=["supply", "button", "key switch", "link key", "heartbeat"],
)
def test_no_reset_acts_while_a_condition_lasts(lasting):
    rig = running()
    rig.wait(200, **lasting)

    rig.wait(200, **{**lasting, "closed": lasting.get("closed", 0) | RESET_PRESSED})
    rig.wait(200, **lasting)

    assert rig.state == "STOPPED"
    assert rig.present


# --- SR-01, SR-02, SR-03: what cuts power, and that nothing outvotes it ----------------------


def stops(inputs: int) -> bool:
    """Whether these inputs alone require the load to be off in this very tick."""
    needed = CONTACT_A | CONTACT_B | SUPPLY | LINK_KEY | INTERRUPTS
    forbidden = KEY_MAINTENANCE | STOP_CATEGORY_0 | VERSION_DIFFERS
    return inputs & needed != needed or inputs & forbidden != 0


@pytest.mark.requirement("SR-01", "SR-02", "SR-03", "SR-05")
@pytest.mark.parametrize("heartbeat", [NO_HEARTBEAT, FRESH])
@pytest.mark.parametrize("stop_delay", [0, 300])
def test_in_run_every_combination_of_inputs_that_holds_a_stop_cuts_power(stop_delay, heartbeat):
    before = running(stop_delay=stop_delay).decide
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(before)

        outputs = decision.step(1, inputs, heartbeat)

        off = stops(inputs) or (inputs & STOP_CATEGORY_1 and not stop_delay)
        assert outputs == (0 if off else BOTH), hex(inputs)
        asked = not off and inputs & STOP_CATEGORY_1
        state = decide.STOPPED if off else decide.STOPPING if asked else decide.RUN
        state = state if inputs & INTERRUPTS else decide.LOCKOUT
        assert decision.state == state, hex(inputs)


@pytest.mark.requirement("SR-01", "SR-03", "SR-05")
@pytest.mark.parametrize("heartbeat", [NO_HEARTBEAT, FRESH])
def test_in_stopping_every_combination_of_inputs_that_holds_a_stop_cuts_power(heartbeat):
    before = stopping().decide
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(before)

        outputs = decision.step(1, inputs, heartbeat)

        off = stops(inputs) or inputs & STANDSTILL
        assert outputs == (0 if off else BOTH), hex(inputs)


@pytest.mark.requirement("SR-03", "SR-07", "SR-12")
@pytest.mark.parametrize("stop_delay", [0, 300])
def test_a_stop_wins_over_a_reset_that_is_released_in_the_same_tick(stop_delay):
    before = about_to_test(stop_delay=stop_delay).decide
    resetting = set()
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(before)

        outputs = decision.step(1, inputs, FRESH)

        assert outputs == (K1_STARVED if decision.state == decide.TESTING else 0), hex(inputs)
        if decision.state not in (decide.STOPPED, decide.LOCKOUT):
            resetting.add(inputs)
    # Everything well, both mirror contacts closed, reset released; standstill changes nothing.
    assert resetting == {WELL | MIRRORS, WELL | MIRRORS | STANDSTILL}


@pytest.mark.requirement("SR-03", "SR-12", "SR-13")
@pytest.mark.parametrize("stop_delay", [0, 300])
def test_a_stop_wins_over_the_end_of_the_test_in_the_same_tick(stop_delay):
    rig = under_test(stop_delay=stop_delay)
    rig.wait(HEALTHY_TEST_MS - 1)
    energising = set()
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(rig.decide)

        outputs = decision.step(1, inputs, FRESH)

        assert outputs == (BOTH if decision.state == decide.RUN else 0), hex(inputs)
        if outputs:
            energising.add(inputs)
    # Everything well, both mirror contacts closed; standstill and the reset button change nothing.
    well = WELL | MIRRORS
    more = (0, STANDSTILL, RESET_PRESSED, STANDSTILL | RESET_PRESSED)
    assert energising == {well | other for other in more}


@pytest.mark.requirement("SR-03", "SR-06", "SR-16")
@pytest.mark.parametrize("heartbeat", [NO_HEARTBEAT, 0, FRESH])
@pytest.mark.parametrize("state", ["STOPPED", "LOCKOUT"])
def test_at_rest_no_combination_of_inputs_energises(state, heartbeat):
    before = IN_STATE[state]().decide
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(before)

        assert decision.step(1, inputs, heartbeat) == 0, hex(inputs)
        state = before.state if inputs & INTERRUPTS else decide.LOCKOUT
        assert decision.state == state, hex(inputs)


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize("contacts", [CONTACT_A, CONTACT_B, BUTTON])
@pytest.mark.parametrize("state", ["RUN", "STOPPING"])
def test_a_contact_open_for_one_tick_drops_both_outputs_in_that_tick_and_latches(state, contacts):
    rig = IN_STATE[state](stop_delay=300)

    assert rig.tick(opened=contacts) == 0

    for _ in range(5000):
        assert rig.tick() == 0
    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-02")
@pytest.mark.parametrize("stopper", STOPPERS)
def test_every_stop_latches_when_its_cause_is_gone(stopper):
    rig = running()
    rig.tick(**STOPPERS[stopper])

    rig.wait(5000)

    assert rig.state == "STOPPED"
    assert rig.causes
    assert not rig.present


# --- SR-04: heartbeat ------------------------------------------------------------------------


def silence_until_stop(rig: Rig) -> int:
    """Ticks of one ms without a heartbeat until power was cut."""
    for ms in range(1, 2000):
        if not rig.tick(heartbeat=NO_HEARTBEAT):
            return ms
    raise AssertionError("never stopped")


@pytest.mark.requirement("SR-04")
@pytest.mark.parametrize(
    ("setting", "timeout"),
    [
        (-1, 40),
        (0, 40),
        (1, 40),
        (39, 40),
        (40, 40),
        (41, 41),
        (99, 99),
        (100, 100),
        (101, 101),
        (500, 500),
        (999, 999),
        (1000, 1000),
        (1001, 1000),
        (60000, 1000),
    ],
)
def test_silence_stops_at_the_timeout_which_is_clamped_to_40_to_1000_ms(setting, timeout):
    rig = running(heartbeat_timeout=setting)
    rig.tick(heartbeat=0)

    assert silence_until_stop(rig) == timeout
    assert rig.tripped == "heartbeat lost"


@pytest.mark.requirement("SR-04")
@pytest.mark.parametrize("age", [0, 1, 2, 50, 97, 98])
def test_the_age_of_a_heartbeat_counts_from_its_challenge(age):
    rig = running()
    rig.wait(98, heartbeat=0)
    rig.wait(age + 1, heartbeat=NO_HEARTBEAT)

    rig.tick(heartbeat=age)

    assert silence_until_stop(rig) == 100 - age


@pytest.mark.requirement("SR-04", "SR-17")
@pytest.mark.parametrize("age", [51, 52, 99, 100, 1000, 60000])
def test_an_answer_to_an_older_challenge_does_not_rejuvenate(age):
    rig = running()
    rig.tick(heartbeat=0)
    rig.wait(50, heartbeat=NO_HEARTBEAT)

    rig.tick(heartbeat=age)

    assert silence_until_stop(rig) == 49


@pytest.mark.requirement("SR-04", "SR-17")
@pytest.mark.parametrize("age", [99, 100, 101])
def test_heartbeats_that_are_always_too_late_keep_nothing_running(age):
    rig = stopped()
    rig.wait(200, heartbeat=age)

    rig.wait(200, closed=RESET_PRESSED, heartbeat=age)
    rig.wait(SETTLE_MS + HEALTHY_TEST_MS, heartbeat=age)

    assert rig.state == ("RUN" if age == 99 else "STOPPED")


@pytest.mark.requirement("SR-04")
def test_a_heartbeat_in_the_tick_of_the_timeout_is_in_time():
    rig = running()
    rig.tick(heartbeat=0)
    rig.wait(99, heartbeat=NO_HEARTBEAT)

    assert rig.tick(heartbeat=99) == BOTH


@pytest.mark.requirement("SR-04", "SR-05")
def test_losing_the_heartbeat_during_the_delay_of_a_stop_cuts_at_once():
    rig = stopping(1000)
    rig.tick(heartbeat=0)

    assert silence_until_stop(rig) == 100


@pytest.mark.requirement("SR-04", "SR-09")
def test_before_the_first_heartbeat_there_is_none():
    rig = Rig()

    rig.tick(heartbeat=NO_HEARTBEAT)

    assert "heartbeat lost" in rig.present


def test_the_age_of_a_heartbeat_that_never_came_is_60_s_and_does_not_grow():
    rig = Rig()
    assert rig.decide.heartbeat_age == 60000

    rig.wait(10, heartbeat=NO_HEARTBEAT)

    assert rig.decide.heartbeat_age == 60000


# --- SR-05: stop categories ------------------------------------------------------------------


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize(
    ("setting", "delay"),
    [(-1, 0), (0, 0), (1, 1), (2, 2), (299, 299), (999, 999), (1000, 1000), (1001, 1000)],
)
def test_a_stop_of_category_1_cuts_exactly_at_its_deadline_which_is_clamped(setting, delay):
    rig = running(stop_delay=setting)

    outputs = [rig.tick(closed=STOP_CATEGORY_1)]
    outputs += [rig.tick() for _ in range(1500)]

    assert outputs.count(BOTH) == delay
    assert outputs == [BOTH] * delay + [0] * (1501 - delay)
    assert rig.first == rig.tripped == "stop requested"


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize("delay", [1, 300])
def test_other_requests_for_a_delayed_stop_do_not_prolong_the_first(delay):
    rig = running(stop_delay=delay)

    outputs = [rig.tick(closed=STOP_CATEGORY_1) for _ in range(delay + 100)]

    assert outputs.count(BOTH) == delay
    assert outputs[delay:] == [0] * 100


@pytest.mark.requirement("SR-05")
def test_the_deadline_is_kept_in_time_not_in_ticks():
    rig = stopping(300)

    outputs = [rig.tick(3) for _ in range(120)]

    assert outputs == [BOTH] * 99 + [0] * 21


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize("at", [1, 2, 150, 299])
def test_standstill_cuts_sooner(at):
    rig = stopping(300)
    rig.wait(at - 1)

    assert rig.tick(closed=STANDSTILL) == 0
    rig.wait(1000)

    assert rig.state == "STOPPED"
    assert rig.first == "stop requested"


@pytest.mark.requirement("SR-05")
def test_standstill_in_run_is_not_a_stop_and_not_remembered_for_one():
    rig = running(stop_delay=300)
    rig.wait(10, closed=STANDSTILL)

    rig.tick(closed=STOP_CATEGORY_1)

    assert rig.tick() == BOTH
    assert rig.state == "STOPPING"


@pytest.mark.requirement("SR-02", "SR-03", "SR-05")
@pytest.mark.parametrize("stopper", [name for name in STOPPERS if name != "stop of category 1"])
@pytest.mark.parametrize("with_another_request", [0, STOP_CATEGORY_1])
def test_during_the_delay_every_other_stop_cuts_at_once(stopper, with_another_request):
    rig = stopping(300)
    rig.wait(10)
    more = STOPPERS[stopper]

    closed = more.get("closed", 0) | with_another_request
    outputs = rig.tick(opened=more.get("opened", 0), closed=closed)

    assert outputs == 0
    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-05")
@pytest.mark.parametrize("stopper", [name for name in STOPPERS if name != "stop of category 1"])
def test_a_request_for_a_delayed_stop_never_delays_another_stop(stopper):
    rig = running(stop_delay=300)
    more = STOPPERS[stopper]

    closed = more.get("closed", 0) | STOP_CATEGORY_1
    outputs = rig.tick(opened=more.get("opened", 0), closed=closed)

    assert outputs == 0
    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-05", "SR-07")
def test_a_reset_during_the_delay_changes_nothing():
    rig = stopping(300)

    rig.press(200)
    assert rig.state == "STOPPING"
    rig.wait(100)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-05")
def test_a_second_delayed_stop_after_a_reset_has_its_whole_delay_again():
    rig = stopping(300)
    rig.wait(500)
    rig.reset()

    outputs = [rig.tick(closed=STOP_CATEGORY_1)] + [rig.tick() for _ in range(400)]

    assert outputs.count(BOTH) == 300


# --- SR-06: requests in a row ----------------------------------------------------------------


@pytest.mark.requirement("SR-06")
def test_a_stop_request_counts_however_many_came_before_it():
    rig = stopped()
    rig.wait(10000, closed=STOP_CATEGORY_0)
    rig.wait(60)
    rig.reset()
    assert rig.state == "RUN"

    assert rig.tick(closed=STOP_CATEGORY_0) == 0


# --- SR-07, SR-08: reset ---------------------------------------------------------------------


@pytest.mark.requirement("SR-07")
@pytest.mark.parametrize(
    ("ms", "acts"),
    [
        (0, False),
        (1, False),
        (49, False),
        (50, False),
        (51, False),
        (100, False),
        (149, False),
        (150, True),
        (151, True),
        (200, True),
        (1000, True),
        (2999, True),
        (3000, True),
        (3001, False),
        (3002, False),
        (3049, False),
        (3051, False),
        (4000, False),
        (70000, False),
    ],
)
def test_a_press_resets_if_it_lasts_150_ms_to_3_s(ms, acts):
    rig = stopped()

    rig.press(ms)

    assert rig.state == ("TESTING" if acts else "STOPPED")
    rig.wait(1000)
    assert rig.state == ("RUN" if acts else "STOPPED")


@pytest.mark.requirement("SR-07")
@pytest.mark.parametrize("ms", [150, 1000, 3000])
def test_a_reset_acts_on_the_settled_release_not_on_the_press(ms):
    rig = stopped()

    states = []
    for _ in range(ms):
        assert rig.tick(closed=RESET_PRESSED) == 0
        states.append(rig.state)
    for _ in range(60):
        rig.tick()
        states.append(rig.state)

    assert states == ["STOPPED"] * (ms + 49) + ["TESTING"] * 11


@pytest.mark.requirement("SR-07")
def test_a_reset_forgets_the_causes_of_the_stop():
    rig = running()
    rig.tick(closed=STOP_CATEGORY_0)
    rig.wait(60)

    rig.press(200)

    assert rig.state == "TESTING"
    assert rig.first is None
    assert rig.tripped is None
    assert rig.causes == set()


@pytest.mark.requirement("SR-07")
def test_each_stop_needs_a_reset_of_its_own():
    rig = running()
    for _ in range(3):
        rig.tick(closed=STOP_CATEGORY_0)
        rig.wait(300)
        assert rig.state == "STOPPED"
        rig.reset()
        assert rig.state == "RUN"


@pytest.mark.requirement("SR-07")
def test_a_press_seen_in_ticks_of_4_ms_resets():
    rig = stopped()

    for _ in range(67):
        rig.tick(3, closed=RESET_PRESSED)
    for _ in range(17):
        rig.tick(3)

    assert rig.state == "TESTING"


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize("bounce_ms", [1, 3, 10])
def test_a_contact_that_bounces_at_press_and_release_still_resets_once(bounce_ms):
    rig = stopped()
    for _ in range(3):
        rig.wait(bounce_ms, closed=RESET_PRESSED)
        rig.wait(bounce_ms)
    rig.wait(200, closed=RESET_PRESSED)
    for _ in range(3):
        rig.wait(bounce_ms)
        rig.wait(bounce_ms, closed=RESET_PRESSED)
    assert rig.state == "STOPPED"

    rig.wait(49)
    assert rig.state == "STOPPED"
    rig.tick()
    assert rig.state == "TESTING"
    rig.wait(2000)

    assert rig.state == "RUN"
    assert rig.decide.resets_refused == 0


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize("half_ms", [1, 2, 7, 25, 49, 50, 51, 75, 149])
def test_a_contact_that_chatters_for_10_s_never_resets(half_ms):
    rig = stopped()

    for _ in range(10000 // (2 * half_ms) + 1):
        rig.wait(half_ms, closed=RESET_PRESSED)
        rig.wait(half_ms)
    rig.wait(200)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize("half_ms", [1, 7, 25, 49])
def test_a_press_that_goes_over_into_chatter_for_10_s_never_resets(half_ms):
    rig = stopped()
    rig.wait(100, closed=RESET_PRESSED)

    for _ in range(10000 // (2 * half_ms)):
        rig.wait(half_ms)
        rig.wait(half_ms, closed=RESET_PRESSED)
    assert "reset button stuck" in rig.present
    rig.wait(200)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize("elapsed", [50, 75, 149, 150, 151, 200, 399, 1000, 3000])
def test_a_chattering_contact_seen_only_in_late_ticks_never_resets(elapsed):
    rig = stopped()

    for _ in range(20):
        # The host answers in every tick: nothing but the late sampling is wrong.
        assert rig.tick(elapsed, closed=RESET_PRESSED) == 0
        assert rig.tick(elapsed) == 0


@pytest.mark.requirement("SR-07", "SR-08")
@pytest.mark.parametrize("ms", [1, 51, 150, 200, 2000, 3000, 3001, 10000])
@pytest.mark.parametrize("boot_cause", NAMED_BOOT_CAUSES)
def test_a_button_held_since_power_up_does_not_reset_when_let_go(boot_cause, ms):
    rig = Rig(boot_cause=NAMED_BOOT_CAUSES[boot_cause])

    rig.press(ms)
    rig.wait(200)
    assert rig.state == "STOPPED"
    rig.reset()

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-07", "SR-08")
@pytest.mark.parametrize("bounce_at", [1, 10, 48, 49, 50, 100])
def test_a_button_held_since_power_up_does_not_reset_though_its_contact_bounces(bounce_at):
    rig = Rig()
    rig.wait(bounce_at, closed=RESET_PRESSED)
    rig.tick()

    rig.press(200)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-07", "SR-08")
@pytest.mark.parametrize(("open_ms", "state"), [(49, "STOPPED"), (50, "TESTING")])
def test_after_power_up_a_press_counts_once_the_contact_was_open_for_50_ms(open_ms, state):
    rig = Rig()
    rig.wait(open_ms)

    rig.press(200)

    assert rig.state == state


@pytest.mark.requirement("SR-07", "SR-08")
@pytest.mark.parametrize(("open_ms", "state"), [(49, "STOPPED"), (50, "TESTING")])
def test_after_a_touch_that_met_a_stop_a_press_counts_once_the_contact_was_open_for_50_ms(
    open_ms, state
):
    rig = stopped()
    rig.tick(closed=RESET_PRESSED | STOP_CATEGORY_0)
    rig.wait(open_ms)

    rig.press(200)

    assert rig.state == state


@pytest.mark.requirement("SR-07", "SR-08")
@pytest.mark.parametrize("bounce_at", [1, 5, 20, 60])
def test_a_button_held_since_before_the_stop_does_not_reset_though_its_contact_bounces(bounce_at):
    rig = running()
    rig.tick(closed=RESET_PRESSED)
    rig.tick(closed=RESET_PRESSED | STOP_CATEGORY_0)
    rig.wait(bounce_at, closed=RESET_PRESSED)
    rig.tick()

    rig.press(200)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-07", "SR-08")
@pytest.mark.parametrize("before_ms", [1, 49, 51, 200, 2900, 5000])
@pytest.mark.parametrize("after_ms", [1, 149, 151, 2000])
def test_a_button_held_since_before_the_stop_does_not_reset_when_let_go(before_ms, after_ms):
    rig = running()
    rig.wait(before_ms, closed=RESET_PRESSED)
    rig.tick(closed=RESET_PRESSED | STOP_CATEGORY_0)
    assert rig.state == "STOPPED"

    rig.press(after_ms)
    rig.wait(200)
    assert rig.state == "STOPPED"
    rig.reset()

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-03", "SR-07")
@pytest.mark.parametrize("at", [0, 1, 49, 50, 51, 100, 199, 200, 201, 248])
@pytest.mark.parametrize("stopper", STOPPERS)
def test_a_stop_at_any_moment_of_the_press_voids_it(stopper, at):
    rig = stopped()
    more = STOPPERS[stopper]
    for ms in range(250):
        pressed = RESET_PRESSED if ms < 200 else 0
        now = more if ms == at else {}
        rig.tick(opened=now.get("opened", 0), closed=now.get("closed", 0) | pressed)

    rig.wait(200)
    assert rig.state == "STOPPED"
    rig.reset()

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-04", "SR-07")
def test_a_heartbeat_lost_and_found_again_during_the_press_voids_it():
    rig = stopped()
    rig.wait(50, closed=RESET_PRESSED)
    rig.wait(110, closed=RESET_PRESSED, heartbeat=NO_HEARTBEAT)

    rig.press(100)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-07")
def test_a_press_that_begins_before_the_cause_is_gone_does_not_reset():
    rig = stopped()
    rig.tick(opened=BUTTON, closed=RESET_PRESSED)

    rig.press(200)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize(("ms", "stuck"), [(3000, False), (3050, False), (3051, True)])
def test_a_button_held_longer_than_3_s_after_it_settled_is_reported_as_stuck(ms, stuck):
    rig = stopped()

    rig.wait(ms, closed=RESET_PRESSED)
    rig.tick(closed=RESET_PRESSED)

    assert ("reset button stuck" in rig.present) == stuck


@pytest.mark.requirement("SR-08")
@pytest.mark.parametrize(("ms", "stuck"), [(3000, False), (3001, True)])
def test_a_button_held_since_power_up_is_stuck_after_3_s_though_it_settled_in_one_late_tick(
    ms, stuck
):
    rig = Rig()
    rig.tick(50, closed=RESET_PRESSED)

    rig.wait(ms, closed=RESET_PRESSED)
    rig.tick(closed=RESET_PRESSED)

    assert ("reset button stuck" in rig.present) == stuck


@pytest.mark.requirement("SR-08")
def test_a_stuck_button_that_comes_free_is_a_stop_cause_no_more():
    rig = stopped()
    rig.wait(60000, closed=RESET_PRESSED)
    assert "reset button stuck" in rig.present
    rig.wait(200)
    assert rig.state == "STOPPED" and not rig.present

    rig.reset()

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-07", "SR-16")
@pytest.mark.parametrize(
    ("ms", "refused"), [(1, 0), (49, 0), (100, 1), (149, 1), (200, 0), (3001, 1), (9000, 1)]
)
def test_a_press_that_does_not_reset_is_counted_as_refused_once(ms, refused):
    rig = stopped()

    rig.press(ms)
    rig.wait(200)

    assert rig.decide.resets_refused == refused


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize("ms", [50, 100])
def test_a_press_is_refused_when_its_release_has_settled_for_50_ms_however_short_it_was(ms):
    rig = stopped()
    rig.wait(ms, closed=RESET_PRESSED)

    rig.wait(49)
    assert rig.decide.resets_refused == 0
    rig.tick()

    assert rig.decide.resets_refused == 1


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize(("ms", "refused"), [(49, 0), (50, 1)])
def test_a_button_held_since_power_up_counts_as_a_press_after_50_ms(ms, refused):
    rig = Rig()

    rig.press(ms)

    assert rig.decide.resets_refused == refused


@pytest.mark.requirement("SR-16", "SR-21")
def test_refused_resets_are_counted_in_lockout_and_under_a_lasting_cause_but_not_in_run():
    locked = locked_out()
    held = stopped()
    run = running()

    for rig in (locked, held, run):
        for _ in range(3):
            opened = BUTTON if rig is held else 0
            rig.wait(200, opened=opened, closed=RESET_PRESSED)
            rig.wait(60, opened=opened)

    assert locked.decide.resets_refused == 3
    assert held.decide.resets_refused == 3
    assert run.decide.resets_refused == 0


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize("elapsed", [1, 2, 3, 7, 10])
def test_a_button_that_nobody_pressed_since_power_up_counts_as_no_refused_reset(elapsed):
    rig = Rig()

    for _ in range(200):
        rig.tick(elapsed)

    assert rig.decide.resets_refused == 0


def test_the_count_of_refused_resets_wraps_at_16_bits():
    rig = stopped()
    rig.decide.resets_refused = 0xFFFF

    rig.press(100)

    assert rig.decide.resets_refused == 0


# --- SR-09: power-up, watchdog, brown-out ----------------------------------------------------


@pytest.mark.requirement("SR-09")
@pytest.mark.parametrize("cause", NAMED_BOOT_CAUSES)
def test_every_start_is_stopped_with_its_cause_recorded(cause):
    rig = Rig(boot_cause=NAMED_BOOT_CAUSES[cause])
    assert rig.state == "STOPPED"

    outputs = [rig.tick() for _ in range(5000)]

    assert not any(outputs)
    assert rig.state == "STOPPED"
    assert rig.first == rig.tripped == cause
    assert rig.causes == {cause}


def test_before_the_first_tick_nothing_is_known_to_last():
    assert Rig().decide.present == 0


@pytest.mark.requirement("SR-09")
@pytest.mark.parametrize("state", ["TESTING", "RUN", "STOPPING"])
def test_loss_of_the_supply_is_reported_as_brown_out_although_every_input_reads_open(state):
    rig = IN_STATE[state]()
    before = rig.causes

    rig.tick(opened=SUPPLY | BUTTON | MIRRORS)

    assert rig.outputs == 0
    assert rig.state == "STOPPED"
    assert rig.tripped == "brown-out"
    if not before:
        assert rig.first == "brown-out"


@pytest.mark.requirement("SR-09", "SR-11", "SR-12")
@pytest.mark.parametrize("still_closed", [0, CONTACT_A, MIRROR_1])
@pytest.mark.parametrize("state", ["STOPPED", "TESTING", "RUN", "STOPPING"])
def test_loss_of_the_supply_does_not_lock_out_and_a_reset_acts_when_it_is_back(
    state, still_closed
):
    rig = IN_STATE[state]()

    rig.wait(10000, opened=(SUPPLY | BUTTON | MIRRORS) & ~still_closed)
    rig.wait(60)
    assert rig.state == "STOPPED"
    rig.reset()

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-09", "SR-11", "SR-12")
def test_a_blink_of_the_supply_does_not_excuse_a_fault_that_lasts():
    rig = running()
    rig.tick(opened=SUPPLY | BUTTON | MIRRORS)

    rig.wait(50, opened=MIRROR_1)

    assert rig.state == "LOCKOUT"


# --- SR-11: contacts that disagree -----------------------------------------------------------


def from_power_up() -> Rig:
    """No tick yet."""
    return Rig()


def with_the_supply_back() -> Rig:
    """In the last tick without a supply, which began while the machine was stopped."""
    rig = stopped()
    rig.wait(10, opened=SUPPLY | BUTTON | MIRRORS)
    return rig


@pytest.mark.requirement("SR-09", "SR-11")
@pytest.mark.parametrize("start", [from_power_up, with_the_supply_back])
@pytest.mark.parametrize(("ms", "state"), [(100, "STOPPED"), (101, "LOCKOUT")])
def test_contacts_that_disagree_from_the_first_tick_on_have_their_whole_100_ms(start, ms, state):
    rig = start()

    rig.wait(ms, opened=CONTACT_A)

    assert rig.state == state


@pytest.mark.requirement("SR-11")
@pytest.mark.parametrize(
    ("ms", "state"),
    [(1, "STOPPED"), (99, "STOPPED"), (100, "STOPPED"), (101, "LOCKOUT"), (102, "LOCKOUT")],
)
@pytest.mark.parametrize("contact", [CONTACT_A, CONTACT_B])
@pytest.mark.parametrize("start", ["RUN", "STOPPED", "STOPPING", "TESTING"])
def test_contacts_that_disagree_for_longer_than_100_ms_lock_out(start, contact, ms, state):
    rig = IN_STATE[start]()

    rig.wait(ms, opened=contact)
    rig.wait(200)

    assert rig.state == state
    assert ("contact discrepancy" in rig.causes) == (state == "LOCKOUT")


@pytest.mark.requirement("SR-07")
@pytest.mark.parametrize(("ms", "state"), [(4, "TESTING"), (5, "STOPPED")])
def test_a_press_acts_if_ticks_come_as_late_as_they_may_and_no_later(ms, state):
    rig = stopped()

    for closed in [0] * 20 + [RESET_PRESSED] * 60 + [0] * 13:
        rig.tick(ms, closed=closed)

    assert rig.state == state


@pytest.mark.requirement("SR-11", "SR-12")
@pytest.mark.parametrize("late", [5, 200, 60_000, NEVER, -1])
@pytest.mark.parametrize("wrong", [{"opened": CONTACT_A}, {"opened": MIRROR_1}])
def test_one_look_after_a_late_tick_is_no_lasting_fault(late, wrong):
    """A contact that moves is wrong for a moment. Nobody saw how long that was."""
    rig = stopped()

    rig.tick(late, **wrong)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-11", "SR-12")
@pytest.mark.parametrize("wrong", [{"opened": CONTACT_A}, {"opened": MIRROR_1}])
def test_ticks_that_are_all_late_count_as_four_milliseconds_each(wrong):
    rig = stopped()

    for _ in range(26):
        rig.tick(5, **wrong)

    assert rig.state == "LOCKOUT"


@pytest.mark.requirement("SR-11")
def test_contacts_that_disagree_by_turns_lock_out():
    rig = running()

    for i in range(101):
        rig.tick(opened=CONTACT_A if i % 2 else CONTACT_B)

    assert rig.state == "LOCKOUT"


@pytest.mark.requirement("SR-11")
@pytest.mark.parametrize("opened", [0, BUTTON])
def test_contacts_that_agree_for_one_tick_start_the_time_again(opened):
    rig = running()

    for _ in range(5):
        rig.wait(100, opened=CONTACT_A)
        rig.tick(opened=opened)

    assert rig.state == "STOPPED"


# --- SR-12: mirror contacts ------------------------------------------------------------------


@pytest.mark.requirement("SR-12")
@pytest.mark.parametrize(
    ("ms", "state"),
    [(1, "STOPPED"), (48, "STOPPED"), (49, "STOPPED"), (50, "LOCKOUT"), (51, "LOCKOUT")],
)
@pytest.mark.parametrize(("mirror", "name"), [(MIRROR_1, "K1"), (MIRROR_2, "K2")])
def test_a_mirror_contact_that_has_not_closed_50_ms_after_de_energising_locks_out(
    mirror, name, ms, state
):
    rig = running()
    assert rig.tick(closed=STOP_CATEGORY_0) == 0

    rig.wait(ms, opened=mirror)
    rig.wait(100)

    assert rig.state == state
    assert (f"mirror contact {name}" in rig.causes) == (state == "LOCKOUT")


@pytest.mark.requirement("SR-12")
@pytest.mark.parametrize(
    ("ms", "state"),
    [(1, "RUN"), (98, "RUN"), (99, "RUN"), (100, "LOCKOUT"), (101, "LOCKOUT")],
)
@pytest.mark.parametrize(("mirror", "name"), [(MIRROR_1, "K1"), (MIRROR_2, "K2")])
def test_a_mirror_contact_that_has_not_opened_100_ms_after_energising_locks_out(
    mirror, name, ms, state
):
    rig = energised()

    rig.wait(ms, closed=mirror)
    rig.wait(200)

    assert rig.state == state
    assert (f"mirror contact {name}" in rig.causes) == (state == "LOCKOUT")


@pytest.mark.requirement("SR-12")
@pytest.mark.parametrize(("mirror", "name"), [(MIRROR_1, "K1"), (MIRROR_2, "K2")])
def test_a_mirror_contact_open_before_energising_locks_out(mirror, name):
    rig = about_to_test()

    assert rig.tick(opened=mirror) == 0

    assert rig.state == "LOCKOUT"
    assert rig.tripped == f"mirror contact {name}"


@pytest.mark.requirement("SR-12")
@pytest.mark.parametrize("mirror", [MIRROR_1, MIRROR_2])
def test_a_relay_that_pulls_in_by_itself_while_stopped_locks_out(mirror):
    rig = stopped()
    rig.wait(49, opened=mirror)
    assert rig.state == "STOPPED"

    rig.tick(opened=mirror)

    assert rig.state == "LOCKOUT"


@pytest.mark.requirement("SR-09", "SR-12")
@pytest.mark.parametrize("start", [from_power_up, with_the_supply_back])
@pytest.mark.parametrize("mirror", [MIRROR_1, MIRROR_2])
@pytest.mark.parametrize(("ms", "state"), [(49, "STOPPED"), (50, "LOCKOUT")])
def test_a_mirror_contact_open_from_the_first_tick_on_has_its_whole_50_ms(
    start, mirror, ms, state
):
    rig = start()

    rig.wait(ms, opened=mirror)

    assert rig.state == state


@pytest.mark.requirement("SR-12")
def test_both_mirror_contacts_open_before_energising_are_both_recorded():
    rig = about_to_test()

    rig.tick(opened=MIRRORS)

    assert rig.state == "LOCKOUT"
    assert rig.causes == {"power up", "mirror contact K1", "mirror contact K2"}


@pytest.mark.requirement("SR-12")
def test_one_good_reading_starts_the_time_of_a_mirror_contact_again():
    rig = running()
    rig.tick(closed=STOP_CATEGORY_0)

    for _ in range(5):
        rig.wait(49, opened=MIRRORS)
        rig.tick()

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-12")
def test_a_delayed_stop_gives_a_mirror_contact_no_more_time_to_open():
    rig = running(stop_delay=500)
    rig.wait(60, closed=MIRROR_1)
    rig.tick(closed=MIRROR_1 | STOP_CATEGORY_1)

    rig.wait(38, closed=MIRROR_1)
    assert rig.state == "STOPPING"
    rig.tick(closed=MIRROR_1)

    assert rig.state == "LOCKOUT"


@pytest.mark.requirement("SR-12")
def test_a_mirror_contact_late_to_open_has_its_whole_time_to_close_after_a_stop():
    rig = running()
    rig.wait(98, closed=MIRROR_1)
    rig.tick(closed=MIRROR_1 | STOP_CATEGORY_0)

    rig.wait(49, opened=MIRROR_1)
    assert rig.state == "STOPPED"
    rig.tick(opened=MIRROR_1)

    assert rig.state == "LOCKOUT"


# --- SR-13: the test before energising -------------------------------------------------------


def through_the_test(rig: Rig, elapsed: int = 1) -> tuple[int, int]:
    """To the tick that ends the test, the load dead all the time: how many ms, what was driven."""
    for ms in range(elapsed, 1000, elapsed):
        driven = rig.outputs
        rig.tick(elapsed)
        assert not rig.plant.load
        if rig.state != "TESTING":
            return ms, driven
    raise AssertionError("never ended")


@pytest.mark.requirement("SR-01", "SR-13")
def test_every_step_drives_what_it_should_for_its_time_and_only_then_is_the_load_energised():
    rig = about_to_test()

    outputs = []
    for _ in range(425):
        outputs.append(rig.tick())
        assert not rig.plant.load

    assert rig.state == "RUN"
    assert outputs == (
        [K1_STARVED] * 30
        + [K1_LEVEL] * 30
        + [K2] * 2
        + [0] * 30
        + [WATCHDOG_STARVED] * 10
        + [K2 | WATCHDOG_STARVED] * 30
        + [K2] * 30
        + [0] * 2
        + [K2] * 120
        + [0] * 10
        + [K1] * 120
        + [0] * 10
        + [BOTH]
    )
    rig.wait(5)
    assert rig.plant.load


@pytest.mark.requirement("SR-13")
@pytest.mark.parametrize(
    ("relays", "elapsed", "ms"),
    [
        ({}, 1, 424),
        ({}, 2, 424),
        ({}, 3, 432),
        ({"k2_ms": (120, 10)}, 1, 424),
        ({"k2_ms": (120, 11)}, 1, 425),
        ({"k2_ms": (120, 50)}, 1, 464),
        ({"k2_ms": (120, 50), "k1_ms": (120, 50)}, 1, 504),
    ],
)
def test_a_test_that_passes_takes_424_ms_and_at_most_80_ms_more_with_slow_relays(
    relays, elapsed, ms
):
    rig = under_test(plant=Plant(**relays))

    assert through_the_test(rig, elapsed) == (ms, 0)

    assert rig.state == "RUN"
    assert rig.outputs == BOTH
    assert rig.causes == set()


# defect: what is wrong with the plant, and when and under which outputs the test finds it
DEFECTS = {
    "K1 pulls in without pulses": ({"k1_pulls_in_on": K1 | K1_STARVED}, 1, K1_STARVED),
    "K1 pulls in on a level": ({"k1_pulls_in_on": K1 | K1_LEVEL}, 31, K1_LEVEL),
    "K2 pulls in on the latch alone": ({"k2_needs_pin": False}, 65, 0),
    "K2 pulls in on the pin alone": ({"k2_needs_latch": False}, 107, K2 | WATCHDOG_STARVED),
    "K2 pulls in when the feed is back": ({"latch_needs_rising_pin": False}, 137, K2),
    "K1 pulls in on K2's pin": (
        {"k1_ms": (5, 1), "k1_pulls_in_on": BOTH},
        107,
        K2 | WATCHDOG_STARVED,
    ),
    "K2 moves for a short pulse": ({"k2_ms": (2, 1)}, 62, K2),
    "K2 does not pull in": ({"k2_ms": (NEVER, 1)}, 284, K2),
    "K2 pulls in too late": ({"k2_ms": (121, 1)}, 284, K2),
    "K2 does not drop out": ({"k2_ms": (5, NEVER)}, 334, 0),
    "K2 drops out too late": ({"k2_ms": (5, 51)}, 334, 0),
    "K1 does not pull in": ({"k1_ms": (NEVER, 1)}, 414, K1),
    "K1 pulls in too late": ({"k1_ms": (121, 1)}, 414, K1),
    "K1 does not drop out": ({"k1_ms": (1, NEVER)}, 464, 0),
    "K1 drops out too late": ({"k1_ms": (1, 51)}, 464, 0),
    "K2's mirror contact stays closed": ({"mirror_2_moves_with": ()}, 284, K2),
    "K1's mirror contact stays closed": ({"mirror_1_moves_with": ()}, 414, K1),
    "K1's mirror contact moves with K2": ({"mirror_1_moves_with": ("K1", "K2")}, 169, K2),
    "K2's mirror contact moves with K1": ({"mirror_2_moves_with": ("K1", "K2")}, 295, K1),
    "the mirror contacts are exchanged": (
        {"mirror_1_moves_with": ("K2",), "mirror_2_moves_with": ("K1",)},
        169,
        K2,
    ),
}


@pytest.mark.requirement("SR-12", "SR-13")
@pytest.mark.parametrize("defect", DEFECTS)
def test_each_defect_is_found_in_its_step_and_locks_out_with_the_load_dead(defect):
    wrong, ms, driven = DEFECTS[defect]
    rig = under_test(plant=Plant(**wrong))

    assert through_the_test(rig) == (ms, driven)

    assert rig.state == "LOCKOUT"
    assert rig.outputs == 0
    assert rig.first == rig.tripped == "self-test"
    assert rig.causes == {"self-test"}
    for pressed in (0, RESET_PRESSED, 0):
        for _ in range(200):
            assert rig.tick(closed=pressed) == 0
            assert not rig.plant.load


def step_at(ms: int) -> tuple[int, int, int, int, int]:
    """The step whose outputs are on when the test is this old."""
    return EXPECTED_TEST[sum(begin <= ms for begin in STEP_AT_MS) - 1]


@pytest.mark.requirement("SR-12", "SR-13")
@pytest.mark.parametrize("mirror", [MIRROR_1, MIRROR_2])
def test_a_mirror_contact_that_is_open_where_it_must_not_locks_out_at_any_ms(mirror):
    rig = under_test()
    for ms in range(HEALTHY_TEST_MS):
        _, may_open, *_ = step_at(ms)
        wrong = copy.deepcopy(rig)

        outputs = wrong.tick(opened=mirror)

        if mirror & ~may_open:
            assert (outputs, wrong.state, wrong.tripped) == (0, "LOCKOUT", "self-test"), ms
        else:
            assert wrong.state == "TESTING", ms
        rig.tick()
    assert rig.state == "RUN"


@pytest.mark.requirement("SR-13")
@pytest.mark.parametrize(("at", "state"), [(283, "TESTING"), (284, "LOCKOUT"), (285, "TESTING")])
def test_a_mirror_contact_must_be_open_in_the_last_reading_of_its_relay_s_step(at, state):
    rig = under_test()
    rig.wait(at - 1)

    rig.tick(closed=MIRROR_2)

    assert rig.state == state


@pytest.mark.requirement("SR-02", "SR-03", "SR-13")
@pytest.mark.parametrize("heartbeat", [NO_HEARTBEAT, FRESH])
@pytest.mark.parametrize("stop_delay", [0, 300])
@pytest.mark.parametrize("begin", STEP_AT_MS)
def test_in_every_step_every_combination_of_inputs_that_holds_a_stop_ends_the_test(
    begin, stop_delay, heartbeat
):
    rig = under_test(stop_delay=stop_delay)
    rig.wait(begin)
    driven, may_open, *_ = step_at(begin)
    assert rig.outputs == driven
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(rig.decide)

        outputs = decision.step(1, inputs, heartbeat)

        wrong = ~inputs & MIRRORS & ~may_open and inputs & SUPPLY
        if wrong or not inputs & INTERRUPTS:
            expected = (0, decide.LOCKOUT)
        elif stops(inputs) or inputs & STOP_CATEGORY_1:
            expected = (0, decide.STOPPED)
        else:  # standstill and the reset button change nothing
            expected = (driven, decide.TESTING)
        assert (outputs, decision.state) == expected, hex(inputs)


# What ends the test in its very tick. The age of the heartbeat is set to what it would be.
TEST_ENDERS = {
    **{name: lambda rig, more=more: rig.tick(**more) for name, more in STOPPERS.items()},
    "tick after 5 ms": lambda rig: rig.tick(5),
    "tick after 400 ms": lambda rig: rig.tick(400),
    "tick before the last": lambda rig: rig.tick(-1),
    "heartbeat lost": lambda rig: rig.tick(heartbeat=NO_HEARTBEAT),
}


@pytest.mark.requirement("SR-02", "SR-03", "SR-04", "SR-05", "SR-13")
@pytest.mark.parametrize("stop_delay", [0, 300])
@pytest.mark.parametrize("ender", TEST_ENDERS)
def test_each_stop_at_each_ms_of_the_test_drops_everything_in_that_tick(ender, stop_delay):
    rig = under_test(stop_delay=stop_delay)
    not_stopped = []
    for ms in range(HEALTHY_TEST_MS):
        ended = copy.deepcopy(rig)
        if ender == "heartbeat lost":
            ended.decide.heartbeat_age = 99

        TEST_ENDERS[ender](ended)

        assert ended.outputs == 0
        assert ended.causes
        if ended.state != "STOPPED":
            not_stopped.append(ms)
        rig.tick()
    assert rig.state == "RUN"
    assert not_stopped == []


@pytest.mark.requirement("SR-02", "SR-07", "SR-13")
@pytest.mark.parametrize("ender", TEST_ENDERS)
@pytest.mark.parametrize("begin", STEP_AT_MS)
def test_a_test_that_was_ended_stays_so_and_the_next_reset_begins_with_the_first_step(
    begin, ender
):
    rig = under_test()
    rig.wait(begin)
    if ender == "heartbeat lost":
        rig.decide.heartbeat_age = 99
    TEST_ENDERS[ender](rig)

    for _ in range(300):
        assert rig.tick() == 0
    assert rig.state == "STOPPED"
    rig.press(200)
    assert rig.state == "TESTING"
    assert rig.outputs == K1_STARVED
    rig.wait(HEALTHY_TEST_MS - 1)
    assert rig.state == "TESTING"
    rig.tick()

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-05", "SR-13")
def test_a_delayed_stop_in_the_test_is_not_delayed():
    rig = under_test(stop_delay=1000)
    rig.wait(200)
    assert rig.outputs == K2

    assert rig.tick(closed=STOP_CATEGORY_1) == 0

    assert rig.state == "STOPPED"
    assert rig.first == rig.tripped == "stop requested"


@pytest.mark.requirement("SR-04", "SR-13")
@pytest.mark.parametrize("silent_from", [1, 100, 200, 326])
def test_silence_in_the_test_stops_at_the_timeout(silent_from):
    rig = under_test()
    rig.wait(silent_from - 1)
    rig.tick(heartbeat=0)

    rig.wait(99, heartbeat=NO_HEARTBEAT)
    assert rig.state == ("RUN" if silent_from == 326 else "TESTING")
    rig.tick(heartbeat=NO_HEARTBEAT)

    assert rig.state == "STOPPED"
    assert rig.first == rig.tripped == "heartbeat lost"


@pytest.mark.requirement("SR-13")
@pytest.mark.parametrize("elapsed", [0, 1, 2, 3, 4])
def test_a_tick_of_up_to_4_ms_in_the_test_is_in_time(elapsed):
    rig = under_test()

    assert rig.tick(elapsed) == K1_STARVED

    assert rig.state == "TESTING"


@pytest.mark.requirement("SR-07", "SR-08", "SR-13")
@pytest.mark.parametrize(("begin", "end"), [(0, 1), (0, 60), (10, 210), (0, 424), (100, 424)])
def test_the_reset_button_does_nothing_in_the_test(begin, end):
    rig = under_test()
    untouched = under_test()

    for ms in range(600):
        pressed = RESET_PRESSED if begin <= ms < end else 0
        assert rig.tick(closed=pressed) == untouched.tick()
        assert rig.state == untouched.state

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-07", "SR-13")
@pytest.mark.parametrize("stop_at", [0, 49, 51, 150, 199])
def test_a_button_held_since_the_test_does_not_reset_when_let_go_after_a_stop(stop_at):
    rig = under_test()
    rig.wait(10)

    for ms in range(200):
        request = STOP_CATEGORY_0 if ms == stop_at else 0
        rig.tick(closed=RESET_PRESSED | request)
    rig.wait(200)

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-12", "SR-13")
@pytest.mark.parametrize(("ms", "state"), [(49, "STOPPED"), (50, "LOCKOUT")])
@pytest.mark.parametrize(("at", "mirror", "name"), [(200, MIRROR_2, "K2"), (350, MIRROR_1, "K1")])
def test_a_relay_that_does_not_drop_out_after_a_stop_in_the_test_locks_out(
    at, mirror, name, ms, state
):
    rig = under_test()
    rig.wait(at)
    assert not rig.plant.mirrors & mirror
    assert rig.tick(closed=STOP_CATEGORY_0) == 0

    rig.wait(ms, opened=mirror)
    rig.wait(100)

    assert rig.state == state
    assert (f"mirror contact {name}" in rig.causes) == (state == "LOCKOUT")


# --- SR-16: lockout --------------------------------------------------------------------------


@pytest.mark.requirement("SR-16")
@pytest.mark.parametrize("boot_cause", NAMED_BOOT_CAUSES)
@pytest.mark.parametrize("maintenance", [False, True])
@pytest.mark.parametrize("fault", sorted(names(decide.FAULTS)))
def test_a_recorded_lockout_is_left_only_by_power_up_in_maintenance(
    boot_cause, maintenance, fault
):
    bit = 1 << [name for name, _ in decide.CAUSES].index(fault)

    rig = Rig(
        boot_cause=NAMED_BOOT_CAUSES[boot_cause], lockout_causes=bit, maintenance=maintenance
    )

    if maintenance and boot_cause == "power up":
        assert rig.state == "STOPPED"
        assert rig.causes == {boot_cause}
        assert rig.first == boot_cause
    else:
        assert rig.state == "LOCKOUT"
        assert rig.causes == {boot_cause, fault}
        assert rig.first == rig.tripped == fault


@pytest.mark.requirement("SR-16")
def test_a_lockout_is_kept_unless_maintenance_is_said():
    decision = decide.Decide(100, 0, POWER_UP, lockout_causes=decide.DISCREPANCY)

    assert decision.state == decide.LOCKOUT


@pytest.mark.requirement("SR-16")
def test_in_lockout_neither_key_nor_reset_nor_time_nor_a_dead_supply_helps():
    rig = locked_out()
    for ms in (150, 1000, 3000):
        rig.wait(100)
        rig.press(ms)
        rig.wait(100, closed=KEY_MAINTENANCE)
        rig.wait(ms, closed=KEY_MAINTENANCE | RESET_PRESSED)
        rig.wait(100, closed=KEY_MAINTENANCE)
        rig.wait(100, opened=SUPPLY | BUTTON | MIRRORS)
        rig.press(ms)

    assert rig.state == "LOCKOUT"
    assert rig.outputs == 0


@pytest.mark.requirement("SR-13", "SR-16")
def test_in_maintenance_the_relays_can_be_neither_energised_nor_tested():
    rig = stopped()
    rig.wait(100, closed=KEY_MAINTENANCE)

    for ms, pressed in ((200, RESET_PRESSED), (1000, 0)):
        for _ in range(ms):
            assert rig.tick(closed=KEY_MAINTENANCE | pressed) == 0
            assert rig.state == "STOPPED"
    rig.wait(60)
    rig.reset()

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-13", "SR-16")
@pytest.mark.parametrize("at", [0, 1, 100, 199, 200, 240, 249])
def test_a_key_in_maintenance_from_any_moment_of_the_press_on_keeps_the_test_from_starting(at):
    rig = stopped()

    for ms in range(1000):
        pressed = RESET_PRESSED if ms < 200 else 0
        key = KEY_MAINTENANCE if ms >= at else 0

        assert rig.tick(closed=pressed | key) == 0
        assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-16")
@pytest.mark.parametrize("state", ["TESTING", "RUN", "STOPPING"])
def test_turning_the_key_to_maintenance_stops(state):
    rig = IN_STATE[state]()

    assert rig.tick(closed=KEY_MAINTENANCE) == 0

    assert rig.state == "STOPPED"
    assert "key switch" in rig.causes


@pytest.mark.requirement("SR-16")
def test_faults_found_in_lockout_are_added_to_its_causes():
    rig = locked_out()

    rig.wait(50, opened=MIRROR_2)

    assert rig.state == "LOCKOUT"
    assert {"contact discrepancy", "mirror contact K2"} <= rig.causes
    assert rig.tripped == "contact discrepancy"


# --- A loop that does not keep time, memory that does not keep its value ---------------------


@pytest.mark.requirement("SR-18")
@pytest.mark.parametrize("state", ["RUN", "STOPPING"])
@pytest.mark.parametrize(
    ("elapsed", "late"),
    [
        (0, False),
        (1, False),
        (2, False),
        (4, False),
        (5, True),
        (6, True),
        (400, True),
        (59999, True),
        (60000, True),
        (60001, True),
        (1 << 29, True),
        (-1, True),
        (-400, True),
    ],
)
def test_a_tick_more_than_4_ms_after_the_last_or_before_it_stops(state, elapsed, late):
    rig = IN_STATE[state]()

    outputs = rig.tick(elapsed)

    assert outputs == (0 if late else BOTH)
    assert ("control tick late" in rig.causes) == late
    if late:
        assert rig.state == "STOPPED"
        assert rig.tripped == "control tick late"


@pytest.mark.requirement("SR-04")
@pytest.mark.parametrize("elapsed", [-1, -400, 60001, 1 << 29])
def test_time_that_cannot_be_right_makes_the_last_heartbeat_too_old(elapsed):
    rig = stopped()

    rig.tick(elapsed, heartbeat=NO_HEARTBEAT)

    assert "heartbeat lost" in rig.present


def test_a_late_tick_while_stopped_is_no_stop_cause():
    rig = stopped()

    rig.tick(5)

    assert "control tick late" not in rig.causes
    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-02", "SR-16")
@pytest.mark.parametrize("with_a_dead_supply", [0, SUPPLY | BUTTON | MIRRORS])
@pytest.mark.parametrize("state", EXPECTED_TABLE)
def test_a_board_that_has_lost_its_interrupts_locks_out_at_once(state, with_a_dead_supply):
    rig = IN_STATE[state]()

    assert rig.tick(opened=INTERRUPTS | with_a_dead_supply) == 0

    assert rig.state == "LOCKOUT"
    assert "internal" in rig.causes
    if state != "LOCKOUT":
        assert rig.tripped == "internal"


@pytest.mark.requirement("SR-01", "SR-16")
@pytest.mark.parametrize("bit", range(16))
@pytest.mark.parametrize("state", EXPECTED_TABLE)
def test_a_flipped_bit_in_the_state_word_locks_out_at_once_and_never_energises(state, bit):
    rig = IN_STATE[state]()
    rig.decide.state ^= 1 << bit

    assert rig.tick() == 0

    assert rig.state == "LOCKOUT"
    assert "internal" in rig.causes
    assert rig.tripped == "internal"
    rig.reset()
    assert rig.outputs == 0


@pytest.mark.requirement("SR-01", "SR-16")
@pytest.mark.parametrize("word", [0, -1, 1 << 16, decide.RUN << 8 | decide.STOPPED])
def test_a_state_word_that_is_no_state_locks_out_even_in_a_tick_with_a_reset(word):
    rig = about_to_test()
    rig.decide.state = word

    assert rig.tick() == 0

    assert rig.state == "LOCKOUT"


@pytest.mark.requirement("SR-01", "SR-13")
@pytest.mark.parametrize("state", ["STOPPED", "TESTING", "LOCKOUT"])
def test_up_to_three_flipped_bits_never_turn_a_dead_state_into_one_that_drives(state):
    before = IN_STATE[state]().decide
    for flips in range(1, 4):
        for bits in itertools.combinations(range(8), flips):
            decision = copy.copy(before)
            for bit in bits:
                decision.state ^= 1 << bit

            assert decision.step(1, WELL | MIRRORS, FRESH) == 0


# --- What is recorded of a stop --------------------------------------------------------------


@pytest.mark.requirement("SR-09")
def test_the_first_cause_stays_the_first_and_all_of_them_are_kept():
    rig = running()

    rig.tick(closed=VERSION_DIFFERS)
    rig.tick(opened=BUTTON)
    rig.tick(closed=STOP_CATEGORY_0)
    rig.wait(60)

    assert rig.first == rig.tripped == "protocol version"
    assert rig.causes == {
        "protocol version",
        "button contact A",
        "button contact B",
        "stop requested",
    }
    assert rig.present == set()


@pytest.mark.parametrize(
    ("more", "first"),
    [
        ({"opened": SUPPLY | BUTTON | LINK_KEY, "closed": REQUESTS}, "brown-out"),
        ({"opened": BUTTON | LINK_KEY, "closed": REQUESTS}, "button contact A"),
        ({"opened": CONTACT_B, "closed": REQUESTS | KEY_MAINTENANCE}, "button contact B"),
        ({"opened": LINK_KEY, "closed": REQUESTS | KEY_MAINTENANCE}, "key switch"),
        ({"opened": LINK_KEY, "closed": REQUESTS}, "link key missing"),
        ({"closed": REQUESTS}, "protocol version"),
        ({"elapsed": 5, "closed": REQUESTS | KEY_MAINTENANCE}, "control tick late"),
        ({"elapsed": 5, "opened": CONTACT_B}, "button contact B"),
    ],
)
def test_of_several_causes_in_one_tick_the_most_telling_is_the_first(more, first):
    rig = running()

    rig.tick(**more)

    assert rig.first == rig.tripped == first


def test_all_conditions_that_last_are_told_together():
    rig = stopped()
    lasting = {
        "opened": SUPPLY | BUTTON | LINK_KEY,
        "closed": KEY_MAINTENANCE | RESET_PRESSED,
        "heartbeat": NO_HEARTBEAT,
    }

    rig.wait(3052, **lasting)

    conditions = {name for name, (kind, _) in STEP_CAUSES.items() if kind == "condition"}
    assert rig.present == conditions | set(HELD_ONLY)


@pytest.mark.requirement("SR-11", "SR-12", "SR-16")
def test_faults_that_are_found_in_the_same_tick_are_all_recorded():
    rig = stopped()
    rig.wait(51, opened=CONTACT_A)
    rig.wait(49, opened=CONTACT_A | MIRRORS)
    assert rig.state == "STOPPED"

    rig.tick(opened=CONTACT_A | MIRRORS | INTERRUPTS)

    assert rig.state == "LOCKOUT"
    assert rig.causes >= {
        "internal",
        "contact discrepancy",
        "mirror contact K1",
        "mirror contact K2",
    }


def test_a_fault_that_comes_with_a_stop_is_what_tripped():
    rig = running()

    rig.wait(99, closed=MIRROR_1)
    rig.tick(closed=MIRROR_1, opened=BUTTON)

    assert rig.state == "LOCKOUT"
    assert rig.tripped == "mirror contact K1"
    assert rig.first == "button contact A"


def test_the_age_of_the_heartbeat_and_the_present_causes_can_be_read():
    rig = running()

    rig.wait(20, heartbeat=NO_HEARTBEAT)
    rig.tick(heartbeat=7)
    rig.wait(5, heartbeat=NO_HEARTBEAT)

    assert rig.decide.heartbeat_age == 12
    assert rig.present == set()


def test_timers_stop_counting_instead_of_growing_out_of_their_field():
    rig = stopped()

    rig.tick(0xFFFF, heartbeat=NO_HEARTBEAT, closed=RESET_PRESSED)
    for _ in range(100):
        rig.tick(60000, heartbeat=NO_HEARTBEAT, closed=RESET_PRESSED)

    for name, value in vars(rig.decide).items():
        assert value <= 0xFFFF or name in ("causes", "present"), name


def test_lowest_names_the_first_bit():
    assert decide.lowest(0) == decide.NO_CAUSE
    for bit in range(17):
        assert decide.lowest(1 << bit) == bit
        assert decide.lowest(1 << bit | 1 << 20) == bit


# --- Properties: whatever happens, in whatever order -----------------------------------------


AT_REST = (decide.STOPPED, decide.LOCKOUT)


@dataclasses.dataclass
class SeenStep:
    """A step of the test as it was seen."""

    driven: int
    ms: int = 0
    opened: int = 0
    open_at_end: int = 0


class Watched(Rig):
    """A rig that checks every step of it against the rules."""

    def __init__(self, **settings: int) -> None:
        super().__init__(**settings)
        self.press_ms = 0  # of the present or last press, from its first closing to its last
        self.since_closing_ms = 0
        self.open_ms = SETTLE_MS
        self.press_was_sampled_late = False
        self.delayed_ms = 0
        self.tested: list[SeenStep] = []

    def step(self, elapsed: int, inputs: int, heartbeat: int) -> int:
        before = self.decide.state
        driven = self.outputs
        outputs = super().step(elapsed, inputs, heartbeat)
        after = self.decide.state

        assert after in decide.TABLE
        if stops(inputs) or not 0 <= elapsed <= 4:
            assert after in AT_REST  # SR-02, SR-03
        if self.decide.heartbeat_age >= self.decide.heartbeat_timeout:
            assert after in AT_REST  # SR-04
        if after in AT_REST:
            assert outputs == 0
            assert self.decide.causes
            assert self.decide.first != decide.NO_CAUSE
        else:
            assert not self.decide.present
        if before == decide.LOCKOUT:
            assert after == decide.LOCKOUT  # SR-16
        for name, value in vars(self.decide).items():
            assert 0 <= value <= SMALL_INTEGER_MAX, name
        self.check_testing(before, after, driven, elapsed, inputs)
        self.check_energised(before, after, elapsed)

        self.follow_press(elapsed, bool(inputs & RESET_PRESSED))
        return outputs

    def check_testing(
        self, before: int, after: int, driven: int, elapsed: int, inputs: int
    ) -> None:
        """Into TESTING only by a press, and in it no load and no delay of a stop."""
        if before == decide.TESTING:
            self.follow_test(driven, elapsed, inputs)
        if after != decide.TESTING:
            return
        assert not (self.outputs & K2 and self.outputs & K1_DRIVES)  # SR-13
        assert not self.plant.load  # SR-01
        assert not inputs & STOP_CATEGORY_1
        if before != decide.TESTING:  # SR-07
            assert before == decide.STOPPED
            assert self.outputs == K1_STARVED
            assert not inputs & RESET_PRESSED
            assert inputs & MIRRORS == MIRRORS
            # Two samples of at most 4 ms may count as pressed what was not.
            assert self.press_ms >= 142 or self.press_was_sampled_late
            self.tested = []

    def check_energised(self, before: int, after: int, elapsed: int) -> None:
        """Into RUN only by the whole test, into STOPPING only from RUN and not for long."""
        if after not in (decide.RUN, decide.STOPPING):
            return
        assert self.outputs == BOTH
        if after == decide.RUN and before != decide.RUN:  # SR-13
            assert before == decide.TESTING
            self.check_test()
        elif after == decide.STOPPING and before != decide.STOPPING:
            assert before == decide.RUN
            self.delayed_ms = 0
        elif after == decide.STOPPING:
            self.delayed_ms += elapsed
            assert self.delayed_ms < self.decide.stop_delay  # SR-05

    def follow_test(self, driven: int, elapsed: int, inputs: int) -> None:
        """What a chart recorder at the outputs and the mirror contacts would draw."""
        opened = ~inputs & MIRRORS
        if not self.tested or self.tested[-1].driven != driven:
            self.tested.append(SeenStep(driven))
        self.tested[-1].ms += elapsed
        self.tested[-1].opened |= opened
        self.tested[-1].open_at_end = opened

    def check_test(self) -> None:
        """The whole test was done, each step for its time, and no mirror contact was wrong."""
        assert [done.driven for done in self.tested] == [outputs for outputs, *_ in EXPECTED_TEST]
        for done, (_, may_open, at_end, least, most) in zip(
            self.tested, EXPECTED_TEST, strict=True
        ):
            assert least <= done.ms <= most + 3  # the last tick of a step may be one of 4 ms
            assert not done.opened & ~may_open
            assert done.open_at_end == at_end

    def follow_press(self, elapsed: int, closed: bool) -> None:
        """What a person with a stopwatch would say of the reset button."""
        if closed and self.open_ms >= SETTLE_MS:
            self.since_closing_ms = 0
            self.press_was_sampled_late = False
        self.since_closing_ms += elapsed
        self.press_was_sampled_late |= not 0 <= elapsed <= 4
        if closed:
            self.press_ms = self.since_closing_ms
        self.open_ms = 0 if closed else self.open_ms + abs(elapsed)


ELAPSED = st.one_of(
    st.integers(0, 4), st.integers(-5, 500), st.integers(-(1 << 29), (1 << 29) - 1)
)
HEARTBEAT = st.one_of(st.just(NO_HEARTBEAT), st.integers(0, 200), st.integers(0, (1 << 30) - 1))
BITS = st.integers(0, ALL_INPUTS).map(lambda bits: bits | INTERRUPTS)
ONE_BIT = st.sampled_from([1 << bit for bit in range(13)])


class AnyStory(RuleBasedStateMachine):
    """Any order of good times, presses, stops, faults and noise."""

    @initialize(
        timeout=st.integers(-10, 1100),
        delay=st.integers(-10, 1100),
        boot_cause=st.sampled_from(list(NAMED_BOOT_CAUSES.values())),
        fault=st.sampled_from([0, 0, 0, decide.DISCREPANCY]),
        maintenance=st.booleans(),
    )
    def start(self, timeout, delay, boot_cause, fault, maintenance):
        self.rig = Watched(
            heartbeat_timeout=timeout,
            stop_delay=delay,
            boot_cause=boot_cause,
            lockout_causes=fault,
            maintenance=maintenance,
        )
        self.rig.wait(60)

    @rule(ms=st.integers(1, 120))
    def all_is_well(self, ms):
        self.rig.wait(ms)

    @rule(ms=st.sampled_from([60, 149, 150, 151, 200, 400]))
    def press_reset(self, ms):
        self.rig.wait(60)
        self.rig.press(ms)

    @rule(elapsed=st.integers(1, 3))
    def reset_and_test(self, elapsed):
        self.rig.wait(60)
        self.rig.press(200)
        for _ in range(450 // elapsed):
            self.rig.tick(elapsed)

    @rule(ms=st.integers(1, 120), bit=ONE_BIT)
    def one_input_is_wrong(self, ms, bit):
        self.rig.wait(ms, opened=bit)

    @rule(ms=st.integers(1, 120), bit=ONE_BIT)
    def one_input_is_set(self, ms, bit):
        self.rig.wait(ms, closed=bit)

    @rule(ms=st.integers(1, 120))
    def silence(self, ms):
        self.rig.wait(ms, heartbeat=NO_HEARTBEAT)

    @rule(request=ONE_BIT.filter(lambda bit: bit & REQUESTS))
    def the_host_asks(self, request):
        self.rig.tick(closed=request)

    @rule(elapsed=ELAPSED, inputs=BITS, heartbeat=HEARTBEAT)
    def noise(self, elapsed, inputs, heartbeat):
        self.rig.step(elapsed, inputs, heartbeat)

    @rule(elapsed=ELAPSED)
    def a_tick_of_any_length(self, elapsed):
        self.rig.tick(elapsed)

    @invariant()
    def nothing_is_driven_under_a_present_cause(self):
        if hasattr(self, "rig") and self.rig.outputs:
            assert not self.rig.decide.present


AnyStory.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.requirement("SR-01", "SR-02", "SR-03", "SR-04", "SR-05", "SR-07", "SR-13", "SR-16")
class TestAnyStory(AnyStory.TestCase):
    """No story breaks a rule (see Watched.step)."""


SEGMENTS = st.lists(
    st.tuples(st.integers(1, 400), ELAPSED, BITS | st.just(WELL | MIRRORS), HEARTBEAT),
    max_size=12,
)


@pytest.mark.requirement("SR-07", "SR-13")
@settings(max_examples=100, deadline=None)
@given(
    segments=SEGMENTS,
    boot_cause=st.sampled_from(list(NAMED_BOOT_CAUSES.values())),
    delay=st.sampled_from([0, 300]),
)
def test_no_sequence_without_the_reset_button_ever_energises(segments, boot_cause, delay):
    decision = decide.Decide(100, delay, boot_cause)

    for ticks, elapsed, inputs, heartbeat in segments:
        for _ in range(ticks):
            assert decision.step(elapsed, inputs & ~RESET_PRESSED, heartbeat) == 0
            assert decision.state in AT_REST


@pytest.mark.requirement("SR-07")
@settings(max_examples=100, deadline=None)
@given(requests=st.lists(st.tuples(BITS, HEARTBEAT), max_size=400))
def test_no_sequence_of_requests_from_the_host_leaves_stopped(requests):
    rig = running()
    rig.tick(closed=STOP_CATEGORY_0)

    for bits, heartbeat in requests:
        assert rig.tick(closed=bits & REQUESTS, heartbeat=heartbeat) == 0
        assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-07", "SR-13")
@settings(max_examples=100, deadline=None)
@given(requests=st.dictionaries(st.integers(0, 423), st.sampled_from(REQUEST_BITS), max_size=30))
def test_no_sequence_of_requests_from_the_host_ends_the_test_sooner_but_by_a_stop(requests):
    rig = under_test()

    for ms in range(424):
        assert rig.state in ("TESTING", "STOPPED")
        rig.tick(closed=requests.get(ms, 0))

    stopped_by = [bits for bits in requests.values() if bits != STANDSTILL]
    assert rig.state == ("STOPPED" if stopped_by else "RUN")


def test_it_needs_no_module_named_micropython(monkeypatch):
    monkeypatch.setitem(sys.modules, "micropython", None)
    spec = importlib.util.spec_from_file_location("bare", decide.__file__)
    bare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bare)

    assert bare.Decide(100, 0, bare.POWER_UP).step(1, INTERRUPTS, NO_HEARTBEAT) == 0
