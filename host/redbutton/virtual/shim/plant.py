"""The plant around the controller: button, relays, mirror contacts, supply, load.

A discrete-event model in microseconds of virtual time, without a clock of its own: `advance`
moves it. It knows the firmware's pins only as levels, and the firmware knows it only as pins.
Everything that changes is told to `trace(t, name, value)`; the signal `load` is the only truth
of "stopped". Runs in MicroPython and in CPython.

Times are typical of a class-A relay with forcibly guided contacts (such as Panasonic SFS or
Omron G7SA) behind the fast clamp of `hardware/`; they are a model and not a measurement.
"""

PULL_IN_US = 12000  # coil energised -> normally open contact closed
DROP_OUT_US = 3500  # coil de-energised -> normally open contact open
GUIDE_US = 1000  # the mirror contact opens this long before, and closes this long after
PULSE_HOLD_US = 800  # K1's driver stays on this long after its last pulse
WATCHDOG_US = 5400  # K2's hardware watchdog lets go this long after its last feed
CONTACT_SKEW_US = 700  # contact B of the button moves this long after contact A
BOUNCE_US = (300, 500, 900, 1200)  # a contact that moves goes back and forth at these times

SIGNALS = (
    "supply",
    "contact_a",
    "contact_b",
    "reset",
    "key",
    "k1_pulses",
    "k1_level",
    "k2_pin",
    "watchdog",
    "latch",
    "drive_1",
    "switch_2",
    "lamp_red",
    "lamp_green",
    "buzzer",
    "coil_1",
    "coil_2",
    "relay_1",
    "relay_2",
    "mirror_1",
    "mirror_2",
    "load",
)
CONTACT = ("relay_1", "relay_2")
MIRROR = ("mirror_1", "mirror_2")
LAMPS = ("lamp_red", "lamp_green", "buzzer")
# What a fault pins to a value, whatever drives it: a welded relay contact is ("relay_1", 1), a
# shorted transistor of K1's driver ("drive_1", 1), of K2's ("switch_2", 1), of its watchdog
# ("latch", 1).
STUCK = (
    "contact_a",
    "contact_b",
    "relay_1",
    "relay_2",
    "mirror_1",
    "mirror_2",
    "reset",
    "drive_1",
    "switch_2",
    "watchdog",
    "latch",
    "k2_pin",
    "supply",
)


# Inputs of the chip: a fault of the pin, or of the wire to it, holds one at a level.
INPUTS = ("contact_a", "contact_b", "mirror_1", "mirror_2", "reset", "key", "supply")
BUTTON = ("contact_a", "contact_b")
SHORTED = {"button": BUTTON, "mirror": MIRROR}  # what may touch each other
# What a fault makes slower or faster, in microseconds; by relay where there are two.
TIMES = {
    "pull_in_1": PULL_IN_US,
    "pull_in_2": PULL_IN_US,
    "drop_out_1": DROP_OUT_US,
    "drop_out_2": DROP_OUT_US,
    "guide_1": GUIDE_US,
    "guide_2": GUIDE_US,
    "skew": CONTACT_SKEW_US,
    "hold": PULSE_HOLD_US,
    "watchdog": WATCHDOG_US,
}


class Plant:
    """`value[name]` is every signal now, 0 or 1; contacts are 1 when closed. `fell(name)` is
    called when the chip sees one of INPUTS go low."""

    def __init__(self, trace, fell=lambda name: None):
        self.now = 0
        self.value = {}
        self._trace = trace
        self._queue = []  # (time, function, arguments), soonest first
        self._free = {}  # what each signal would be if nothing were stuck
        self._stuck = {}
        self._pins = {}  # inputs that do not follow what they are wired to
        self._shorted = {}  # inputs whose wires touch each other, by name
        self._times = dict(TIMES)
        self._bouncing = {}  # contacts that bounce when they move, and how long
        self._fell = fell
        self._pulses_end = -PULSE_HOLD_US
        self._fed_until = 0
        self._watchdog_check = None  # when it will be seen whether the feed has ended
        self._pulse_check = None  # when it will be seen whether the pulses have ended
        self._moves = [0, 0]  # how often each relay's armature was sent somewhere
        for name in SIGNALS:
            self.value[name] = 0
        for name in ("supply", "contact_a", "contact_b", "mirror_1", "mirror_2"):
            self.value[name] = 1
        self._free.update(self.value)
        self._seen = {name: self.value[name] for name in INPUTS}

    # --- time

    def at(self, time, function, *arguments):
        """Call `function(*arguments)` at `time`; those of one time in the order of the calls."""
        index = len(self._queue)
        while index and self._queue[index - 1][0] > time:
            index -= 1
        self._queue.insert(index, (time, function, arguments))

    def next_event(self):
        """When the next thing happens by itself, or None."""
        return self._queue[0][0] if self._queue else None

    def advance(self, time):
        """Let everything happen that is due by `time`."""
        while self._queue and self._queue[0][0] <= time:
            due, function, arguments = self._queue.pop(0)
            self.now = max(self.now, due)
            function(*arguments)
        self.now = max(self.now, time)

    # --- what people and faults do

    def act(self, name, value):
        """A person or a fault acts now.

        "button" (1 pressed), "reset" (1 pressed), "key" (1 maintenance), "supply" (1 there);
        "stick:SIGNAL" holds a contact at `value` whatever moves it, and frees it with -1.
        "pin:INPUT" does so with what the chip sees. "short:button" (1): the wires of both contacts
        touch, so that both inputs follow either; "short:mirror": those of the mirror contacts.
        "time:NAME" is one of TIMES from now on, in us; -1: as it should be. "bounce:CONTACT": so
        long, in us, a contact bounces when it moves. ValueError for anything else.
        """
        if name == "button":
            self._bounce("contact_a", value ^ 1, self.now)
            self._bounce("contact_b", value ^ 1, self.now + self._times["skew"])
        elif name == "reset":
            self._bounce("reset", value, self.now)
        elif name in ("key", "supply"):
            self._contact(name, value)
        elif name.startswith("stick:") and name[6:] in STUCK:
            self._stick(name[6:], value)
        elif name.startswith("pin:") and name[4:] in INPUTS:
            self._pins[name[4:]] = value
            self._look()
        elif name.startswith("short:") and name[6:] in SHORTED:
            for wire in SHORTED[name[6:]]:
                self._shorted[wire] = SHORTED[name[6:]] if value else ()
            self._look()
        elif name.startswith("time:") and name[5:] in TIMES:
            self._times[name[5:]] = TIMES[name[5:]] if value < 0 else value
        elif name.startswith("bounce:") and name[7:] in CONTACT + MIRROR + BUTTON:
            self._bouncing[name[7:]] = value
        else:
            raise ValueError("the plant has no action " + name)
        self.advance(self.now)

    def _bounce(self, name, value, start):
        self.at(start, self._contact, name, value)
        lasts = self._bouncing.get(name, 0)
        times = [lasts * i // 8 for i in range(1, 9)] if lasts else BOUNCE_US
        for offset in times:
            value ^= 1
            self.at(start + offset, self._contact, name, value)

    def _contact(self, name, value):
        self._set(name, value)
        self._settle()

    def _stick(self, name, value):
        if value < 0:
            self._stuck.pop(name, None)
        else:
            self._stuck[name] = value
            if name.startswith("relay") and value:  # guided: the mirror contact is forced open
                self._set("mirror" + name[5:], 0)
        self._set(name, self._free[name])
        if name.startswith("relay"):
            relay = int(name[6:]) - 1
            self._send(relay, self.value["coil" + name[5:]], 0)
        self._settle()

    # --- what the firmware does

    def pulses(self, until):
        """K1's pin carries pulses until `until`; a time that has passed ends them."""
        if until <= self.now:
            self._pulses_end = min(self._pulses_end, self.now)
            self._pulses_over()
            return
        self._pulses_end = until
        if not self.value["k1_pulses"]:
            self._set("k1_pulses", 1)
            self._settle()
        if self._pulse_check is None or until < self._pulse_check:
            self._pulse_check = until
            self.at(until, self._pulses_due)

    def _pulses_due(self):
        self._pulse_check = None
        if self._pulses_end > self.now:
            self.pulses(self._pulses_end)
        else:
            self._pulses_over()

    def _pulses_over(self):
        if self.value["k1_pulses"]:
            self._set("k1_pulses", 0)
            self.at(self.now + self._times["hold"], self._settle)

    def k1_level(self, level):
        """K1's pin stays high or low: a level passes no capacitor."""
        self._set("k1_level", level)

    def k2(self, level):
        """K2's pin. Its rising edge sets the watchdog's latch, while the watchdog is fed."""
        if self.value["k2_pin"] != level:
            self._set("k2_pin", level)
            if level and self.value["watchdog"]:
                self._set("latch", 1)
            self._settle()

    def feed(self, microseconds=0):
        """A rising edge on the watchdog's pin: from now on it holds so long; 0: its own time."""
        self._fed_until = self.now + (microseconds or self._times["watchdog"])
        self._set("watchdog", 1)
        if self._watchdog_check is None:
            self._watchdog_check = self._fed_until
            self.at(self._fed_until, self._watchdog_due)

    def _watchdog_due(self):
        self._watchdog_check = None
        if self._fed_until > self.now:
            self._watchdog_check = self._fed_until
            self.at(self._fed_until, self._watchdog_due)
            return
        self._set("watchdog", 0)
        if not self.value["watchdog"]:
            self._set("latch", 0)
        self._settle()

    def lamp(self, name, level):
        """A pin of the stack light."""
        self._set(name, level)

    # --- physics

    def _set(self, name, value):
        self._free[name] = value
        value = self._stuck.get(name, value)
        if self.value[name] != value:
            self.value[name] = value
            self._trace(self.now, name, value)
            if name in INPUTS:
                self._look()

    def _look(self):
        """What the chip sees of its inputs."""
        for name in INPUTS:
            level = self.sense(name)
            if level != self._seen[name]:
                self._seen[name] = level
                if not level:
                    self._fell(name)

    def _settle(self):
        """Follow the coils and the load from what is set now."""
        v = self.value
        held = v["k1_pulses"] or self.now < self._pulses_end + self._times["hold"]
        self._set("drive_1", 1 if held else 0)
        self._set("switch_2", v["k2_pin"])
        self._coil(0, v["supply"] and v["contact_a"] and v["drive_1"])
        self._coil(1, v["supply"] and v["contact_b"] and v["switch_2"] and v["latch"])
        self._load()

    def _coil(self, relay, on):
        name = ("coil_1", "coil_2")[relay]
        on = 1 if on else 0
        if self.value[name] != on:
            self._set(name, on)
            number = name[4:]
            times = self._times
            delay = times["pull_in" + number] - times["guide" + number]
            self._send(relay, on, max(0, delay) if on else times["drop_out" + number])

    def _send(self, relay, on, delay):
        self._moves[relay] += 1
        self.at(self.now + delay, self._break, relay, on, self._moves[relay])

    def _break(self, relay, on, move):
        """Forcibly guided: one contact opens first ..."""
        if move == self._moves[relay]:
            self._moved((CONTACT, MIRROR)[on][relay], 0)
            guide = self._times[("guide_1", "guide_2")[relay]]
            self.at(self.now + guide, self._make, relay, on, move)

    def _make(self, relay, on, move):
        """... then the other closes, unless a weld keeps the first from opening."""
        if move == self._moves[relay] and not self.value[(CONTACT, MIRROR)[on][relay]]:
            self._moved((MIRROR, CONTACT)[on][relay], 1)

    def _moved(self, name, value):
        """A relay's contact has moved; one that bounces goes back and forth."""
        self._set(name, value)
        self._load()
        if lasts := self._bouncing.get(name, 0):
            for i in range(1, 5):
                self.at(self.now + lasts * i // 4, self._contact, name, value ^ (i & 1))

    def _load(self):
        v = self.value
        self._set("load", 1 if v["supply"] and v["relay_1"] and v["relay_2"] else 0)

    # --- what the pins see

    def sense(self, name):
        """The level of an input pin: the contacts are wetted from the supply, so that without it
        those of the button and of the relays read open."""
        level = self._pins.get(name, -1)
        if level >= 0:
            return level
        touching = self._shorted.get(name)
        if touching:
            return (self.value[touching[0]] | self.value[touching[1]]) & self.value["supply"]
        if name in ("reset", "key", "supply"):
            return self.value[name]
        return self.value[name] & self.value["supply"]
