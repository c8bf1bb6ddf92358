"""The confirmation of placed orders: what happens after the answer is sent.

A module of its own because it belongs to no request any more. The session of the request ended
before the answer was sent (scope "function", see `target_app.db.sessions`), and FastAPI runs
background tasks after the answer: the order is committed when this begins, and a commit that
failed became an error answer, which has no tasks. With the scope "request" the task would run
while the transaction is still open: it would find no order to confirm, and ten requests at once
would each hold one of ten connections and wait for a second. The task's own session holds a
connection for one statement.

A process that dies between the commit and this task leaves its orders placed. Where that must
not happen, a table of work to do, written in the order's own transaction, takes this place.
"""

import logging
from collections.abc import Collection

from sqlalchemy.exc import SQLAlchemyError

from target_app.db import Database
from target_app.orders.repository import mark_confirmed

logger = logging.getLogger(__name__)


async def confirm_orders(database: Database, order_ids: Collection[int]) -> None:
    """Confirm placed orders; what the database refuses is logged with their ids, and they stay.

    The client has its answer: an exception would reach nobody but the server's log, where it
    would not say which orders it is about.
    """
    try:
        async with database.sessions.begin() as session:
            await mark_confirmed(session, order_ids)
    except (SQLAlchemyError, OSError):
        logger.exception("orders %s are placed and could not be confirmed", list(order_ids))
