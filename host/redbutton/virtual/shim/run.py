"""Starts the firmware on the virtual board, and starts it again whenever the chip resets.

usage: micropython run.py realtime|lockstep SEED COMMANDS TRACE [NAME=VALUE ...]
COMMANDS and TRACE are open file descriptors, see world.py; NAME=VALUE acts on the plant before
power-up, see plant.py. Run it with the folders of these stand-ins and of the firmware on
MICROPYPATH, in that order, and the board's flash as the working directory.
"""

import sys

import world

# The board is wired as the pin map beside these stand-ins says, whatever is on its flash.
sys.path.append(sys.path[0] + "/../../firmware")
import machine

sys.path.pop()
sys.modules.pop("pins")

import chip_micropython  # noqa: E402
import repl  # noqa: E402

sys.modules["micropython"] = chip_micropython
KEPT = list(sys.modules)
BOOT_US = 50000  # from a reset to boot.py


def count_work(this):
    """Let the world count what the firmware does in a tick, at the functions that it must use, and
    know its variables."""
    import board
    import controller
    import wire

    def made(self, board):
        make(self, board)
        this.controller = self

    if hasattr(controller, "Controller"):  # else the file is damaged
        make = controller.Controller.__init__
        controller.Controller.__init__ = made

    def counted(name, function):
        def call(*arguments):
            this.work[name] += 1
            return function(*arguments)

        return call

    read_bytes = board.Port.read

    def read(port, into, most):
        count = read_bytes(port, into, most)
        for i in range(count):
            if into[i] == this.interrupt_char:
                raise KeyboardInterrupt  # the USB driver sees the byte before any reader does
        this.work["bytes"] += count
        return count

    flush_lines = board.Port.flush

    def flush(port):
        this.sent = this.sent or not port.idle
        flush_lines(port)

    board.Port.read = read
    board.Port.flush = flush
    wire.decode = counted("frames", wire.decode)
    wire.Signer.tag = counted("tags", wire.Signer.tag)
    wire.Signer.witness = counted("tags", wire.Signer.witness)


def script(this, name, names):
    """Run a script if it is there, as MicroPython does (pyexec.c): whether it raised nothing."""
    try:
        with open(name, "rb") as file:
            source = file.read()
    except OSError:
        return True
    this.interrupt_char = repl.CTRL_C
    try:
        exec(compile(source, name, "exec"), names)
    except BaseException as error:
        if this.over or isinstance(error, world.ChipReset):
            raise
        sys.print_exception(error)
        return False
    finally:
        this.interrupt_char = -1
    return True


def live(this):
    """One life of the chip, from reset to reset, as in MicroPython's ports/rp2/main.c."""
    raw = False
    while True:
        for name in list(sys.modules):
            if name not in KEPT:
                sys.modules.pop(name)
        names = {"__name__": "__main__"}
        if script(this, "boot.py", names) and not raw:
            if "controller" in sys.modules:
                count_work(this)
            script(this, "main.py", names)
        raw = repl.serve(this, names, raw)
        this.falling = {}
        repl.say(b"MPY: soft reboot\r\n")


this = world.start(sys.argv[1] == "realtime", *[int(word) for word in sys.argv[2:5]])
for word in sys.argv[5:]:
    name, value = word.split("=")
    this.plant.act(name, int(value))
cause = None
while True:
    try:
        if cause in ("boot loader", "power lost"):
            this.stay_dead()
        if cause is not None:
            this.sleep(BOOT_US)
        live(this)
    except world.ChipReset as reset:
        cause = reset.cause
        this.chip_reset(cause)
        machine._cause = machine.PWRON_RESET if cause == "power up" else machine.WDT_RESET
