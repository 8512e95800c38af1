"""firmware/pulse.py as it is, on an emulated state machine.

The file is loaded with stand-ins for `rp2` and `machine`. The stand-in's `asm_pio` runs the
decorated function as MicroPython does and writes down what it calls, as text for pioasm: the
program exists in the firmware's file only. Its settings default to MicroPython's, of which one
matters: OUT shifts left, and so takes the top bits of a word.
"""

import functools
import importlib.util
import sys
import types
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import adafruit_pioasm
import pioemu

from redbutton.firmware import decide

PULSE = Path(decide.__file__).with_name("pulse.py")
GPIO = 16
DEFAULTS: dict[str, Any] = {  # of rp2.asm_pio, MicroPython v1.29
    "out_init": None,
    "set_init": None,
    "sideset_init": None,
    "side_pindir": False,
    "in_shiftdir": 0,
    "out_shiftdir": 0,
    "autopush": False,
    "autopull": False,
    "push_thresh": 32,
    "pull_thresh": 32,
    "fifo_join": 0,
}
# What MicroPython calls otherwise than pioasm.
WORDS = {
    "not_x": "!x",
    "x_dec": "x--",
    "not_y": "!y",
    "y_dec": "y--",
    "x_not_y": "x!=y",
    "not_osre": "!osre",
    "in_": "in",
}
OPERANDS = (
    "pins",
    "x",
    "y",
    "null",
    "pindirs",
    "pc",
    "status",
    "isr",
    "osr",
    "exec",
    "pin",
    "gpio",
)
OPTIONS = ("block", "noblock", "iffull", "ifempty")
INSTRUCTIONS = ("nop", "jmp", "wait", "in_", "out", "push", "pull", "mov", "irq", "set")


class Line:
    """One instruction, with what is appended to it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.level: int | None = None
        self.wait = 0

    def side(self, level: int) -> "Line":
        self.level = level
        return self

    def __getitem__(self, cycles: int) -> "Line":
        self.wait = cycles
        return self

    def __str__(self) -> str:
        side = "" if self.level is None else f" side {self.level}"
        return self.text + side + (f" [{self.wait}]" if self.wait else "")


@dataclass(frozen=True)
class Program:
    """What asm_pio makes of a function."""

    text: str
    opcodes: list[int]
    wrap_target: int
    wrap: int
    settings: dict[str, Any]


def record(function: Callable[[], None], **settings: Any) -> Program:
    """Run the function with the assembler's names, as `rp2.asm_pio` does."""
    lines: list[Line | str] = []

    def writer(name: str) -> Callable[..., Line]:
        def write(*operands: object) -> Line:
            words = [WORDS.get(str(operand), str(operand)) for operand in operands]
            separator = " " if name in ("pull", "push", "wait", "irq") else ", "
            if name == "jmp":
                separator = " "
            line = Line(f"{WORDS.get(name, name)} {separator.join(words)}".strip())
            lines.append(line)
            return line

        return write

    names: dict[str, Any] = {name: writer(name) for name in INSTRUCTIONS}
    names |= {name: name for name in (*OPERANDS, *OPTIONS, *WORDS) if name != "in_"}
    names["invert"] = lambda operand: f"~{operand}"
    names["wrap_target"] = lambda: lines.append(".wrap_target")
    names["wrap"] = lambda: lines.append(".wrap")
    names["label"] = lambda name: lines.append(f"{name}:")
    types.FunctionType(function.__code__, names)()

    written = [line for line in lines if isinstance(line, Line)]
    optional = any(line.level is None for line in written)
    side = settings["sideset_init"]
    count = 0 if side is None else len(side) if isinstance(side, tuple) else 1
    head = [f".side_set {count}{' opt' if optional else ''}"] if count else []
    text = "\n".join([f".program {function.__name__}", *head, *map(str, lines), ""])
    made = adafruit_pioasm.Program(text)
    kwargs = made.pio_kwargs
    return Program(
        text,
        list(made.assembled),
        kwargs.get("wrap_target", 0),
        kwargs.get("wrap", len(made.assembled) - 1),
        settings,
    )


def assemble(instruction: str) -> int:
    """One instruction of a program that has one side-set pin, without option."""
    opcode: int = adafruit_pioasm.Program(f".program one\n.side_set 1\n{instruction}").assembled[0]
    return opcode


class Emulated:
    """A state machine, as MicroPython offers it, that runs only in `advance`.

    Time is in cycles of the program. `edges` are those of K1's pin: (cycle, level).
    """

    FIFO = 4

    def __init__(self, program: Program) -> None:
        self.program = program
        self.now = 0
        self.edges: list[tuple[int, int]] = []

    @property
    def pin(self) -> int:
        """The level of K1's pin now."""
        return self.edges[-1][1] if self.edges else 0

    def _see(self, cycle: int, level: int) -> None:
        if level != self.pin:
            self.edges.append((cycle, level))


class WithPioemu(Emulated):
    """In rp2040-pio-emulator."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._state = pioemu.State(pin_directions=1 << GPIO)
        self._on = False
        self._arguments = {
            "side_set_base": GPIO,
            "side_set_count": 1,
            "shift_osr_right": bool(program.settings["out_shiftdir"]),
        }

    def advance(self, cycles: int) -> None:
        end = self.now + cycles
        if self._on:
            for before, after in pioemu.emulate(
                self.program.opcodes,
                stop_when=lambda _, state: state.clock > end,
                initial_state=self._state,
                wrap_target=self.program.wrap_target,
                wrap_top=self.program.wrap,
                **self._arguments,
            ):
                self._see(before.clock, after.pin_values >> GPIO & 1)
                self._state = after
        self.now = end

    def put(self, word: int) -> None:
        queue = deque(self._state.transmit_fifo)
        if len(queue) < self.FIFO:
            queue.append(word & 0xFFFFFFFF)
        self._state = replace(self._state, transmit_fifo=queue)

    def tx_fifo(self) -> int:
        return len(self._state.transmit_fifo)

    def active(self, on: int) -> None:
        if on and not self._on:
            self._state = replace(self._state, clock=self.now)
        self._on = bool(on)

    def restart(self) -> None:
        self._state = replace(self._state, program_counter=0, clock=self.now)
        self._see(self.now, 0)  # the jump to the start, which MicroPython executes, is side(0)
        low = self._state.pin_values & ~(1 << GPIO)
        self._state = replace(self._state, pin_values=low)

    def exec(self, opcode: int) -> None:
        start = replace(self._state, program_counter=0, clock=0)
        steps = pioemu.emulate(
            [opcode], stop_when=lambda _, state: False, initial_state=start, **self._arguments
        )
        _, after = next(steps)
        counter, clock = self._state.program_counter, self._state.clock
        self._state = replace(after, program_counter=counter, clock=clock)
        self._see(self.now, after.pin_values >> GPIO & 1)


PIO_CTRL, PIO_FLEVEL, PIO_TXF0, PIO_MEMORY = 0x000, 0x00C, 0x010, 0x048
SM_CLKDIV, SM_EXECCTRL, SM_SHIFTCTRL, SM_INSTR, SM_PINCTRL = 0xC8, 0xCC, 0xD0, 0xD8, 0xDC
JUMP_TO_START = 0x0000


@functools.cache
def _pio() -> Any:
    """The one PIO block that all tests reset and use: a whole chip is slow to make."""
    import rp2040py

    return rp2040py.Simulator().rp2040.pio[0]  # with a simulator it does not run by itself


class WithChip(Emulated):
    """In rp2040py's model of the RP2040's PIO block, through its registers. One at a time."""

    def __init__(self, program: Program) -> None:
        super().__init__(program)
        self._pio = _pio()
        self._pio.reset()
        for index, opcode in enumerate(program.opcodes):
            self._pio.write_uint32(PIO_MEMORY + 4 * index, opcode)
        settings = program.settings
        self._pio.write_uint32(SM_CLKDIV, 1 << 16)
        self._pio.write_uint32(SM_EXECCTRL, program.wrap << 12 | program.wrap_target << 7)
        self._pio.write_uint32(
            SM_SHIFTCTRL, settings["out_shiftdir"] << 19 | settings["in_shiftdir"] << 18
        )
        self._pio.write_uint32(SM_PINCTRL, 1 << 29 | GPIO << 10)

    def _look(self) -> None:
        self._see(self.now, self._pio.pin_values >> GPIO & 1)

    def advance(self, cycles: int) -> None:
        for _ in range(cycles):
            self.now += 1
            if not self._pio.stopped:
                self._pio.advance(1)
            self._look()

    def put(self, word: int) -> None:
        self._pio.write_uint32(PIO_TXF0, word & 0xFFFFFFFF)

    def tx_fifo(self) -> int:
        level: int = self._pio.read_uint32(PIO_FLEVEL) & 0xF
        return level

    def active(self, on: int) -> None:
        self._pio.write_uint32(PIO_CTRL, 1 if on else 0)
        if on:
            self._pio.advance(0)
            self._look()

    def restart(self) -> None:
        on = self._pio.read_uint32(PIO_CTRL) & 1
        self._pio.write_uint32(PIO_CTRL, 1 << 4 | on)
        self.exec(JUMP_TO_START)

    def exec(self, opcode: int) -> None:
        self._pio.write_uint32(SM_INSTR, opcode)
        self._look()


EMULATORS: dict[str, type[Emulated]] = {"rp2040-pio-emulator": WithPioemu}
if importlib.util.find_spec("rp2040py"):  # for Python 3.11 and later
    EMULATORS["rp2040py"] = WithChip


def load(emulator: type[Emulated] = WithPioemu) -> types.ModuleType:
    """A fresh firmware/pulse.py; `burst` is its Program, `made` the state machines it makes."""
    made: list[Emulated] = []

    def asm_pio(**settings: Any) -> Callable[[Callable[[], None]], Program]:
        return lambda function: record(function, **{**DEFAULTS, **settings})

    def state_machine(number: int, program: Program, **settings: Any) -> Emulated:
        machine = emulator(program)
        machine.asked = {"number": number, **settings}  # type: ignore[attr-defined]
        made.append(machine)
        return machine

    rp2 = types.ModuleType("rp2")
    constants = {"OUT_LOW": 2, "OUT_HIGH": 3, "SHIFT_LEFT": 0, "SHIFT_RIGHT": 1, "JOIN_TX": 1}
    rp2.PIO = types.SimpleNamespace(**constants)  # type: ignore[attr-defined]
    rp2.asm_pio = asm_pio  # type: ignore[attr-defined]
    rp2.StateMachine = state_machine  # type: ignore[attr-defined]
    machine = types.ModuleType("machine")
    machine.Pin = mock.Mock(OUT=1)  # type: ignore[attr-defined]
    spec = importlib.util.spec_from_file_location("pulse_on_the_bench", PULSE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(sys.modules, {"rp2": rp2, "machine": machine}):
        spec.loader.exec_module(module)
    module.made = made  # type: ignore[attr-defined]
    return module
