"""What colour a state is shown in. Never the only thing that tells it."""

from redbutton.model import State

COLOURS = {
    State.RUN: "green",
    State.TESTING: "yellow",
    State.STOPPING: "yellow",
    State.STOPPED: "red",
    State.LOCKOUT: "bold red",
    State.UNKNOWN: "magenta",
}
