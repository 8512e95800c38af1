"""A slice of the mutation testing (`make mutation` is the whole), and that it can fail."""

import ast
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

pytest.importorskip("mutmut")  # the tests of everything else need none

import mutation

TOOL = Path(mutation.__file__).resolve()
ONE = mutation.Mutant("wire.py", "encode", "a = 1", "a = 2")
OTHER = mutation.Mutant("decide.py", "", "B = 1", "B = None")
# The tool with other tests of wire.py, those in the file that it is given.
WITH_OTHER_TESTS = """
import sys
sys.path.insert(0, "tests")
import mutation
mutation.SUITES["wire.py"] = [sys.argv[1]]
sys.exit(mutation.main(["--file", "wire.py", "--every", "100"]))
"""


def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Python, where the tool is run."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=TOOL.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(300)
def test_in_a_slice_every_mutant_is_found_or_explained():
    done = run(TOOL, "--every", 180)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 survive and are not" in done.stdout


def test_tests_that_test_nothing_let_every_mutant_survive_and_each_is_named(tmp_path):
    nothing = tmp_path / "test_nothing.py"
    nothing.write_text("def test_nothing():\n    pass\n")

    done = run("-c", WITH_OTHER_TESTS, nothing)

    assert done.returncode == 1, done.stdout + done.stderr
    named = re.findall(r"survives: (wire\.py\b.*: .+ -> .+)", done.stdout)
    assert "wire.py: VERSION = 1 -> VERSION = None" in named
    assert f"{len(named)} mutants, 0 found by the tests" in done.stdout


def test_tests_that_fail_on_the_firmware_as_it_is_tell_nothing(tmp_path):
    broken = tmp_path / "test_broken.py"
    broken.write_text("def test_broken():\n    assert False\n")

    done = run("-c", WITH_OTHER_TESTS, broken)

    assert done.returncode == 2, done.stdout + done.stderr


@pytest.mark.parametrize("file", mutation.SUITES)
def test_every_function_of_a_file_has_mutants(file, monkeypatch):
    monkeypatch.chdir(TOOL.parents[1])
    text = mutation.source(file)
    tree = ast.parse(text)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = {
        node.name for body in bodies for node in body if isinstance(node, ast.FunctionDef)
    }

    _, mutations, _, _ = mutation.create_mutations(file, text)

    places = [found.contained_by_top_level_function for found in mutations]
    assert {place.name.value for place in places if place} == functions


@pytest.fixture
def judge(monkeypatch, tmp_path, capsys):
    """What the tool returns and prints if these mutants survive and these are explained."""

    def judge(
        *arguments: str, survivors: list[mutation.Mutant], explained: list[mutation.Mutant]
    ) -> tuple[int, str]:
        reasons = tmp_path / "mutants.yaml"
        entries = [
            {
                "file": mutant.file,
                "function": mutant.function,
                "was": mutant.was,
                "now": mutant.now,
                "why": f"of {mutant.file}",
            }
            for mutant in explained
        ]
        reasons.write_text(yaml.safe_dump(entries))
        monkeypatch.setattr(mutation, "REASONS", reasons)
        monkeypatch.setattr(mutation, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))
        monkeypatch.setattr(
            mutation, "mutants", lambda file, every: [m for m in (ONE, OTHER) if m.file == file]
        )
        monkeypatch.setattr(mutation, "survives", lambda m: m in survivors or not m.was)
        return mutation.main(list(arguments)), capsys.readouterr().out

    return judge


def test_if_every_mutant_is_found_all_is_well(judge):
    status, printed = judge(survivors=[], explained=[])

    assert status == 0
    assert "2 mutants, 2 found by the tests, 0 survive and are explained" in printed


def test_a_survivor_that_is_explained_is_named_with_the_reason_and_is_no_failure(judge):
    status, printed = judge(survivors=[ONE], explained=[ONE])

    assert status == 0
    assert "survives: wire.py, encode: a = 1 -> a = 2\n          of wire.py\n" in printed


@pytest.mark.parametrize("explained", [[], [OTHER]], ids=["none is", "another one is"])
@pytest.mark.parametrize("every", ["1", "2"])
def test_a_survivor_that_is_not_explained_is_a_failure(judge, every, explained):
    status, printed = judge("--every", every, survivors=[ONE, *explained], explained=explained)

    assert status == 1
    assert "survives: wire.py, encode: a = 1 -> a = 2\n          NOT EXPLAINED\n" in printed
    assert "1 survive and are not" in printed


@pytest.mark.parametrize(
    ("arguments", "status"),
    [([], 1), (["--file", "decide.py"], 1), (["--file", "wire.py"], 0), (["--every", "2"], 0)],
    ids=["whole", "its file", "the other file", "slice"],
)
def test_a_reason_for_a_mutant_that_is_found_is_a_failure_where_it_should_have_survived(
    judge, arguments, status
):
    result, printed = judge(*arguments, survivors=[], explained=[OTHER])

    assert result == status
    stale = "explained, but found by a test or gone: decide.py: B = 1 -> B = None"
    assert (stale in printed) == bool(status)


def test_no_reason_is_given_twice_or_left_empty():
    entries = yaml.safe_load(mutation.REASONS.read_text(encoding="utf-8"))

    assert len(mutation.reasons()) == len(entries)
    assert all(mutation.reasons().values())
