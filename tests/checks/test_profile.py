"""A profile is whole and consistent, or it is refused in one line that names what is wrong."""

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from checks_profiles import SQUARE, changed, dumped, profile_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from redbutton import document
from redbutton.checks import profile as profiles
from redbutton.checks.hazard import Hazard
from redbutton.checks.profile import Held, RobotProfile
from redbutton.checks.profile_cli import profile_app
from redbutton.errors import ProfileWrong

Write = Callable[..., Path]

KEY = base64.b64encode(bytes(range(32))).decode()
NAMES = list(profiles.examples())
LINK = {"joint": "a", "radius": 0.1}
JOINT_A = {"position": {"min": -1, "max": 1}, "velocity": 1, "acceleration": 1}
STILL = {"linear_speed": 0, "angular_speed": 0, "joints": {"a": JOINT_A}}
FORCE_66 = {"type": "number", "unit": "N", "range": {"min": 1, "max": 66}}


def refusal(path: Path) -> str:
    """The message, without the file's folder."""
    with pytest.raises(ProfileWrong) as refused:
        profiles.load(path)
    text = str(refused.value)
    assert "\n" not in text
    return text.replace(f"{path.parent}/", "")


def line_of(path: Path, text: str) -> int:
    """The first line that has a text in it."""
    lines = path.read_text().splitlines()
    return next(i for i, line in enumerate(lines, start=1) if text in line)


def zone(**fields: Any) -> dict[str, Any]:
    return {"name": "pit", "kind": "keep_out", "polygon": SQUARE, **fields}


# --- what is right


@pytest.mark.parametrize("name", NAMES)
def test_an_example_loads_and_is_named_after_its_file(name: str) -> None:
    path = profiles.examples()[name]
    assert profiles.load(path).name == name
    assert path.read_text().startswith(f"# yaml-language-server: $schema={profiles.SCHEMA}\n")


def test_there_is_an_example_of_a_base_of_a_home_and_of_an_arm() -> None:
    assert NAMES == ["arm_cell", "home_manipulator", "mobile_base"]


def test_the_committed_schema_is_the_one_of_the_code() -> None:
    assert json.loads((profiles.EXAMPLES / profiles.SCHEMA).read_text()) == profiles.schema()


@pytest.mark.requirement("SR-24")
def test_what_a_profile_does_not_name_is_not_permitted(write: Write) -> None:
    profile = profiles.load(write(limits={"linear_speed": 0, "angular_speed": 0}))
    assert (profile.limits.linear_speed, profile.limits.force, profile.limits.payload) == (0, 0, 0)
    assert profile.clamp == frozenset()
    assert profile.text_without_screen.value == "hold"


def test_values_are_those_of_yaml_1_2(write: Write) -> None:
    text = dumped(changed()) + "actions: {no: {}, on: {}}\nreach: 1e-1\n"
    profile = profiles.load(write(text))
    assert list(profile.actions) == ["no", "on"]
    assert profile.reach == 0.1


def test_a_number_in_quotes_is_text(write: Write) -> None:
    assert "reach: should be a valid number" in refusal(write(dumped(changed()) + "reach: '1'\n"))


def test_the_digest_is_over_the_profile_not_over_its_file(write: Write) -> None:
    ordered = profiles.load(write(dumped(dict(sorted(changed().items())))))
    commented = profiles.load(write("# mine\n" + dumped(changed())))
    assert profiles.digest(ordered) == profiles.digest(commented)
    assert profiles.digest(ordered) != profiles.digest(profile_of(footprint_radius=0.31))


def test_the_digest_is_sha_256_over_canonical_json() -> None:
    objects = {"a": {"hazards": ["sharp", "hot", "heavy"]}, "b": {"is": "a"}}
    profile = profile_of(objects=objects)
    data = json.loads(profile.model_dump_json(by_alias=True))
    assert data["objects"]["a"]["hazards"] == ["heavy", "hot", "sharp"]
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    assert profiles.digest(profile) == hashlib.sha256(text.encode()).hexdigest()


# --- what is wrong: file, line, field, and what


@pytest.mark.parametrize(
    ("changes", "at", "said"),
    [
        ({"limits": {"linear_speed": -1}}, "linear_speed", "limits.linear_speed: should be great"),
        ({"limits": {"linear_speed": True}}, "linear_speed", "should be a valid number"),
        ({"limits": {"linear_speed": "1 m/s"}}, "linear_speed", "number, not '1 m/s'"),
        ({"limits": {"linear_speed": float("inf")}}, "linear_speed", "limits.linear_speed:"),
        ({"limits": {"linear_speed": float("nan")}}, "linear_speed", "limits.linear_speed:"),
        ({"limits": {"linear_speed": 1e7}}, "linear_speed", "less than or equal to 1000000"),
        ({"limits": {"linear_acceleration": 0}}, "linear_speed", "needs linear_acceleration"),
        ({"limits": {"angular_acceleration": 0}}, "angular_speed", "needs angular_acceleration"),
        ({"limits": {"linear_sped": 1}}, "linear_sped", "did you mean linear_speed?"),
        ({"qqq": 1}, "qqq", "qqq: is not known here; known are name, frame"),
        ({"deceleration": 0}, "deceleration", "deceleration: should be greater than 0"),
        ({"clamp": ["force"]}, "- force", "clamp[0]: should be 'linear_speed'"),
        ({"name": "Robot 1"}, "Robot 1", "name: String should match"),
        ({"zones": [zone(), zone()]}, "", "zones[1].name: there is another zone pit"),
        ({"zones": [zone(kind="speed")]}, "kind: speed", "zones[0].kind: a zone of kind speed"),
        ({"zones": [zone(speed=1)]}, "kind: keep_out", "of kind keep_out takes no speed"),
        ({"zones": [zone(polygon=[[0, 0], [1, 1]])]}, "polygon", "at least 3 items"),
        (
            {"zones": [zone(polygon=[[0, 0], [1, 1], [1, 0], [0, 1]])]},
            "polygon",
            "zones[0].polygon: is no simple polygon: Self-intersection",
        ),
        ({"zones": [zone(polygon=[[0, 0], [1, 1], [2, 2]])]}, "polygon", "is no simple polygon"),
        ({"zones": [zone(polygon=[[0, 0], [1, "a"], [2, 2]])]}, "- a", "polygon[1][1]: should"),
        ({"people": {"ben": {"distance": 1}}}, "people", "people: needs default"),
        ({"objects": {"a": {"is": "b"}}}, "is: b", "objects.a.is: there is no class b"),
        (
            {"actions": {"a": {"parameters": {"x": {"type": "object", "of": "b"}}}}},
            "of: b",
            "actions.a.parameters.x.of: there is no class b",
        ),
        (
            {"actions": {"a": {"parameters": {"x": {"type": "place", "without": ["hot"]}}}}},
            "type: place",
            "takes neither of nor without",
        ),
        ({"objects": {"a": {"is": "a"}}}, "is: a", "objects.a.is: a cycle"),
        (
            {"objects": {"a": {"is": "b"}, "b": {"is": "c"}, "c": {"is": "b"}}},
            "is: c",
            "objects.b.is: a cycle: in the end b is a b",
        ),
        ({"objects": {"a": {"parent": "b"}}}, "parent", "objects.a.parent: is not known here"),
        ({"objects": {"a": {"hazards": ["loud"]}}}, "loud", "objects.a.hazards[0]: should be"),
        (
            {"zones": [zone()], "places": {"home": {"position": [1, 1]}}},
            "home",
            "places.home: lies in zone pit",
        ),
        (
            {"approvals": {"plan": {"k": 1, "names": ["eve"]}}},
            "- eve",
            "approvals.plan.names[0]: there is no approver eve",
        ),
        (
            {"approvals": {"plan": {"k": 2, "names": ["eve"]}}, "approvers": {"eve": KEY}},
            "k: 2",
            "approvals.plan.k: 2 approvals of 1 approvers",
        ),
        (
            {"approvals": {"plan": {"k": 2, "names": ["eve", "eve"]}}, "approvers": {"eve": KEY}},
            "names",
            "approvals.plan.names: eve is named 2 times",
        ),
        (
            {"approvals": {"mobility_ad": {"k": 1, "names": ["eve"]}}, "approvers": {"eve": KEY}},
            "mobility_ad",
            "approvals.mobility_ad: is not known here; did you mean mobility_aid?",
        ),
        (
            {"approvals": {"xyz": {"k": 1, "names": ["eve"]}}, "approvers": {"eve": KEY}},
            "xyz",
            "approvals.xyz: is not known here; known are plan, profile, sharp, hot,",
        ),
        (
            {"approvals": {"medical": {"k": 1, "names": ["eve"]}}},
            "- eve",
            "approvals.medical.names[0]: there is no approver eve",
        ),
        (
            {"approvals": {"medical": {"k": 2, "names": ["eve"]}}, "approvers": {"eve": KEY}},
            "k: 2",
            "approvals.medical.k: 2 approvals of 1 approvers",
        ),
        ({"approvals": {"plan": {"k": 0, "names": []}}}, "k: 0", "approvals.plan.k: should be"),
        ({"approvers": {"eve": KEY, "bob": KEY}}, "bob", "approvers.bob: has the key of eve"),
        ({"approvers": {"eve": "abc"}}, "eve", "approvers.eve: must be 32 bytes in base64"),
        ({"approvers": {"eve": "YWJj"}}, "eve", "approvers.eve: must be 32 bytes in base64"),
        ({"approvers": {"eve": KEY[:-2] + "9="}}, "eve", "approvers.eve: must be 32 bytes"),
        ({"approvers": {"Eve": KEY}}, "Eve", "approvers.Eve: String should match"),
        (
            {"limits": {"force": 65}, "actions": {"press": {"parameters": {"force": FORCE_66}}}},
            "max",
            "actions.press.parameters.force.range.max: is beyond limits.force, 65 N",
        ),
        (
            {"execution": {"corridor": 0.03, "lifetime": 60}},
            "corridor",
            "execution.corridor: must be greater than robot_uncertainty, 0.03",
        ),
        ({"actions": {"a": {"kind": "topic"}}}, "kind", "actions.a.kind: an action of kind topic"),
        ({"actions": {"a": {"topic": "t"}}}, "  a:", "actions.a.kind: an action of kind verb tak"),
        (
            {"actions": {"a": {"parameters": {"x": {"type": "number"}}}}},
            "type",
            "actions.a.parameters.x.type: a parameter of type number needs unit and range",
        ),
        (
            {"actions": {"a": {"parameters": {"x": {"type": "text", "unit": "m"}}}}},
            "type",
            "takes no unit and range",
        ),
        (
            {"limits": {"workspace": {"polygon": SQUARE, "z": {"min": 1, "max": 1}}}},
            "max",
            "limits.workspace.z.max: must be greater than min, 1",
        ),
        ({"arm": {"links": []}}, "links", "arm.links: Tuple should have at least 1 item"),
        ({"arm": {"links": [LINK] * 31}}, "links", "arm.links: Tuple should have at most 30"),
        ({"arm": {"links": [LINK]}}, "joint: a", "links[0].joint: there is no joint a in limits"),
        (
            {"arm": {"links": [LINK, LINK]}, "limits": STILL},
            "",
            "arm.links[1].joint: a moves another link already",
        ),
        (
            {"arm": {"links": [{**LINK, "joint": None}]}, "limits": STILL},
            "links",
            "arm.links: no joint moves any of them",
        ),
        ({"arm": {"links": [{"radius": 1}]}}, "- radius", "links[0].joint: Field required"),
        ({"arm": {"links": [{"joint": "a"}]}}, "- joint", "links[0].radius: Field required"),
        ({"arm": {"links": [{**LINK, "radius": -1}]}}, "radius: -1", "radius: should be greater"),
        ({"arm": {"links": [{**LINK, "r": 0.1}]}}, "r: 0.1", "links[0].r: is not known here"),
        ({"arm": {"links": [{**LINK, "a": float("nan")}]}}, "a: .nan", "arm.links[0].a: should"),
        (
            {"arm": {"links": [{"joint": None, "prismatic": True, "radius": 0.1}]}},
            "prismatic",
            "arm.links[0].prismatic: a link without a joint is not prismatic",
        ),
        (
            {"arm": {"fixed": True, "links": [LINK]}, "limits": {"joints": {"a": JOINT_A}}},
            "fixed",
            "arm.fixed: limits says that the robot drives",
        ),
        ({"watch": {"loud": 1}}, "loud", "watch.loud: should be"),
        ({"text_without_screen": "maybe"}, "maybe", "text_without_screen: should be 'hold' or"),
    ],
)  # fmt: skip
def test_an_error_names_file_line_field_and_what_is_wrong(
    write: Write, changes: dict[str, Any], at: str, said: str
) -> None:
    path = write(**changes)
    text = refusal(path)
    assert said in text
    if at:
        assert text.startswith(f"robot.yaml:{line_of(path, at)}: ")


def test_a_missing_field_is_named_with_the_line_of_what_it_is_missing_from(write: Write) -> None:
    text = dumped(changed()).replace("  command_rate: 50\n", "")
    path = write(text)
    line = line_of(path, "limits")
    assert refusal(path) == f"robot.yaml:{line}: limits.command_rate: Field required"


def test_of_several_errors_the_first_is_said_and_the_others_counted(write: Write) -> None:
    assert refusal(write(deceleration=0, footprint_radius=-1)).endswith("(and 1 more)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "robot.yaml:1: is no mapping"),
        ("- a\n- b\n", "robot.yaml:1: is no mapping"),
        ("just text", "robot.yaml:1: is no mapping"),
        ("name: a\nframe: [map\n", "robot.yaml:3: is no YAML: "),
        ("name: a\nframe: 'map\n", "robot.yaml:3: is no YAML: "),
        ("name: a\n---\nname: b\n", "robot.yaml:2: is no YAML: "),
        ("name: a\nframe: \x01\n", "robot.yaml:2: is no YAML: special characters"),
        (b"name: a\nframe: \xff\n", "robot.yaml:2: is no YAML: "),
        ("name: a\nframe: b\nname: c\n", "robot.yaml:3: name: is named twice, first in line 1"),
        ("name: a\nlimits:\n  force: 1\n  force: 2\n", "robot.yaml:4: limits.force: is named tw"),
        ("name: a\n? [b, c]\n: d\n", "robot.yaml:2: a key must be a name"),
        ("name: &a robot\nframe: map\n", "robot.yaml:1: anchors and aliases"),
        ("name: a\nlimits: &a {}\nzones: *a\n", "robot.yaml:2: anchors and aliases"),
        ("name: a\nzones: *a\n", "robot.yaml:2: anchors and aliases"),
        ("name: a\nframe: !!python/object/apply:os.system [ls]\n", "robot.yaml:2: tags are not"),
        ("name: a\nzones: " + "[" * 5000 + "]" * 5000, "robot.yaml:2: is nested deeper than 20"),
        ("name: " + "9" * 10_000, "robot.yaml:1: "),
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused_with_its_line(
    write: Write, text: str, said: str
) -> None:
    assert refusal(write(text)).startswith(said)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == "none.yaml: No such file or directory"


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    assert refusal(tmp_path).endswith("Is a directory")


def test_a_huge_file_is_not_read(write: Write) -> None:
    path = write("#" * (document.SIZE_MOST + 1))
    assert refusal(path) == "robot.yaml: is larger than 1000000 bytes"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(list(RobotProfile.model_fields)), ANYTHING), st.booleans())
def test_whatever_stands_in_a_field_it_loads_or_is_refused_in_one_line(
    write: Write, fields: dict[str, Any], flow: bool
) -> None:
    text = dumped({**changed(), **fields}, flow)
    with_problem_or_without(write(text))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode()))
def test_whatever_a_file_holds_it_is_refused_in_one_line(write: Write, data: bytes) -> None:
    refusal(write(data))


def with_problem_or_without(path: Path) -> None:
    try:
        profiles.load(path)
    except ProfileWrong as error:
        assert str(error).isprintable()
        assert str(error).startswith(f"{path}:")


def test_a_hazard_may_have_approvers_of_its_own() -> None:
    profile = profiles.load(profiles.examples()["home_manipulator"])
    assert profile.approvals[Hazard.MOBILITY_AID].names == ("carla", "doctor")
    assert profile.approvals[Held.PLAN].names == ("anna", "carla", "doctor")


# --- the command line


def test_check_says_one_line_of_each_file_and_fails_if_one_is_wrong(write: Write) -> None:
    right = str(profiles.examples()["mobile_base"])
    wrong = str(write(deceleration=0))
    result = CliRunner().invoke(profile_app, ["check", right, wrong])
    first, second = result.output.splitlines()
    assert first.startswith(f"{right}: ok, mobile_base, digest ")
    assert second.startswith(f"{wrong}:")
    assert result.exit_code == ProfileWrong.exit_code == 16


def test_check_says_the_same_in_json(write: Write) -> None:
    right, wrong = str(profiles.examples()["arm_cell"]), str(write(deceleration=0))
    result = CliRunner().invoke(profile_app, ["check", "--json", right, wrong])
    first, second = (json.loads(line) for line in result.output.splitlines())
    assert first == {
        "file": right,
        "valid": True,
        "name": "arm_cell",
        "digest": profiles.digest(profiles.load(Path(right))),
    }
    assert (second["valid"], "deceleration" in second["problem"]) == (False, True)


def test_check_of_what_is_right_succeeds() -> None:
    files = [str(path) for path in profiles.examples().values()]
    assert CliRunner().invoke(profile_app, ["check", *files]).exit_code == 0


def test_schema_is_printed() -> None:
    assert json.loads(CliRunner().invoke(profile_app, ["schema"]).output) == profiles.schema()


def test_examples_are_listed_with_their_paths() -> None:
    lines = CliRunner().invoke(profile_app, ["examples"]).output.splitlines()
    assert [line.split() for line in lines] == [
        [name, str(path)] for name, path in profiles.examples().items()
    ]


def test_an_example_is_printed_as_it_is() -> None:
    path = profiles.examples()["arm_cell"]
    assert CliRunner().invoke(profile_app, ["examples", "arm_cell"]).output == path.read_text()


def test_an_example_that_is_none_is_refused() -> None:
    result = CliRunner().invoke(profile_app, ["examples", "tank"])
    assert result.exit_code == 2
    assert "no such example: tank" in result.output
