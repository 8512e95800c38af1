"""What crosses a boundary: the measured state and what the controller says of itself."""

from enum import Enum

from pydantic import BaseModel, ConfigDict, ValidationError

from redbutton.firmware import decide

STOP_REQUESTED = "stop requested"  # a cause, as decide.CAUSES names it


class State(str, Enum):
    """The controller's state. UNKNOWN: it was not heard recently, and nothing is claimed."""

    UNKNOWN = "UNKNOWN"
    STOPPED = "STOPPED"
    TESTING = "TESTING"
    RUN = "RUN"
    STOPPING = "STOPPING"
    LOCKOUT = "LOCKOUT"


class Load(str, Enum):
    """What the mirror contacts prove of the load's supply (EDM, SR-21).

    OFF: both closed. ON: both open, and the supply that wets them is there. UNPROVEN: neither,
    as while the relays move, or when the controller is not heard.
    """

    OFF = "OFF"
    ON = "ON"
    UNPROVEN = "UNPROVEN"


class Frozen(BaseModel):
    """A value: checked when made, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def first_problem(error: ValidationError) -> str:
    """Field and what is wrong with it, of the first thing that is."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


class Contacts(Frozen):
    """Inputs as the controller measured them."""

    contact_a_closed: bool
    contact_b_closed: bool
    mirror_1_closed: bool
    mirror_2_closed: bool
    reset_pressed: bool
    key_maintenance: bool
    supply_ok: bool

    @classmethod
    def from_bits(cls, bits: int) -> "Contacts":
        """From the bits of `decide.INPUT_NAMES`."""
        return cls(
            contact_a_closed=bool(bits & decide.CONTACT_A),
            contact_b_closed=bool(bits & decide.CONTACT_B),
            mirror_1_closed=bool(bits & decide.MIRROR_1),
            mirror_2_closed=bool(bits & decide.MIRROR_2),
            reset_pressed=bool(bits & decide.RESET_PRESSED),
            key_maintenance=bool(bits & decide.KEY_MAINTENANCE),
            supply_ok=bool(bits & decide.SUPPLY),
        )

    @property
    def load(self) -> Load:
        """What these contacts prove of the load."""
        if self.mirror_1_closed and self.mirror_2_closed:
            return Load.OFF
        if self.supply_ok and not self.mirror_1_closed and not self.mirror_2_closed:
            return Load.ON
        return Load.UNPROVEN


class Counters(Frozen):
    """Attempts that the controller counted since power-up, modulo 65536."""

    transitions: int
    stop_requests: int
    heartbeats_taken: int
    heartbeats_refused: int
    frames_malformed: int
    resets_refused: int


class SafetyState(Frozen):
    """The controller's state as measured, or UNKNOWN.

    `age_ms` bounds how old the measurement is by the host's own clock; `for_s` is how long the
    controller has been seen in this state. `measured` and `counters` are None when UNKNOWN.
    `heartbeat_timeout_ms` is None until the controller has said it.
    `journal_fails`: the last attempt to write the journal to flash failed. `record_fails`: the
    owner of the port has something to record that it cannot. `requested`: why, and by whom, this
    host first asked for a stop since RUN. `notices`: what this host has to say of itself, a
    sentence each. `problem`: why nothing is known, or why the owner of the port withholds the
    heartbeat.
    """

    state: State = State.UNKNOWN
    load: Load = Load.UNPROVEN
    measured: Contacts | None = None
    first_cause: str | None = None
    causes: tuple[str, ...] = ()
    present: tuple[str, ...] = ()
    for_s: float = 0.0
    age_ms: float | None = None
    heartbeat_age_ms: int | None = None
    heartbeat_timeout_ms: int | None = None
    counters: Counters | None = None
    refusal: str | None = None
    journal_fails: bool = False
    record_fails: bool = False
    problem: str | None = None
    requested: str | None = None
    notices: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """RUN, measured and fresh: the only state in which anything may move (SR-24)."""
        return self.state is State.RUN and self.load is Load.ON

    @property
    def heard(self) -> bool:
        """Measured freshly, whatever it is."""
        return self.measured is not None

    @property
    def stopped(self) -> bool:
        """Measured to be off, and latched off."""
        return self.state in (State.STOPPED, State.LOCKOUT) and self.load is Load.OFF

    def sentence(self) -> str:
        """One line for a person."""
        if self.state is State.UNKNOWN:
            return f"no contact: {self.problem or 'the controller is not heard'}"
        text = f"{self.state.value}, load {self.load.value.lower()}"
        if self.first_cause:
            text += f", first cause: {self.first_cause}"
        if self.requested and self.first_cause == STOP_REQUESTED:
            text += f" ({self.requested})"
        if self.present:
            text += f"; blocking a reset: {', '.join(self.present)}"
        if self.problem:
            text += f"; no heartbeat: {self.problem}"
        return text


class Identity(Frozen):
    """What the controller says of itself (hello)."""

    board: str
    firmware: str
    key_id: str
    heartbeat_timeout_ms: int
    stop_delay_ms: int
    boot_cause: str


def cause_name(index: int) -> str | None:
    """The name of a cause by its index in decide.CAUSES; None for none."""
    if index == decide.NO_CAUSE:
        return None
    return decide.CAUSES[index][0] if index < len(decide.CAUSES) else f"cause {index}"


def cause_names(bits: int) -> tuple[str, ...]:
    """The names of the causes in a bit mask, in the order of decide.CAUSES."""
    return tuple(name for i, (name, _) in enumerate(decide.CAUSES) if bits >> i & 1)


def state_of(code: int) -> State:
    """The state of a code on the wire; UNKNOWN for one that is none."""
    return State(decide.STATE_NAMES.get(code, "UNKNOWN"))
