"""Fuzz the targets, guided by which lines and branches an input reaches (atheris, libFuzzer).

What is found is written to dist/fuzz, with a line that says how to run it again. Inputs that reach
something new are kept there too, and are where the next run begins.
"""

import argparse
import os
import random
import re
import subprocess
import sys
from pathlib import Path

FOUND = Path(__file__).resolve().parents[2] / "dist" / "fuzz"
ATHERIS = Path(sys.prefix) / "fuzz"  # where .ci/environment.py puts it
HANG_S = 30
MEMORY_MB = 4096
LONGEST = 4096  # bytes of an input
FIRST = 8  # bytes
RAISED = "=== Uncaught Python exception: ==="
EDGES = re.compile(r"^#\d+\s+(?:INITED|NEW|REDUCE|DONE|pulse)\s+cov: (\d+) .* corp: (\d+)/", re.M)
RUNS = re.compile(r"number_of_executed_units: (\d+)")
RATE = re.compile(r"average_exec_per_sec: +(\d+)")
ROW = "{:14} {:>9} {:>7} {:>7} {:>7} {:>7}  {}"


def fuzz(name: str, seconds: int) -> bool:
    """One target, in a process of its own; whether nothing was found."""
    from fuzz_targets import TARGETS

    corpus = FOUND / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed-{i:03}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB}"]
    options = [*limits, f"-artifact_prefix={FOUND}/{name}-", "-print_final_stats=1"]
    options += ["-len_control=0", "-reduce_inputs=0", f"-max_len={LONGEST}"]
    before = set(FOUND.iterdir())
    child = subprocess.run(
        [sys.executable, __file__, "--inside", name, *options, str(corpus)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    said = child.stdout
    reached = EDGES.findall(said) or [("?", "?")]
    runs, rate = RUNS.findall(said) or ["?"], RATE.findall(said) or ["?"]
    found = sorted(set(FOUND.iterdir()) - before)
    print(
        ROW.format(
            name, runs[-1], rate[-1], reached[0][0], *reached[-1], len(found) if found else ""
        ),
        flush=True,
    )
    if child.returncode == 0:
        return True
    why = said.partition(RAISED)[2].partition("\n==")[0]
    print(why.strip() or "\n".join(said.splitlines()[-20:]))
    for path in found:
        print(f"once more: make fuzz REPLAY={path.relative_to(FOUND.parents[1])}", flush=True)
    return False


def inside(name: str, options: list[str]) -> None:
    """Be the process in which a target is fuzzed."""
    sys.path.append(str(ATHERIS))
    import atheris

    with atheris.instrument_imports(include=["redbutton"]):
        from fuzz_targets import TARGETS

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """As libFuzzer does, or all behind the first choices anew: it tries too little else."""
        chance = random.Random(seed)
        if not TARGETS[name].choices or chance.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        kept = data[: chance.randint(0, FIRST)]
        return (kept + chance.randbytes(chance.randint(0, 60)))[:most]

    atheris.Setup([sys.argv[0], *options], TARGETS[name].run, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    """Do what the command line asks for."""
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="for all targets together")
    parser.add_argument("--replay", type=Path, help="a file that was found: run only that")
    parser.add_argument("targets", nargs="*", help="fuzz only these")
    asked = parser.parse_args()
    from fuzz_targets import TARGETS

    names = [asked.replay.name.split("-")[0]] if asked.replay else asked.targets or list(TARGETS)
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no target {min(unknown)}: there are {', '.join(TARGETS)}")
    if asked.replay:  # needs no fuzzer
        TARGETS[names[0]].run(asked.replay.read_bytes())
        print("it passes")
        return 0
    print(ROW.format("target", "runs", "runs/s", "edges", "at end", "inputs", "found"))
    seconds = max(1, asked.seconds // len(names))
    passed = [fuzz(name, seconds) for name in names]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
