"""What tests have shown is a maximum: in any order, over any processes, without values."""

from __future__ import annotations

import json
from collections.abc import Sequence

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import StaticPool, create_engine, func, literal, select, text

from harness.capture.recorder import recording
from harness.capture.recording import Cause, Phase, Recording, RoundTrip, Tally
from harness.capture.requests import ActiveRequest
from harness.capture.source import SourceMap
from harness.capture.tracking import RequestTracker
from harness.findings import SourceLine
from harness.lock.counts import EndpointCounts
from harness.lock.file import from_text, to_text
from harness.lock.observing import Observed, as_json, combined, from_json, observed
from tests.lock.strategies import CASES, recordings, request_to, trip

TEST = "tests/test_users.py::test_list"
USERS = "GET /users"
A, B = "SELECT a", "SELECT b"


def id_of(sql: str) -> str:
    return trip(sql).fingerprint.id


def seen_in(*trips: RoundTrip, requests: int = 1) -> Recording:
    """A recording of requests to one endpoint."""
    return Recording(
        round_trips=trips,
        requests=tuple(request_to(number=number) for number in range(1, requests + 1)),
    )


def of_users(found: Observed, *, dialect: str = "postgresql") -> EndpointCounts:
    return found.counts.dialects[dialect][USERS]


def runs(sql: str, times: int, *, request: int = 1) -> list[RoundTrip]:
    return [trip(sql, request=request, statement=number) for number in range(times)]


def test_an_endpoint_has_its_statements_by_shape() -> None:
    found = of_users(observed(seen_in(*runs(A, 2), *runs(B, 1)), test=TEST))

    assert (found.statements, found.round_trips) == (3, 3)
    assert {shape.text: shape.most for shape in found.shapes.values()} == {A: 2, B: 1}
    assert set(found.shapes) == {id_of(A), id_of(B)}


def test_the_batches_of_a_statement_are_round_trips_of_one_statement() -> None:
    batches = [trip(A, batch=batch) for batch in range(3)]

    found = of_users(observed(seen_in(*batches), test=TEST))

    assert (found.statements, found.round_trips) == (1, 3)
    assert found.shapes[id_of(A)].most == 1


def test_requests_of_one_test_are_a_maximum_and_no_sum() -> None:
    taken = seen_in(*runs(A, 2), *runs(A, 1, request=2), *runs(B, 1, request=2), requests=2)

    found = of_users(observed(taken, test=TEST))

    assert found.statements == 2
    assert {shape.text: shape.most for shape in found.shapes.values()} == {A: 2, B: 1}


@pytest.mark.parametrize("phase", Phase)
def test_statements_of_every_phase_of_the_request_count(phase: Phase) -> None:
    assert of_users(observed(seen_in(trip(phase=phase)), test=TEST)).statements == 1


@pytest.mark.parametrize("cause", Cause)
def test_statements_of_every_cause_but_reflection_count(cause: Cause) -> None:
    found = observed(seen_in(trip(cause=cause)), test=TEST)

    assert bool(found.counts.dialects) is (cause is not Cause.REFLECTION)


def test_two_drivers_of_one_dialect_are_one_dialect() -> None:
    taken = seen_in(trip(dialect="postgresql+asyncpg"), trip(dialect="postgresql+psycopg"))

    assert of_users(observed(taken, test=TEST)).statements == 2


def test_two_dialects_in_one_request_are_counted_apart() -> None:
    found = observed(seen_in(trip(A), *(trip(B, dialect="sqlite") for _ in range(2))), test=TEST)

    assert of_users(found).statements == 1
    assert of_users(found, dialect="sqlite").statements == 2


def test_a_request_without_a_route_is_left_out() -> None:
    nowhere = ActiveRequest(1, {"type": "http"}, 0.0).route
    taken = Recording(round_trips=(trip(),), requests=(request_to(nowhere),))

    assert observed(taken, test=TEST) == Observed()


def test_statements_outside_of_requests_are_left_out() -> None:
    assert observed(seen_in(trip(request=None)), test=TEST).counts.dialects == {}


def test_a_request_that_has_not_ended_is_left_out() -> None:
    assert observed(seen_in(trip(request=9)), test=TEST).counts.dialects == {}


def test_an_endpoint_without_statements_has_its_place_and_no_counts() -> None:
    found = observed(seen_in(), test=TEST)

    assert found.counts.dialects == {}
    assert found.sites == {USERS: SourceLine("shop/api.py", 11, "handler1")}


def test_a_statement_that_a_finding_claims_grows() -> None:
    trips = [trip(A, statement=1), trip(A, statement=2), trip(B, statement=3)]

    found = of_users(observed(seen_in(*trips), test=TEST, growing={2}))

    assert {shape.text: shape.grows for shape in found.shapes.values()} == {A: True, B: False}


@pytest.mark.parametrize(
    "test",
    [
        "tests/test_users.py::TestBig::test_list",
        "tests/test_users.py::TestBig::test_list[1-a::b]",
        "tests/test_users.py::TestBig::test_list[a@b]@group",
        "tests/test_users.py::TestBig::test_list@group",
    ],
)
def test_a_test_with_counts_of_its_own_is_named_without_its_parameters(test: str) -> None:
    found = observed(seen_in(trip()), test=test, own_entry=True)

    own = "GET /users @ tests/test_users.py::TestBig::test_list"
    assert list(found.counts.dialects["postgresql"]) == [own]
    assert set(found.witnesses) == {("postgresql", own, ""), ("postgresql", own, id_of("SELECT 1"))}
    assert list(found.sites) == [USERS]


def test_a_folder_with_brackets_stays_in_the_name() -> None:
    found = observed(seen_in(trip()), test="tests/[id]/test_a.py::test_b[1]", own_entry=True)

    assert list(found.counts.dialects["postgresql"]) == [
        "GET /users @ tests/[id]/test_a.py::test_b"
    ]


def test_a_request_whose_records_were_cut_short_is_told_and_not_counted() -> None:
    taken = Recording(
        round_trips=(trip(request=1), trip(request=2)),
        requests=(request_to(number=1), request_to("/posts", number=2)),
        tallies=(Tally(1, 1_500, 1_500, kept=1), Tally(2, 1, 1, kept=1)),
    )

    found = observed(taken, test=TEST)

    assert list(found.counts.dialects["postgresql"]) == ["GET /posts"]
    (reason,) = found.blind
    assert reason == f"{TEST}: GET /users: 1,500 round trips, of which 1 are described"


def test_what_was_cut_short_outside_of_requests_blinds_nobody() -> None:
    taken = Recording(
        round_trips=(trip(),), requests=(request_to(),), tallies=(Tally(None, 20, 20, kept=1),)
    )

    assert observed(taken, test=TEST).blind == ()


def test_a_recorder_that_failed_has_seen_nothing() -> None:
    taken = Recording(round_trips=(trip(),), requests=(request_to(),), failure="KeyError: 'a'")

    found = observed(taken, test=TEST)

    assert found == Observed(blind=(f"{TEST}: the recorder failed: KeyError: 'a'",))


def test_the_witness_is_the_test_that_shows_the_maximum() -> None:
    few = observed(seen_in(*runs(A, 1), *runs(B, 3)), test="a")
    many = observed(seen_in(*runs(A, 3)), test="b")

    found = combined(few, many).witnesses

    assert found["postgresql", USERS, id_of(A)] == "b"
    assert found["postgresql", USERS, id_of(B)] == "a"
    assert found["postgresql", USERS, ""] == "a"


def test_among_equal_maxima_the_smallest_test_is_the_witness() -> None:
    found = [observed(seen_in(trip(A)), test=test) for test in "cab"]

    assert set(combined(*found).witnesses.values()) == {"a"}


def test_every_count_has_a_witness() -> None:
    found = observed(seen_in(*runs(A, 2)), test=TEST)

    assert found.witnesses == {
        ("postgresql", USERS, ""): TEST,
        ("postgresql", USERS, id_of(A)): TEST,
    }


def test_one_of_two_functions_of_an_endpoint_is_its_place_in_any_order() -> None:
    first, second = (
        Observed(sites={USERS: SourceLine("shop/api.py", line, "users")}) for line in (3, 4)
    )

    assert combined(first, second).sites == combined(second, first).sites == first.sites


def test_nothing_combined_is_nothing_seen() -> None:
    assert combined() == Observed()


def _all_of(taken: Sequence[Recording]) -> list[Observed]:
    return [observed(one, test=f"test_{number}") for number, one in enumerate(taken)]


@CASES
@given(st.lists(recordings(), min_size=1, max_size=5), st.data())
def test_any_order_of_tests_over_any_workers_comes_to_the_same(
    taken: list[Recording], data: st.DataObject
) -> None:
    found = _all_of(taken)
    workers = data.draw(st.lists(st.integers(0, 2), min_size=len(found), max_size=len(found)))
    ordered = data.draw(st.permutations(list(zip(workers, found, strict=True))))

    by_worker = [combined(*(one for at, one in ordered if at == number)) for number in range(3)]
    sent = [from_json(as_json(one)) for one in by_worker]

    assert combined(*sent) == combined(*found)
    assert to_text(combined(*sent).counts) == to_text(combined(*found).counts)


@CASES
@given(st.lists(recordings(), max_size=3))
def test_seeing_a_test_again_changes_nothing(taken: list[Recording]) -> None:
    found = combined(*_all_of(taken))

    assert combined(found, *_all_of(taken)) == found


@CASES
@given(recordings())
def test_what_was_seen_can_be_written_and_read(taken: Recording) -> None:
    counts = observed(taken, test=TEST, growing={1, 3}).counts

    assert from_text(to_text(counts), where="query-lock.json") == counts


@CASES
@given(recordings())
def test_the_way_to_another_process_loses_nothing(taken: Recording) -> None:
    found = observed(taken, test=TEST, growing={1}, own_entry=True)

    assert from_json(as_json(found)) == found


async def test_no_value_of_a_real_request_reaches_the_lock(pytestconfig: pytest.Config) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    app, tracker = FastAPI(), RequestTracker()

    @app.get("/secrets/{name}")
    async def secrets(name: str) -> int:
        with engine.connect() as connection:
            # The same value in every way that a statement can carry one, and a number.
            connection.execute(select(func.length(name), func.abs(4711)))
            connection.execute(text("SELECT length(:name), 4711"), {"name": name})
            connection.execute(text(f"SELECT length('{name}'), 4711 -- {name}"))
            connection.exec_driver_sql(f"SELECT '{name}', 4711 /* {name} */")
            connection.execute(select(literal(name).in_([name, "4711"])))
        return 1

    transport = httpx.ASGITransport(tracker.wrap(app))
    with recording(SourceMap(pytestconfig.rootpath), requests=tracker) as recorder:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.get("/secrets/hunter2")
    engine.dispose()
    found = observed(recorder.snapshot(), test=TEST)

    assert answer.status_code == 200
    assert found.counts.dialects["sqlite"]["GET /secrets/{name}"].statements == 5
    for written in (to_text(found.counts), as_json(found)):
        assert "hunter2" not in written
        assert "4711" not in written
    assert json.loads(as_json(found))["sites"]["GET /secrets/{name}"][2].endswith("secrets")
