"""What the probe and its host say to each other, in the frames of wire.py. Both ends import this.

The kinds of these frames are never a controller's: the first digit is 2 to the probe and 3 from
it, and the probe's identity begins with a word of its own. Times are microseconds since the
recorder was armed, modulo 2**32.
"""

import hashlib

MAGIC = b"probe"
VERSION = (0, 1, 0)

# To the probe. Each well-formed one of these proves that the host is alive.
ASK_IDENTITY = 0x21
ASK_STATUS = 0x22
ACT = 0x23
ARM = 0x24  # forget what was recorded and what is due; time begins anew
ASK_TRACE = 0x25
RELEASE = 0x26
TO_PROBE = (ASK_IDENTITY, ASK_STATUS, ACT, ARM, ASK_TRACE, RELEASE)
# From it.
IDENTITY = 0x31
STATUS = 0x32
DONE = 0x33
TRACE = 0x34
FROM_PROBE = (IDENTITY, STATUS, DONE, TRACE)

IDENTITY_LAYOUT = ">5s3s8s8s"  # MAGIC, VERSION, the chip's unique id, see `map_id`
STATUS_LAYOUT = ">HIHHBH"
STATUS_FIELDS = (
    "echo",  # sequence of the last well-formed frame
    "now",
    "levels",  # of the senses, by their GPIO from FIRST_SENSE on
    "records",  # in the trace
    "flags",
    "due",  # acts that wait for their time
)
ACT_LAYOUT = ">BBI"  # index of the output, of its state, when
NOW = 0xFFFFFFFF  # as a time: at once
DONE_LAYOUT = ">HBBIB"
DONE_FIELDS = ("act", "output", "state", "at", "refused")  # `act`: sequence of the frame
ASK_TRACE_LAYOUT = ">H"  # index of the first record
TRACE_LAYOUT = ">HH"  # index of the first record, flags; then so many records
RECORD_LAYOUT = ">IH"  # time, levels from then on
RECORDS_MAX = 12  # in a frame

# Flags.
SILENT = 0x01  # everything was released since ARM, because no host was heard
LOST = 0x02  # since ARM levels changed faster than they could be recorded, or for too long

SILENCE_MS = 1000


def map_id(outputs: object, senses: object) -> bytes:
    """Eight bytes that name a pin map, so that host and probe notice when theirs differ."""
    return hashlib.sha256(repr((outputs, senses)).encode()).digest()[:8]
