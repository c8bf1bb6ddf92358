"""The other unit of work: a middleware makes the whole request one transaction.

Chosen by `TARGET_APP_UNIT_OF_WORK=middleware`. What it does differently: an answer from 400 on
rolls back even when the endpoint returned it without raising. Pure ASGI, because Starlette's
`BaseHTTPMiddleware` runs the application in another task and delays its cancellation.
"""

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from target_app.db.engines import Database
from target_app.errors import answer_to

_FIRST_ERROR_STATUS = 400


class TransactionMiddleware:
    """Opens a session per HTTP request, ends its transaction before the answer starts.

    The session takes a connection at its first statement, so a request without SQL takes none.
    Whatever ends the request without an answer (an exception, a cancellation) rolls back.

    Not in it: a body that is streamed after the start (it needs a `ReadingSession`), what a
    `BlockingSession` does (it commits by itself), and websockets (each session commits by itself).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application inside the transaction."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        database: Database = scope["app"].state.database
        try:
            async with database.sessions() as session:
                scope.setdefault("state", {})["session"] = session
                await self._app(scope, receive, _ending(session, before=send))
        except _NotEndedError as refusal:
            answer = answer_to(Request(scope), refusal.error)
            if answer is None:
                raise refusal.error from None
            await answer(scope, receive, send)


class _NotEndedError(Exception):
    """The transaction could not be ended; the answer that the application began must not go out.

    Raised through the application, to stop it: background tasks must not run for rows that are
    not there. An exception of its own because the application's handlers would take the driver's
    for a failure after the start of the answer, and turn it into another one.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def _ending(session: AsyncSession, *, before: Send) -> Send:
    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            await _end(session, is_success=message["status"] < _FIRST_ERROR_STATUS)
        await before(message)

    return send


async def _end(session: AsyncSession, *, is_success: bool) -> None:
    try:
        await (session.commit() if is_success else session.rollback())
    except Exception as error:
        raise _NotEndedError(error) from error
