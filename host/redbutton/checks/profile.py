"""A robot's profile: what it is able to do, where, near whom, and who may approve what.

One YAML file per robot. Lengths are in m, times in s, angles in rad, masses in kg. What is not
named is not permitted: a speed that is missing is 0. Sources: ISO 13855:2010 clause 5 and ISO/TS
15066:2016 clause 5.5.4 for the terms of separation.
"""

import base64
import binascii
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import shapely
from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from redbutton import document
from redbutton.checks.hazard import Hazard
from redbutton.checks.rules import Rule
from redbutton.conduct import ConductBounds
from redbutton.document import Misplaced, Part, Where, only
from redbutton.errors import ProfileWrong

FAR = 1e6  # no number of a robot is larger
LINKS_MOST = 30  # of an arm
DEFAULT = "default"  # the entry of people for whoever is not named
KEY_BYTES = 32  # of an Ed25519 public key, RFC 8032
SCHEMA = "profile.schema.json"
EXAMPLES = Path(__file__).parent / "profiles"


def _key(text: str) -> str:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES or base64.b64encode(raw).decode() != text:
        raise ValueError(f"must be {KEY_BYTES} bytes in base64, an Ed25519 public key")
    return text


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    for name, times in Counter(names).items():
        if times > 1:
            raise ValueError(f"{name} is named {times} times")
    return names


Point = tuple["Number", "Number"]


def _polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    shape = shapely.Polygon(points)
    if not shape.is_valid:
        raise ValueError(f"is no simple polygon: {shapely.is_valid_reason(shape)}")
    return points


Number = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=-FAR, le=FAR)]
NotNegative = Annotated[Number, Field(ge=0)]
Positive = Annotated[Number, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[tuple[Text, ...], AfterValidator(_unique)]
Polygon = Annotated[tuple[Point, ...], Field(min_length=3), AfterValidator(_polygon)]
PublicKey = Annotated[str, AfterValidator(_key)]
Hazards = Annotated[frozenset[Hazard], PlainSerializer(sorted, return_type=list[Hazard])]


class Range(Part):
    """From `min` to `max`, both included."""

    min: Number
    max: Number

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min < self.max:
            raise Misplaced(("max",), f"must be greater than min, {self.min:g}")
        return self


class Joint(Part):
    """Limits of a joint in rad, rad/s, rad/s^2, N m; m and N for a prismatic one."""

    position: Range
    velocity: Positive
    acceleration: Positive
    effort: Positive | None = None


class Mount(Part):
    """Where an arm begins (m), turned by `roll`, `pitch`, `yaw` (rad) about the fixed axes x, y,
    z, in this order."""

    x: Number = 0.0
    y: Number = 0.0
    z: Number = 0.0
    roll: Number = 0.0
    pitch: Number = 0.0
    yaw: Number = 0.0


class Link(Part):
    """From one frame of an arm to the next, by standard Denavit-Hartenberg parameters (Siciliano
    et al., Robotics, 2009, 2.8.2; Craig's are others): turned by `theta` (rad) about the last z
    axis, moved by `d` (m) along it, by `a` (m) along the new x axis, turned by `alpha` (rad) about
    that.

    `joint`: of limits.joints; its position is added to `theta`, or to `d` if it is `prismatic`.
    null: nothing moves here. `radius` (m): no part of the link is further from the straight line
    between both frames. A link that is bent is written as several.
    """

    joint: Text | None
    prismatic: Annotated[bool, Field(strict=True)] = False
    a: Number = 0.0
    alpha: Number = 0.0
    d: Number = 0.0
    theta: Number = 0.0
    radius: Positive

    @model_validator(mode="after")
    def _moves(self) -> Self:
        if self.prismatic and self.joint is None:
            raise Misplaced(("prismatic",), "a link without a joint is not prismatic")
        return self


class Arm(Part):
    """`links`: from the base to the tool, the last with all that is held. `mount`: in the frame of
    the robot's base; of an arm that is `fixed`, in the profile's, so that it needs no pose."""

    fixed: Annotated[bool, Field(strict=True)] = False
    mount: Mount = Field(default_factory=Mount)
    links: Annotated[tuple[Link, ...], Field(min_length=1, max_length=LINKS_MOST)]


class Workspace(Part):
    """Where the robot may be: `polygon` in the profile's frame, and heights."""

    polygon: Polygon
    z: Range


class Limits(Part):
    """Of motion. `command_rate` (Hz): at most so many commands. Speeds that are missing are 0, and
    so is what may be carried (`payload`, kg) and pressed with (`force`, N):
    no parameter of an action goes beyond. Jerk: not checked if
    missing."""

    linear_speed: NotNegative = 0.0
    angular_speed: NotNegative = 0.0
    linear_acceleration: NotNegative = 0.0
    angular_acceleration: NotNegative = 0.0
    linear_jerk: Positive | None = None
    joints: dict[Text, Joint] = Field(default_factory=dict)
    force: NotNegative = 0.0
    payload: NotNegative = 0.0
    workspace: Workspace | None = None
    command_rate: Annotated[Positive, Field(le=10_000)]

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        for what in ("linear", "angular"):
            if getattr(self, f"{what}_speed") and not getattr(self, f"{what}_acceleration"):
                raise Misplaced((f"{what}_speed",), f"needs {what}_acceleration")
        return self


class Clampable(str, Enum):
    """Limits to which a command may be cut instead of being refused."""

    LINEAR_SPEED = "linear_speed"
    ANGULAR_SPEED = "angular_speed"
    LINEAR_ACCELERATION = "linear_acceleration"
    ANGULAR_ACCELERATION = "angular_acceleration"


Clamp = Annotated[frozenset[Clampable], PlainSerializer(sorted, return_type=list[Clampable])]


class ZoneKind(str, Enum):
    """keep_out: never entered. speed: no faster than its limit. people: somebody may be there
    unseen, so it is kept away from as from a person who may step out of it at any time."""

    KEEP_OUT = "keep_out"
    SPEED = "speed"
    PEOPLE = "people"


class Zone(Part):
    """An area of the floor, in the profile's frame. `speed` in m/s, for kind speed."""

    name: Name
    polygon: Polygon
    kind: ZoneKind
    speed: Positive | None = None

    @model_validator(mode="after")
    def _speed_if_limited(self) -> Self:
        if (self.kind is ZoneKind.SPEED) != (self.speed is not None):
            needs = "needs" if self.speed is None else "takes no"
            raise Misplaced(("kind",), f"a zone of kind {self.kind.value} {needs} speed")
        return self


class Person(Part):
    """`distance`: the robot stays so far away while it moves. `who`: patient, child, visitor."""

    distance: NotNegative
    who: Text = "anyone"


class SpeedAndSeparation(Part):
    """Terms of ISO/TS 15066:2016, 5.5.4.2.3.

    `reaction_time`: T_r of sensors and checks; the measured stop latency is added to it.
    `intrusion_distance`: C. `person_uncertainty`: Z_d. `robot_uncertainty`: Z_r. `human_speed`:
    v_h, by ISO 13855:2010, 6.3, 1.6 m/s where it is not measured.
    """

    reaction_time: Positive
    intrusion_distance: NotNegative
    person_uncertainty: NotNegative
    robot_uncertainty: NotNegative
    human_speed: Positive = 1.6


class ActionKind(str, Enum):
    """verb: a step of a plan. topic: a stream of commands."""

    VERB = "verb"
    TOPIC = "topic"


class ParameterType(str, Enum):
    """What a parameter of an action is. object: of a class of the profile. place: one of its
    places, or a zone of kind speed. person: one of its people."""

    NUMBER = "number"
    OBJECT = "object"
    PLACE = "place"
    PERSON = "person"
    TEXT = "text"


class Parameter(Part):
    """A number has unit and range, nothing else has. Of an object, `of`: the class that it must be
    one of; `without`: hazards that it must not bring."""

    type: ParameterType
    unit: Text | None = None
    range: Range | None = None
    of: Name | None = None
    without: Hazards = frozenset()
    optional: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _classes_of_objects(self) -> Self:
        if self.type is not ParameterType.OBJECT and (self.of is not None or self.without):
            text = f"a parameter of type {self.type.value} takes neither of nor without"
            raise Misplaced(("type",), text)
        return self

    @model_validator(mode="after")
    def _range_of_numbers(self) -> Self:
        number = self.type is ParameterType.NUMBER
        if (self.unit is not None) != number or (self.range is not None) != number:
            needs = "needs" if number else "takes no"
            text = f"a parameter of type {self.type.value} {needs} unit and range"
            raise Misplaced(("type",), text)
        return self


class Action(Part):
    """What a planner may ask for. `topic`: of a stream of commands."""

    kind: ActionKind = ActionKind.VERB
    topic: Text | None = None
    parameters: dict[Name, Parameter] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _topic_if_stream(self) -> Self:
        if (self.kind is ActionKind.TOPIC) != (self.topic is not None):
            needs = "needs" if self.topic is None else "takes no"
            raise Misplaced(("kind",), f"an action of kind {self.kind.value} {needs} topic")
        return self


class ObjectClass(Part):
    """A class of objects. `is`: the class that it is one of, whose hazards it has too. `words`:
    what people call it. `mass`: at most, in kg."""

    parent: Name | None = Field(None, alias="is")
    hazards: Hazards = frozenset()
    words: Words = ()
    mass: Positive | None = None


class Place(Part):
    """A place that has a name, in the profile's frame."""

    position: Point
    words: Words = ()


class Held(str, Enum):
    """What may wait for people. plan: one that the checks hold, for anything but a hazard that
    has an entry of its own. profile: another one in place of this, see
    `redbutton.approval.sealed`."""

    PLAN = "plan"
    PROFILE = "profile"


APPROVED = [one.value for kinds in (Held, Hazard) for one in kinds]  # the keys of approvals


class Approval(Part):
    """At least `k` of `names` must agree."""

    k: Annotated[int, Field(strict=True, ge=1)]
    names: Annotated[tuple[Name, ...], AfterValidator(_unique)]

    @model_validator(mode="after")
    def _enough(self) -> Self:
        if self.k > len(self.names):
            raise Misplaced(("k",), f"{self.k} approvals of {len(self.names)} approvers")
        return self


class ExecutionLimits(Part):
    """Motion needs a plan that was checked. `corridor` (m): so far may the robot be from the
    straight ways between the plan's places. `lifetime` (s): so long is a plan in force."""

    corridor: Positive
    lifetime: Annotated[Positive, Field(le=3600)]


class WithoutScreen(str, Enum):
    """What becomes of a text for people while there is no screen that checks it."""

    HOLD = "hold"
    ALLOW = "allow"


class RobotProfile(Part):
    """A robot.

    `frame`: of poses, paths, zones, places. `base_frames`: of velocity commands, which are in the
    base's own frame. `footprint_radius`: of the circle that holds base and load; `reach`: of the
    circle that holds the arm in any position, for people, if `arm` does not say where its links
    are. `deceleration` (m/s^2): what the brakes guarantee
    with the greatest load. `pose_age`: a pose that is older is none. `approvals`: by what needs
    them, a hazard or whatever else a plan is held for. `execution`: without it motion needs no
    plan. `watch`: how often to look after what goes on without the robot, by hazard. `conduct`:
    more of what is refused in a minute is a stop.
    """

    name: Name
    frame: Text
    base_frames: Words = ()
    limits: Limits
    clamp: Clamp = frozenset()
    footprint_radius: NotNegative
    reach: NotNegative = 0.0
    arm: Arm | None = None
    deceleration: Positive
    pose_age: Positive = 0.5
    zones: tuple[Zone, ...] = ()
    people: dict[Name, Person] = Field(default_factory=dict)
    speed_and_separation: SpeedAndSeparation
    actions: dict[Name, Action] = Field(default_factory=dict)
    objects: dict[Name, ObjectClass] = Field(default_factory=dict)
    places: dict[Name, Place] = Field(default_factory=dict)
    approvals: dict[Held | Hazard, Approval] = Field(
        default_factory=dict, json_schema_extra={"propertyNames": {"enum": [*APPROVED]}}
    )
    approvers: dict[Name, PublicKey] = Field(default_factory=dict)
    execution: ExecutionLimits | None = None
    rules: tuple[Rule, ...] = ()
    policies: Annotated[str, Field(max_length=100_000)] = ""
    verbs: dict[Name, Words] = Field(default_factory=dict)
    text_without_screen: WithoutScreen = WithoutScreen.HOLD
    watch: dict[Hazard, Positive] = Field(default_factory=dict)
    conduct: ConductBounds = Field(default_factory=ConductBounds)

    @field_validator("approvals", mode="before")
    @classmethod
    def _held(cls, data: Any) -> Any:
        return only(APPROVED, data)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for where, text in self._contradictions():
            raise Misplaced(where, text)
        return self

    def _contradictions(self) -> Iterator[tuple[Where, str]]:
        least = self.speed_and_separation.robot_uncertainty
        if self.execution is not None and self.execution.corridor <= least:
            text = f"must be greater than robot_uncertainty, {least:g}: nothing would fit in"
            yield ("execution", "corridor"), text
        yield from self._of_arm()
        yield from self._of_actions()
        yield from self._of_places()
        yield from self._of_people()
        for name, entry in self.objects.items():
            if entry.parent is not None and entry.parent not in self.objects:
                yield ("objects", name, "is"), f"there is no class {entry.parent}"
            elif name in self._ancestors(name):
                yield ("objects", name, "is"), f"a cycle: in the end {name} is a {name}"

    def _of_arm(self) -> Iterator[tuple[Where, str]]:
        if self.arm is None:
            return
        moving: list[str] = []
        for i, link in enumerate(self.arm.links):
            where = ("arm", "links", i, "joint")
            if link.joint is None:
                continue
            if link.joint not in self.limits.joints:
                yield where, f"there is no joint {link.joint} in limits.joints"
            elif link.joint in moving:
                yield where, f"{link.joint} moves another link already"
            moving.append(link.joint)
        if not moving:
            yield ("arm", "links"), "no joint moves any of them"
        if self.arm.fixed and (self.limits.linear_speed or self.limits.angular_speed):
            yield ("arm", "fixed"), "limits says that the robot drives"

    def _of_actions(self) -> Iterator[tuple[Where, str]]:
        most = {
            "m/s": ("linear_speed", self.limits.linear_speed),
            "rad/s": ("angular_speed", self.limits.angular_speed),
            "N": ("force", self.limits.force),
        }
        for name, action in self.actions.items():
            for key, parameter in action.parameters.items():
                if parameter.of is not None and parameter.of not in self.objects:
                    class_of: Where = ("actions", name, "parameters", key, "of")
                    yield class_of, f"there is no class {parameter.of} in objects"
                limit, value = most.get(parameter.unit or "", ("", FAR))
                if parameter.range is not None and parameter.range.max > value:
                    where = ("actions", name, "parameters", key, "range", "max")
                    yield where, f"is beyond limits.{limit}, {value:g} {parameter.unit}"

    def _of_places(self) -> Iterator[tuple[Where, str]]:
        names = [zone.name for zone in self.zones]
        for i, zone in enumerate(self.zones):
            if zone.name in names[:i]:
                yield ("zones", i, "name"), f"there is another zone {zone.name}"
            if zone.kind is ZoneKind.KEEP_OUT:
                shape = shapely.Polygon(zone.polygon)
                for name, place in self.places.items():
                    if shape.intersects(shapely.Point(place.position)):
                        yield ("places", name), f"lies in zone {zone.name}, which is kept out of"

    def _of_people(self) -> Iterator[tuple[Where, str]]:
        if self.people and DEFAULT not in self.people:
            yield ("people",), f"needs {DEFAULT}: the distance from whoever is not named"
        for what, approval in self.approvals.items():
            for i, name in enumerate(approval.names):
                if name not in self.approvers:
                    yield ("approvals", what.value, "names", i), f"there is no approver {name}"
        owners: dict[str, str] = {}
        for name, key in self.approvers.items():
            if other := owners.get(key):
                yield ("approvers", name), f"has the key of {other}: one person, two votes"
            owners[key] = name

    def positions(self) -> dict[str, Point]:
        """Where a planner may send the robot, by all names: of places, and of zones of kind
        speed, which stand for a point in them."""
        found: dict[str, Point] = {}
        for zone in self.zones:
            if zone.kind is ZoneKind.SPEED:
                point = shapely.Polygon(zone.polygon).representative_point()
                found[zone.name.replace("_", " ")] = (point.x, point.y)
        for name, place in self.places.items():
            for word in (name.replace("_", " "), *place.words):
                found[word] = place.position
        return found

    def is_a(self, name: str, of: str) -> bool:
        """Whether a class of objects is another one, or below it."""
        return of in (name, *self._ancestors(name))

    def mass(self, name: str) -> float | None:
        """Of a class of objects, at most, in kg: its own or the nearest one's above it."""
        for one in (name, *self._ancestors(name)):
            if (mass := self.objects[one].mass) is not None:
                return mass
        return None

    def _ancestors(self, name: str) -> list[str]:
        """The classes above one, the nearest first."""
        found: list[str] = []
        parent = self.objects[name].parent
        while parent in self.objects and parent not in found:
            found.append(parent)
            parent = self.objects[parent].parent
        return found


def load(path: Path) -> RobotProfile:
    """The profile in a file; ProfileWrong names file, line, field and what is wrong."""
    return document.read(path, RobotProfile, ProfileWrong)


def schema() -> dict[str, Any]:
    """The JSON Schema of a profile, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RobotProfile.model_json_schema(by_alias=True),
    }


def digest(profile: RobotProfile) -> str:
    """SHA-256, in hexadecimal, over the profile as JSON with sorted keys and without spaces."""
    data = profile.model_dump(mode="json", by_alias=True)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def examples() -> dict[str, Path]:
    """The profiles that come with this package, by name."""
    return {path.stem: path for path in sorted(EXAMPLES.glob("*.yaml"))}
