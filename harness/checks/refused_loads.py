"""Loads that the ORM refused: the exception that everybody meets, with the place to mend it.

SQLAlchemy's message names the attribute at best. Here it is the relationship, the endpoint, what
was going on, the query that should have loaded it, and the two ways out.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.capture.recording import Refusal, RefusalReason
from harness.checks.edits import eager_option, edited
from harness.checks.scope import Claim, Scope, during
from harness.findings import Finding, Severity, SourceLine

__all__ = ["KINDS", "refused_loads"]

_KINDS = {
    RefusalReason.MISSING_GREENLET: "missing-greenlet",
    RefusalReason.DETACHED: "detached-instance",
    RefusalReason.FORBIDDEN: "forbidden-lazy-load",
}
KINDS = frozenset(_KINDS.values())

_HAPPENED = {
    RefusalReason.MISSING_GREENLET: "was read where nothing awaits the database (MissingGreenlet)",
    RefusalReason.DETACHED: "was read after its session was closed (DetachedInstanceError)",
    RefusalReason.FORBIDDEN: 'was read although its loading is forbidden (lazy="raise")',
}
_OTHERWISE = {
    RefusalReason.MISSING_GREENLET: "or await it: await obj.awaitable_attrs.{name}",
    RefusalReason.DETACHED: "or read it while the session is open",
    RefusalReason.FORBIDDEN: "or do not read it here",
}
_OF_COLUMNS = {
    RefusalReason.MISSING_GREENLET: "use sessionmaker(expire_on_commit=False), or await "
    "session.refresh(obj) first",
    RefusalReason.DETACHED: "use sessionmaker(expire_on_commit=False), or read it while the "
    "session is open",
    RefusalReason.FORBIDDEN: "add .options(undefer(…)) to the query, or do not read it here",
}


def refused_loads(scope: Scope) -> Iterator[Claim]:
    """Attributes whose load was refused."""
    for refusal in scope.refusals:
        if scope.is_a_tests_own(refusal):
            continue  # the test has met the exception itself
        yield Claim(_finding(scope, refusal), frozenset())


def _finding(scope: Scope, refusal: Refusal) -> Finding:
    about = refusal.attribute or refusal.entity or "an attribute"
    parents = scope.parent_query(refusal)
    query = parents.call_site if parents is not None else None
    return Finding(
        kind=_KINDS[refusal.reason],
        label=about,
        anchor=scope.anchor(refusal),
        severity=Severity.ERROR,
        title=f"{about} {_HAPPENED[refusal.reason]} {during(refusal.phase)}".rstrip(),
        fix=_fix(refusal, query),
        site=query or scope.site(refusal),
        related=scope.related(accessed=refusal.call_site if query is not None else None),
    )


def _fix(refusal: Refusal, query: SourceLine | None) -> str:
    if not refusal.is_relationship or refusal.attribute is None:
        return _OF_COLUMNS[refusal.reason]
    path = refusal.relationship_path or (refusal.attribute,)
    option = eager_option(path, is_scalar=refusal.is_scalar)
    code = query.code if query is not None else ""
    instead = edited(code, entity=refusal.parent_entity, option=option)
    name = refusal.attribute.rpartition(".")[2]
    otherwise = _OTHERWISE[refusal.reason].format(name=name)
    shown = f":\n{instead}\n" if instead else "; "
    return f"add .options({option}) to the query that loads the parents{shown}{otherwise}"
