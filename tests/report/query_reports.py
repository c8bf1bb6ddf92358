"""Query reports to render: one as a run leaves it, one with nothing, and any other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st

from harness.checks.regression import compared
from harness.findings import (
    Allowance,
    Finding,
    Judgement,
    RelatedSite,
    Severity,
    SourceLine,
    Verdict,
)
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.report.query_content import QueryReport
from tests.lock.strategies import CASES, locks

__all__ = ["EMPTY", "EXAMPLE", "LAZY_LOAD", "SOME", "of_shapes", "reports", "with_findings"]

SOME = settings(CASES, max_examples=40)
"""As many reports as two seconds make."""

_USERS = "SELECT users.id, users.email, users.name FROM users ORDER BY users.id LIMIT ?"
_POSTS = "SELECT posts.id, posts.title, posts.author_id FROM posts WHERE posts.author_id = ?"
_COUNT = "SELECT count(users.id) AS total FROM users WHERE users.is_active IS true"
_HEALTH = "SELECT ?"

LAZY_LOAD = Finding(
    kind="n-plus-one",
    label="User.posts",
    anchor="GET /users",
    severity=Severity.ERROR,
    title="User.posts was loaded 6 times, once for each of 6 parents while the response was "
    "serialised",
    fix="users = await session.scalars(select(User).options(selectinload(User.posts)))",
    site=SourceLine(
        "shop/users.py", 28, "list_users", "users = await session.scalars(select(User))"
    ),
    related=(
        RelatedSite(
            "attribute accessed", SourceLine("shop/schemas.py", 31, "UserOut", "posts: list[Post]")
        ),
    ),
    evidence=(("parents", "6"), ("database time", "5.4 ms")),
)
_ACCEPTED = replace(LAZY_LOAD, anchor="GET /authors")
_BEFORE = QueryLock(
    {
        "postgresql": {
            "GET /users": EndpointCounts(
                2,
                2,
                {
                    "0a": ShapeCount(_USERS, 1, grows=False),
                    "1b": ShapeCount(_COUNT, 1, grows=False),
                },
            ),
            "GET /users/{user_id}": EndpointCounts(
                2, 2, {"1b": ShapeCount(_COUNT, 2, grows=False)}
            ),
        }
    }
)
_AFTER = QueryLock(
    {
        "postgresql": {
            "GET /users": EndpointCounts(
                7,
                7,
                {"0a": ShapeCount(_USERS, 1, grows=False), "2c": ShapeCount(_POSTS, 6, grows=True)},
            ),
            "GET /users/{user_id}": EndpointCounts(
                1, 1, {"1b": ShapeCount(_COUNT, 1, grows=False)}
            ),
            "GET /health": EndpointCounts(1, 1, {"3d": ShapeCount(_HEALTH, 1, grows=False)}),
        }
    }
)

EXAMPLE = QueryReport(
    harness_version="0.1.0",
    application="shop.main:app",
    mode="check",
    verdict=Verdict.FAIL,
    problems=(),
    gaps=("2 tests were skipped",),
    tests=14,
    seen=_AFTER,
    changes=compared(_BEFORE, _AFTER),
    sites={
        "GET /users": SourceLine("shop/users.py", 26, "list_users", "async def list_users("),
        "GET /users/{user_id}": SourceLine(
            "shop/users.py", 40, "read_user", "async def read_user("
        ),
    },
    witnesses={
        ("postgresql", "GET /users", ""): "tests/test_users.py::test_all_users_are_listed",
        ("postgresql", "GET /users", "2c"): "tests/test_users.py::test_all_users_are_listed",
    },
    judgement=Judgement(
        open=(LAZY_LOAD,),
        accepted=((_ACCEPTED, Allowance(_ACCEPTED.identity, "a page of one author")),),
        unmatched=(Allowance("n-plus-one User.postz @ GET /users", "mistyped"),),
    ),
)
"""A regression with its finding, an improvement, a new endpoint."""

EMPTY = QueryReport(
    harness_version="0.1.0",
    application="shop.main:app",
    mode="check",
    verdict=Verdict.INCONCLUSIVE,
    problems=(),
    gaps=(),
    tests=0,
    seen=QueryLock(),
    changes=(),
    sites={},
    witnesses={},
    judgement=Judgement((), (), ()),
)
"""A run that saw nothing."""


def of_shapes(
    number: int, *, text: str = "SELECT {number}", report: QueryReport = EXAMPLE
) -> QueryReport:
    """The example with so many new statements at its endpoint."""
    shapes = {
        f"{each:04x}": ShapeCount(text.replace("{number}", str(each)), 2, grows=False)
        for each in range(number)
    }
    after = QueryLock(
        {"postgresql": {"GET /users": EndpointCounts(2 * number, 2 * number, shapes)}}
    )
    return replace(report, seen=after, changes=compared(_BEFORE, after))


def with_findings(*findings: Finding, report: QueryReport = EXAMPLE) -> QueryReport:
    """The example with other open findings."""
    return replace(report, judgement=Judgement(findings, (), ()))


_TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        "`|`",
        "</details><script>",
        "@octocat #1 :smile: $x$",
        "a\\|b",
        "x" * 4_000,
        "SELECT " + "column, " * 500 + "1 FROM t WHERE a = ?",
        "line\nbreak\r\n::error::x",
        "%25,:",
        "日本語" * 100,
        "\ud800",
        "**bold** [link](javascript:x) ![](x)",
        "GET /users",
    ]
)
_SITES = st.builds(
    SourceLine,
    path=st.sampled_from(["shop/a.py", "/usr/lib/x.py", "../x.py", "sch ön/ü%.py", "", "C:/x.py"]),
    line=st.integers(0, 99),
    function=_TEXTS,
    code=_TEXTS,
)
_FINDINGS = st.builds(
    Finding,
    kind=st.sampled_from(["n-plus-one", "write-loop", "brand-new"]),
    label=_TEXTS,
    anchor=_TEXTS,
    severity=st.sampled_from(Severity),
    title=_TEXTS,
    fix=_TEXTS,
    site=st.none() | _SITES,
    related=st.lists(st.builds(RelatedSite, _TEXTS, _SITES), max_size=2).map(tuple),
    evidence=st.lists(st.tuples(_TEXTS, _TEXTS), max_size=2).map(tuple),
)


@st.composite
def reports(draw: st.DrawFn) -> QueryReport:
    """Any report: its parts need not fit each other."""
    before, after = draw(locks()), draw(locks())
    changes = compared(before, after)
    names = st.sampled_from(["GET /users", *(change.endpoint for change in changes)])
    dialects = st.sampled_from(["postgresql", "sqlite"])
    return QueryReport(
        harness_version="0.1.0",
        application=draw(_TEXTS),
        mode=draw(st.sampled_from(["check", "create", "tighten", "update", "off"])),
        verdict=draw(st.sampled_from(Verdict)),
        problems=tuple(draw(st.lists(_TEXTS, max_size=2))),
        gaps=tuple(draw(st.lists(_TEXTS, max_size=2))),
        tests=draw(st.integers(0, 10_000)),
        seen=after,
        changes=changes,
        sites=draw(st.dictionaries(names, _SITES, max_size=2)),
        witnesses=draw(
            st.dictionaries(
                st.tuples(dialects, names, st.sampled_from(["", "0a"])), _TEXTS, max_size=2
            )
        ),
        judgement=Judgement(
            open=tuple(draw(st.lists(_FINDINGS, max_size=3))),
            accepted=tuple(
                (finding, Allowance(finding.identity, draw(_TEXTS)))
                for finding in draw(st.lists(_FINDINGS, max_size=1))
            ),
            unmatched=(),
        ),
    )
