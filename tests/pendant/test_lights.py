"""A light shows what was measured, or it is dark."""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from redbutton import configuration
from redbutton.errors import ConfigurationWrong
from redbutton.firmware import decide
from redbutton.follow import Follow
from redbutton.local import socket_path
from redbutton.local_server import Server
from redbutton.model import Contacts, Load, SafetyState, State
from redbutton.pendant.lights import PERIOD_S, lit, shown_of
from redbutton.pendant.settings import Light, PendantSettings, Shown

ALL = PendantSettings(lights={"red": 1, "yellow": 2, "green": 3, "blue": 4}, buzzer=5)
MIRRORS = {Load.OFF: (True, True), Load.ON: (False, False), Load.UNPROVEN: (True, False)}
FIRST, SECOND = 0.0, PERIOD_S * 0.75  # a moment in each half of the period


def measured(state: State, load: Load, age_ms: float = 5.0) -> SafetyState:
    """A state as the controller measured it."""
    one, two = MIRRORS[load]
    contacts = Contacts(
        contact_a_closed=True,
        contact_b_closed=True,
        mirror_1_closed=one,
        mirror_2_closed=two,
        reset_pressed=False,
        key_maintenance=False,
        supply_ok=True,
    )
    return SafetyState(state=state, load=load, measured=contacts, age_ms=age_ms)


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize("now", [FIRST, SECOND])
def test_what_is_not_known_is_dark(now: float) -> None:
    assert lit(ALL, SafetyState(problem="no contact"), now) == set()
    assert lit(ALL, SafetyState(state=State.RUN, load=Load.ON), now) == set(), "not measured"


@pytest.mark.requirement("SR-21")
@pytest.mark.parametrize(
    ("state", "load", "shown"),
    [
        (State.STOPPED, Load.OFF, Shown.STOPPED),
        (State.STOPPED, Load.ON, Shown.UNPROVEN),
        (State.STOPPED, Load.UNPROVEN, Shown.UNPROVEN),
        (State.RUN, Load.ON, Shown.RUN),
        (State.RUN, Load.UNPROVEN, Shown.UNPROVEN),
        (State.STOPPING, Load.ON, Shown.STOPPING),
        (State.STOPPING, Load.OFF, Shown.UNPROVEN),
        *((State.TESTING, load, Shown.TESTING) for load in Load),
        *((State.LOCKOUT, load, Shown.LOCKOUT) for load in Load),
    ],
)
def test_a_state_is_shown_only_where_the_mirror_contacts_bear_it_out(
    state: State, load: Load, shown: Shown
) -> None:
    assert shown_of(measured(state, load)) is shown


def indicate(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The firmware's own table."""
    stub = ModuleType("micropython")
    stub.native = lambda function: function  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "micropython", stub)
    monkeypatch.setitem(sys.modules, "decide", decide)
    module = ModuleType("indicate")
    source = Path(str(decide.__file__)).with_name("indicate.py")
    exec(compile(source.read_text(), str(source), "exec"), module.__dict__)
    return module


def test_red_green_and_buzzer_are_as_on_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    own = indicate(monkeypatch)
    assert own.PERIOD_MS / 1000 == PERIOD_S
    bits = {Light.RED: own.RED, Light.GREEN: own.GREEN, Light.BUZZER: own.BUZZER}
    proof = {State.RUN: Load.ON, State.STOPPING: Load.ON}
    for state in (s for s in State if s is not State.UNKNOWN):
        code = next(c for c, name in decide.STATE_NAMES.items() if name == state.value)
        for now in (FIRST, SECOND):
            on = lit(ALL, measured(state, proof.get(state, Load.OFF)), now)
            here = sum(bit for light, bit in bits.items() if light in on)
            assert here == own.lamps(code, int(now * 1000)), (state, now)


def test_green_is_lit_only_while_something_may_move() -> None:
    for state in State:
        for load in Load:
            on = set[Light]().union(
                *(lit(ALL, measured(state, load), now) for now in (FIRST, SECOND))
            )
            assert Light.GREEN not in on or load is Load.ON or state is State.TESTING


# --- no older than half a second


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An owner that tells what the test wants."""
    server = Server(socket_path("port"))
    yield server
    server.close()


def told(server: Server, follow: Follow, state: SafetyState) -> SafetyState:
    """What a follower says when it has been told a state."""
    follow.turn()
    server.turn(state, time.monotonic())
    end = time.monotonic() + 2
    while follow.state().problem != state.problem and time.monotonic() < end:
        server.turn(state, time.monotonic())
        follow.turn()
    follow.turn()
    return follow.state()


@pytest.mark.requirement("SR-21")
def test_a_state_grows_old_on_the_way_and_is_nothing_after_half_a_second(server: Server) -> None:
    follow = Follow("port")
    fresh = told(server, follow, measured(State.RUN, Load.ON, 100.0))
    assert fresh.running and fresh.age_ms is not None and fresh.age_ms > 100
    time.sleep(0.42)
    assert not follow.state().heard
    for later in (1, 2, 3):
        server.turn(measured(State.RUN, Load.ON, 501.0), time.monotonic() + later)
        follow.turn()
    assert not follow.state().heard
    follow.close()


@pytest.mark.requirement("SR-21")
def test_an_owner_that_is_gone_is_no_contact_and_the_next_one_is_found(server: Server) -> None:
    follow = Follow("port")
    assert told(server, follow, measured(State.STOPPED, Load.OFF)).heard
    server.close()
    follow.turn()
    assert not follow.state().heard
    again = Server(socket_path("port"))
    time.sleep(0.25)
    assert told(again, follow, measured(State.STOPPED, Load.OFF)).heard
    again.close()
    follow.close()


# --- what is configured


def pendant(tmp_path: Path, text: str) -> PendantSettings | None:
    """A pendant as it stands in the host's configuration."""
    file = tmp_path / "host.yaml"
    file.write_text("pendant:\n" + text)
    return configuration.load(file).pendant


def test_a_pendant_is_read_and_a_states_lights_can_be_chosen(tmp_path: Path) -> None:
    found = pendant(
        tmp_path,
        "  buttons: [{name: left, contacts: [5, GPIO6]}]\n  lights: {red: 17}\n  buzzer: 24\n"
        "  shown: {RUN: {red: blink}}\n",
    )
    assert found is not None
    assert [switch.contacts for switch in found.switches] == [(5, "GPIO6")]
    assert lit(found, measured(State.RUN, Load.ON), FIRST) == {Light.RED}
    assert lit(found, measured(State.RUN, Load.ON), SECOND) == set()
    assert lit(found, measured(State.STOPPED, Load.OFF), FIRST) == {Light.RED, Light.BLUE}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("  buttons: []\n", "1: pendant: names no pin"),
        ("  lights: {red: 1, green: 1}\n", "pin 1 is named 2 times"),
        ("  lights: {purple: 1}\n", "2: pendant.lights.purple: is not known here"),
        ("  lights: {buzzer: 1}\n", "pendant.lights.buzzer: is not known here"),
        ("  lights: {red: -1}\n", "pendant.lights.red"),
        ("  lights: {red: true}\n", "pendant.lights.red"),
        ("  buttons: [{contacts: [1, 2, 3]}]\n", "pendant.buttons[0].contacts"),
        ("  buttons: [{contacts: [1], pull: none}]\n", "pendant.buttons[0].pull"),
        ("  buzzer: 1\n  shown: {UNKNOWN: {red: on}}\n", "what is not known is dark"),
        ("  buzzer: 1\n  shown: {RUNN: {red: on}}\n", "did you mean RUN?"),
        ("  buzzer: 1\n  shown: {RUN: {red: yes}}\n", "3: pendant.shown.RUN.red"),
        ("  reset: 4\n  buzzer: 1\n", "2: pendant.reset: is not known here"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigurationWrong, match=re.escape(complaint)):
        pendant(tmp_path, text)
