"""A stand-in for `launch` and `launch_ros`, which exist in no Python package.

It holds what redbutton's launch files use and nothing more. Signatures and behaviour are those
that Humble, Jazzy and Kilted have in common; a name or an argument that is not here is an error,
so a launch file cannot pass by something that the real one may not have. Nothing is started:
processes are collected, with what they would get.

Modelled with care, because launch files trip over it:
- launch arguments are strings, and stay set after an include, unless a group ends their scope;
- `on_exit` acts when the process has ended, which a test says;
- a parameter file that does not exist is skipped with a warning;
- parameters of a dictionary go under the node's full name if name and namespace are given, else
  under `/**`; a section with the full name wins over sections with wildcards, whatever the order.
"""

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml


@dataclass
class Process:
    """A process that would have been started. `parameters`: what its node would see."""

    command: list[str]
    name: str
    environment: dict[str, str]
    output: str
    respawn: bool
    on_exit: "Entity | list[Entity] | None"
    package: str = ""
    executable: str = ""
    namespace: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    parameter_files: list[str] = field(default_factory=list)


class SubstitutionFailure(Exception):
    """A substitution cannot be performed."""


class LaunchContext:
    """What is set while a launch file is carried out, and what came of it."""

    def __init__(self) -> None:
        self.launch_configurations: dict[str, str] = {}
        self.stack: list[dict[str, str]] = []
        self.processes: list[Process] = []
        self.said: list[str] = []
        self.shut_down: list[str] = []


# --- substitutions ------------------------------------------------------------------------------


class Substitution:
    def perform(self, context: LaunchContext) -> str:
        raise NotImplementedError


class LaunchConfiguration(Substitution):
    def __init__(self, variable_name: str, *, default: Any = None) -> None:
        self._name = variable_name
        self._default = default

    def perform(self, context: LaunchContext) -> str:
        if self._name in context.launch_configurations:
            return context.launch_configurations[self._name]
        if self._default is None:
            raise SubstitutionFailure(f"launch configuration '{self._name}' does not exist")
        return text(context, self._default)


class PathJoinSubstitution(Substitution):
    def __init__(self, substitutions: Iterable[Any]) -> None:
        self._parts = list(substitutions)

    def perform(self, context: LaunchContext) -> str:
        return str(Path(*(text(context, part) for part in self._parts)))


class FindPackageShare(Substitution):
    """The source folder of the package: test_ros_packages.py sees to it that all is installed."""

    sources = Path(__file__).parents[2] / "ros_ws/src"

    def __init__(self, package: Any) -> None:
        self._package = package

    def perform(self, context: LaunchContext) -> str:
        folder = self.sources / text(context, self._package)
        if not folder.is_dir():
            raise SubstitutionFailure(f"package '{folder.name}' not found")
        return str(folder)


def text(context: LaunchContext, value: Any) -> str:
    """Strings, substitutions, and lists of both, put together."""
    if isinstance(value, str):
        return value
    if isinstance(value, Substitution):
        return value.perform(context)
    if isinstance(value, list | tuple):
        return "".join(text(context, part) for part in value)
    raise TypeError(f"neither text nor a substitution: {value!r}")


# --- actions ------------------------------------------------------------------------------------


class Entity:
    """Something in a launch description."""

    def execute(self, context: LaunchContext) -> "list[Entity] | None":
        raise NotImplementedError


class LaunchDescription(Entity):
    def __init__(self, initial_entities: Iterable[Entity] | None = None) -> None:
        self.entities = list(initial_entities or [])

    def execute(self, context: LaunchContext) -> list[Entity]:
        return self.entities


class DeclareLaunchArgument(Entity):
    def __init__(
        self,
        name: str,
        *,
        default_value: Any = None,
        description: str | None = None,
        choices: list[str] | None = None,
    ) -> None:
        self.name = name
        self.default_value = default_value
        self.description = description
        self.choices = choices
        if choices is not None and isinstance(default_value, str) and default_value not in choices:
            raise RuntimeError(f"default value {default_value!r} is not in {choices}")

    def execute(self, context: LaunchContext) -> None:
        if self.name not in context.launch_configurations:
            if self.default_value is None:
                raise RuntimeError(f"Required launch argument '{self.name}' was not provided")
            context.launch_configurations[self.name] = text(context, self.default_value)
        value = context.launch_configurations[self.name]
        if self.choices is not None and value not in self.choices:
            raise RuntimeError(f"Argument '{self.name}' provided value '{value}' is not valid")


class OpaqueFunction(Entity):
    def __init__(
        self,
        *,
        function: Callable[..., list[Entity] | None],
        args: Iterable[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> None:
        self._call = lambda context: function(context, *(args or []), **(kwargs or {}))

    def execute(self, context: LaunchContext) -> list[Entity] | None:
        return self._call(context)


class LogInfo(Entity):
    def __init__(self, *, msg: Any) -> None:
        self._msg = msg

    def execute(self, context: LaunchContext) -> None:
        context.said.append(text(context, self._msg))


class Shutdown(Entity):
    def __init__(self, *, reason: str = "reason not given") -> None:
        self._reason = reason

    def execute(self, context: LaunchContext) -> None:
        context.shut_down.append(self._reason)


class _Push(Entity):
    def execute(self, context: LaunchContext) -> None:
        context.stack.append(dict(context.launch_configurations))


class _Pop(Entity):
    def execute(self, context: LaunchContext) -> None:
        context.launch_configurations = context.stack.pop()


class GroupAction(Entity):
    """With forwarding and a scope of its own, as by default."""

    def __init__(self, actions: Iterable[Entity]) -> None:
        self._actions = list(actions)

    def execute(self, context: LaunchContext) -> list[Entity]:
        return [_Push(), *self._actions, _Pop()]


class PythonLaunchDescriptionSource:
    def __init__(self, launch_file_path: Any) -> None:
        self.path = launch_file_path


class IncludeLaunchDescription(Entity):
    def __init__(
        self,
        launch_description_source: PythonLaunchDescriptionSource,
        *,
        launch_arguments: Iterable[tuple[Any, Any]] | None = None,
    ) -> None:
        self._source = launch_description_source
        self._arguments = list(launch_arguments or [])

    def execute(self, context: LaunchContext) -> list[Entity]:
        for name, value in self._arguments:
            context.launch_configurations[text(context, name)] = text(context, value)
        return [load(Path(text(context, self._source.path)))]


class PushRosNamespace(Entity):
    """For tests: what a user's own launch file may put around an include."""

    def __init__(self, namespace: Any) -> None:
        self._namespace = namespace

    def execute(self, context: LaunchContext) -> None:
        context.launch_configurations["ros_namespace"] = namespace_of(
            context, text(context, self._namespace)
        )


class ExecuteProcess(Entity):
    def __init__(
        self,
        *,
        cmd: Iterable[Any],
        prefix: Any = None,
        name: Any = None,
        additional_env: dict[Any, Any] | None = None,
        output: str = "log",
        respawn: bool = False,
        on_exit: Entity | list[Entity] | None = None,
    ) -> None:
        self._cmd = list(cmd)
        self._prefix = prefix
        self._name = name
        self._environment = additional_env or {}
        self._output = output
        self._respawn = respawn
        self._on_exit = on_exit

    def execute(self, context: LaunchContext) -> None:
        prefix = "" if self._prefix is None else text(context, self._prefix)
        command = shlex.split(prefix) + [text(context, word) for word in self._cmd]
        context.processes.append(
            Process(
                command,
                Path(command[0]).name if self._name is None else text(context, self._name),
                {text(context, k): text(context, v) for k, v in self._environment.items()},
                self._output,
                self._respawn,
                self._on_exit,
            )
        )


class Node(ExecuteProcess):
    def __init__(
        self,
        *,
        executable: Any,
        package: Any,
        name: Any = None,
        namespace: Any = None,
        exec_name: Any = None,
        parameters: list[Any] | None = None,
        ros_arguments: list[Any] | None = None,
        **process: Any,
    ) -> None:
        super().__init__(
            cmd=[executable, *(["--ros-args", *ros_arguments] if ros_arguments else [])],
            name=exec_name,
            **process,
        )
        self._package = package
        self._executable = executable
        self._node_name = name
        self._namespace = namespace
        self._parameters = parameters or []

    def execute(self, context: LaunchContext) -> None:
        super().execute(context)
        process = context.processes[-1]
        process.package = text(context, self._package)
        process.executable = text(context, self._executable)
        inside = None if self._namespace is None else text(context, self._namespace)
        process.namespace = namespace_of(context, inside)
        name = self._node_name and text(context, self._node_name)
        # Without a name the node's own one counts; here that is the executable's.
        full = f"{process.namespace.rstrip('/')}/{name or process.executable}"
        placed = inside is not None or "ros_namespace" in context.launch_configurations
        named = bool(name) and placed
        wild: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for entry in self._parameters:
            if isinstance(entry, dict):
                (own if named else wild).update(_checked(entry))
                continue
            file = text(context, entry)
            if not Path(file).is_file():
                context.said.append(f"Parameter file path is not a file: {file}")
                continue
            process.parameter_files.append(file)
            for section, parameters in sections(yaml.safe_load(Path(file).read_text())):
                if section == full:
                    own.update(parameters)
                elif matches(section, full):
                    wild.update(parameters)
        process.parameters = {**wild, **own}


def namespace_of(context: LaunchContext, inside: str | None) -> str:
    """A relative namespace goes below the one that was pushed."""
    base = context.launch_configurations.get("ros_namespace", "")
    inside = inside or ""
    whole = inside if inside.startswith("/") else f"{base.rstrip('/')}/{inside}"
    whole = "/" + whole.strip("/")
    if not re.fullmatch(r"/|(/[A-Za-z_]\w*)+", whole):
        raise ValueError(f"invalid namespace {whole!r}")
    return whole


def _checked(parameters: dict[str, Any]) -> dict[str, Any]:
    for name, value in parameters.items():
        kinds = {type(item) for item in value} if isinstance(value, list) else {type(value)}
        if len(kinds) != 1 or not kinds <= {bool, int, float, str}:
            raise TypeError(f"parameter {name}: {value!r}")
    return parameters


def sections(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(node, parameters) of a parameter file, parameters flat: `output.base.topic`."""
    for node, content in document.items():
        for key, value in content.items():
            if key == "ros__parameters":
                yield node, dict(flat(value))
            else:
                yield from sections({f"{node}/{key}": value})


def flat(parameters: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested parameters by their full names."""
    for name, value in parameters.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def matches(section: str, full: str) -> bool:
    """`*` is one word between slashes, `**` any number of them."""
    pattern = re.escape(section).replace(r"/\*\*", r"(/\w+)*").replace(r"\*", r"\w+")
    return re.fullmatch(pattern, full) is not None


# --- carrying it out ----------------------------------------------------------------------------


def modules() -> dict[str, ModuleType]:
    """Under the names by which launch files import them."""
    contents: dict[str, list[type]] = {
        "launch": [LaunchContext, LaunchDescription],
        "launch.actions": [
            DeclareLaunchArgument,
            ExecuteProcess,
            GroupAction,
            IncludeLaunchDescription,
            LogInfo,
            OpaqueFunction,
            Shutdown,
        ],
        "launch.launch_description_sources": [PythonLaunchDescriptionSource],
        "launch.substitutions": [LaunchConfiguration, PathJoinSubstitution],
        "launch_ros": [],
        "launch_ros.actions": [Node, PushRosNamespace],
        "launch_ros.substitutions": [FindPackageShare],
    }
    made = {}
    for name, classes in contents.items():
        made[name] = ModuleType(name)
        for kind in classes:
            setattr(made[name], kind.__name__, kind)
    made["launch"].LaunchDescriptionEntity = Entity  # type: ignore[attr-defined]
    return made


@contextmanager
def in_place() -> Iterator[None]:
    """While this holds, launch files import the stand-in, even where the real one is installed."""
    ours = modules()
    hidden = {
        name: sys.modules.pop(name)
        for name in list(sys.modules)
        if name.split(".")[0] in ("launch", "launch_ros")
    }
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]
        sys.modules.update(hidden)


def load(path: Path) -> LaunchDescription:
    """The launch description of a file, as `ros2 launch --show-args` sees it."""
    contents: dict[str, Any] = {"__name__": path.stem}
    exec(compile(path.read_text(), str(path), "exec"), contents)
    description: LaunchDescription = contents["generate_launch_description"]()
    return description


def run(path: Path, arguments: dict[str, str]) -> LaunchContext:
    """Carry a launch file out, as `ros2 launch FILE NAME:=VALUE ...` does."""
    context = LaunchContext()
    context.launch_configurations.update(arguments)
    with in_place():
        visit(context, load(path))
    return context


def visit(context: LaunchContext, entity: Entity) -> None:
    """Carry an entity out, then what it yields."""
    for inner in entity.execute(context) or []:
        visit(context, inner)


def end(context: LaunchContext, process: Process) -> None:
    """The process has ended, by whatever cause."""
    on_exit = process.on_exit
    for entity in on_exit if isinstance(on_exit, list) else [on_exit] if on_exit else []:
        visit(context, entity)


PACKAGE = FindPackageShare.sources / "redbutton_ros"
Launch = Callable[..., LaunchContext]
