"""Where the link key is, and who may read it."""

from pathlib import Path

import pytest
from command_line import one_line, redbutton

from redbutton import key
from redbutton.attestation import load_record
from redbutton.errors import KeyUnreadable

KEY = bytes(range(32))


@pytest.fixture
def file(runtime_folder: Path) -> Path:
    """A key in a folder that everybody may enter."""
    runtime_folder.chmod(0o755)
    file = runtime_folder / "key"
    file.write_text(KEY.hex())
    return file


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_owners_own_key_is_taken(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert key.load_private(file) == KEY


@pytest.mark.requirement("SR-25")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_may_read_makes_no_heartbeat(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(KeyUnreadable, match=f"{file} can be read by others.*chmod 600"):
        key.load_private(file)
    result = redbutton("run", "-p", "/dev/null", "-k", str(file))
    assert result.returncode == KeyUnreadable.exit_code
    assert "can be read by others" in one_line(result)


def test_a_folder_that_nobody_may_enter_protects_it(file: Path) -> None:
    file.chmod(0o644)
    file.parent.chmod(0o700)
    assert key.load_private(file) == KEY


def test_a_credential_is_systemds_to_protect(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With access lists its mode is 0440, which says nothing of who may read it."""
    monkeypatch.delenv(key.ENVIRONMENT, raising=False)
    file.chmod(0o440)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(file.parent))
    assert key.default_file() == file
    assert key.load_private(file) == KEY


def test_without_a_credential_it_is_in_etc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(key.ENVIRONMENT, raising=False)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))  # one without a key
    assert key.default_file() == Path("/etc/redbutton/key")
    monkeypatch.setenv(key.ENVIRONMENT, "/some/where")
    assert key.default_file() == Path("/some/where")


def test_a_record_that_systemd_says_is_missing_is_none(file: Path) -> None:
    file.with_name("key.json").write_text("null")
    assert load_record(file) is None
