"""Each run on this computer gets ROS domains of its own: a node heard by another run is a lie."""

import socket
from collections.abc import Iterator

import pytest

from redbutton.demo import stage
from redbutton.demo.stage import own_domain
from redbutton.errors import NoContact

DOMAIN = 100  # nobody is given this one


@pytest.fixture(autouse=True)
def only_one_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "FIRST_DOMAIN", DOMAIN)
    monkeypatch.setattr(stage, "LAST_DOMAIN", DOMAIN + 1)


@pytest.fixture(params=[0, 1, 7], ids="participant {}".format)
def participant(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of one participant, of a number that others may have left below it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(("", 7400 + 250 * DOMAIN + 10 + 2 * request.param))
        yield request.param


def test_a_domain_that_nobody_uses_is_found() -> None:
    with own_domain() as domain:
        assert domain == DOMAIN


def test_a_domain_with_any_participant_is_not_taken(participant: int) -> None:
    with pytest.raises(NoContact, match="no ROS domain is free"), own_domain():
        pass


def test_two_never_have_the_same_domain() -> None:
    with own_domain(), pytest.raises(NoContact), own_domain():
        pass


def test_a_domain_can_be_taken_again() -> None:
    with own_domain():
        pass
    with own_domain() as domain:
        assert domain == DOMAIN
