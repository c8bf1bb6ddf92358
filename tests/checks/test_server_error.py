"""Answers that say the application failed, one finding for each route."""

from collections.abc import Callable

import pytest

from harness.capture.recording import Recording, RequestRecord
from harness.checks.server_error import server_errors

MakeRequest = Callable[..., RequestRecord]


@pytest.mark.parametrize("status", [200, 204, 302, 404, 422, 499])
def test_answers_below_500_are_no_fault(request_to: MakeRequest, status: int) -> None:
    assert server_errors(Recording(requests=(request_to(status=status),))) == []


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_names_request_and_endpoint(request_to: MakeRequest, status: int) -> None:
    (finding,) = server_errors(Recording(requests=(request_to("/users", status=status),)))

    assert finding.identity == f"server-error {status} @ GET /users"
    assert finding.title == f"GET /users answered {status} for /users"
    assert finding.site is not None


def test_no_answer_at_all_is_a_server_error(request_to: MakeRequest) -> None:
    (finding,) = server_errors(Recording(requests=(request_to(status=None),)))

    assert finding.identity == "server-error raised @ GET /users"


def test_a_route_is_named_once(request_to: MakeRequest) -> None:
    requests = tuple(request_to(number=number, status=500) for number in range(3))

    assert len(server_errors(Recording(requests=requests))) == 1


def test_routes_and_statuses_are_told_apart(request_to: MakeRequest) -> None:
    requests = (
        request_to("/a", status=500),
        request_to("/b", status=500),
        request_to("/a", status=502),
    )

    assert len(server_errors(Recording(requests=requests))) == 3
