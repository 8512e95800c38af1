"""Attestation: nothing is vouched for before the controller has proved what it runs (SR-23)."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from redbutton import attestation, manifest
from redbutton.attestation import Configuration, Expected
from redbutton.errors import AttestationFailed, BadSignature
from redbutton.firmware import attest, wire
from redbutton.session import Attested, Fault, Rebooted, Session
from redbutton.virtual.board import FIRMWARE
from redbutton.virtual.chain import TICK_US, Chain, firmware_on

FILES = sorted(file.name for file in FIRMWARE.glob("*.py"))


def kinds(lines: list[bytes]) -> list[int]:
    """What kinds of frames these are."""
    frames = [wire.decode(line.strip()) for line in lines]
    return [frame[1] for frame in frames if frame]


def refused(chain: Chain) -> str:
    """Why the heartbeat is withheld; it is, and the load stays dead."""
    chain.step(300)
    chain.press_reset()
    assert wire.HEARTBEAT not in kinds(chain.sent_by_host)
    assert not chain.energised_since(0)
    assert isinstance(chain.session.fault, AttestationFailed)
    assert chain.state.heard and chain.state.problem == str(chain.session.fault)
    assert f"no heartbeat: {chain.session.fault}" in chain.state.sentence()
    assert [event for event in chain.events if isinstance(event, Fault)] == [
        Fault(chain.session.fault)
    ]
    return str(chain.session.fault)


GENUINE = Expected(attestation.digest(attestation.files()))


@pytest.mark.requirement("SR-23")
def test_what_the_board_measures_is_what_this_package_carries(key: bytes) -> None:
    with Chain(key, expected=GENUINE, heartbeat_timeout_ms=250, stop_delay_ms=30) as chain:
        chain.run()
        told = [event for event in chain.events if isinstance(event, Attested)]
    assert told == [
        Attested(GENUINE.firmware, Configuration(heartbeat_timeout_ms=250, stop_delay_ms=30))
    ]


@pytest.mark.requirement("SR-23")
def test_no_heartbeat_before_the_attestation(key: bytes) -> None:
    with Chain(key) as chain:
        while not any(isinstance(event, Attested) for event in chain.events):
            assert wire.HEARTBEAT not in kinds(chain.sent_by_host[:-1])
            chain.step(1)
        assert chain.board.now < 0.05, "it is no hindrance"
        chain.step(20)
        sent = kinds(chain.sent_by_host)
        assert sent.index(wire.HEARTBEAT) > sent.index(wire.ASK_ATTEST)
        assert sent.count(wire.ASK_ATTEST) == 1


@pytest.mark.requirement("SR-23")
@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_found(key: bytes, tmp_path: Path, name: str) -> None:
    """A comment changes one letter: what runs is as good as before, and still refused."""
    patch = tmp_path / "patch"
    patch.mkdir()
    content = bytearray((FIRMWARE / name).read_bytes())
    content[3] ^= 0x20  # the first letter of the docstring
    (patch / name).write_bytes(content)
    if name == "main.py":
        boot = (FIRMWARE / "boot.py").read_text()
        sums = [
            hashlib.sha256(text).hexdigest() for text in ((FIRMWARE / name).read_bytes(), content)
        ]
        (patch / "boot.py").write_text(boot.replace(*sums))
    with Chain(key, expected=GENUINE, firmware=(patch, FIRMWARE)) as chain:
        assert "are not the firmware that this host expects" in refused(chain)


@pytest.mark.requirement("SR-23")
@pytest.mark.parametrize(
    "name", ["extra.py", "lib/machine.py", "entries/9", "entries/evil.py", "a/b/c", "lockout.py"]
)
def test_an_extra_file_is_found(key: bytes, tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("")
    with Chain(key, expected=GENUINE, flash=tmp_path) as chain:
        assert "are not the firmware" in refused(chain)


@pytest.mark.requirement("SR-23")
def test_a_missing_file_is_found(key: bytes, tmp_path: Path) -> None:
    with Chain(key, flash=tmp_path):
        pass
    (tmp_path / "maintenance.py").unlink()
    with Chain(key, expected=GENUINE, flash=tmp_path, firmware=()) as chain:
        assert "are not the firmware" in refused(chain)


@pytest.mark.requirement("SR-23")
def test_what_the_controller_writes_is_not_measured(key: bytes, tmp_path: Path) -> None:
    with Chain(key, expected=GENUINE, flash=tmp_path) as chain:
        chain.run()
        chain.board.act("stick:contact_a", 0)
        chain.step(1000)
    assert (tmp_path / "lockout").exists()
    with Chain(key, expected=GENUINE, flash=tmp_path) as chain:
        chain.step(200)
        assert chain.session.fault is None


@pytest.mark.requirement("SR-23")
@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        ({"heartbeat_timeout_ms": 100, "stop_delay_ms": 0}, "timeout ms is 1000 and not 100"),
        ({"heartbeat_timeout_ms": 1000, "stop_delay_ms": 50}, "stop delay ms is 0 and not 50"),
        (
            {"heartbeat_timeout_ms": 1000, "stop_delay_ms": 0, "name": "x"},
            "name is '' and not 'x'",
        ),
    ],
)
def test_another_configuration_is_found(
    key: bytes, wanted: dict[str, object], complaint: str
) -> None:
    expected = Expected(GENUINE.firmware, Configuration.model_validate(wanted))
    with Chain(key, expected=expected, heartbeat_timeout_ms=1000) as chain:
        assert complaint in refused(chain)


# --- who else might answer


def attestations(chain: Chain) -> list[bytes]:
    """The attestations that the controller has sent, as lines."""
    lines = [b"\n" + line + b"\n" for line in bytes(chain.sent_by_board).split(b"\n") if line]
    return [line for line in lines if kinds([line]) == [wire.ATTEST]]


def host_asking(key: bytes, chain: Chain) -> Session:
    """A new session that has heard a status and asked, with a nonce of its own."""
    session = Session(key, expected=GENUINE, random=lambda size: b"\xaa" * size)
    session.opened(0.0)
    status = next(
        b"\n" + line + b"\n"
        for line in bytes(chain.sent_by_board).split(b"\n")
        if line and kinds([line]) == [wire.STATUS]
    )
    session.receive(status, 0.01)
    assert kinds([session.answer(0.02)]) == [wire.ASK_ATTEST]
    return session


@pytest.mark.requirement("SR-23", "SR-17")
def test_a_recorded_attestation_proves_nothing_to_another_session(key: bytes) -> None:
    with Chain(key) as chain:
        chain.step(100)
        recorded = attestations(chain)
    session = host_asking(key, chain)
    assert recorded and not session.receive(recorded[0], 0.03)
    assert kinds([session.answer(0.2)]) == [wire.ASK_ATTEST]


@pytest.mark.requirement("SR-23", "SR-17")
@pytest.mark.parametrize("spoil", ["another key", "tag", "statement", "unasked"])
def test_a_forged_attestation_proves_nothing(key: bytes, spoil: str) -> None:
    with Chain(key) as chain:
        chain.step(100)
    session = host_asking(key, chain)
    statement = wire.struct.pack(wire.STATEMENT_LAYOUT, GENUINE.firmware, 100, 0, b"")
    signer = wire.Signer(bytes(32) if spoil == "another key" else key)
    nonce = b"\xbb" * 8 if spoil == "unasked" else b"\xaa" * 8
    payload = bytearray(signer.attestation(nonce + statement))
    if spoil == "tag":
        payload[-1] ^= 1
    if spoil == "statement":
        payload[50] ^= 1
    assert not session.receive(wire.encode(wire.ATTEST, 1, bytes(payload)), 0.03)
    genuine = wire.Signer(key).attestation(b"\xaa" * 8 + statement)
    assert session.receive(wire.encode(wire.ATTEST, 1, genuine), 0.04)


@pytest.mark.requirement("SR-23")
def test_a_heartbeats_tag_is_no_attestations_tag(key: bytes) -> None:
    signer = wire.Signer(key)
    body = b"\xaa" * 8 + wire.struct.pack(wire.STATEMENT_LAYOUT, GENUINE.firmware, 100, 0, b"")
    assert signer.tag(0, body) != signer.attestation(body)[-wire.TAG_SIZE :]


@pytest.mark.requirement("SR-23")
def test_firmware_that_does_not_attest_is_refused_after_a_second(key: bytes) -> None:
    with Chain(key) as chain:
        chain.step(100)
    session = host_asking(key, chain)
    assert not session.receive(b"", 0.9)
    (event,) = session.receive(b"", 1.2)
    assert isinstance(event, Fault) and "does not attest" in str(event.error)
    assert kinds([session.answer(1.3)]) != [wire.HEARTBEAT]


@pytest.mark.requirement("SR-23")
def test_it_is_asked_again_when_the_controller_has_started_anew(
    key: bytes, tmp_path: Path
) -> None:
    with Chain(key, expected=GENUINE, flash=tmp_path) as chain:
        chain.run()
        (tmp_path / "extra.py").write_text("")
        chain.board.power_cycle()
        chain.sent_by_host.clear()
        chain.step(300)
        assert any(isinstance(event, Rebooted) for event in chain.events)
        assert isinstance(chain.session.fault, AttestationFailed)
        sent = kinds(chain.sent_by_host)
        assert wire.HEARTBEAT not in sent[sent.index(wire.ASK_ATTEST) :]


@pytest.mark.requirement("SR-18", "SR-23")
def test_a_flood_of_questions_delays_nothing(key: bytes) -> None:
    """One tag a tick, at most an answer in 50 ms, and the load stays on."""
    with Chain(key) as chain:
        chain.run()
        chain.board.stats()
        chain.sent_by_board.clear()

        def ask() -> None:
            if chain.board.now_us // TICK_US % 3 == 0:  # more is more than the link carries
                chain.board.write(wire.encode(wire.ASK_ATTEST, 1, b"12345678"))

        chain.step(1000, on_tick=ask)
        stats = chain.board.stats()
        assert chain.board.load
        assert stats["ticks"] == 1000
        assert stats["most_in_a_tick"]["frames"] <= 1
        assert 10 <= len(attestations(chain)) <= 20


# --- manifests


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A signed release: folder `firmware`, keys `release.key` and `release.pub`."""
    public = manifest.new_key(tmp_path / "release.key")
    (tmp_path / "release.pub").write_text(public)
    manifest.build(tmp_path / "firmware", tmp_path / "release.key")
    return tmp_path


@pytest.mark.requirement("SR-23")
def test_a_signed_manifest_names_every_file_and_the_digest_that_is_attested(release: Path) -> None:
    loaded = manifest.load(release / "firmware" / "manifest.json", release / "release.pub")
    assert loaded.digest == GENUINE.firmware.hex()
    assert sorted(loaded.files) == FILES
    assert attestation.digest(firmware_on(release / "firmware")).hex() == loaded.digest
    assert (release / "release.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.requirement("SR-23")
@pytest.mark.parametrize("spoil", ["manifest", "signature", "unsigned", "another key"])
def test_a_manifest_that_is_not_signed_by_the_right_key_is_refused(
    release: Path, spoil: str
) -> None:
    file = release / "firmware" / "manifest.json"
    signature = file.with_name("manifest.json.sig")
    if spoil == "manifest":
        file.write_text(file.read_text().replace('"digest": "', '"digest": "0'))
    elif spoil == "signature":
        signature.write_text("00" * 64)
    elif spoil == "unsigned":
        signature.unlink()
    else:
        (release / "other.key").unlink(missing_ok=True)
        (release / "release.pub").write_text(manifest.new_key(release / "other.key"))
    with pytest.raises(BadSignature):
        manifest.load(file, release / "release.pub")


def test_make_firmware_builds_it_and_says_whether_it_is_signed(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "redbutton.manifest", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "not signed" in result.stdout
    assert GENUINE.firmware.hex() in result.stdout
    assert not (tmp_path / "out" / "manifest.json.sig").exists()


def test_the_digest_depends_on_names_and_contents_and_not_on_their_order() -> None:
    one, two = ("a", b"1" * 32), ("b", b"2" * 32)
    assert attest.combine([one, two]) == attest.combine([two, one])
    others = [[one], [one, ("c", two[1])], [one, ("b", one[1])], [("a", two[1]), ("b", one[1])]]
    digests = {attest.combine(files) for files in [[one, two], *others]}
    assert len(digests) == 5
