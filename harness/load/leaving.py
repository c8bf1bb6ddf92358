"""Users that leave before the answer, as people close a tab and clients run into their time limit.

How long an answer usually takes they learn from requests that they do wait for. Whoever has left
waits for as long as the answer would have taken, so that the application gets no more work than
from users that stay: it is the leaving that is tested, and not an overload.
"""

from __future__ import annotations

import random
import time
from argparse import ArgumentParser
from contextlib import suppress

import gevent
from locust import events

from harness.load.exchange import FAILURES, Head, exchange, tell
from harness.load.listeners import session_of
from harness.load.routes import without_method
from harness.load.tally import Answer
from harness.load.users import HarnessUser

__all__ = ["LeavingUser"]

_SHARE_LEAVING = 0.75
_LONGEST_PATIENCE_SECONDS = 1.0
_EARLIEST, _LATEST = 0.1, 0.9
"""Shares of what an answer usually takes."""


@events.init_command_line_parser.add_listener
def _add_option(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--share-leaving",
        metavar="SHARE",
        type=float,
        default=_SHARE_LEAVING,
        help="Share of the requests (0 to 1) whose client leaves before the answer, where a "
        "scenario has such clients",
    )


class LeavingUser(HarnessUser):
    """A user that closes the connection before the answer, mostly.

    Requests that it has left are counted by themselves (`Tally.left`): they have no answer that
    could be good or bad.
    """

    abstract = True

    def get(self, template: str, **values: object) -> None:
        """Request a route, and mostly leave; see `HarnessUser.get`."""
        self.visit(f"GET {template.partition('?')[0]}", template.format(**values))

    def visit(self, name: str, path: str) -> None:
        """Request a path, and mostly leave.

        Args:
            name: The route: ``GET /users/{user_id}``.
            path: With the query, if there is one.
        """
        known = session_of().run.tally.latency(name, of=(Answer.OK, Answer.REDIRECT))
        if not known.count or not self._is_leaving():
            self.client.get(path, name=without_method(name))
            return
        began_seconds = time.monotonic()
        usual_seconds = known.percentile(0.5)
        patience_seconds = min(
            random.uniform(_EARLIEST, _LATEST) * usual_seconds,  # noqa: S311 - no secret
            _LONGEST_PATIENCE_SECONDS,
        )
        self._leave(name, path, patience_seconds)
        mean_seconds = known.sum_seconds / known.count
        gevent.sleep(max(0.0, began_seconds + mean_seconds - time.monotonic()))

    def _is_leaving(self) -> bool:
        options = self.environment.parsed_options
        share = options.share_leaving if options is not None else _SHARE_LEAVING
        return random.random() < share  # noqa: S311 - no secret

    def _leave(self, name: str, path: str, patience_seconds: float) -> None:
        began_seconds = time.monotonic()
        head: Head | None = None
        error: Exception | None = None
        try:
            # The patience begins once the request is sent: the application is to see all of them.
            with (
                exchange(self, path) as connection,
                suppress(gevent.Timeout),
                gevent.Timeout(patience_seconds),
            ):
                response = connection.getresponse()
                response.read()
                head = Head(response.status)
        except FAILURES as failure:
            error = failure
        if head is None and error is None:
            session_of().run.leave(name)
            waited = (time.monotonic() - began_seconds) * 1000
            self.environment.stats.log_request("LEFT", without_method(name), waited, 0)
        else:
            tell(self, name, began_seconds=began_seconds, head=head, error=error)
