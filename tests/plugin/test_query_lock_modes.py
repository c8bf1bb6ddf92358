"""The query lock's modes: what each writes, and what it leaves alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.plugin.conftest import MAIN, Project

LOCK = "query-lock.json"
TESTS = """
import pytest

@pytest.mark.parametrize("turn", [1, 2])
async def test_counting(client, turn):
    await client.get("/authors")

async def test_adding(client):
    await client.post("/authors/ada")
"""
TWICE = MAIN.replace(
    "async def count_authors(session: Session) -> int:",
    "async def count_authors(session: Session) -> int:\n"
    "    await session.scalar(select(func.count()).select_from(Author))",
)


def endpoints(project: Project, dialect: str = "sqlite") -> dict[str, Any]:
    """What the lock has."""
    lock: dict[str, Any] = json.loads(project.read(LOCK))
    found: dict[str, Any] = lock["dialects"][dialect]
    return found


def statements(project: Project) -> dict[str, int]:
    """The totals of the lock."""
    return {name: counts["statements"] for name, counts in endpoints(project).items()}


def change_statements(project: Project, **numbers: int) -> None:
    """Write other totals, by method: ``GET=3``; endpoints of other methods go."""
    lock = json.loads(project.read(LOCK))
    counts = lock["dialects"]["sqlite"]
    kept = {name: counts[name] for name in counts if name.partition(" ")[0] in numbers}
    for name, count in kept.items():
        count["statements"] = number = numbers[name.partition(" ")[0]]
        count["shapes"] = count["shapes"] if number else {}
    lock["dialects"]["sqlite"] = kept
    project.write(LOCK, json.dumps(lock))


def test_without_a_lock_one_line_invites_and_nothing_is_written(local_project: Project) -> None:
    result = local_project.run(TESTS)

    result.assert_outcomes(passed=3)
    told = [line for line in result.outlines if "query" in line]
    assert told == [
        (
            "harness: 3 requests watched; pytest --query-lock=create keeps their counts in "
            "query-lock.json"
        )
    ]
    assert not local_project.path(LOCK).exists()


@pytest.mark.parametrize(
    ("tests", "options"),
    [("def test_nothing(): ...", ()), (TESTS, ("--query-lock=off",))],
    ids=["no requests", "off"],
)
def test_nobody_is_invited_who_has_no_use_for_it(
    local_project: Project, tests: str, options: tuple[str, ...]
) -> None:
    result = local_project.run(tests, *options)

    assert result.ret == 0
    result.stdout.no_fnmatch_line("*query*")


def test_create_writes_a_lock_that_the_next_run_leaves_as_it_is(local_project: Project) -> None:
    first = local_project.run(TESTS, "--query-lock=create")
    written = local_project.path(LOCK).read_bytes()
    second = local_project.run(TESTS)

    first.assert_outcomes(passed=3)
    first.stdout.fnmatch_lines(["query-lock.json: 2 endpoints added"])
    assert statements(local_project) == {"GET /authors": 1, "POST /authors/{name}": 2}
    second.assert_outcomes(passed=3)
    second.stdout.fnmatch_lines(["2 endpoints within what the lock allows"])
    assert local_project.path(LOCK).read_bytes() == written


def test_a_new_endpoint_is_added_at_home_and_fails_in_ci(
    local_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    local_project.run(TESTS, "--query-lock=create")
    change_statements(local_project, GET=1)
    before = local_project.read(LOCK)

    monkeypatch.setenv("CI", "true")
    in_ci = local_project.run(TESTS)
    after_ci = local_project.read(LOCK)
    monkeypatch.setenv("CI", "false")
    at_home = local_project.run(TESTS)

    in_ci.assert_outcomes(passed=3, failed=1)
    in_ci.stdout.fnmatch_lines(
        ["*POST /authors/{name} on sqlite*", "add them: pytest --query-lock=create"]
    )
    assert after_ci == before
    at_home.assert_outcomes(passed=3)
    assert statements(local_project) == {"GET /authors": 1, "POST /authors/{name}": 2}


def test_create_never_loosens(local_project: Project) -> None:
    local_project.run(TESTS, "--query-lock=create")
    before = local_project.read(LOCK)
    local_project.write("shop/main.py", TWICE)

    result = local_project.run(TESTS, "--query-lock=create")

    result.assert_outcomes(passed=3, failed=1)
    assert local_project.read(LOCK) == before


def test_check_without_a_file_fails_and_makes_none(local_project: Project) -> None:
    result = local_project.run(TESTS, "--query-lock=check")

    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*there is no query lock*", "*pytest --query-lock=create*"])
    assert not local_project.path(LOCK).exists()


def test_update_accepts_all_that_a_complete_run_has_shown(local_project: Project) -> None:
    local_project.run(TESTS, "--query-lock=create")
    local_project.write("shop/main.py", TWICE)

    result = local_project.run(TESTS.partition("async def test_adding")[0], "--query-lock=update")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["query-lock.json: 1 endpoint raised, 1 endpoint removed"])
    assert statements(local_project) == {"GET /authors": 2}


def test_update_raises_only_where_the_run_was_not_complete(local_project: Project) -> None:
    local_project.run(TESTS, "--query-lock=create")
    change_statements(local_project, GET=0, POST=5)

    result = local_project.run(TESTS, "--query-lock=update", "-k", "counting")

    result.assert_outcomes(passed=2, deselected=1)
    result.stdout.fnmatch_lines(
        [
            (
                "query-lock.json: 1 endpoint raised; nothing was lowered or removed: "
                "1 test was deselected by -k"
            )
        ]
    )
    assert statements(local_project) == {"GET /authors": 1, "POST /authors/{name}": 5}


def test_tighten_lowers_and_removes_and_accepts_nothing(local_project: Project) -> None:
    local_project.run(TESTS, "--query-lock=create")
    change_statements(local_project, GET=4, POST=1)
    local_project.write("shop/main.py", TWICE)

    result = local_project.run(TESTS, "--query-lock=tighten")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["query-lock.json: 1 endpoint lowered"])
    assert statements(local_project) == {"GET /authors": 2, "POST /authors/{name}": 1}


def test_less_than_the_lock_allows_is_a_hint(local_project: Project) -> None:
    local_project.run(TESTS, "--query-lock=create")
    change_statements(local_project, GET=4, POST=5)

    whole = local_project.run(TESTS)
    part = local_project.run(TESTS, "-k", "counting")

    whole.assert_outcomes(passed=3)
    whole.stdout.fnmatch_lines(
        ["2 endpoints run less than the query lock allows: pytest --query-lock=tighten"]
    )
    part.assert_outcomes(passed=2, deselected=1)
    part.stdout.no_fnmatch_line("*--query-lock=tighten*")


def test_a_test_may_have_counts_of_its_own_or_none(local_project: Project) -> None:
    result = local_project.run(
        """
        import pytest

        async def test_one(client):
            await client.get("/authors")

        @pytest.mark.query_lock("own")
        @pytest.mark.parametrize("turn", [1, 2])
        async def test_big(client, turn):
            await client.get("/authors")

        @pytest.mark.query_lock("off")
        async def test_odd(client):
            await client.get("/shelves")
        """,
        "--query-lock=create",
    )

    result.assert_outcomes(passed=4)
    assert list(endpoints(local_project)) == [
        "GET /authors",
        "GET /authors @ test_shop.py::test_big",
    ]


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ('"of"', "*query_lock('of'); did you mean 'off'? the marker takes one of 'own', 'off'*"),
        ("", "*query_lock(); the marker takes one of 'own', 'off'*"),
        ('"shared"', "*query_lock('shared'); the marker*"),
    ],
)
def test_a_marker_that_says_nothing_known_is_a_mistake_of_the_whole_run(
    local_project: Project, marker: str, told: str
) -> None:
    result = local_project.run(f"""
        import pytest

        @pytest.mark.query_lock({marker})
        def test_nothing(): ...
    """)

    assert result.ret == 4
    result.stderr.fnmatch_lines([told])


@pytest.mark.parametrize("name", ["report.html", "report", "."])
def test_a_report_of_no_known_format_is_refused_before_any_test(
    local_project: Project, name: str
) -> None:
    result = local_project.run(TESTS, f"--query-report={name}")

    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*--query-report={name}*"])
    assert result.outlines == []


@pytest.mark.parametrize("option", ["--query-lock=check", "--query-report=report.md"])
def test_a_project_without_configuration_cannot_be_gated(
    local_project: Project, option: str
) -> None:
    local_project.configure(table="")

    refused = local_project.run("def test_nothing(): ...", option)
    off = local_project.run("def test_nothing(): ...", "--query-lock=off")

    assert refused.ret == 4
    refused.stderr.fnmatch_lines(
        [f"*{option.partition('=')[0]} needs*[[]tool.harness[]]*", "*app = *"]
    )
    off.assert_outcomes(passed=1)
