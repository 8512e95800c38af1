"""The results of a campaign as JUnit XML, which most servers for builds read."""

from collections.abc import Iterable
from xml.etree import ElementTree

from redbutton.bench.faults import FLIP
from redbutton.bench.findings import SEVERITY
from redbutton.bench.run import Outcome, Plan, Result
from redbutton.plain import plain


def _name(plan: Plan) -> str:
    """The faults of a run; bits of one variable go together."""
    names = [
        one.fault.rpartition(".")[0] if one.fault.startswith(FLIP) else one.fault
        for one in plan.faults
    ]
    return " + ".join(names) or "no fault"


def junit(results: Iterable[Result]) -> str:
    """A test case for each fault in each scenario, with its worst outcome; a dangerous one has
    failed."""
    cases: dict[tuple[str, str], list[Result]] = {}
    for result in sorted(results, key=lambda one: one.plan.id):
        cases.setdefault((result.plan.scenario, _name(result.plan)), []).append(result)
    suite = ElementTree.Element("testsuite", name="redbutton bench", tests=str(len(cases)))
    failures = 0
    for (scenario, name), runs in sorted(cases.items()):
        case = ElementTree.SubElement(suite, "testcase", classname=scenario, name=name)
        worst = max(runs, key=lambda one: SEVERITY[one.outcome])
        text = f"{worst.outcome.value} (the worst of {len(runs)} runs): {worst.words}"
        if worst.outcome is Outcome.DANGEROUS:
            failures += 1
            failure = ElementTree.SubElement(case, "failure", message=plain(worst.words))
            failure.text = f"redbutton bench replay {worst.plan.id}"
        ElementTree.SubElement(case, "system-out").text = plain(text)
    suite.set("failures", str(failures))
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"
