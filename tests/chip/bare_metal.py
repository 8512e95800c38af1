"""Small programs of the chip's own instructions, for trying the emulator without MicroPython."""

import struct
from collections.abc import Sequence

from rp2040py.utils import assembler as asm

FLASH = 0x10000000
IO_BANK0 = 0x40014000
PADS_BANK0 = 0x4001C000
PSM_WDSEL = 0x40010008
WATCHDOG = 0x40058000
SIO = 0xD0000000
GPIO_IN, GPIO_OUT_SET, GPIO_OUT_CLEAR, GPIO_OE_SET = 0x04, 0x14, 0x18, 0x24
FUNCTION_SIO = 5
PAD_INPUT = 0x56  # input enabled, pulled down
WATCHDOG_ENABLE = 1 << 30
ALL_BUT_OSCILLATORS = 0x1FFFC  # what a watchdog reset covers, as the chip's SDK sets it
ADDRESS, VALUE = 0, 1  # registers


class Code:
    """Instructions, and the constants that follow them. `here` is where the next one will be."""

    def __init__(self) -> None:
        self._words: list[int | tuple[int, int]] = []  # an opcode, or (register, constant)

    @property
    def here(self) -> int:
        return len(self._words)

    def add(self, *opcodes: int) -> None:
        self._words += opcodes

    def load(self, register: int, constant: int) -> None:
        self._words.append((register, constant))

    def store(self, address: int, value: int) -> None:
        """Write a constant to an address."""
        self.load(ADDRESS, address)
        self.load(VALUE, value)
        self.add(asm.opcode_str(VALUE, ADDRESS, 0))

    def jump(self, target: int) -> None:
        self.add(asm.opcode_b_t2(2 * (target - self.here - 2)))

    def made(self) -> bytes:
        """The program, for the start of the flash."""
        if self.here % 2:
            self.add(asm.opcode_nop())
        words: Sequence[int | tuple[int, int]] = self._words
        constants: list[int] = []
        opcodes = []
        for index, word in enumerate(words):
            if isinstance(word, tuple):
                register, constant = word
                at = 2 * len(words) + 4 * len(constants)
                constants.append(constant)
                opcodes.append(asm.opcode_ldr_lit(register, at - (2 * index + 4 & ~3)))
            else:
                opcodes.append(word)
        return struct.pack(f"<{len(opcodes)}H{len(constants)}I", *opcodes, *constants)


def _pins(code: Code, inputs: Sequence[int], outputs: Sequence[int]) -> None:
    for gpio in (*inputs, *outputs):
        code.store(IO_BANK0 + 8 * gpio + 4, FUNCTION_SIO)
    for gpio in inputs:
        code.store(PADS_BANK0 + 4 + 4 * gpio, PAD_INPUT)
    for gpio in outputs:
        code.store(SIO + GPIO_OE_SET, 1 << gpio)


def follow(contact: int, *outputs: int) -> bytes:
    """The outputs are high while the contact is closed."""
    code = Code()
    _pins(code, [contact], outputs)
    code.load(3, 1 << contact)
    code.load(4, SIO)
    code.load(5, sum(1 << output for output in outputs))
    loop = code.here
    code.add(
        asm.opcode_ldr_imm(VALUE, 4, GPIO_IN),
        asm.opcode_tst(VALUE, 3),
        asm.opcode_b_t1(0, 2),  # open: to the second store, which is two further
        asm.opcode_str(5, 4, GPIO_OUT_SET),
    )
    code.add(asm.opcode_b_t2(2 * (loop - code.here - 2)))
    code.add(asm.opcode_str(5, 4, GPIO_OUT_CLEAR))
    code.jump(loop)
    return code.made()


def hang(output: int, watchdog_us: int) -> bytes:
    """The output is high, and the processor hangs until the watchdog bites."""
    code = Code()
    _pins(code, [], [output])
    code.store(PSM_WDSEL, ALL_BUT_OSCILLATORS)
    code.store(WATCHDOG + 4, 2 * watchdog_us)  # counts twice a microsecond (erratum E1)
    code.store(WATCHDOG, WATCHDOG_ENABLE)
    code.store(SIO + GPIO_OUT_SET, 1 << output)
    code.jump(code.here)
    return code.made()
