"""An application that is tracked whoever calls it: a test's own client, a server in a thread.

Python looks ``__call__`` up on the class of what is called, so that is where it is replaced, for
one object and for the time of a block. Calls that come through a tracked wrapper are not tracked
twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.capture.requests import ASGIApp, Receive, Scope, Send

__all__ = ["called_through"]


@contextmanager
def called_through(
    app: Any,  # noqa: ANN401 - any ASGI application
    wrap: Callable[[ASGIApp], ASGIApp],
    *,
    is_known: Callable[[Scope], bool],
) -> Iterator[None]:
    """Have all calls of an application go through a wrapper of it.

    A function has no class of its own to replace anything on: its calls are left alone.

    Args:
        app: The application.
        wrap: Makes the wrapper.
        is_known: Whether what is called now is part of what a wrapper knows already.
    """
    owner = type(app)
    own, original = vars(owner).get("__call__"), getattr(owner, "__call__")  # noqa: B004, B009 - not bound

    async def itself(scope: Scope, receive: Receive, send: Send) -> None:
        await original(app, scope, receive, send)

    wrapped = wrap(itself)

    @wraps(original)
    async def called(self: object, scope: Scope, receive: Receive, send: Send) -> None:
        if self is not app or is_known(scope):
            await original(self, scope, receive, send)
        else:
            await wrapped(scope, receive, send)

    try:
        owner.__call__ = called
    except TypeError:  # of a builtin type nothing can be replaced
        yield
        return
    try:
        yield
    finally:
        if own is None:
            del owner.__call__
        else:
            owner.__call__ = own
