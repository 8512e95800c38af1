"""Between ROS messages and the host package's values."""

from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Twist

from redbutton.gate import Gate
from redbutton.model import Load, SafetyState
from redbutton_msgs.msg import SafetyState as SafetyStateMsg

SECOND = 1_000_000_000


def components(twist: Twist) -> tuple[float, ...]:
    """The six components: linear x, y, z in m/s, angular x, y, z in rad/s (REP-103)."""
    return (
        twist.linear.x,
        twist.linear.y,
        twist.linear.z,
        twist.angular.x,
        twist.angular.y,
        twist.angular.z,
    )


def to_message(state: SafetyState, gate: Gate, now_ns: int) -> SafetyStateMsg:
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
    return message


def _time(nanoseconds: int) -> Time:
    return Time(sec=nanoseconds // SECOND, nanosec=nanoseconds % SECOND)
