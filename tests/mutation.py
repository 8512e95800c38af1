"""Mutation testing of the decision and of the wire format (`make mutation`).

Every small change of `decide.py` and `wire.py` that mutmut's operators make is put to the tests of
that file. A change that no test notices is a survivor: it must stand in `mutants.yaml` with the
reason why it changes nothing that anybody could see, or this ends with 1. It ends with 2 if a file
does not pass its tests as it is.

    python tests/mutation.py                 # all, on all cores: a quarter of an hour
    python tests/mutation.py --every 20      # a slice
    python tests/mutation.py --file wire.py

Each mutant runs in a process of its own, with a copy of the firmware. It is forked from one of a
pool, which has no other thread that could hold a lock in that moment.
"""

import argparse
import difflib
import os
import re
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings
from mutmut.mutation.file_mutation import create_mutations, deep_replace
from rich.console import Console
from rich.progress import track

TESTS = Path(__file__).parent
FIRMWARE = TESTS.parent / "firmware"
REASONS = TESTS / "mutants.yaml"
SUITES = {
    "decide.py": ["tests/firmware/test_decide.py"],
    "wire.py": ["tests/firmware/test_wire.py"],
}
TIMEOUT_S = 180


@dataclass(frozen=True)
class Mutant:
    """One changed file. `was` and `now` are the lines that differ, `function` is theirs if any."""

    file: str
    function: str
    was: str
    now: str
    text: str = ""

    @property
    def name(self) -> str:
        place = f"{self.file}, {self.function}" if self.function else self.file
        return f"{place}: {self.was} -> {self.now}"


NATIVE = re.compile(
    r"^ *@micropython\.native\n|class micropython:.*\n.*native = .*$", flags=re.MULTILINE
)


def source(file: str) -> str:
    """A file as bytecode: mutmut passes decorated functions over."""
    text = (FIRMWARE / file).read_text(encoding="utf-8")
    return NATIVE.sub(lambda found: "pass" if "class" in found[0] else "", text)


def mutants(file: str, every: int = 1) -> list[Mutant]:
    """One in so many of a file, in its order; a change of nothing but indentation is none."""
    text = source(file)
    module, mutations, _, _ = create_mutations(file, text)
    found = []
    for mutation in mutations[::every]:
        changed = deep_replace(module, mutation.original_node, mutation.mutated_node)
        code: str = changed.code  # type: ignore[union-attr]
        lines = difflib.ndiff(text.splitlines(), code.splitlines())
        differing = [line for line in lines if line[:2] in ("- ", "+ ")]
        was = " ".join(line[2:].strip() for line in differing if line[0] == "-")
        now = " ".join(line[2:].strip() for line in differing if line[0] == "+")
        function = mutation.contained_by_top_level_function
        if was != now:
            name = function.name.value if function else ""
            found.append(Mutant(file, name, was, now, code))
    return found


def survives(mutant: Mutant) -> bool:
    """Whether the tests of its file all pass on it."""
    folder = Path(tempfile.mkdtemp(prefix="rb-mutant-"))
    try:
        shutil.copytree(FIRMWARE, folder, dirs_exist_ok=True)
        (folder / mutant.file).write_text(mutant.text, encoding="utf-8")
        child = os.fork()
        if child == 0:
            _run(folder, mutant.file)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status) == 0
    finally:
        shutil.rmtree(folder)


def _run(folder: Path, file: str) -> None:
    """In the child: the tests, on the firmware in `folder`. Does not return."""
    signal.alarm(TIMEOUT_S)  # a mutant that hangs is found
    os.setpgrp()
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.chdir(TESTS.parent)
    code = 1
    try:
        import redbutton.firmware

        redbutton.firmware.__path__ = [str(folder)]  # type: ignore[assignment]
        settings.register_profile(  # to fail is enough, the smallest example is not needed
            "mutation",
            phases=[Phase.explicit, Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutation")
        options = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
        code = int(pytest.main([*options, *SUITES[file]]))
    finally:
        os._exit(code)


def reasons() -> dict[str, str]:
    """Mutant -> why it is equivalent."""
    entries = yaml.safe_load(REASONS.read_text(encoding="utf-8")) or []
    return {
        Mutant(e["file"], e.get("function", ""), e["was"], e["now"]).name: e["why"]
        for e in entries
    }


def unchanged(file: str) -> Mutant:
    """The file as it is, which must survive."""
    return Mutant(file, "", "", "", text=source(file))


def main(arguments: "list[str] | None" = None) -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(description="Mutation testing of decide.py and wire.py.")
    parser.add_argument("--file", choices=SUITES, action="append", help="only this one")
    parser.add_argument("--every", type=int, default=1, help="one in so many of each file")
    options = parser.parse_args(arguments)
    files = options.file or list(SUITES)
    console = Console(markup=False, soft_wrap=True)
    known = reasons()
    chosen = [mutant for file in files for mutant in mutants(file, options.every)]
    survivors = []
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork")) as pool:
        if not all(pool.map(survives, map(unchanged, files))):
            console.print("the tests fail on the firmware as it is: they can tell nothing")
            return 2
        results = pool.map(survives, chosen)
        progress = track(
            results, "mutants", len(chosen), console=console, disable=not console.is_terminal
        )
        for mutant, alive in zip(chosen, progress, strict=True):
            if alive:
                survivors.append(mutant)
                why = known.get(mutant.name, "NOT EXPLAINED")
                console.print(f"survives: {mutant.name}\n          {why}")
    unexplained = [mutant for mutant in survivors if mutant.name not in known]
    stale = set()
    if options.every == 1:
        stale = {name for name in known if name.startswith(tuple(files))}
        stale -= {mutant.name for mutant in survivors}
    for name in sorted(stale):
        console.print(f"explained, but found by a test or gone: {name}")
    console.print(
        f"{len(chosen)} mutants, {len(chosen) - len(survivors)} found by the tests,"
        f" {len(survivors) - len(unexplained)} survive and are explained,"
        f" {len(unexplained)} survive and are not"
    )
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
