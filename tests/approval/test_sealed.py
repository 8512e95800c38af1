"""A sealed profile is changed only by those whom it names, each change once (SR-25, SR-26)."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from people import KEYS, PUBLIC
from typer.testing import CliRunner

from redbutton.approval import sealed
from redbutton.approval.ballot import Decision, Vote, cast
from redbutton.approval.sealed import (
    AHEAD_S,
    FIRST_USE,
    LIFETIME_S,
    ON_TRUST,
    add_vote,
    admit,
    change_of,
    votes_file,
)
from redbutton.checks.profile import EXAMPLES, load
from redbutton.checks.profile_cli import profile_app
from redbutton.errors import ApprovalRefused, ProfileNotApproved, ProfileWrong

pytestmark = pytest.mark.requirement("SR-25", "SR-26")

NOW = 1_800_000_000.0
DAY = 86400.0
BASE = yaml.safe_load((EXAMPLES / "mobile_base.yaml").read_text())
NAMES = ["anna", "ben", "cleo"]


class Robot:
    """A gate that is started with a profile, and the people who may change that: 2 of 3."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "robot.yaml"
        self.in_force = folder / "state" / "profile-in-force.yaml"

    def write(self, k: int = 2, names: Iterable[str] = NAMES, **changes: Any) -> None:
        """The file that the gate is given; `k`: 0 for one that is not sealed."""
        keys = {name: base64.b64encode(public).decode() for name, public in PUBLIC.items()}
        content = {**BASE, "approvers": keys, "approvals": {}}
        if k:
            content["approvals"] = {"profile": {"k": k, "names": list(names)}}
        self.file.write_text(json.dumps({**content, **changes}))

    def start(self, now: float = NOW) -> str:
        """How the profile comes to be in force."""
        return admit(self.file, self.in_force, now)[1]

    def vote(self, name: str, made: float = NOW, **how: Any) -> Vote:
        """Somebody's, on the file as it is now."""
        change = change_of(sealed.read(self.in_force), load(self.file))
        return cast(
            change, name, how.get("decision", Decision.APPROVE), made, KEYS[how.get("key", name)]
        )

    def sign(self, *names: str, made: float = NOW, **how: Any) -> None:
        """They put their votes beside the file."""
        for name in names:
            add_vote(self.file, self.vote(name, made, **how))

    def beside(self, *votes: Vote) -> None:
        """Exactly these votes are beside the file."""
        votes_file(self.file).write_text(sealed.Votes(votes=votes).model_dump_json())

    def refused(self, missing: str = "", now: float = NOW) -> None:
        """The gate does not start, and says who is missing; what was in force stays."""
        before = self.in_force.read_text()
        with pytest.raises(ProfileNotApproved, match=missing) as refusal:
            self.start(now)
        assert "\n" not in str(refusal.value)
        assert self.in_force.read_text() == before


@pytest.fixture
def robot(tmp_path: Path) -> Robot:
    """Whose sealed profile is in force, and whose file now says another name."""
    robot = Robot(tmp_path)
    robot.write()
    assert robot.start() == FIRST_USE
    robot.write(name="other")
    return robot


# --- what needs nobody


def test_a_profile_that_is_not_sealed_changes_as_its_file_does(tmp_path: Path) -> None:
    robot = Robot(tmp_path)
    for name in ("one", "two"):
        robot.write(k=0, name=name)
        assert robot.start() == ""
    assert not robot.in_force.exists()


def test_the_first_sealed_one_is_taken_on_trust_and_remembered(tmp_path: Path) -> None:
    robot = Robot(tmp_path)
    robot.write()
    assert robot.start() == FIRST_USE
    assert robot.start() == ""
    state = sealed.read(robot.in_force)
    assert (state.changes, state.since, state.how) == (0, NOW, FIRST_USE)
    assert state.profile == load(robot.file)


def test_the_same_profile_written_otherwise_is_the_same(robot: Robot) -> None:
    robot.write()
    robot.file.write_text(
        "# a comment\n" + json.dumps(json.loads(robot.file.read_text()), indent=4)
    )
    assert robot.start() == ""


# --- what needs people


def test_enough_of_those_whom_the_one_before_names_change_it(robot: Robot) -> None:
    robot.sign("anna", "cleo")
    assert robot.start() == "approved by anna, cleo"
    votes_file(robot.file).unlink()
    assert robot.start(NOW + 100 * DAY) == "", "once it is in force it needs no votes"
    assert sealed.read(robot.in_force).changes == 1


def test_nobody_is_not_enough(robot: Robot) -> None:
    robot.refused("2 more of anna, ben, cleo must sign it")


def test_one_of_two_is_not_enough(robot: Robot) -> None:
    robot.sign("ben")
    robot.refused("1 more of anna, cleo must sign it; ben agreed")


def test_one_person_twice_is_one(robot: Robot) -> None:
    robot.beside(robot.vote("anna"), robot.vote("anna", NOW - 1.0))
    robot.refused("1 more of ben, cleo")


def test_one_person_in_two_names_is_one(robot: Robot) -> None:
    robot.beside(robot.vote("anna"), robot.vote("ben", key="anna"))
    robot.refused("1 more of ben, cleo")


def test_an_edit_of_one_byte_after_the_signatures_is_another_profile(robot: Robot) -> None:
    robot.write(deceleration=0.5)
    robot.sign("anna", "ben")
    text = robot.file.read_text()
    robot.file.write_text(text.replace('"deceleration": 0.5', '"deceleration": 0.6'))
    robot.refused("2 more of")


def test_a_vote_of_which_one_byte_is_another_is_none(robot: Robot) -> None:
    vote = robot.vote("anna")
    other = ("0" if vote.signature[0] != "0" else "1") + vote.signature[1:]
    robot.beside(vote.model_copy(update={"signature": other}), robot.vote("ben"))
    robot.refused("1 more of anna, cleo")


def test_votes_are_about_the_profile_that_it_follows(robot: Robot) -> None:
    votes = [robot.vote("anna"), robot.vote("ben")]
    robot.write(name="third")
    robot.sign("anna", "ben")
    robot.start()
    robot.write(name="other")
    robot.beside(*votes)
    robot.refused("2 more of")


def test_votes_for_another_robot_are_none(robot: Robot, tmp_path: Path) -> None:
    votes = [robot.vote("anna"), robot.vote("ben")]
    (tmp_path / "second").mkdir()
    second = Robot(tmp_path / "second")
    second.write(name="second")
    second.start()
    second.write(name="other")
    assert load(second.file) == load(robot.file)
    second.beside(*votes)
    second.refused("2 more of")


def test_a_change_of_before_cannot_be_made_again(robot: Robot) -> None:
    votes = [robot.vote("anna"), robot.vote("ben")]
    robot.beside(*votes)
    robot.start()
    robot.write()
    robot.sign("anna", "ben")
    assert robot.start() == "approved by anna, ben"
    robot.write(name="other")
    robot.beside(*votes)
    robot.refused("2 more of")


@pytest.mark.parametrize(
    ("now", "counts"),
    [
        (NOW + LIFETIME_S - 1, True),
        (NOW + LIFETIME_S + 1, False),
        (NOW - AHEAD_S + 1, True),
        (NOW - AHEAD_S - 1, False),
    ],
    ids=["young", "expired", "clocks differ", "clock set back"],
)
def test_votes_count_for_seven_days(robot: Robot, now: float, counts: bool) -> None:
    robot.sign("anna", "ben")
    if counts:
        assert robot.start(now)
    else:
        robot.refused("2 more of", now)


@pytest.mark.parametrize("made", [float("nan"), float("inf"), float("-inf")])
def test_a_vote_of_no_time_is_none(robot: Robot, made: float) -> None:
    with pytest.raises((ProfileNotApproved, ValueError)):
        robot.sign("anna", "ben", made=made)
        robot.start()


def test_who_is_named_only_by_the_new_one_is_not_asked(tmp_path: Path) -> None:
    robot = Robot(tmp_path)
    robot.write(k=1, names=["anna"])
    robot.start()
    robot.write(k=1, names=["ben"])
    robot.sign("ben")
    robot.refused("1 more of anna must sign it")
    robot.sign("anna")
    robot.start()
    robot.write(k=1, names=["anna"])
    robot.sign("anna")
    robot.refused("1 more of ben")


def test_the_seal_itself_is_taken_off_by_those_whom_it_names_only(robot: Robot) -> None:
    robot.write(k=0)
    robot.refused("2 more of")
    robot.sign("anna", "ben")
    robot.start()
    robot.write(k=0, name="free")
    assert robot.start() == ON_TRUST
    robot.write()
    assert robot.start() == ON_TRUST
    robot.write(name="other")
    robot.refused("2 more of")


def test_a_denial_is_a_refusal_whoever_agrees(robot: Robot) -> None:
    robot.sign("anna", "ben")
    robot.sign("cleo", decision=Decision.DENY)
    robot.refused("cleo is against it")


# --- files


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"votes": [{}]}', b"\xff", b" " * 200_000], ids=range(6)
)
def test_what_is_no_file_of_votes_is_a_refusal(robot: Robot, content: bytes) -> None:
    votes_file(robot.file).write_bytes(content)
    robot.refused("robot.yaml.votes: ")


@pytest.mark.parametrize("content", [b"", b"{", b"changes: 0", b"\x00"], ids=range(4))
def test_what_does_not_say_what_is_in_force_is_a_refusal(robot: Robot, content: bytes) -> None:
    robot.in_force.write_bytes(content)
    with pytest.raises(ProfileWrong, match=r"profile-in-force\.yaml"):
        robot.start()


def test_what_cannot_be_remembered_is_not_in_force(tmp_path: Path) -> None:
    robot = Robot(tmp_path)
    robot.write()
    robot.in_force.parent.write_text("a file")
    with pytest.raises(ProfileNotApproved, match="cannot be remembered"):
        robot.start()


# --- the commands


def profile(*arguments: str) -> Any:
    """`redbutton profile ...`, where nobody can be asked."""
    return CliRunner().invoke(profile_app, arguments)


def key_of(folder: Path, name: str) -> list[str]:
    """Where somebody's key is, for a command."""
    file = folder / name
    file.touch(0o600)
    file.write_text(KEYS[name].hex())
    return ["--key-file", str(file)]


def test_people_sign_a_change_and_check_whether_it_would_be_accepted(
    robot: Robot, tmp_path: Path
) -> None:
    file, follows = str(robot.file), ["--follows", str(robot.in_force)]
    refusal = profile("check", file, *follows)
    assert refusal.exit_code == ProfileNotApproved.exit_code
    assert "2 more of anna, ben, cleo" in refusal.stdout
    shown = profile("sign", file, *follows, *key_of(tmp_path, "anna"), "--yes")
    assert shown.exit_code == 0, shown.output
    assert "+name: other" in shown.stdout
    assert "signed by anna: 1 more must sign" in shown.stdout
    profile("sign", file, *follows, *key_of(tmp_path, "cleo"), "--yes")
    said = json.loads(profile("check", file, *follows, "--json").stdout)
    assert said["accepted"] == "approved by anna, cleo"
    assert sealed.admit(robot.file, robot.in_force)[1] == "approved by anna, cleo"


def test_nobody_signs_unasked_or_with_another_key(robot: Robot, tmp_path: Path) -> None:
    arguments = ("sign", str(robot.file), "--follows", str(robot.in_force))
    unasked = profile(*arguments, *key_of(tmp_path, "anna"))
    assert isinstance(unasked.exception, ApprovalRefused)
    assert "nobody can be asked" in str(unasked.exception)
    stranger = tmp_path / "stranger"
    stranger.touch(0o600)
    stranger.write_text("63" * 32)
    result = profile(*arguments, "--yes", "--key-file", str(stranger))
    assert "of nobody who may change" in str(result.exception)
    assert not votes_file(robot.file).exists()
