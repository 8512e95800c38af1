"""The format of an entry, computed a second time from its description."""

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from logs import body, made, read

from redbutton.record import entry
from redbutton.record.entry import Body, EntryWrong

KEY = bytes(range(32))


def independent(escrow_key: str, lines: list[bytes]) -> None:
    """Every line follows on the one before, under the key of its place."""
    key = bytes.fromhex(escrow_key)
    previous = "0" * 64
    for sequence, line in enumerate(lines, 1):
        text = line.decode("ascii")
        found = json.loads(text)
        body = json.dumps(found["entry"], sort_keys=True, separators=(",", ":"))
        mac = hmac.new(key, body.encode(), hashlib.sha256).hexdigest()
        assert text == '{"entry":' + body + ',"mac":"' + mac + '"}\n'
        assert found["entry"]["sequence"] == sequence
        assert found["entry"]["previous"] == previous
        previous = hashlib.sha256(b"\x00" + body.encode()).hexdigest()
        key = hashlib.sha256(b"redbutton record next key\n" + key).digest()


@pytest.mark.requirement("SR-22")
def test_a_log_is_what_its_description_says(tmp_path: Path) -> None:
    escrow, folder = made(tmp_path / "log", 40)
    folder.append([body(41), body(42)])
    independent(escrow.first_key, [line.text for line in read(tmp_path / "log")])


def test_what_stands_in_an_entry_comes_back() -> None:
    told = body(5)._replace(fields={"text": 'ä "\n\u202e', "list": [1, None, True]})
    line = entry.line(entry.encode(told), KEY)
    assert line.isascii() and line.count(b"\n") == 1
    found, code = entry.split(line)
    assert entry.decode(found) == told
    assert code == entry.mac(KEY, found)


def test_what_is_too_large_is_named_by_its_digest() -> None:
    large = {"text": "x" * entry.BODY_MAX}
    told = entry.decode(entry.encode(body(1)._replace(fields=large)))
    digest = hashlib.sha256(json.dumps(large, separators=(",", ":")).encode()).hexdigest()
    assert told.fields == {"sha256": digest, "too_large": len('{"text":""}') + entry.BODY_MAX}
    exact = {"text": ""}
    room = entry.BODY_MAX - len(entry.encode(body(1)._replace(fields=exact)))
    fits = body(1)._replace(fields={"text": "x" * room})
    assert entry.decode(entry.encode(fits)) == fits


GOOD = entry.line(entry.encode(body(1)), KEY)


def test_no_beginning_of_a_line_is_an_entry() -> None:
    for size in range(len(GOOD)):
        with pytest.raises(EntryWrong):
            entry.split(GOOD[:size])


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"\n",
        b"{}\n",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD[:-4] + b'G"}\n',
        GOOD[:-4] + b'A"}\n',
        GOOD.replace(b'{"entry":', b'{"antry":'),
        GOOD.replace(b',"mac":"', b',"mec":"'),
        GOOD[: len(GOOD) - 12] + b"\xff" * 9 + b'"}\n',
    ],
)
def test_what_only_looks_like_a_line_is_no_entry(wrong: bytes) -> None:
    with pytest.raises(EntryWrong):
        entry.split(wrong)


FIELDS = body(1)._asdict()


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        *(json.dumps({k: v for k, v in FIELDS.items() if k != name}).encode() for name in FIELDS),
        json.dumps({**FIELDS, "more": 1}).encode(),
        json.dumps({**FIELDS, "sequence": "1"}).encode(),
        json.dumps({**FIELDS, "sequence": True}).encode(),
        json.dumps({**FIELDS, "fields": []}).encode(),
        json.dumps({**FIELDS, "kind": None}).encode(),
    ],
)
def test_an_object_of_another_form_is_no_entry(wrong: bytes) -> None:
    with pytest.raises(EntryWrong):
        entry.decode(wrong)


def test_the_key_of_an_entry_is_not_found_from_a_later_one() -> None:
    """What can be checked of that: no key returns, and each is a hash of the one before."""
    keys = [KEY]
    for _ in range(1000):
        keys.append(entry.next_key(keys[-1]))
    assert len(set(keys)) == len(keys)
    place = entry.first_place(KEY).after(b"x")
    assert (place.size, place.key) == (1, keys[1])
    assert Body._fields == tuple(sorted(Body._fields))
