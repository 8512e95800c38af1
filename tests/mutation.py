"""Mutation testing of the decision and of the wire format (`make mutation`).

Every small change of `decide.py` and `wire.py` that mutmut's operators make is put to the tests of
that file. A change that no test notices is a survivor: it must stand in `mutants.yaml` with the
reason why it changes nothing that anybody could see, or this ends with 1.

    python tests/mutation.py                 # all, on all cores: half an hour
    python tests/mutation.py --every 20      # a slice
    python tests/mutation.py --file wire.py

Each mutant runs in a process of its own that is forked from this one, with a copy of the firmware.
"""

import argparse
import difflib
import os
import shutil
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
    """One changed file. `was` and `now` are the lines that differ."""

    file: str
    text: str
    was: str
    now: str

    @property
    def name(self) -> str:
        return f"{self.file}: {self.was} -> {self.now}"


def mutants(file: str) -> list[Mutant]:
    """All of a file, in its order; those that change no line but in a comment are none."""
    text = (FIRMWARE / file).read_text(encoding="utf-8")
    module, mutations, _, _ = create_mutations(file, text)
    found = []
    for mutation in mutations:
        changed = deep_replace(module, mutation.original_node, mutation.mutated_node)
        code: str = changed.code  # type: ignore[union-attr]
        lines = difflib.ndiff(text.splitlines(), code.splitlines())
        differing = [line for line in lines if line[:2] in ("- ", "+ ")]
        was = " ".join(line[2:].strip() for line in differing if line[0] == "-")
        now = " ".join(line[2:].strip() for line in differing if line[0] == "+")
        if was != now:
            found.append(Mutant(file, code, was, now))
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
    return {f"{e['file']}: {e['was']} -> {e['now']}": e["why"] for e in entries}


def main() -> int:
    """The command. Returns its exit status."""
    parser = argparse.ArgumentParser(description="Mutation testing of decide.py and wire.py.")
    parser.add_argument("--file", choices=SUITES, action="append", help="only this one")
    parser.add_argument("--every", type=int, default=1, help="one mutant in so many")
    options = parser.parse_args()
    console = Console()
    known = reasons()
    chosen = [m for file in options.file or SUITES for m in mutants(file)][:: options.every]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(survives, chosen)
        progress = track(
            results, "mutants", len(chosen), console=console, disable=not console.is_terminal
        )
        survivors = []
        for mutant, alive in zip(chosen, progress, strict=True):
            if alive:
                survivors.append(mutant)
                why = known.get(mutant.name, "NOT EXPLAINED")
                text = f"survives: {mutant.name}\n          {why}"
                console.print(text, markup=False, soft_wrap=True)
    unexplained = [mutant for mutant in survivors if mutant.name not in known]
    stale = set(known) - {mutant.name for mutant in survivors} if options.every == 1 else set()
    stale = {name for name in stale if name.split(":")[0] in (options.file or SUITES)}
    for name in sorted(stale):
        console.print(f"explained, but found by a test or gone: {name}", markup=False)
    console.print(
        f"{len(chosen)} mutants, {len(chosen) - len(survivors)} found by the tests,"
        f" {len(survivors) - len(unexplained)} survive and are explained,"
        f" {len(unexplained)} survive and are not"
    )
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
