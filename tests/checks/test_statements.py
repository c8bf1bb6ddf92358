"""N+1 is found in every fault of the reference application, and in none of their twins."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from harness.capture.recording import Cause, Phase, Recording, RequestRecord, RoundTrip
from harness.checks.statements import statement_findings
from harness.findings import Severity
from harness.pytest_plugin.queries import Queries
from target_app.models import User

MakeTrip = Callable[..., RoundTrip]
MakeRequest = Callable[..., RequestRecord]

FAULTS = {
    "authors": ("User.posts", "authors_with_lazy_posts", "_posts_one_by_one", "selectinload"),
    "post-authors": ("Post.author", "posts_with_lazy_author", "_authors_one_by_one", "joinedload"),
    "post-tags": ("Post.tags", "posts_with_lazy_tags", "_tags_one_by_one", "selectinload"),
}
FILE = "target_app/faults/n_plus_one.py"


@pytest.mark.parametrize("name", FAULTS)
async def test_a_lazy_load_per_row_leads_to_the_query_of_the_rows(
    client: httpx.AsyncClient, queries: Queries, name: str
) -> None:
    relationship, endpoint, accessing, loader = FAULTS[name]

    await client.get(f"/faults/n-plus-one/{name}")

    (finding,) = queries.findings
    assert finding.identity == f"n-plus-one {relationship} @ GET /faults/n-plus-one/{name}"
    assert f"options({loader}({relationship}))" in finding.fix
    assert finding.site is not None
    assert (finding.site.path, finding.site.function) == (FILE, endpoint)
    assert finding.site.code.startswith(("authors = await", "posts = await"))
    accessed = {item.role: item.site for item in finding.related}["attribute accessed"]
    assert (accessed.path, accessed.function) == (FILE, accessing)


async def test_a_get_in_a_loop_leads_to_the_loop(
    client: httpx.AsyncClient, queries: Queries
) -> None:
    await client.get("/faults/query-in-loop/profiles")

    (finding,) = queries.findings
    assert finding.label == "User in _users_one_by_one"
    assert finding.site is not None
    assert (finding.site.path, finding.site.function) == (
        "target_app/faults/query_in_loop.py",
        "_users_one_by_one",
    )
    assert "session.get_one(User, user_id)" in finding.site.code


@pytest.mark.parametrize(
    "twin", [*(f"n-plus-one/{name}" for name in FAULTS), "query-in-loop/profiles"]
)
async def test_the_healthy_twin_of_a_fault_is_clean(
    client: httpx.AsyncClient, queries: Queries, twin: str
) -> None:
    await client.get(f"/twins/{twin}")

    assert queries.count <= 2
    assert queries.findings == []


async def test_one_row_is_no_n_plus_one(client: httpx.AsyncClient, queries: Queries) -> None:
    await client.get("/faults/n-plus-one/authors?limit=1")

    assert queries.count == 2
    assert queries.findings == []


async def test_two_rows_are_enough(client: httpx.AsyncClient, queries: Queries) -> None:
    await client.get("/faults/n-plus-one/authors?limit=2")

    (finding,) = queries.findings
    assert finding.title == "User.posts was loaded 2 times, once for each of 2 parents"


async def test_six_requests_of_a_clean_endpoint_are_no_n_plus_one(
    client: httpx.AsyncClient, queries: Queries
) -> None:
    for number in range(1, 7):
        await client.get(f"/users/{number}")

    assert queries.count == 6
    assert queries.findings == []


async def test_pages_that_the_test_itself_reads_are_no_n_plus_one(
    db_session: AsyncSession, queries: Queries
) -> None:
    for offset in range(0, 9, 3):
        await db_session.scalars(select(User).order_by(User.id).limit(3).offset(offset))

    assert queries.count == 3
    assert queries.findings == []


async def test_the_identity_depends_on_neither_rows_nor_lines(
    client: httpx.AsyncClient, queries: Queries
) -> None:
    await client.get("/faults/n-plus-one/authors?limit=3")
    (few,) = queries.findings
    taken = queries.recording

    moved = Recording(
        round_trips=tuple(
            replace(trip, call_site=replace(trip.call_site, line=trip.call_site.line + 7))
            for trip in taken.round_trips
            if trip.call_site is not None
        )[:-1],
        requests=taken.requests,
    )

    (many,) = statement_findings(moved)
    assert many != few
    assert many.identity == few.identity


async def test_every_endpoint_has_an_identity_of_its_own(
    trip: MakeTrip, request_to: MakeRequest
) -> None:
    trips = [
        trip(cause=Cause.LAZY, relationship="User.posts", parent=parent, request=number)
        for number in (1, 2)
        for parent in (1, 2)
    ]
    requests = (request_to("/users", number=1), request_to("/authors", number=2))

    found = statement_findings(Recording(round_trips=tuple(trips), requests=requests))

    assert [finding.anchor for finding in found] == ["GET /authors", "GET /users"]


def test_the_same_fault_in_two_requests_is_found_once(
    trip: MakeTrip, request_to: MakeRequest
) -> None:
    trips = [
        trip(cause=Cause.LAZY, relationship="User.posts", parent=parent, request=number)
        for number in (1, 2)
        for parent in (1, 2)
    ]
    requests = (request_to(number=1), request_to(number=2))

    assert len(statement_findings(Recording(round_trips=tuple(trips), requests=requests))) == 1


def test_two_gets_on_two_lines_are_no_n_plus_one(trip: MakeTrip, request_to: MakeRequest) -> None:
    trips = [trip(line=line) for line in (10, 11, 12, 13, 14, 15)]

    assert statement_findings(Recording(round_trips=tuple(trips), requests=(request_to(),))) == []


def test_lazy_loads_on_two_lines_are_no_n_plus_one(trip: MakeTrip, request_to: MakeRequest) -> None:
    trips = [
        trip(cause=Cause.LAZY, relationship="User.posts", parent=line, line=line)
        for line in (10, 11)
    ]

    assert statement_findings(Recording(round_trips=tuple(trips), requests=(request_to(),))) == []


def test_the_same_parent_twice_is_no_n_plus_one(trip: MakeTrip, request_to: MakeRequest) -> None:
    trips = [trip(cause=Cause.LAZY, relationship="User.posts", parent=1) for _ in range(2)]

    assert statement_findings(Recording(round_trips=tuple(trips), requests=(request_to(),))) == []


def test_the_chunks_of_an_eager_loader_are_no_n_plus_one(
    trip: MakeTrip, request_to: MakeRequest
) -> None:
    chunks = [trip(cause=Cause.LOADER, relationship="User.posts") for _ in range(5)]

    taken = Recording(round_trips=(trip(), *chunks), requests=(request_to(),))

    assert statement_findings(taken) == []


def test_writes_in_a_loop_are_no_n_plus_one(trip: MakeTrip, request_to: MakeRequest) -> None:
    trips = [trip("INSERT INTO a VALUES (?)", cause=Cause.BULK) for _ in range(6)]

    (finding,) = statement_findings(Recording(round_trips=tuple(trips), requests=(request_to(),)))

    assert finding.kind == "write-loop"


def test_polling_with_the_same_value_is_no_n_plus_one(
    trip: MakeTrip, request_to: MakeRequest
) -> None:
    trips = [trip(value=7) for _ in range(6)]

    assert statement_findings(Recording(round_trips=tuple(trips), requests=(request_to(),))) == []


@pytest.mark.parametrize(
    ("times", "severities"),
    [(2, []), (3, [Severity.WARNING]), (4, [Severity.WARNING]), (5, [Severity.ERROR])],
)
@pytest.mark.parametrize("cause", [Cause.QUERY, Cause.CORE, Cause.RAW])
def test_a_repeated_statement_is_certain_from_five_runs_on(
    trip: MakeTrip,
    request_to: MakeRequest,
    cause: Cause,
    times: int,
    severities: list[Severity],
) -> None:
    trips = [trip(cause=cause) for _ in range(times)]

    found = statement_findings(Recording(round_trips=tuple(trips), requests=(request_to(),)))

    assert [finding.severity for finding in found] == severities


def test_lazy_loads_outside_of_requests_belong_to_their_function(trip: MakeTrip) -> None:
    trips = [
        trip(cause=Cause.LAZY, relationship="User.posts", parent=parent, request=None)
        for parent in (1, 2)
    ]

    (finding,) = statement_findings(Recording(round_trips=tuple(trips)))

    assert finding.identity == "n-plus-one User.posts @ shop/users.py::list_users"


def test_the_title_says_when_the_loads_ran(trip: MakeTrip, request_to: MakeRequest) -> None:
    trips = [
        trip(cause=Cause.LAZY, relationship="U.p", parent=parent, phase=Phase.SERIALISATION)
        for parent in (1, 2)
    ]

    (finding,) = statement_findings(Recording(round_trips=tuple(trips), requests=(request_to(),)))

    assert finding.title.endswith("while the response was serialised")


def test_the_batches_of_a_bulk_insert_are_no_repetition(
    trip: MakeTrip, request_to: MakeRequest
) -> None:
    batches = [trip(cause=Cause.CORE, batch=batch) for batch in range(6)]

    assert statement_findings(Recording(round_trips=tuple(batches), requests=(request_to(),))) == []
