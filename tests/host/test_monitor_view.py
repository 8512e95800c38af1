"""The live view without a terminal: what is drawn of what was measured."""

import io
from datetime import datetime

import pytest
from rich.console import Console

from redbutton.firmware import decide
from redbutton.model import Contacts, Counters, SafetyState, State
from redbutton.monitor.history import KEPT_S, STALE_S, History
from redbutton.monitor.keys import BY_KEY, HANDS, HELP, QUIT, STOP, Things
from redbutton.monitor.letters import FONT, large
from redbutton.monitor.view import ASCII, BLOCKS, CODES, LABEL, NAMES, Scene, screen

CLOCK = datetime(2026, 5, 4, 12, 0, 10)
CLOSED = decide.CONTACT_A | decide.CONTACT_B
MIRRORS = decide.MIRROR_1 | decide.MIRROR_2
COUNTERS = Counters(
    transitions=12,
    stop_requests=47,
    heartbeats_taken=12345,
    heartbeats_refused=42,
    frames_malformed=17,
    resets_refused=3,
)


def told(state: State, inputs: int, **more: object) -> SafetyState:
    measured = Contacts.from_bits(inputs)
    fields = {
        "state": state,
        "load": measured.load,
        "measured": measured,
        "for_s": 3.2,
        "age_ms": 12.0,
        "heartbeat_age_ms": 25,
        "heartbeat_timeout_ms": 100,
        "counters": COUNTERS,
    }
    return SafetyState.model_validate(fields | more)


RUNNING = told(State.RUN, CLOSED | decide.SUPPLY)
PRESSED = told(
    State.STOPPED,
    MIRRORS | decide.SUPPLY,
    first_cause="button contact A",
    causes=("button contact A", "button contact B"),
    present=("button contact A", "button contact B"),
)
LOCKED = told(
    State.LOCKOUT,
    CLOSED | decide.MIRROR_2 | decide.SUPPLY,
    first_cause="mirror contact K1",
    causes=("mirror contact K1",),
    present=("mirror contact K1",),
)


def history(*states: SafetyState, last_s: float = 1.0) -> History:
    """These states, each for so long, up to the time 10 and told every 100 ms."""
    begin = 10.0 - len(states) * last_s
    history = History(begin)
    for i in range(round(len(states) * last_s * 10)):
        history.take(begin + i / 10, states[int(i / 10 / last_s)])
    history.take(10.0, states[-1])
    return history


def draw(
    history: History, now: float = 10.0, width: int = 80, height: int = 24, **scene: object
) -> list[str]:
    """The lines of the screen, as a terminal of this size would show them."""
    file = io.StringIO()
    console = Console(file=file, width=width, height=height, color_system=None)
    drawn = screen(history, Scene(port="/tmp/vb", **scene), now, CLOCK, width, height)  # type: ignore[arg-type]
    console.print(drawn)
    return file.getvalue().split("\n")[:-1]


def shows(lines: list[str], name: str, ink: str = BLOCKS.ink) -> bool:
    """Whether this stands there in large letters."""
    return all(any(line.rstrip() == row.rstrip() for line in lines) for row in large(name, ink))


def present(lines: list[str], name: str) -> str:
    """A field; the timeline below has rows of the same names."""
    return next(line for line in lines if line.startswith(name + " "))[len(name) :].strip()


# --- the present


def test_run_is_shown_with_everything_that_was_measured() -> None:
    lines = draw(history(RUNNING))
    text = "\n".join(lines)
    assert shows(lines, "RUN")
    assert "/tmp/vb" in lines[0]
    assert "12:00:10" in lines[0]
    assert "RUN for 3.2 s   measured 12 ms ago" in text
    assert present(lines, "load").startswith("ON: both mirror contacts open")
    assert present(lines, "first cause") == "none"
    assert present(lines, "heartbeat").startswith(
        "25 ms of 100 ms  █████▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  taken 12345"
    )
    for said in ("button A  closed", "mirror K1 open", "key       operation", "present"):
        assert said in text
    for said in ("transitions 12", "stop requests 47", "resets refused 3", "bad frames 17"):
        assert said in text


@pytest.mark.requirement("SR-21")
def test_a_stop_is_shown_with_its_causes_in_words() -> None:
    lines = draw(history(RUNNING, PRESSED))
    assert shows(lines, "STOPPED")
    assert not shows(lines, "RUN")
    assert present(lines, "load") == "OFF: both mirror contacts closed"
    assert present(lines, "first cause") == "button contact A"
    assert present(lines, "all causes") == "button contact A, button contact B"
    assert present(lines, "blocks a reset") == "button contact A, button contact B"
    assert "button A  OPEN" in "\n".join(lines)


@pytest.mark.requirement("SR-21")
def test_a_welded_relay_is_not_called_off() -> None:
    lines = draw(history(LOCKED))
    assert shows(lines, "LOCKOUT")
    assert present(lines, "load").startswith("UNPROVEN")


def test_run_is_green_only_if_the_load_is_proven_to_be_on() -> None:
    unproven = told(State.RUN, CLOSED | decide.MIRROR_1 | decide.SUPPLY)
    for state, style in ((RUNNING, "green"), (unproven, "yellow"), (PRESSED, "red")):
        drawn = screen(history(state), Scene("p", hands=True), 10.0, CLOCK, 80, 24)
        assert drawn.renderables[1].style == style  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "end",
    [
        [(10.0, SafetyState(problem="the owner of the port is gone"))],
        [],  # nobody says anything any more
    ],
)
@pytest.mark.requirement("SR-21")
def test_nothing_measured_is_shown_once_contact_is_lost(
    end: list[tuple[float, SafetyState]],
) -> None:
    lost = history(PRESSED, RUNNING)
    for at, state in end:
        lost.take(at, state)
    lines = draw(lost, now=10.0 + STALE_S + 0.1)
    text = "\n".join(lines)
    assert shows(lines, "NO CONTACT")
    assert "no contact since 12:00:09 (1 s)" in text
    for stale in (
        "RUN",
        "ON:",
        "OFF:",
        "closed",
        "open",
        "OPEN",
        "button contact",
        "12345",
        "25 ms",
    ):
        assert stale not in text
    for name in ("load", "first cause", "blocks a reset", "heartbeat", "counted"):
        assert present(lines, name) == "not known"


@pytest.mark.requirement("SR-21")
def test_a_state_is_believed_for_half_a_second_and_no_longer() -> None:
    heard = history(RUNNING)
    assert heard.present(10.0 + STALE_S - 0.01).running
    assert not heard.present(10.0 + STALE_S + 0.01).heard
    assert heard.present(10.3).age_ms == pytest.approx(312)


def test_before_anything_was_heard_nothing_is_claimed() -> None:
    lines = draw(History(10.0))
    assert shows(lines, "NO CONTACT")
    assert "the controller was not heard yet" in "\n".join(lines)


def test_what_is_wrong_besides_is_said() -> None:
    state = told(State.STOPPED, CLOSED | MIRRORS | decide.SUPPLY, problem="wrong key")
    lines = draw(
        history(state.model_copy(update={"journal_fails": True, "record_fails": True})), height=30
    )
    assert [line.split("  ")[-1].strip() for line in lines if line.startswith("attention")] == [
        "wrong key",
        "the controller's journal FAILS to write flash",
        "the host's record FAILS: what happens is not recorded",
    ]


def test_a_heartbeat_that_never_came_and_one_whose_limit_is_not_known() -> None:
    never = told(State.STOPPED, CLOSED | MIRRORS, heartbeat_age_ms=-1, refusal="wrong tag")
    assert present(draw(history(never), width=100), "heartbeat") == (
        f"none yet of 100 ms  {'█' * 20}  taken 12345, refused 42 (wrong tag)"
    )
    unsaid = told(State.STOPPED, CLOSED | MIRRORS, heartbeat_timeout_ms=None)
    assert present(draw(history(unsaid)), "heartbeat").startswith("25 ms  taken")


def test_what_others_say_stays_on_its_line() -> None:
    lines = draw(history(SafetyState(problem="one\ntwo\x1b[31m\rthree")))
    assert r"one\ntwo\x1b[31m\rthree" in "\n".join(lines)
    assert len(lines) <= 24


# --- the timeline


def trace(lines: list[str], name: str) -> str:
    """A row of the timeline, which stands below the fields."""
    return [line for line in lines if line.startswith(name + " ")][-1][LABEL:]


def test_the_timeline_shows_what_was_when() -> None:
    lines = draw(history(PRESSED, RUNNING, SafetyState(), PRESSED, last_s=5.0))
    states = trace(lines, "state").lstrip(" .")  # not heard before
    assert [code for i, code in enumerate(states) if i == 0 or states[i - 1] != code] == list(
        "SR.S"
    )
    assert len(states) == pytest.approx((80 - LABEL) * 20 / KEPT_S, abs=2)
    assert set(trace(lines, "load").strip()) == set("▁█┃.")
    assert trace(lines, "button A").strip().startswith(".▁▁▁▁▁▁▁▁▁▁┃██████████.")
    assert trace(lines, "state")[-1] == "S"


def test_a_short_opening_of_a_contact_is_not_lost() -> None:
    short = History(0.0)
    for i in range(1000):
        opened = i == 500
        short.take(i / 100, PRESSED if opened else RUNNING)
    assert trace(draw(short, now=10.0), "button A").count("┃") == 1


@pytest.mark.requirement("SR-21")
def test_a_short_loss_of_contact_is_not_lost() -> None:
    short = History(0.0)
    for i in range(1000):
        short.take(i / 100, SafetyState() if i == 500 else RUNNING)
    for name in ("state", "load", "button A"):
        assert trace(draw(short, now=10.0), name).strip(" .").count(".") == 1


@pytest.mark.requirement("SR-21")
def test_a_gap_in_what_was_told_is_drawn_as_a_gap() -> None:
    gap = History(0.0)
    gap.take(0.0, RUNNING)
    gap.take(9.9, RUNNING)
    states = trace(draw(gap, now=10.0), "state").strip()
    assert states.count("R") <= 4
    assert states.count(".") > 15


def test_half_a_minute_is_kept_and_no_more() -> None:
    long = History(0.0)
    for i in range(20_000):
        long.take(i / 100, PRESSED if i % 2 else RUNNING)
    bins = long.bins(199.99, 60)
    assert len(bins) == 60
    assert all(bins)
    assert len(long._changes) <= KEPT_S * 100 + 2


# --- any size, any terminal


@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (200, 60), (40, 12), (20, 5), (10, 1), (1, 1)]
)
@pytest.mark.parametrize("help_wanted", [False, True])
@pytest.mark.parametrize("state", [RUNNING, PRESSED, LOCKED, SafetyState(problem="x" * 300)])
def test_it_fits_any_size(width: int, height: int, help_wanted: bool, state: SafetyState) -> None:
    lines = draw(
        history(RUNNING, state), 10.0, width, height, hands=True, note="n" * 99, help=help_wanted
    )
    assert 1 <= len(lines) <= height
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("state", [RUNNING, PRESSED, LOCKED, SafetyState()])
def test_at_80_by_24_nothing_is_left_out(state: SafetyState) -> None:
    lines = draw(history(RUNNING, state), hands=True)
    assert len(lines) == 24
    for name in ("state", "load", "first cause", "blocks a reset", "heartbeat"):
        assert any(line.startswith(name) for line in lines)
    for name in ("counted", "button A", "button B", "mirror K1", "mirror K2", "p press", "s stop"):
        assert any(line.startswith(name) for line in lines)
    assert any(line.startswith("all causes" if state.heard else "attention") for line in lines)
    assert "0 mend" in lines[-2]


def test_a_narrow_window_still_names_the_state() -> None:
    lines = draw(history(SafetyState(problem="unplugged")), width=40, height=10)
    assert any(line.startswith("state") and "no contact since" in line for line in lines)


def test_where_there_are_no_block_characters_plain_ones_do() -> None:
    for scene in ({}, {"help": True, "hands": True}):
        lines = draw(history(PRESSED, RUNNING, LOCKED), width=50, glyphs=ASCII, **scene)
        assert "\n".join(lines).isascii()
        assert shows(lines, "LOCKOUT", ASCII.ink)


def test_there_is_a_letter_for_every_state_and_a_code_for_the_timeline() -> None:
    for state in State:
        assert set(NAMES.get(state, state.value)) <= set(FONT)
    assert set(CODES) == set(State) - {State.UNKNOWN}
    assert len(set(CODES.values())) == len(CODES)


# --- keys


@pytest.mark.requirement("SR-07", "SR-25")
def test_without_the_hands_of_a_virtual_board_no_key_resets() -> None:
    text = "\n".join(draw(history(PRESSED)))
    assert text.splitlines()[-1].split() == ["s", "stop", "q", "quit", "?", "help"]
    assert "r reset" not in text
    assert not {STOP, HELP, *QUIT} & set(BY_KEY)


def test_the_help_names_every_key() -> None:
    text = "\n".join(draw(history(PRESSED), help=True, hands=True))
    for hand in HANDS:
        assert f"{hand.key}  {hand.what}" in text
    assert "nothing resets" in text
    assert shows(text.splitlines(), "STOPPED")


def test_hands_do_the_opposite_of_what_is_measured_or_else_of_what_they_did() -> None:
    def words(key: str) -> tuple[str, ...]:
        return BY_KEY[key].words(things)

    things = Things()
    assert [*words("p"), *words("p"), *words("p")] == ["press", "release", "press"]
    things.see(RUNNING, plugged=True)
    assert (words("p"), words("u")) == (("press",), ("unplug",))
    things.see(PRESSED, plugged=False)
    assert (words("p"), words("u")) == (("release",), ("plug",))
    assert (words("k"), words("k")) == (("key on",), ("key off",))
    assert (words("v"), words("v")) == (("supply off",), ("supply on",))
    assert words("0") == ("free relay_1", "free relay_2")
