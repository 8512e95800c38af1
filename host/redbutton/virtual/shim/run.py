"""Starts the firmware on the virtual board, and starts it again whenever the chip resets.

usage: micropython run.py realtime|lockstep SEED COMMANDS TRACE [NAME=VALUE ...]
COMMANDS and TRACE are open file descriptors, see world.py; NAME=VALUE acts on the plant before
power-up, see plant.py. Run it with the folders of these stand-ins and of the firmware on
MICROPYPATH, in that order, and the board's flash as the working directory.
"""

import sys

import world

FIRMWARE = ("boot", "main", "controller", "link", "decide", "board", "pulse", "settings", "wire")


def count_work(this):
    """Let the world count what the firmware does in a tick, at the functions that it must use."""
    import board
    import wire

    def counted(name, function):
        def call(*arguments):
            result = function(*arguments)
            if result != -1:  # Port.read: no byte was there
                this.work[name] += 1
            return result

        return call

    board.Port.read = counted("bytes", board.Port.read)
    wire.decode = counted("frames", wire.decode)
    wire.Signer.tag = counted("tags", wire.Signer.tag)


def boot(this):
    """One life of the chip, from reset to reset."""
    import machine

    for name in FIRMWARE:
        sys.modules.pop(name, None)
    try:
        count_work(this)
        __import__("boot")
        __import__("main")
    except world.ChipReset as reset:
        this.chip_reset(reset.cause)
        machine._cause = machine.WDT_RESET


this = world.start(sys.argv[1] == "realtime", *[int(word) for word in sys.argv[2:5]])
for word in sys.argv[5:]:
    name, value = word.split("=")
    this.plant.act(name, int(value))
while True:
    boot(this)
