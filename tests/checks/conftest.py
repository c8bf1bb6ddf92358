"""Records by hand, so that a check is asked about exactly what a test names."""

from collections.abc import Callable

import pytest

from harness.capture.fingerprint import fingerprint
from harness.capture.recording import Cause, Phase, RequestRecord, RoundTrip
from harness.findings import SourceLine

MakeTrip = Callable[..., RoundTrip]
MakeRequest = Callable[..., RequestRecord]


@pytest.fixture
def trip() -> MakeTrip:
    """Make a round trip of request 1; each call is a new statement with a value of its own."""
    made = 0

    def make(
        sql: str = "SELECT 1",
        *,
        cause: Cause = Cause.QUERY,
        request: int | None = 1,
        line: int = 10,
        value: int | None = None,
        entity: str | None = "User",
        relationship: str | None = None,
        parent: int | None = None,
        phase: Phase = Phase.HANDLER,
        batch: int = 0,
    ) -> RoundTrip:
        nonlocal made
        made += 1
        return RoundTrip(
            statement=made,
            batch=batch,
            database="blog",
            dialect="postgresql+asyncpg",
            fingerprint=fingerprint(sql, is_compiled=True),
            cause=cause,
            started_seconds=float(made),
            seconds=0.001,
            has_failed=False,
            row_count=1,
            parameters_key=made if value is None else value,
            connection=1,
            entity=entity,
            relationship=relationship,
            parent_key=parent,
            parent_entity="User" if parent is not None else None,
            request=request,
            phase=phase,
            call_site=SourceLine("shop/users.py", line, "list_users", f"line {line}"),
            stack_key=line,
        )

    return make


@pytest.fixture
def request_to() -> MakeRequest:
    """Make the record of a request."""

    def make(route: str = "/users", *, number: int = 1, status: int | None = 200) -> RequestRecord:
        return RequestRecord(
            number=number,
            method="GET",
            path=route,
            route=route,
            status=status,
            started_seconds=0.0,
            seconds=0.1,
            endpoint=SourceLine("shop/users.py", 5, "list_users"),
        )

    return make
