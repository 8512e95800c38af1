"""What a lab provisions: link key, times and name. Kept in flash, changed in maintenance."""

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

    `name`: what the lab calls the robot, UTF-8, at most wire.NAME_SIZE bytes.
    """

    def __init__(
        self, key: "bytes | None", heartbeat_timeout: int, stop_delay: int, name: bytes = b""
    ) -> None:
        self.key = key
        self.heartbeat_timeout = decide.clamp(
            heartbeat_timeout, decide.HEARTBEAT_TIMEOUT_MIN, decide.HEARTBEAT_TIMEOUT_MAX
        )
        self.stop_delay = decide.clamp(stop_delay, 0, decide.STOP_DELAY_MAX)
        self.name = name[: wire.NAME_SIZE]


def load() -> Settings:
    """The settings in flash; anything wrong with them means no key, and so a stop."""
    try:
        with open(FILE) as file:
            stored = json.load(file)
        key = binascii.unhexlify(stored["key"])
        if len(key) != wire.KEY_SIZE:
            raise ValueError("key size")
        return Settings(
            key,
            int(stored["heartbeat_timeout_ms"]),
            int(stored["stop_delay_ms"]),
            stored.get("name", "").encode(),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Settings(None, HEARTBEAT_TIMEOUT_MS, STOP_DELAY_MS)


def provision(
    key: bytes,
    heartbeat_timeout: "int | None" = None,
    stop_delay: "int | None" = None,
    name: "str | None" = None,
) -> "dict[str, object]":
    """Store these in flash; None keeps what is there. What is stored now, without the key.

    Power may fail at any moment: then the settings are the old ones or the new ones.
    """
    old = load()
    new = Settings(
        key,
        old.heartbeat_timeout if heartbeat_timeout is None else heartbeat_timeout,
        old.stop_delay if stop_delay is None else stop_delay,
        old.name if name is None else name.encode(),
    )
    with open(FILE + ".new", "w") as file:
        json.dump(
            {
                "key": binascii.hexlify(key).decode(),
                "heartbeat_timeout_ms": new.heartbeat_timeout,
                "stop_delay_ms": new.stop_delay,
                "name": new.name.decode(),
            },
            file,
        )
    os.rename(FILE + ".new", FILE)
    stored = load()
    if stored.key != key:
        raise ValueError("the key was not stored")
    return {
        "key_id": binascii.hexlify(wire.key_id(key)).decode(),
        "heartbeat_timeout_ms": stored.heartbeat_timeout,
        "stop_delay_ms": stored.stop_delay,
        "name": stored.name.decode(),
    }
