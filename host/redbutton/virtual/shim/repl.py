"""Stand-in for MicroPython's prompt on the chip's port (shared/runtime/pyexec.c).

The raw mode is as documented (reference/repl in MicroPython's documentation), with raw paste; it
executes in the real interpreter, on the files in the flash folder. The friendly prompt only shows
that it is there: it executes nothing.
"""

import io
import select
import struct
import sys

import world

CTRL_A, CTRL_B, CTRL_C, CTRL_D, CTRL_E = range(1, 6)
RAW = b"raw REPL; CTRL-B to exit\r\n>"
FRIENDLY = b'\r\nMicroPython on a virtual board\r\nType "help()" for more information.\r\n>>> '
WINDOW = 128

say = sys.stdout.buffer.write
_poll = select.poll()
_poll.register(sys.stdin, select.POLLIN)
_byte = bytearray(1)


def serve(this, names, raw):
    """Until a soft reset is asked for; whether the raw mode was on. `names`: the globals."""
    say(RAW if raw else FRIENDLY)
    line = b""
    while True:
        byte = _read(this)
        if byte == CTRL_A:
            if raw and line == b"\x05A":
                if _execute(this, _paste(this), names):
                    return raw
            else:
                raw = True
                say(RAW[:-1])
            line = b""
            say(b">")
        elif byte == CTRL_B:
            raw, line = False, b""
            say(FRIENDLY)
        elif byte == CTRL_C or (byte == 0x0D and not raw):
            line = b""
            say(b"" if raw else b"\r\n>>> ")
        elif byte == CTRL_D:
            if not raw or not line:
                say(b"OK\r\n" if raw else b"\r\n")
                return raw
            say(b"OK")
            if _execute(this, line, names):
                return raw
            line = b""
            say(b">")
        elif raw:
            line += bytes((byte,))


def _read(this):
    while True:
        for _, event in _poll.ipoll(0):
            if event & select.POLLIN and sys.stdin.buffer.readinto(_byte):
                return _byte[0]
        this.sleep(1000)


def _paste(this):
    """What is pasted, with the documented flow control."""
    say(b"R\x01" + struct.pack("<H", WINDOW) + b"\x01")
    pasted = bytearray()
    while True:
        byte = _read(this)
        if byte in (CTRL_C, CTRL_D):
            say(b"\x04")
            return bytes(pasted) if byte == CTRL_D else b"raise KeyboardInterrupt"
        pasted.append(byte)
        if len(pasted) % WINDOW == 0:
            say(b"\x01")


def _execute(this, source, names):
    """Run it and say how it ended; True if it asks for a soft reset."""
    error = io.BytesIO()  # what was typed may be no text
    ends = False
    try:
        exec(compile(source, "<stdin>", "exec"), names)
    except world.ChipReset:
        raise
    except SystemExit:
        if this.over:
            raise
        ends = True
    except BaseException as raised:
        sys.print_exception(raised, error)
    say(b"\x04" + error.getvalue() + b"\x04")
    return ends
