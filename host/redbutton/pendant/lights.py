"""Which lights are on: a pure function of the measured state and the time."""

from redbutton.model import Load, SafetyState, State
from redbutton.pendant.settings import Light, Pattern, PendantSettings, Shown

PERIOD_S = 0.512  # as the controller's own

_PROOF = {State.STOPPED: Load.OFF, State.RUN: Load.ON, State.STOPPING: Load.ON}


def shown_of(state: SafetyState) -> Shown | None:
    """What a state is shown as; None: nothing is known. Stopped, running and stopping are shown
    only where the mirror contacts say so too (SR-21); a lockout always: it calls a person."""
    if not state.heard or state.state is State.UNKNOWN:
        return None
    if state.load is not _PROOF.get(state.state, state.load):
        return Shown.UNPROVEN
    return Shown(state.state.value)


def lit(settings: PendantSettings, state: SafetyState, now: float) -> set[Light]:
    """All that is on. `now`: s of any clock."""
    shown = shown_of(state)
    if shown is None:
        return set()
    on = {Pattern.ON}
    if now % PERIOD_S < PERIOD_S / 2:
        on.add(Pattern.BLINK)
    return {light for light, pattern in settings.patterns(shown).items() if pattern in on}
