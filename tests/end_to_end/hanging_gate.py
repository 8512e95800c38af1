"""The gate, with a callback that hangs for a second when a file appears, and a thread that does
not hang.

usage: python hanging_gate.py FILE --ros-args ...
"""

import sys
import threading
import time
from pathlib import Path

from redbutton_ros import gate

HANG = Path(sys.argv.pop(1))


class HangingGate(gate.GateNodes):
    """One more callback, in the same group as the others."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes[0].create_timer(0.02, self._hang)
        threading.Thread(target=self._live, daemon=True).start()

    def _hang(self) -> None:
        if HANG.exists():
            HANG.unlink()
            time.sleep(1.0)

    def _live(self) -> None:
        while True:
            time.sleep(0.01)


gate.GateNodes = HangingGate
gate.main()
