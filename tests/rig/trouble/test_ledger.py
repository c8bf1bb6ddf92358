"""What was answered against what is there, and the ways to find it again."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import URL, text

from harness.campaign.asked_keys import keys_by_get
from harness.capture.reckoning import Write, reckon
from harness.config import WriteRoute
from harness.errors import ConfigurationError, UnreachableTargetError
from harness.rig.trouble.ledger import keys_by_select
from tests.rig.trouble.conftest import EngineOn

NOTES = "SELECT text FROM notes WHERE starts_with(text, $1)"


class _Notes(BaseHTTPRequestHandler):
    """Knows a few notes by their text."""

    def do_GET(self) -> None:
        key = self.path.removeprefix("/notes/")
        known = {"once": ["once"], "twice": ["twice", "twice"]}
        if self.headers["Authorization"] != "Bearer x" or key == "broken":
            self.send_error(500)
        elif key not in known:
            self.send_error(404)
        else:
            content = json.dumps(known[key]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def notes_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Notes) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


def test_everything_there_once_is_nothing_lost() -> None:
    reckoning = reckon([Write("a", 201), Write("b", 200)], {"a": 1, "b": 1})

    assert reckoning.is_nothing_lost
    assert (reckoning.sent, reckoning.answered) == (2, 2)


def test_a_write_that_was_answered_and_is_not_there_is_lost() -> None:
    reckoning = reckon([Write("a", 201), Write("b", 204)], {"a": 1})

    assert reckoning.lost == ("b",)
    assert not reckoning.is_nothing_lost


@pytest.mark.parametrize("status", [201, None, 500])
def test_a_write_that_is_there_twice_is_doubled_whatever_was_answered(status: int | None) -> None:
    reckoning = reckon([Write("a", status)], {"a": 2})

    assert reckoning.doubled == ("a",)
    assert not reckoning.is_nothing_lost


def test_without_an_answer_both_are_fine() -> None:
    reckoning = reckon([Write("a", None), Write("b", None)], {"a": 1})

    assert reckoning.is_nothing_lost
    assert (reckoning.unknown, reckoning.unknown_there) == (2, 1)


def test_a_failed_write_that_is_there_is_counted_apart() -> None:
    reckoning = reckon([Write("a", 500), Write("b", 409), Write("c", 302)], {"a": 1})

    assert reckoning.is_nothing_lost
    assert (reckoning.failed, reckoning.failed_there) == (3, 1)


def test_a_repeated_write_is_one_key_and_its_best_answer_counts() -> None:
    writes = [Write("a", None), Write("a", 201), Write("b", 503), Write("b", None)]

    reckoning = reckon(writes, {})

    assert (reckoning.sent, reckoning.lost) == (2, ("a",))
    assert (reckoning.unknown, reckoning.failed) == (1, 0)


def test_what_nobody_sent_is_a_stranger_and_no_loss() -> None:
    reckoning = reckon([Write("a", 201)], {"a": 1, "x": 3})

    assert reckoning.strangers == ("x",)
    assert reckoning.is_nothing_lost


def test_keys_are_read_from_the_database(url: URL, engine_on: EngineOn) -> None:
    with engine_on(url).begin() as connection:
        for note in ("run-1", "run-2", "run-2", "other", "run%"):
            connection.execute(text("INSERT INTO notes VALUES (:note)"), {"note": note})

    found = keys_by_select(url, NOTES, beginning="run-")

    assert found == Counter({"run-1": 1, "run-2": 2})


def test_a_select_that_the_server_refuses_is_shown(url: URL) -> None:
    with pytest.raises(ConfigurationError, match="keys cannot be read") as caught:
        keys_by_select(url, "SELECT nothing FROM nowhere WHERE $1 <> ''", beginning="a")

    assert "nowhere" in caught.value.where


def test_keys_are_asked_of_the_application(notes_url: str) -> None:
    found = keys_by_get(
        notes_url,
        "/notes/{key}",
        ["once", "twice", "none"],
        headers={"Authorization": "Bearer x"},
    )

    assert found == Counter({"once": 1, "twice": 2})


def test_an_application_that_answers_with_an_error_is_not_taken_for_a_loss(notes_url: str) -> None:
    with pytest.raises(UnreachableTargetError, match="answers 500"):
        keys_by_get(notes_url, "/notes/{key}", ["once"])


def test_an_application_that_is_gone_is_not_taken_for_a_loss() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # taken, and nobody listens
        gone = f"http://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(UnreachableTargetError, match="does not answer"):
            keys_by_get(gone, "/notes/{key}", ["once"])


def test_braces_of_json_stand_beside_the_placeholder() -> None:
    route = WriteRoute("/notes", '{"nested": {"text": "{key}"}}', select=NOTES)

    assert json.loads(route.body_for("k-1")) == {"nested": {"text": "k-1"}}


@pytest.mark.parametrize(
    ("body", "finder", "what"),
    [
        ('{"text": "x"}', {"select": NOTES}, "its body has no {key}"),
        ("{key", {"select": NOTES}, "its body has no {key}"),
        ('{"text": "{key}"', {"select": NOTES}, "its body is no JSON"),
        ('{"text": "{key}"}', {"select": "SELECT text FROM notes"}, "its select has no $1"),
        ('{"text": "{key}"}', {"get": "/notes"}, "its get has no {key}"),
        ('{"text": "{key}"}', {}, "nothing finds its keys"),
    ],
)
def test_a_route_that_cannot_work_is_refused(body: str, finder: dict[str, str], what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        WriteRoute("/notes", body, **finder)

    assert what in caught.value.what
    assert "POST /notes" in caught.value.where
