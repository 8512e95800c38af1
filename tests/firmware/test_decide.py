"""The safety decision: its tables in reading order, then requirement by requirement.

What is expected stands written out here. Nothing is computed from the tables or limits under test.
"""

import copy
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from rig import (
    BUTTON,
    FRESH,
    IN_STATE,
    MIRRORS,
    SETTLE_MS,
    WELL,
    Rig,
    about_to_run,
    locked_out,
    names,
    running,
    stopped,
    stopping,
)

from redbutton.firmware import decide
from redbutton.firmware.decide import (
    BROWN_OUT,
    CONTACT_A,
    CONTACT_B,
    K1,
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
)

BOTH = K1 | K2
ALL_INPUTS = (1 << 12) - 1
REQUESTS = STOP_CATEGORY_0 | STOP_CATEGORY_1 | STANDSTILL | VERSION_DIFFERS
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
    "link key": {"opened": LINK_KEY},
    "key switch": {"closed": KEY_MAINTENANCE},
    "stop of category 0": {"closed": STOP_CATEGORY_0},
    "stop of category 1": {"closed": STOP_CATEGORY_1},
    "protocol version": {"closed": VERSION_DIFFERS},
}


# --- The tables ------------------------------------------------------------------------------

EXPECTED_TABLE = {
    # state: outputs, then the next state for FAULT, STOP, CUT, DELAYED_STOP, RESET, QUIET
    "STOPPED": (0, "LOCKOUT", "STOPPED", "STOPPED", "STOPPED", "RUN", "STOPPED"),
    "RUN": (BOTH, "LOCKOUT", "STOPPED", "STOPPED", "STOPPING", "RUN", "RUN"),
    "STOPPING": (BOTH, "LOCKOUT", "STOPPED", "STOPPED", "STOPPING", "STOPPING", "STOPPING"),
    "LOCKOUT": (0, "LOCKOUT", "LOCKOUT", "LOCKOUT", "LOCKOUT", "LOCKOUT", "LOCKOUT"),
}
TRIGGERS = ("FAULT", "STOP", "CUT", "DELAYED_STOP", "RESET", "QUIET")


@pytest.mark.requirement("SR-01", "SR-07", "SR-16")
def test_the_table_is_the_one_of_the_specification():
    written = {
        decide.STATE_NAMES[state]: (row[0], *(decide.STATE_NAMES[to] for to in row[1:]))
        for state, row in decide.TABLE.items()
    }
    assert written == EXPECTED_TABLE
    assert decide.TRIGGER_NAMES == TRIGGERS


def test_any_two_state_codes_differ_in_at_least_four_bits():
    for one, other in itertools.combinations(decide.TABLE, 2):
        assert bin(one ^ other).count("1") >= 4


def raise_trigger(rig: Rig, trigger: str) -> None:
    """What the world does for this trigger."""
    if trigger == "FAULT":
        rig.tick(101, opened=CONTACT_A)
    elif trigger == "STOP":
        rig.tick(closed=STOP_CATEGORY_0)
    elif trigger == "CUT":
        rig.tick(closed=STANDSTILL)
    elif trigger == "DELAYED_STOP":
        rig.tick(closed=STOP_CATEGORY_1)
    elif trigger == "RESET":
        rig.press(200)
    else:
        rig.tick()


@pytest.mark.requirement("SR-01", "SR-07")
@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("state", EXPECTED_TABLE)
def test_each_trigger_leads_from_each_state_where_the_table_says(state, trigger):
    rig = IN_STATE[state](stop_delay=300)
    after = EXPECTED_TABLE[state][1 + TRIGGERS.index(trigger)]
    if (state, trigger) == ("RUN", "CUT"):
        after = "RUN"  # a report of standstill alone is no trigger

    raise_trigger(rig, trigger)

    assert rig.state == after
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
    "control tick late": ("event", lambda rig: rig.tick(11)),
    "key switch": ("condition", lambda rig: rig.tick(closed=KEY_MAINTENANCE)),
    "link key missing": ("condition", lambda rig: rig.tick(opened=LINK_KEY)),
    "protocol version": ("event", lambda rig: rig.tick(closed=VERSION_DIFFERS)),
    "heartbeat lost": ("condition", lambda rig: rig.wait(98, heartbeat=NO_HEARTBEAT)),
    "stop requested": ("event", lambda rig: rig.tick(closed=STOP_CATEGORY_0)),
}
BOOT_CAUSES = {"watchdog reset": "event", "power up": "event"}
HELD_ONLY = {"reset button stuck": "condition"}
LATER = {"self-test": "fault"}
KINDS = {"event": decide.EVENT, "condition": decide.CONDITION, "fault": decide.LATCHED_FAULT}


def test_the_tests_know_every_cause_and_its_kind():
    kinds = {name: kind for name, (kind, _) in STEP_CAUSES.items()}
    kinds |= BOOT_CAUSES | HELD_ONLY | LATER
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
    rig.press(200)

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
    needed = CONTACT_A | CONTACT_B | SUPPLY | LINK_KEY
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
    before = about_to_run(stop_delay=stop_delay).decide
    energising = set()
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(before)

        outputs = decision.step(1, inputs, FRESH)

        if outputs:
            energising.add(inputs)
    # Everything well, both mirror contacts closed, reset released; standstill changes nothing.
    assert energising == {WELL | MIRRORS, WELL | MIRRORS | STANDSTILL}


@pytest.mark.requirement("SR-03", "SR-06", "SR-16")
@pytest.mark.parametrize("heartbeat", [NO_HEARTBEAT, 0, FRESH])
@pytest.mark.parametrize("state", ["STOPPED", "LOCKOUT"])
def test_at_rest_no_combination_of_inputs_energises(state, heartbeat):
    before = IN_STATE[state]().decide
    for inputs in range(ALL_INPUTS + 1):
        decision = copy.copy(before)

        assert decision.step(1, inputs, heartbeat) == 0, hex(inputs)
        assert decision.state == before.state, hex(inputs)


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
    rig.wait(SETTLE_MS, heartbeat=age)

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

    outputs = [rig.tick(10) for _ in range(40)]

    assert outputs == [BOTH] * 29 + [0] * 11


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
    rig.press(200)

    outputs = [rig.tick(closed=STOP_CATEGORY_1)] + [rig.tick() for _ in range(400)]

    assert outputs.count(BOTH) == 300


# --- SR-06: requests in a row ----------------------------------------------------------------


@pytest.mark.requirement("SR-06")
def test_a_stop_request_counts_however_many_came_before_it():
    rig = stopped()
    rig.wait(10000, closed=STOP_CATEGORY_0)
    rig.wait(60)
    rig.press(200)
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
    rig.wait(200)

    assert rig.state == ("RUN" if acts else "STOPPED")


@pytest.mark.requirement("SR-07")
@pytest.mark.parametrize("ms", [150, 1000, 3000])
def test_a_reset_acts_on_the_settled_release_not_on_the_press(ms):
    rig = stopped()

    pressed = [rig.tick(closed=RESET_PRESSED) for _ in range(ms)]
    released = [rig.tick() for _ in range(60)]

    assert not any(pressed)
    assert released == [0] * 49 + [BOTH] * 11


@pytest.mark.requirement("SR-07")
def test_a_reset_forgets_the_causes_of_the_stop():
    rig = running()
    rig.tick(closed=STOP_CATEGORY_0)
    rig.wait(60)

    rig.press(200)

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
        rig.press(200)
        assert rig.state == "RUN"


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

    outputs = [rig.tick() for _ in range(60)]

    assert outputs == [0] * 49 + [BOTH] * 11


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
    rig.press(200)

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
    rig.press(200)

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
    rig.press(200)

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
def test_a_stuck_button_that_comes_free_is_a_stop_cause_no_more():
    rig = stopped()
    rig.wait(60000, closed=RESET_PRESSED)
    assert "reset button stuck" in rig.present
    rig.wait(200)
    assert rig.state == "STOPPED" and not rig.present

    rig.press(200)

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


@pytest.mark.requirement("SR-09")
@pytest.mark.parametrize("state", ["RUN", "STOPPING"])
def test_loss_of_the_supply_is_reported_as_brown_out_although_every_input_reads_open(state):
    rig = IN_STATE[state]()
    before = rig.causes

    rig.tick(opened=SUPPLY | BUTTON | MIRRORS)

    assert rig.outputs == 0
    assert rig.tripped == "brown-out"
    if not before:
        assert rig.first == "brown-out"


@pytest.mark.requirement("SR-09", "SR-11", "SR-12")
@pytest.mark.parametrize("still_closed", [0, CONTACT_A, MIRROR_1])
def test_loss_of_the_supply_does_not_lock_out_and_a_reset_acts_when_it_is_back(still_closed):
    rig = running()

    rig.wait(10000, opened=(SUPPLY | BUTTON | MIRRORS) & ~still_closed)
    rig.wait(60)
    assert rig.state == "STOPPED"
    rig.press(200)

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-09", "SR-11", "SR-12")
def test_a_blink_of_the_supply_does_not_excuse_a_fault_that_lasts():
    rig = running()
    rig.tick(opened=SUPPLY | BUTTON | MIRRORS)

    rig.wait(50, opened=MIRROR_1)

    assert rig.state == "LOCKOUT"


# --- SR-11: contacts that disagree -----------------------------------------------------------


@pytest.mark.requirement("SR-11")
@pytest.mark.parametrize(
    ("ms", "state"),
    [(1, "STOPPED"), (99, "STOPPED"), (100, "STOPPED"), (101, "LOCKOUT"), (102, "LOCKOUT")],
)
@pytest.mark.parametrize("contact", [CONTACT_A, CONTACT_B])
@pytest.mark.parametrize("start", ["RUN", "STOPPED", "STOPPING"])
def test_contacts_that_disagree_for_longer_than_100_ms_lock_out(start, contact, ms, state):
    rig = IN_STATE[start]()

    rig.wait(ms, opened=contact)
    rig.wait(200)

    assert rig.state == state
    assert ("contact discrepancy" in rig.causes) == (state == "LOCKOUT")


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
    rig = running()

    for _ in range(ms):  # a locked-out rig is de-energised, and its mirror contacts are closed
        rig.tick(closed=mirror)
    rig.wait(200)

    assert rig.state == state
    assert (f"mirror contact {name}" in rig.causes) == (state == "LOCKOUT")


@pytest.mark.requirement("SR-12")
@pytest.mark.parametrize(("mirror", "name"), [(MIRROR_1, "K1"), (MIRROR_2, "K2")])
def test_a_mirror_contact_open_before_energising_locks_out(mirror, name):
    rig = about_to_run()

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


@pytest.mark.requirement("SR-12")
def test_one_good_reading_starts_the_time_of_a_mirror_contact_again():
    rig = running()
    rig.tick(closed=STOP_CATEGORY_0)

    for _ in range(5):
        rig.wait(49, opened=MIRRORS)
        rig.tick()

    assert rig.state == "STOPPED"


@pytest.mark.requirement("SR-12")
def test_a_mirror_contact_late_to_open_has_its_whole_time_to_close_after_a_stop():
    rig = running()
    rig.wait(98, closed=MIRROR_1)
    rig.tick(closed=MIRROR_1 | STOP_CATEGORY_0)

    rig.wait(49, opened=MIRROR_1)
    assert rig.state == "STOPPED"
    rig.tick(opened=MIRROR_1)

    assert rig.state == "LOCKOUT"


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


@pytest.mark.requirement("SR-16")
def test_in_maintenance_the_relays_cannot_be_energised():
    rig = stopped()

    rig.wait(100, closed=KEY_MAINTENANCE)
    rig.wait(200, closed=KEY_MAINTENANCE | RESET_PRESSED)
    rig.wait(100, closed=KEY_MAINTENANCE)
    assert rig.state == "STOPPED"
    rig.wait(100)
    rig.press(200)

    assert rig.state == "RUN"


@pytest.mark.requirement("SR-16")
def test_turning_the_key_to_maintenance_stops():
    rig = running()

    assert rig.tick(closed=KEY_MAINTENANCE) == 0

    assert rig.tripped == "key switch"


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
        (9, False),
        (10, False),
        (11, True),
        (12, True),
        (400, True),
        (59999, True),
        (60000, True),
        (60001, True),
        (1 << 29, True),
        (-1, True),
        (-400, True),
    ],
)
def test_a_tick_more_than_10_ms_after_the_last_or_before_it_stops(state, elapsed, late):
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

    rig.tick(11)

    assert "control tick late" not in rig.causes
    assert rig.state == "STOPPED"


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
    rig.press(200)
    assert rig.outputs == 0


@pytest.mark.requirement("SR-01", "SR-16")
@pytest.mark.parametrize("word", [0, -1, 1 << 16, decide.RUN << 8 | decide.STOPPED])
def test_a_state_word_that_is_no_state_locks_out_even_in_a_tick_with_a_reset(word):
    rig = about_to_run()
    rig.decide.state = word

    assert rig.tick() == 0

    assert rig.state == "LOCKOUT"


@pytest.mark.requirement("SR-01")
@pytest.mark.parametrize("state", ["STOPPED", "LOCKOUT"])
def test_up_to_three_flipped_bits_never_turn_a_state_at_rest_into_an_energised_one(state):
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
        ({"elapsed": 11, "closed": REQUESTS | KEY_MAINTENANCE}, "control tick late"),
        ({"elapsed": 11, "opened": CONTACT_B}, "button contact B"),
    ],
)
def test_of_several_causes_in_one_tick_the_most_telling_is_the_first(more, first):
    rig = running()

    rig.tick(**more)

    assert rig.first == rig.tripped == first


def test_a_fault_that_comes_with_a_stop_is_what_tripped():
    rig = running()

    rig.tick(101, opened=CONTACT_A)

    assert rig.state == "LOCKOUT"
    assert rig.tripped == "contact discrepancy"
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


class Watched(Rig):
    """A rig that checks every step of it against the rules."""

    def __init__(self, **arguments: int) -> None:
        super().__init__(**arguments)
        self.press_ms = 0  # of the present or last press, from its first closing to its last
        self.since_closing_ms = 0
        self.open_ms = SETTLE_MS
        self.press_was_sampled_late = False
        self.delayed_ms = 0

    def step(self, elapsed: int, inputs: int, heartbeat: int) -> None:
        before = self.decide.state
        outputs = self.outputs = self.decide.step(elapsed, inputs, heartbeat)
        after = self.decide.state

        assert after in decide.TABLE
        assert outputs == (BOTH if after in (decide.RUN, decide.STOPPING) else 0)  # SR-01
        if stops(inputs):
            assert outputs == 0  # SR-02, SR-03
        if before == decide.LOCKOUT:
            assert after == decide.LOCKOUT  # SR-16
        if after == decide.RUN and before != decide.RUN:  # SR-07
            assert before == decide.STOPPED
            assert not inputs & (RESET_PRESSED | STOP_CATEGORY_1)
            assert inputs & MIRRORS == MIRRORS
            assert not self.decide.present
            # Two samples of at most 10 ms may count as pressed what was not.
            assert self.press_ms >= 140 or self.press_was_sampled_late or elapsed > 10
        if after == decide.STOPPING and before != decide.STOPPING:
            assert before == decide.RUN
            self.delayed_ms = 0
        elif after == decide.STOPPING:
            self.delayed_ms += elapsed
            assert self.delayed_ms < self.decide.stop_delay  # SR-05
        if self.decide.heartbeat_age >= self.decide.heartbeat_timeout:
            assert outputs == 0  # SR-04
        if outputs == 0:
            assert self.decide.causes
            assert self.decide.first != decide.NO_CAUSE
        for name, value in vars(self.decide).items():
            assert 0 <= value <= SMALL_INTEGER_MAX, name

        self.follow_press(elapsed, bool(inputs & RESET_PRESSED))

    def follow_press(self, elapsed: int, closed: bool) -> None:
        """What a person with a stopwatch would say of the reset button."""
        if closed and self.open_ms >= SETTLE_MS:
            self.since_closing_ms = 0
            self.press_was_sampled_late = False
        self.since_closing_ms += elapsed
        self.press_was_sampled_late |= not 0 <= elapsed <= 10
        if closed:
            self.press_ms = self.since_closing_ms
        self.open_ms = 0 if closed else self.open_ms + abs(elapsed)

    def tick(
        self, elapsed: int = 1, *, opened: int = 0, closed: int = 0, heartbeat: int = FRESH
    ) -> int:
        healthy = WELL if self.outputs else WELL | MIRRORS
        self.step(elapsed, healthy & ~opened | closed, heartbeat)
        return self.outputs


ELAPSED = st.one_of(
    st.integers(0, 12), st.integers(-5, 500), st.integers(-(1 << 29), (1 << 29) - 1)
)
HEARTBEAT = st.one_of(st.just(NO_HEARTBEAT), st.integers(0, 200), st.integers(0, (1 << 30) - 1))
BITS = st.integers(0, ALL_INPUTS)
ONE_BIT = st.sampled_from([1 << bit for bit in range(12)])


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
    def energised_only_without_a_present_cause(self):
        if hasattr(self, "rig") and self.rig.outputs:
            assert not self.rig.decide.present


AnyStory.TestCase.settings = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.requirement("SR-01", "SR-02", "SR-03", "SR-04", "SR-05", "SR-07", "SR-16")
class TestAnyStory(AnyStory.TestCase):
    """No story breaks a rule (see Watched.step)."""


SEGMENTS = st.lists(
    st.tuples(st.integers(1, 400), ELAPSED, BITS | st.just(WELL | MIRRORS), HEARTBEAT),
    max_size=12,
)


@pytest.mark.requirement("SR-07")
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


@pytest.mark.requirement("SR-07")
@settings(max_examples=100, deadline=None)
@given(requests=st.lists(st.tuples(BITS, HEARTBEAT), max_size=400))
def test_no_sequence_of_requests_from_the_host_leaves_stopped(requests):
    rig = running()
    rig.tick(closed=STOP_CATEGORY_0)

    for bits, heartbeat in requests:
        rig.tick(closed=bits & REQUESTS, heartbeat=heartbeat)

    assert rig.state == "STOPPED"
