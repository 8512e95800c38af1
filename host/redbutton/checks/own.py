"""What a robot's profile adds to what is shipped: words, things, rules and policies of its own.

Rules are only added, so that they make nothing easier. Policies are added too, and one that
forbids overrides all that permit.
"""

from redbutton.checks.ontology import Ontology, Verbs
from redbutton.checks.plan import PlanCheck
from redbutton.checks.policy import Policies
from redbutton.checks.profile import DEFAULT, RobotProfile
from redbutton.checks.rules import Rule, Rules
from redbutton.checks.verdict import Judgement
from redbutton.errors import ProfileWrong

PERMIT_ALL = "permit(principal, action, resource);"


def plan_check_of(profile: RobotProfile | None) -> PlanCheck:
    """The check of plans of one robot; without a profile, as it is shipped.

    ProfileWrong if its own words, rules or policies do not fit to what is shipped, or a rule does
    not object to its own example.
    """
    if profile is None:
        return PlanCheck()
    try:
        ontology, verbs = _ontology_of(profile), Verbs.shipped().extended(profile.verbs)
        shipped = Rules.shipped()
        rules = Rules.read_more(shipped, profile.rules) if profile.rules else shipped
        for rule in profile.rules:
            _fits(rule, ontology, verbs)
    except ValueError as error:
        raise ProfileWrong(f"profile {profile.name}: {error}") from None
    policies = Policies.shipped()
    if profile.policies:
        policies = Policies(f"{policies.text}\n{profile.policies}")
        if policies.error:
            raise ProfileWrong(f"profile {profile.name}: policies: {policies.error}")
    return PlanCheck(ontology, verbs, rules, policies, profile.watch)


def _ontology_of(profile: RobotProfile) -> Ontology:
    shipped = Ontology.shipped()
    classes: dict[str, dict[str, list[str]]] = {
        name: {
            "is": [entry.parent] if entry.parent else [],
            "hazards": sorted(entry.hazards),
            "words": [*entry.words, name.replace("_", " ")],
        }
        for name, entry in profile.objects.items()
    }
    for name, person in profile.people.items():
        if name != DEFAULT:
            kind = shipped.of(person.who)
            of = kind.name if "people" in kind.tags else "person"
            classes.setdefault(of, {"words": []})["words"].append(name.replace("_", " "))
    return shipped.extended(classes) if classes else shipped


def _fits(rule: Rule, ontology: Ontology, verbs: Verbs) -> None:
    """ValueError if a rule asks for what does not exist, or is not as its examples say."""
    rule.check_words(ontology.tags, frozenset(verbs.acts))
    alone = PlanCheck(ontology, verbs, Rules([rule]), Policies(PERMIT_ALL))
    if alone.judge(rule.example.plan, rule.example.world).rule != rule.id:
        raise ValueError(f"rule {rule.id} does not object to its example")
    said = alone.judge(rule.not_example.plan, rule.not_example.world)
    if said.verdict is not Judgement.ALLOW:
        raise ValueError(f"rule {rule.id}: its other example is held: {said.reason}")
