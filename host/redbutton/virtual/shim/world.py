"""The one world that the stand-ins for `machine`, `rp2`, `time` and `os` share.

It holds the plant, the virtual clock and the line to the process outside. Virtual time moves only
while the firmware sleeps. In lock-step it moves as far as the outside grants. In real time it
follows the wall clock; if this process was late, the ticks that it missed are made up one by one,
so that a busy machine never looks to the firmware like a slow chip.

Lines in, on `commands`:   act NAME VALUE | at MICROSECONDS NAME VALUE | go MICROSECONDS
                           | listen MICROSECONDS (as go, but no further than to the end of the
                           millisecond in which the firmware may have sent something)
                           | lose SIGNAL | power | touch | stats | variables | quit
                           each filled up with spaces to COMMAND_SIZE bytes: one call reads it
Lines out, on `trace`:     start WALL_US | trace VIRTUAL_US WALL_US SIGNAL VALUE | idle VIRTUAL_US
                           | stats JSON | variables JSON | reset CAUSE | error TEXT
WALL_US is the machine's monotonic clock, comparable between processes.

| NAME of an act | VALUE | what |
|---|---|---|
| chip:hang | us | the processor stands still so long, but for interrupts |
| chip:deaf | us | the same, and interrupts wait |
| chip:clock | permille | all that the chip's clock drives goes faster or slower |
| chip:watchdog | 0 or 1 | the chip's watchdog bites never, or as it should |
| chip:power | 0 or 1 | the board's power is gone until it comes back |
| chip:flip:VARIABLE | bit | one bit of a variable of the firmware is the other way round |
| any other | | see `Plant.act` |
"""

import gc
import json
import select

import micropython
import utime
from plant import LAMPS, Plant

COMMAND_SIZE = 96
LATENESS_STEPS_US = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)


class World:
    """Plant, clock and control line."""

    def __init__(self, realtime, seed, commands, trace):
        self.realtime = realtime
        self.plant = Plant(self._trace, self._fell)
        self.work = {"bytes": 0, "frames": 0, "tags": 0}  # in this tick, by the firmware
        self._most = dict(self.work)
        self._ticks = 0
        self._lateness = [0] * (len(LATENESS_STEPS_US) + 1)
        self._latest = 0
        self._granted = 0
        self._asked = False  # the outside waits to be told that this is done
        self._listening_since = None  # in lock-step: the outside waits for what is sent
        self.sent = False  # something, perhaps, since the firmware slept
        self._in = open(commands, "rb", 0)
        self._out = open(trace, "wb", 0)
        self._poll = select.poll()
        self._poll.register(self._in, select.POLLIN)
        self._line = b""
        self._random = seed
        self._start = utime.ticks_us()
        self.watchdog_due = None
        self.over = False
        self.resetting = None  # a reset that is under way
        self.interrupt_char = -1  # of the USB driver, see chip_micropython.py
        self.thrown = None  # out of a scheduled call
        self._touched = False
        self.falling = {}  # interrupt handlers by signal
        self.lost = set()  # signals that raise no interrupt any more
        self.controller = None  # the firmware's, for faults of its memory
        self._hang = 0  # us that the processor will stand still
        self._deaf = False
        self._unheard = []  # edges that wait for their interrupt
        self._permille = 1000
        self._chip_base = 0  # the chip's time, when its clock last changed
        self._changed = 0  # and the plant's then
        self._bites = True
        self._say(f"start {self._start}")

    def _say(self, text):
        self._out.write((text + "\n").encode())

    def _trace(self, now, name, value):
        self._say(f"trace {now} {utime.ticks_us()} {name} {value}")

    def _fell(self, name):
        if self._deaf:
            self._unheard.append(name)
        elif name in self.falling:
            self.falling[name]()

    # --- the chip and what faults do to it

    def chip_now(self):
        """Time as the chip counts it, us."""
        return self._chip_base + (self.plant.now - self._changed) * self._permille // 1000

    def lasts(self, microseconds):
        """How long, in us of the plant, what the chip takes for so long."""
        return microseconds * 1000 // self._permille

    def act(self, name, value):
        """A person or a fault acts now; see the table above."""
        if not name.startswith("chip:"):
            self.plant.act(name, value)
        elif name in ("chip:hang", "chip:deaf"):
            self._hang += value
            self._deaf = self._deaf or name == "chip:deaf"
        elif name == "chip:clock":
            self._chip_base, self._changed = self.chip_now(), self.plant.now
            self._permille = value
        elif name == "chip:watchdog":
            self._bites = bool(value)
        elif name == "chip:power":
            self._reset("power up" if value else "power lost")
        elif name.startswith("chip:flip:"):
            self._flip(name[10:].split("."), value)
        else:
            raise ValueError("the chip has no action " + name)

    def _act(self, name, value):
        """An error of this model must not look to the firmware like one of its own."""
        try:
            self.act(name, value)
        except Exception as error:
            self._say(f"error act {name} {value}: {error!r}")

    def _flip(self, path, bit):
        holder = self.controller
        if holder is None:
            return  # the chip boots: there are no variables yet
        for name in path[:-1]:
            holder = getattr(holder, name)
        value = getattr(holder, path[-1])
        if isinstance(value, bool):
            value = not value
        elif isinstance(value, int):
            value ^= 1 << bit
        else:
            flipped = bytearray(value)
            flipped[bit // 8 % len(flipped)] ^= 1 << bit % 8
            value = bytes(flipped) if isinstance(value, bytes) else flipped
        setattr(holder, path[-1], value)

    def variables(self):
        """The variables of the firmware's objects, and how many bits each has."""
        found = {}
        for path in ("", "decide.", "link.", "journal.", "_board."):
            holder = getattr(self.controller, path[:-1]) if path else self.controller
            for name, value in holder.__dict__.items():
                if isinstance(value, bool):
                    found[path + name] = 1
                elif isinstance(value, int):
                    found[path + name] = 31
                elif isinstance(value, (bytes, bytearray)) and value:
                    found[path + name] = 8 * len(value)
        return found

    def random(self, size):
        """Bytes of a small generator (xorshift): the same for the same seed."""
        out = bytearray(size)
        x = self._random
        for i in range(size):
            x ^= (x << 13) & 0xFFFFFFFF
            x ^= x >> 17
            x ^= (x << 5) & 0xFFFFFFFF
            out[i] = x >> 11 & 0xFF
        self._random = x
        return bytes(out)

    def sleep(self, microseconds):
        """The firmware sleeps: the tick is over, and the world goes on."""
        if self.thrown is not None:
            raise self.thrown
        self._account()
        if self.sent or self.controller is None:
            self.sent = False
            self._let_read()
        self._advance(self.plant.now + self.lasts(microseconds))
        while self._hang:
            hang, self._hang = self._hang, 0
            self._advance(self.plant.now + hang)
        if self._deaf:
            self._deaf = False
            unheard, self._unheard = self._unheard, []
            for name in unheard:
                self._fell(name)

    def _advance(self, target):
        """Move to `target`, doing on the way what is due and what the outside asks for."""
        while True:
            if self.realtime:
                self._take_pending()
                event = self.plant.next_event()
                stop = target if event is None else min(target, event)
                if self._sleep_until(stop):
                    continue  # something came in while we slept
            else:
                while self._granted < target and not self._await_grant():
                    pass
                stop = target
            if self.watchdog_due is not None and self.watchdog_due <= stop and self._bites:
                self.plant.advance(self.watchdog_due)
                self.resetting = "watchdog"
                raise ChipReset(self.resetting)
            self.plant.advance(stop)
            if stop >= target:
                return

    def _wall(self):
        return utime.ticks_diff(utime.ticks_us(), self._start)

    def _sleep_until(self, moment):
        """Sleep up to `moment`; True if a line came in first."""
        left = moment - self._wall()
        if left > 1500:
            return bool(self._poll.poll((left - 500) // 1000))
        if left > 0:
            utime.sleep_us(left)
        self._late(self._wall() - moment)
        return False

    def _late(self, microseconds):
        step = 0
        while step < len(LATENESS_STEPS_US) and microseconds > LATENESS_STEPS_US[step]:
            step += 1
        self._lateness[step] += 1
        self._latest = max(self._latest, microseconds)

    def _let_read(self):
        """The outside wants to go on only when it has read what was sent."""
        if self._listening_since is not None:
            ticks = (self.plant.now - self._listening_since + 999) // 1000
            self._granted = min(self._granted, self._listening_since + ticks * 1000)

    def _await_grant(self):
        """Lock-step: everything that was granted is done; wait for more. True if time moved."""
        self.plant.advance(self._granted)
        if self._asked:  # once: what starts anew meanwhile must not end a later wait
            self._asked = False
            self._say(f"idle {self._granted}")
        before = self._granted
        while self._granted == before:
            self._read()
        return False

    def _take_pending(self):
        while self._poll.poll(0):
            self._read()

    def _read(self):
        data = self._in.read(COMMAND_SIZE)
        if len(data) < COMMAND_SIZE:
            self.end()
        words = data.decode().split()
        try:
            self._obey(words)
        except (ValueError, IndexError, KeyError) as error:
            said = " ".join(words)
            self._say(f"error {said}: {error}")

    def _obey(self, words):
        if words[0] == "act":
            if self.realtime:
                self.plant.advance(max(self.plant.now, self._wall()))
            self._act(words[1], int(words[2]))
        elif words[0] == "lose":
            self.lost.add(words[1])
            self.falling.pop(words[1], None)
        elif words[0] == "at":
            self.plant.at(int(words[1]), self._act, words[2], int(words[3]))
        elif words[0] == "power":
            self._reset("power up")
        elif words[0] == "touch":
            self._touch()
        elif words[0] in ("go", "listen"):
            self._listening_since = self._granted if words[0] == "listen" else None
            self._granted = int(words[1])
            self._asked = True
        elif words[0] == "stats":
            self._say("stats " + json.dumps(self._stats()))
        elif words[0] == "variables":
            self._say("variables " + json.dumps(self.variables()))
        elif words[0] == "quit":
            self.end()
        else:
            raise ValueError("not a command")

    def _reset(self, cause):
        self.resetting = cause
        raise ChipReset(cause)

    def _touch(self):
        """A host set 1200 baud: the USB driver schedules a call that starts the boot loader.

        It is made by the interpreter's own scheduler: never while another one is being made.
        """
        if not self._touched:
            self._touched = True
            micropython.schedule(self._start_boot_loader, None)

    def _start_boot_loader(self, _):
        if self._touched and self.thrown is None:
            self.thrown = ChipReset("boot loader")

    def stay_dead(self):
        """No firmware runs until the power is cycled."""
        while True:
            self._advance(self.plant.now + 1000)

    def _account(self):
        self._ticks += 1
        for name in self.work:
            self._most[name] = max(self._most[name], self.work[name])
            self.work[name] = 0

    def _stats(self):
        gc.collect()
        stats = {
            "ticks": self._ticks,
            "most_in_a_tick": self._most,
            "lateness_us": {
                "steps": LATENESS_STEPS_US,
                "counts": self._lateness,
                "max": self._latest,
            },
            "heap_used": gc.mem_alloc(),
        }
        self._most = dict(self.work)
        self._lateness = [0] * (len(LATENESS_STEPS_US) + 1)
        self._latest = 0
        self._ticks = 0
        return stats

    def end(self):
        """Leave for good: the firmware answers every exception with a chip reset, even this."""
        self.over = True
        raise SystemExit(0)

    def chip_reset(self, cause):
        """Pins become inputs: nothing drives a relay any more."""
        self.watchdog_due = None
        self.resetting = None
        self.thrown = None
        self._touched = False
        self.falling = {}
        self.controller = None
        self._hang = 0
        self._deaf = False
        self._unheard = []
        self.plant.pulses(self.plant.now)
        self.plant.k1_level(0)
        self.plant.k2(0)
        for name in LAMPS:
            self.plant.lamp(name, 0)
        self._say("reset " + cause)


class ChipReset(BaseException):
    """The chip resets. Not an Exception: firmware that catches those cannot stop it."""

    def __init__(self, cause):
        super().__init__(cause)
        self.cause = cause


world = None  # set by run.py


def start(realtime, seed, commands, trace):
    """Make the world; `commands` and `trace` are open file descriptors."""
    global world
    world = World(realtime, seed, commands, trace)
    return world
