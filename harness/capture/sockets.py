"""A WebSocket connection, cut into exchanges: the pieces of its work that are judged apart.

A socket lasts for hours and runs the same statement for each message, which is no N+1. So it has no
one request but a row of them, each an `ActiveRequest` like that of HTTP: one from the connection to
the first message, one for each message that is received, and, for sockets that push, one for each
transaction that begins after something was sent. A loop that sends what it loads inside of one
transaction stays in one piece: that is how an N+1 on a socket looks.

The pieces hang on the connection and not on a context variable of their own, because applications
receive in tasks (``wait_for``, ``gather``), whose contexts are copies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.capture.requests import ActiveRequest

__all__ = ["ActiveSocket", "current_socket"]


@dataclass(slots=True, eq=False)
class ActiveSocket:
    """A WebSocket connection that the application is talking on.

    Args:
        exchange: The first one, which begins with the connection.
        begin: Makes the next exchange.
        end: Hears of every exchange that is over.
    """

    exchange: ActiveRequest
    """The one that the application works on."""
    begin: Callable[[], ActiveRequest]
    end: Callable[[ActiveRequest], None]
    _has_sent: bool = False

    def ask(self) -> None:
        """The application waits for the next message."""
        if self.exchange.ended_seconds is None:
            self.exchange.ended_seconds = perf_counter()

    def hear(self, message: Mapping[str, Any]) -> None:
        """The application gets a message."""
        if message["type"] == "websocket.receive":
            self._next()

    def say(self, message: Mapping[str, Any]) -> None:
        """The application sends a message."""
        match message["type"]:
            case "websocket.send":
                self._has_sent = True
            case "websocket.accept":
                self.exchange.status = HTTPStatus.SWITCHING_PROTOCOLS
            case "websocket.http.response.start":
                self.exchange.status = message["status"]
            case "websocket.close" if self.exchange.status is None:
                self.exchange.status = HTTPStatus.FORBIDDEN  # as servers answer a refusal

    def begin_transaction(self) -> None:
        """Work begins that shares no transaction with what was sent before it."""
        if self._has_sent:
            self._next()

    def close(self) -> None:
        """The connection is over."""
        self.end(self.exchange)

    def _next(self) -> None:
        last, self._has_sent = self.exchange, False
        self.end(last)
        self.exchange = self.begin()
        self.exchange.status = last.status


current_socket: ContextVar[ActiveSocket | None] = ContextVar("current_socket", default=None)
