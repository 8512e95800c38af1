"""Key switch in maintenance at power-up: the outputs stay off, a recorded lockout ends (SR-16)."""

import decide
import indicate
from board import Board


def begin() -> None:
    """Before MicroPython's prompt. K2's watchdog is not fed: that relay cannot pull in at all."""
    board = Board()
    board.drive(0)
    board.show(indicate.lamps(decide.STOPPED, 0))
    decision = decide.Decide(0, 0, board.boot_cause(), board.lockout(), True)
    if decision.state != decide.LOCKOUT:
        board.clear_lockout()
