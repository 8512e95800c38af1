"""The bench's probe: a second Pico that moves the controller's contacts and times its load.

However this program ends, by an exception, by its own watchdog or by a person at the prompt
(Ctrl-C), all outputs are low, and all that hangs on them is released: the stopped side. See
hardware/probe.yaml.
"""

import switches

hands = switches.Switches()  # every output low, before anything that could fail

import struct  # noqa: E402
import time  # noqa: E402

import harness  # noqa: E402
import machine  # noqa: E402
import port  # noqa: E402
import probe  # noqa: E402
import protocol  # noqa: E402
import recorder  # noqa: E402

WATCHDOG_MS = 2000  # more than a host that stops reading holds it up
WATCHDOG_ENABLE = (
    0x4005B000  # of the RP2040: its control register, to clear bits (datasheet 2.1.2)
)
ENABLE = 1 << 30


def run() -> None:
    """Forever."""
    identity = struct.pack(
        protocol.IDENTITY_LAYOUT,
        protocol.MAGIC,
        bytes(protocol.VERSION),
        machine.unique_id(),
        protocol.map_id(harness.OUTPUTS, harness.SENSES),
    )
    this = probe.Probe(hands, recorder.Recorder(), port.Port(), identity)
    watchdog = machine.WDT(timeout=WATCHDOG_MS)
    while True:
        time.sleep_us(this.turn())
        watchdog.feed()


try:
    run()
except KeyboardInterrupt:  # a person wants the prompt, to install other files
    hands.release()
    machine.mem32[WATCHDOG_ENABLE] = ENABLE
except BaseException:
    hands.release()
    machine.reset()
