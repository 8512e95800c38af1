"""The host's configuration is read whole, or refused with file, line and field."""

from pathlib import Path

import pytest

from redbutton import configuration
from redbutton.configuration import HostConfiguration
from redbutton.errors import ConfigurationWrong


def test_a_file_says_port_and_key(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    file.write_text("port: /dev/redbutton-arm\nkey_file: /run/key\n")
    expected = HostConfiguration(port="/dev/redbutton-arm", key_file="/run/key")
    assert configuration.load(file) == expected


def test_without_a_file_everything_is_as_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(configuration.ENVIRONMENT, raising=False)
    monkeypatch.setattr(configuration, "DEFAULT_FILE", Path("/nonexistent/host.yaml"))
    assert configuration.load() == HostConfiguration()


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationWrong, match=r"host\.yaml: No such file"):
        configuration.load(tmp_path / "host.yaml")


def test_what_is_not_known_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "host.yaml"
    file.write_text("key_file: /run/key\nprot: /dev/ttyACM0\n")
    with pytest.raises(ConfigurationWrong, match=r"host\.yaml:2: prot: .* did you mean port\?"):
        configuration.load(file)
