"""What a lab provisions: link key, times and name; and the key that the board made itself to sign
as a witness (`wire.WITNESS`). Kept in flash, changed in maintenance."""

import binascii
import json
import os

import decide
import wire

FILE = "settings.json"
HEARTBEAT_TIMEOUT_MS = 100
STOP_DELAY_MS = 0


class Settings:
    """`key`: 32 bytes, or None, which is a stop cause. Times in ms, within the limits of `decide`.

    `name`: what the lab calls the robot, UTF-8, at most wire.NAME_SIZE bytes. `witness_key`: 32
    bytes, or None: the controller signs nothing as a witness.
    """

    def __init__(
        self,
        key: "bytes | None",
        heartbeat_timeout: int,
        stop_delay: int,
        name: bytes = b"",
        witness_key: "bytes | None" = None,
    ) -> None:
        self.key = key
        self.heartbeat_timeout = decide.clamp(
            heartbeat_timeout, decide.HEARTBEAT_TIMEOUT_MIN, decide.HEARTBEAT_TIMEOUT_MAX
        )
        self.stop_delay = decide.clamp(stop_delay, 0, decide.STOP_DELAY_MAX)
        self.name = name[: wire.NAME_SIZE]
        self.witness_key = witness_key


def load() -> Settings:
    """The settings in flash; anything wrong with them means no key, and so a stop."""
    try:
        with open(FILE) as file:
            stored = json.load(file)
        key = _key(stored["key"])
        witness = stored.get("witness_key")
        return Settings(
            key,
            int(stored["heartbeat_timeout_ms"]),
            int(stored["stop_delay_ms"]),
            stored.get("name", "").encode(),
            None if witness is None else _key(witness),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Settings(None, HEARTBEAT_TIMEOUT_MS, STOP_DELAY_MS)


def _key(text: str) -> bytes:
    key = binascii.unhexlify(text)
    if len(key) != wire.KEY_SIZE:
        raise ValueError("key size")
    return key


def provision(
    key: bytes,
    heartbeat_timeout: "int | None" = None,
    stop_delay: "int | None" = None,
    name: "str | None" = None,
    new_witness: bool = False,
) -> "dict[str, object]":
    """Store these in flash; None keeps what is there. What is stored now, without the link key.

    The witness key is made here, once or on request, and told only when it is made: whoever
    verifies logs keeps it, off the robot.

    Power may fail at any moment: then the settings are the old ones or the new ones.
    """
    old = load()
    new = Settings(
        key,
        old.heartbeat_timeout if heartbeat_timeout is None else heartbeat_timeout,
        old.stop_delay if stop_delay is None else stop_delay,
        old.name if name is None else name.encode(),
        None if new_witness else old.witness_key,
    )
    made = new.witness_key is None
    witness = os.urandom(wire.KEY_SIZE) if new.witness_key is None else new.witness_key
    with open(FILE + ".new", "w") as file:
        json.dump(
            {
                "key": binascii.hexlify(key).decode(),
                "heartbeat_timeout_ms": new.heartbeat_timeout,
                "stop_delay_ms": new.stop_delay,
                "name": new.name.decode(),
                "witness_key": binascii.hexlify(witness).decode(),
            },
            file,
        )
    os.rename(FILE + ".new", FILE)
    stored = load()
    if stored.key != key or stored.witness_key != witness:
        raise ValueError("the keys were not stored")
    return {
        "key_id": binascii.hexlify(wire.key_id(key)).decode(),
        "heartbeat_timeout_ms": stored.heartbeat_timeout,
        "stop_delay_ms": stored.stop_delay,
        "name": stored.name.decode(),
        "witness_key": binascii.hexlify(witness).decode() if made else None,
    }
