"""In MicroPython: the wire module against the vectors, or on lines that it is given.

chip_wire.py vectors <vectors.json>   prints each disagreement, then OK and how many agreed
chip_wire.py decode                   for each line of hexadecimal: the frame in it, or None
chip_wire.py read                     the same for a whole stream, through LineReader
chip_wire.py tag                      for each "key sequence nonce": the heartbeat's tag
"""

import binascii
import json
import struct
import sys

import wire

LAYOUTS = {
    wire.HELLO: (wire.HELLO_LAYOUT, wire.HELLO_FIELDS),
    wire.STATUS: (wire.STATUS_LAYOUT, wire.STATUS_FIELDS),
    wire.EVENT: (wire.EVENT_LAYOUT, wire.EVENT_FIELDS),
    wire.HEARTBEAT: (wire.HEARTBEAT_LAYOUT, ("nonce", "tag")),
    wire.STOP: (wire.STOP_LAYOUT, ("category",)),
}


def shown(value):
    return binascii.hexlify(value).decode() if isinstance(value, bytes) else value


def fields(kind, payload):
    if kind not in LAYOUTS:
        return {}
    layout, names = LAYOUTS[kind]
    values = struct.unpack(layout, payload)
    if struct.calcsize(layout) != len(payload) or len(values) != len(names):
        return None
    return {name: shown(value) for name, value in zip(names, values)}  # noqa: B905


def frame(line):
    found = wire.decode(line)
    if found is None:
        return None
    version, kind, sequence, payload = found
    return version, kind, sequence, shown(payload)


def read(stream):
    reader = wire.LineReader()
    for byte in stream:
        line = reader.push(byte)
        if line is not None:
            print(shown(line), frame(line))


def check(vectors):
    agreed = 0
    for vector in vectors["frames"]:
        kind, sequence = vector["kind"], vector["sequence"]
        payload = binascii.unhexlify(vector["payload"])
        line = vector["line"].encode()
        ok = wire.encode(kind, sequence, payload) == b"\n" + line + b"\n"
        ok = ok and wire.decode(line) == (wire.VERSION, kind, sequence, payload)
        ok = ok and fields(kind, payload) == vector["fields"]
        if "key" in vector:
            key = binascii.unhexlify(vector["key"])
            signer = wire.Signer(key)
            ok = ok and signer.heartbeat(sequence, payload[:8]) == b"\n" + line + b"\n"
            ok = ok and signer.authentic(sequence, payload)
            ok = ok and shown(wire.key_id(key)) == vector["key_id"]
        if ok:
            agreed += 1
        else:
            print("differs:", vector)
    for vector in vectors["malformed"]:
        if wire.decode(binascii.unhexlify(vector["line"])) is None:
            agreed += 1
        else:
            print("accepted:", vector)
    print("OK", agreed)


if sys.argv[1] == "vectors":
    with open(sys.argv[2]) as file:
        check(json.load(file))
elif sys.argv[1] == "read":
    read(binascii.unhexlify(sys.stdin.read().strip()))
else:
    for given in sys.stdin:
        if sys.argv[1] == "decode":
            print(frame(binascii.unhexlify(given.strip())))
        else:
            key, sequence, nonce = given.split()
            signer = wire.Signer(binascii.unhexlify(key))
            print(shown(signer.tag(int(sequence), binascii.unhexlify(nonce))))
