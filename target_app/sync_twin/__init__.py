"""The todos once more, under `/sync`, with `def` endpoints and blocking sessions.

What is the same: models, statements, rules, answers. What differs is where it runs:

    what                                 `async def`          `def`, here
    the endpoint, its queries            event loop           a thread of the pool
    beginning and end of the session     event loop           a thread of the pool, any
    validation of the answer             event loop           a thread of the pool
    its JSON, and sending it             event loop           event loop
    driver                               asyncpg, aiosqlite   psycopg, sqlite3
    pool of connections                  one                  another, of the same size

One request may use a different thread at each step, but never two at once; that is what a session
and its connection allow. The pool of threads is anyio's, 40 per event loop, for all `def` endpoints
and all `def` dependencies of all routers together. The pool of connections is smaller (5 + 5 by
default), so under load the threads wait for connections: 10 work, the others are blocked for up to
`pool_timeout`, and when all 40 are, nothing that needs a thread begins. Whoever has a connection
needs a thread once more, to validate the answer: hence `BLOCKING_SESSIONS_AT_ONCE`. The end of
a session needs none of the 40, FastAPI takes one beyond them. And a blocked thread cannot be
cancelled: when a client goes away, the statement runs to its end.
"""

from fastapi import APIRouter

from target_app.sync_twin import todos

router = APIRouter(prefix="/sync", tags=["sync twin"])
router.include_router(todos.router)

__all__ = ["router"]
