"""The measured state as ROS messages."""

from collections.abc import Sequence
from dataclasses import dataclass

from builtin_interfaces.msg import Duration, Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from redbutton.gate import Gate
from redbutton.model import Load, SafetyState, State
from redbutton_msgs.msg import SafetyState as SafetyStateMsg

SECOND = 1_000_000_000


@dataclass(frozen=True)
class Conduct:
    """What the gate says of itself. See the fields of that name in SafetyState.msg."""

    withheld: Sequence[str] = ()
    hung: str = ""
    single_domain: bool = False


def to_message(state: SafetyState, gate: Gate, conduct: Conduct, now_ns: int) -> SafetyStateMsg:
    """The measured state as a message, stamped `now_ns`."""
    message = SafetyStateMsg()
    message.header.stamp = _time(now_ns)
    message.state = getattr(SafetyStateMsg, state.state.value)
    message.fresh = state.heard
    message.load_proven_off = state.load is Load.OFF
    message.load_proven_on = state.load is Load.ON
    if state.measured is not None:
        for name, value in state.measured.model_dump().items():
            setattr(message, name, value)
    if state.counters is not None:
        message.stop_requests = state.counters.stop_requests
        message.heartbeats_refused = state.counters.heartbeats_refused
        message.frames_malformed = state.counters.frames_malformed
        message.resets_refused = state.counters.resets_refused
    message.first_cause = state.first_cause or ""
    message.causes = list(state.causes)
    message.present = list(state.present)
    message.since = _time(now_ns - int(state.for_s * SECOND))
    message.heartbeat_age = Duration(
        nanosec=(state.heartbeat_age_ms or 0) * 1_000_000 % SECOND,
        sec=(state.heartbeat_age_ms or 0) // 1000,
    )
    message.commands_passed = gate.passed
    message.commands_refused = gate.refused
    message.refusal = gate.refusal
    message.requested = state.requested or ""
    message.notices = list(state.notices)
    message.withheld = list(conduct.withheld)
    message.hung = conduct.hung
    message.single_domain = conduct.single_domain
    message.journal_fails = state.journal_fails
    message.record_fails = state.record_fails
    message.vda5050_e_stop = "NONE" if state.running else "MANUAL"
    return message


def to_diagnostics(
    state: SafetyState, conduct: Conduct, more: dict[str, str], board: str, now_ns: int
) -> DiagnosticArray:
    """Controller and gate for /diagnostics. `more`: what else is to be said of the gate."""
    array = DiagnosticArray()
    array.header.stamp = _time(now_ns)
    array.status = [
        _status(
            "controller",
            _controller_level(state),
            state.sentence(),
            board,
            {
                "causes": ", ".join(state.causes),
                "present": ", ".join(state.present),
                "requested": state.requested or "",
                "age (ms)": "" if state.age_ms is None else f"{state.age_ms:.0f}",
                "heartbeat age (ms)": str(state.heartbeat_age_ms or ""),
                "journal": "fails" if state.journal_fails else "ok",
            },
        ),
        _status(
            "gate",
            *_gate_level(state, conduct),
            board,
            {
                "domains": "one" if conduct.single_domain else "two",
                "hung": conduct.hung,
                "notices": "; ".join(state.notices),
                "record": "fails" if state.record_fails else "ok",
                **more,
            },
        ),
    ]
    return array


def _controller_level(state: SafetyState) -> bytes:
    if state.running and not state.journal_fails:
        return bytes(DiagnosticStatus.OK)
    if not state.heard:
        return bytes(DiagnosticStatus.STALE)
    return bytes(DiagnosticStatus.ERROR if state.state is State.LOCKOUT else DiagnosticStatus.WARN)


def _gate_level(state: SafetyState, conduct: Conduct) -> tuple[bytes, str]:
    if conduct.withheld:
        return bytes(DiagnosticStatus.ERROR), "no heartbeat: " + "; ".join(conduct.withheld)
    if state.record_fails:
        return bytes(DiagnosticStatus.WARN), "what happens is not recorded"
    if conduct.single_domain:
        return (
            bytes(DiagnosticStatus.WARN),
            "planner and robot share a domain: the planner can reach past the gate",
        )
    return bytes(DiagnosticStatus.OK), "makes the heartbeat"


def _status(
    name: str, level: bytes, message: str, board: str, values: dict[str, str]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        name=f"redbutton: {name}",
        level=level,
        message=message,
        hardware_id=board,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _time(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // SECOND, nanosec=nanoseconds % SECOND)
