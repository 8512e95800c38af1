"""In MicroPython: the journal on the real littlefs, on a flash in RAM that can fail at any byte.

chip_journal.py cut every|some|boot   loss of power in every write, see `cut_everywhere`
chip_journal.py errors                every operation of the flash fails once
chip_journal.py full                  no room left, then room again
chip_journal.py torn FOLDER           a file system that tears files, at every byte
chip_journal.py wear EVENTS           erasures, as JSON
chip_journal.py lockout               loss of power while a lockout is recorded or forgotten

All but `wear` print each failure, then OK and how many trials there were.
"""

import json
import os
import sys

import journal
import vfs
import wire

BLOCK = 4096
PAGE = 256  # littlefs programs whole pages on the Pico (ports/rp2/modules/_boot.py)
EIO = 5
ERASE = 6  # mp_vfs ioctl
KEY = bytes(range(32))


class PowerCut(Exception):
    """No littlefs and no journal catches it."""


class Flash:
    """A block device. `budget`: bytes that it still programs or erases before power is cut."""

    def __init__(self, blocks, image=None):
        self.data = image or bytearray(b"\xff" * (blocks * BLOCK))
        self.blocks = len(self.data) // BLOCK
        self.erasures = [0] * self.blocks
        self.done = []  # sizes of what was programmed and erased
        self.budget = None
        self.fail_at = None  # this operation, counted from here, returns an error
        self.dead = False

    def readblocks(self, block, buffer, offset=0):
        if self.dead:
            raise PowerCut
        at = block * BLOCK + offset
        buffer[:] = memoryview(self.data)[at : at + len(buffer)]

    def _spend(self, size):
        """How many bytes of this operation happen."""
        self.done.append(size)
        if self.budget is None:
            return size
        if self.budget > size:
            self.budget -= size
            return size
        self.dead = True
        return self.budget

    def _fails(self):
        return self.fail_at is not None and len(self.done) == self.fail_at

    def writeblocks(self, block, buffer, offset=0):
        if self.dead:
            raise PowerCut
        if self._fails():
            self.done.append(0)
            return -EIO
        at = block * BLOCK + offset
        size = self._spend(len(buffer))
        for i in range(size):
            self.data[at + i] &= buffer[i]  # NOR: bits become ones by erasing only
        if self.dead:
            raise PowerCut
        return 0

    def ioctl(self, kind, argument):
        if kind == 4:
            return self.blocks
        if kind == 5:
            return BLOCK
        if kind == ERASE:
            if self.dead:
                raise PowerCut
            if self._fails():
                self.done.append(0)
                return -EIO
            size = self._spend(BLOCK)
            at = argument * BLOCK
            self.data[at : at + size] = b"\xff" * size
            self.erasures[argument] += 1
            if self.dead:
                raise PowerCut
        return 0


def format_flash(blocks):
    flash = Flash(blocks)
    vfs.VfsLfs2.mkfs(flash, progsize=PAGE)
    return flash


def mount(flash):
    """As the Pico does it; whatever was mounted is gone without a word."""
    try:
        os.chdir("/")
        vfs.umount("/flash")
    except OSError:
        pass
    vfs.mount(vfs.VfsLfs2(flash, progsize=PAGE), "/flash")
    os.chdir("/flash")


failures = 0
trials = 0


def check(true, *what):
    global failures
    if not true:
        failures += 1
        if failures <= 20:
            print("failed:", *what)


def small():
    """A ring of 3 files with 16 entries each: littlefs keeps a file of 11 in the folder."""
    journal.SEGMENTS = 3
    journal.PER_SEGMENT = 16
    journal.CAPACITY = 48
    journal.FILE_MAX = 2 * 16 * journal.RECORD_SIZE


def write_one(book, number):
    """Record, seal and write an entry; its sequence and bytes."""
    sequence = book.unwritten
    book.record(number & 0xFFFF, number, 0x69, 0x0F, 4, 4, 0x10C0, 0x30)
    book.seal()
    at = journal._at(sequence)
    entry = bytes(book._ring[at : at + journal.ENTRY_SIZE])
    return sequence, entry


def entry_of(book, sequence):
    return book.answer(sequence)[18:]


def verify(book, written, at_least, where):
    """All that was acknowledged is there, nothing else but perhaps the one that was cut."""
    following = book.unwritten
    check(following in (at_least, at_least + 1), where, "next", following, "not", at_least)
    for sequence in range(book.oldest, following):
        check(entry_of(book, sequence) == written[sequence], where, "entry", sequence)
    check(entry_of(book, following) == b"", where, "garbage after the last entry")
    ring = following - book.oldest
    check(ring >= min(following - 1, journal.CAPACITY - journal.PER_SEGMENT), where, "ring", ring)


def reopen(image, written, at_least, where):
    """Power is back: what is there, and does it go on?"""
    flash = Flash(0, image)
    mount(flash)
    book = journal.Journal(None, 7)
    verify(book, written, at_least, where)
    goes_on = dict(written)
    for i in range(2):
        sequence, entry = write_one(book, 40000 + i)
        goes_on[sequence] = entry
        book.write(0)
    check(not book.failures and book.unwritten == book._next, where, "does not go on")
    last = book.unwritten
    verify(journal.Journal(None, 8), goes_on, last, where + " and on")


def points(sizes, dense):
    """Where to cut: in each operation at its begin, in its middle, before and after its end."""
    total = 0
    for size in sizes:
        found = range(size) if dense and size < BLOCK else (0, 1, size // 2, size - 1)
        for point in found:
            yield total + point
        total += size
    yield total


def cut_everywhere(how):
    """`every`: a small ring, a cut in every operation of every write, and in some writes at every
    byte; `some`: the real ring, cuts in the last operations of each write around full files."""
    global trials
    if how == "every":
        small()
        count, blocks = 70, 24
        chosen = range(count)
        dense = (3, 14, 30, 31, 32, 47, 48)
    else:
        count, blocks = 300, 32
        chosen = [i for i in range(count) if i % 16 in (0, 1, 14, 15) or i % 37 == 5]
        dense = ()
    flash = format_flash(blocks)
    mount(flash)
    book = journal.Journal(None, 6)
    written = {}
    for i in range(count):
        sequence, entry = write_one(book, i)
        written[sequence] = entry
        before = bytes(flash.data)
        flash.done = []
        book.write(0)
        check(book.unwritten == sequence + 1, "not written", sequence)
        after = bytearray(flash.data)
        sizes = flash.done
        if i in chosen:
            for budget in points(sizes, i in dense):
                trials += 1
                torn = Flash(0, bytearray(before))
                mount(torn)
                cut = journal.Journal(None, 6)
                cut.record(i & 0xFFFF, i, 0x69, 0x0F, 4, 4, 0x10C0, 0x30)
                cut.boot = book.boot
                # the same entry again, byte for byte
                at = journal._at(sequence)
                cut._ring[at : at + journal.ENTRY_SIZE] = entry
                cut._sealed = cut._next
                torn.budget = budget
                try:
                    cut.write(0)
                    acknowledged = True
                except PowerCut:
                    acknowledged = False
                if acknowledged:
                    check(cut.failures == 0, "failed without a cause")
                where = f"entry {sequence} cut after {budget} of {sizes}"
                reopen(torn.data, written, sequence + (1 if acknowledged else 0), where)
            mount_again = Flash(0, after)
            mount_again.erasures = flash.erasures
            flash = mount_again
            mount(flash)
            book = journal.Journal(None, 6)
            check(book.unwritten == sequence + 1, "lost by reading", sequence)


def cut_at_boot():
    """Loss of power while the folder is made."""
    global trials
    flash = format_flash(24)
    empty = bytes(flash.data)
    mount(flash)
    flash.done = []
    journal.Journal(None, 1)
    check(flash.done, "made no folder")
    for budget in points(flash.done, True):
        trials += 1
        torn = Flash(0, bytearray(empty))
        mount(torn)
        torn.budget = budget
        try:
            journal.Journal(None, 1)
        except PowerCut:
            check(torn.dead)
        reopen(torn.data, {}, 1, f"boot cut after {budget}")


def errors():
    """Each operation of a write returns an error: nothing is raised, nothing is lost."""
    global trials
    small()
    flash = format_flash(24)
    mount(flash)
    book = journal.Journal(None, 6)
    written = {}
    for i in range(60):
        sequence, entry = write_one(book, i)
        written[sequence] = entry
        image = bytes(flash.data)
        flash.done = []
        book.write(0)
        for operation in range(len(flash.done)):
            trials += 1
            bad = Flash(0, bytearray(image))
            mount(bad)
            failing = journal.Journal(None, 6)
            at = journal._at(sequence)
            failing.record(0, 0, 0x69, 0x0F, 4, 4, 0, 0)
            failing._ring[at : at + journal.ENTRY_SIZE] = entry
            failing._sealed = failing._next
            bad.done = []
            bad.fail_at = operation
            failing.write(0)
            where = f"entry {sequence}, operation {operation} fails"
            # littlefs goes around a bad block if it can: then nothing has failed at all.
            check(failing.failures == (failing.unwritten == sequence), where, failing.failures)
            check(failing.failing == (failing.unwritten == sequence), where, "not told")
            check(not failing.pending, where, "would be tried again at once")
            check(entry_of(failing, sequence) == entry, where, "not served from RAM")
            for last in range(failing.oldest, sequence):
                check(entry_of(failing, last) == written[last], where, "entry", last)
            bad.fail_at = None
            write_one(failing, 50000)
            while failing.pending:
                failing.write(0)
            check(not failing.failing, where, "still failing")
            everything = dict(written)
            at = journal._at(sequence + 1)
            everything[sequence + 1] = bytes(failing._ring[at : at + journal.ENTRY_SIZE])
            verify(journal.Journal(None, 8), everything, sequence + 2, where)
        flash = Flash(0, bytearray(flash.data))
        mount(flash)
        book = journal.Journal(None, 6)


def full():
    """A file takes all room. More entries than the ring holds, then the file is gone."""
    global trials
    flash = format_flash(24)
    mount(flash)
    book = journal.Journal(None, 6)
    ballast = 0
    try:
        while True:
            with open(f"ballast{ballast}", "wb") as file:
                file.write(bytes(3000))
            ballast += 1
    except OSError:
        pass
    stored = {}

    def put(uptime):
        """One write; what is in flash by it."""
        sequence, failed = book.unwritten, book.failures
        entry = entry_of(book, sequence)
        book.write(uptime)
        if book.failures == failed:
            stored[sequence] = entry

    total = 6 * journal.CAPACITY
    for i in range(total):
        trials += 1
        book.record(i, i, 0x69, 0x0F, 4, 4, 0, 0)
        while book.unsealed:
            book.seal()
        if book.pending:
            put(i)
        newest = entry_of(book, book._sealed - 1)
        check(len(newest) == journal.ENTRY_SIZE, "the newest is not served", i)
        told = book.failing or book.pending or book.unwritten >= book._sealed
        check(told, "nothing is told", i)
    check(book.failures > journal.CAPACITY, "a full flash was not noticed", book.failures)
    for i in range(ballast):
        os.remove(f"ballast{i}")
    book.record(total, total, 0x69, 0x0F, 4, 4, 0, 0)
    while book.unsealed or book.pending:
        if book.unsealed:
            book.seal()
        if book.pending:
            put(total)
    check(not book.failing and book.unwritten == book._next, "does not go on with room")
    again = journal.Journal(None, 7)
    check(again.unwritten == book.unwritten, "not all written")
    lost = 0
    for entry in stored.values():
        fields = wire.struct.unpack(wire.ENTRY_LAYOUT, entry[: journal.BODY_SIZE])
        if fields[5:7] == (wire.POWERED_UP, wire.LOST):
            lost += fields[3]
    missing = book.unwritten - 1 - len(stored)
    check(missing > journal.CAPACITY and lost == missing, "lost", lost, "missing", missing)


def contents():
    """Every file of the journal."""
    found = {}
    for name in os.listdir("entries"):
        with open("entries/" + name, "rb") as file:
            found["entries/" + name] = file.read()
    return found


def restore(files):
    """These files and no others."""
    for name in os.listdir("entries"):
        os.remove("entries/" + name)
    for name, content in files.items():
        with open(name, "wb") as file:
            file.write(content)


def torn(folder):
    """A file system that tears files: the last record is there up to any byte, or is garbage."""
    global trials
    os.chdir(folder)
    book = journal.Journal(None, 1)
    written = {}
    for i in range(40):
        sequence, entry = write_one(book, i)
        written[sequence] = entry
        book.write(0)
        name = f"entries/{sequence // 16 % 8}"
        whole = contents()
        if i not in (0, 1, 10, 14, 15, 16, 39):
            continue
        for rest in range(journal.RECORD_SIZE):
            for filled in (b"", b"\x00", b"\xff", b"\xa5"):
                trials += 1
                restore(whole)
                kept = whole[name][: len(whole[name]) - journal.RECORD_SIZE + rest]
                with open(name, "wb") as file:
                    file.write(kept + filled * (journal.RECORD_SIZE - rest))
                where = f"entry {sequence} torn at {rest} {filled}"
                back = journal.Journal(None, 2)
                verify(back, written, sequence, where)
                goes_on = dict(written)
                for more in range(2):
                    later, goes_on_entry = write_one(back, more)
                    goes_on[later] = goes_on_entry
                    back.write(0)
                verify(journal.Journal(None, 3), goes_on, back.unwritten, where + " and on")
        restore(whole)


def wear(events):
    """The Pico's file system, with something in it, and many events."""
    flash = format_flash(352)
    mount(flash)
    for name in ("controller.py", "decide.py", "wire.py", "link.py", "board.py"):
        with open(name, "wb") as file:
            file.write(bytes(9000))
    book = journal.Journal(None, 1)
    flash.erasures = [0] * flash.blocks
    most = 0
    slowest = 0
    for i in range(events):
        write_one(book, i)
        flash.done = []
        book.write(0)
        most = max(most, len([size for size in flash.done if size == BLOCK]))
        pages = sum([(size + PAGE - 1) // PAGE for size in flash.done if size < BLOCK])
        erased = len([size for size in flash.done if size == BLOCK])
        slowest = max(slowest, erased * 400 + pages * 3)
    return {
        "failures": book.failures,
        "erasures": sum(flash.erasures),
        "most_of_a_block": max(flash.erasures),
        "most_in_a_write": most,
        "slowest_write_ms": slowest,
        "blocks_used": len([n for n in flash.erasures if n]),
    }


def lockout():
    """Loss of power while a lockout is recorded, recorded with more causes, or forgotten."""
    global trials
    import board
    import decide

    def read():
        return board.Board.lockout(None)

    def record(causes):
        return lambda: board.Board.record_lockout(None, causes)

    one = decide.DISCREPANCY
    both = decide.DISCREPANCY | decide.MIRROR_K1
    flash = format_flash(24)
    mount(flash)
    steps = (
        ("recorded", record(one), (0, decide.INTERNAL, one)),
        ("recorded with more", record(both), (one, both)),
        ("forgotten", lambda: board.Board.clear_lockout(None), (both, 0)),
    )
    for name, act, allowed in steps:
        image = bytes(flash.data)
        flash.done = []
        act()
        check(read() == allowed[-1], name, read())
        for budget in points(flash.done, True):
            trials += 1
            cut = Flash(0, bytearray(image))
            mount(cut)
            cut.budget = budget
            done = True
            try:
                act()
            except PowerCut:
                done = False
            mount(Flash(0, cut.data))
            found = read()
            check(found in (allowed[-1:] if done else allowed), name, budget, found)
        for operation in range(len(flash.done)):
            trials += 1
            bad = Flash(0, bytearray(image))
            mount(bad)
            bad.done = []
            bad.fail_at = operation
            act()
            check(read() in allowed, name, "operation", operation, "fails")
        flash = Flash(0, bytearray(flash.data))
        mount(flash)


asked = sys.argv[1]
if asked == "wear":
    print(json.dumps(wear(int(sys.argv[2]))))
else:
    if asked == "cut" and sys.argv[2] == "boot":
        cut_at_boot()
    elif asked == "cut":
        cut_everywhere(sys.argv[2])
    elif asked == "errors":
        errors()
    elif asked == "full":
        full()
    elif asked == "torn":
        torn(sys.argv[2])
    elif asked == "lockout":
        lockout()
    print("OK" if not failures else "FAILED", trials)
