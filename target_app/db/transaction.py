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
    A body that is streamed after the start needs a session of its own (`ReadingSession`).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application inside the transaction."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        database: Database = scope["app"].state.database
        async with database.sessions() as session:
            scope.setdefault("state", {})["session"] = session
            await self._app(scope, receive, _Answer(session, scope, receive, send).forward)


class _Answer:
    """Ends the transaction when the answer starts, and replaces the answer if that fails."""

    def __init__(self, session: AsyncSession, scope: Scope, receive: Receive, send: Send) -> None:
        self._session = session
        self._scope, self._receive, self._send = scope, receive, send
        self._is_replaced = False

    async def forward(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._end_transaction(message["status"])
        if not self._is_replaced:
            await self._send(message)

    async def _end_transaction(self, status: int) -> None:
        if status >= _FIRST_ERROR_STATUS:
            await self._session.rollback()
            return
        try:
            await self._session.commit()
        except Exception as error:
            # The application's own handlers believe that the answer is on its way already.
            answer = answer_to(Request(self._scope), error)
            if answer is None:
                raise
            self._is_replaced = True
            await answer(self._scope, self._receive, self._send)
