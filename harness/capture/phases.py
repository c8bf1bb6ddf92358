"""What the framework was doing for a request, told by where a stack of user code ends.

FastAPI has no hook between its steps. On the event loop the functions of its own that are on the
stack name the step; in a worker thread they are left behind, and what is left tells: the clean-up
of a context manager, the validation of a response, or the endpoint itself. Of tasks and of other
work in threads it is told by what the request's own task awaited meanwhile (`awaited`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from inspect import isclass, unwrap
from types import CodeType
from typing import Any, NamedTuple

from harness.capture.recording import Phase
from harness.capture.requests import ActiveRequest
from harness.capture.stacks import Boundary, Passage, Stack

__all__ = ["Moment", "phase_of"]


class Moment(NamedTuple):
    """How far a request was when something ran for it."""

    is_routed: bool = False
    """Whether a route had been found: before, only middleware runs."""
    is_started: bool = False
    """Whether the response had been started."""
    is_answered: bool = False
    """Whether its last part had been sent."""
    awaited: Stack | None = None
    """What its own task awaited meanwhile, where that was asked."""

    @classmethod
    def of(cls, request: ActiveRequest | None, awaited: Stack | None) -> Moment:
        """Now."""
        if request is None:
            return cls()
        is_answered = request.answered_seconds is not None
        return cls(request.is_routed, request.is_answered, is_answered, awaited)


def phase_of(stack: Stack, request: ActiveRequest | None, moment: Moment) -> Phase:
    """Find the phase of what ran.

    Args:
        stack: The user's part of the stack.
        request: For which it ran.
        moment: How far the request was.
    """
    known = _named(stack)
    if known is not None:
        return known
    if request is None:
        return Phase.UNKNOWN
    if _endpoint(request) in stack.codes:
        return Phase.HANDLER
    return _after(stack, moment) if moment.is_started else _before(stack, request, moment)


def _before(stack: Stack, request: ActiveRequest, moment: Moment) -> Phase:
    """Until the response was started."""
    endpoint = _endpoint(request)
    if stack.boundary is Boundary.MIDDLEWARE or (endpoint and not moment.is_routed):
        return Phase.MIDDLEWARE
    if moment.awaited is not None and endpoint in moment.awaited.codes:
        return Phase.HANDLER
    meanwhile = _named(moment.awaited) if moment.awaited is not None else None
    if meanwhile is None and stack.boundary is Boundary.THREAD:
        is_dependency = bool(stack.codes) and stack.codes[-1] in set(_dependencies(request))
        return Phase.DEPENDENCY if is_dependency else Phase.UNKNOWN
    return meanwhile or Phase.UNKNOWN


def _after(stack: Stack, moment: Moment) -> Phase:
    """Once the response was started."""
    boundary = moment.awaited.boundary if moment.awaited is not None else None
    if boundary is Boundary.BACKGROUND:
        return Phase.BACKGROUND
    # Behind a BaseHTTPMiddleware a worker thread cannot see who awaits it; bodies are read before.
    is_thread = stack.boundary is Boundary.THREAD and bool(stack.codes)
    if is_thread and moment.is_answered and boundary is Boundary.MIDDLEWARE:
        return Phase.BACKGROUND
    return Phase.AFTER_RESPONSE


def _named(stack: Stack) -> Phase | None:
    match stack.boundary, stack.passage:
        case Boundary.HANDLER, _:
            return Phase.HANDLER
        case (Boundary.DEPENDENCY, _) | (Boundary.THREAD, Passage.ENTERING):
            return Phase.DEPENDENCY
        case (Boundary.SERIALISATION, _) | (Boundary.THREAD, Passage.SERIALISING):
            return Phase.SERIALISATION
        case Boundary.BACKGROUND, _:
            return Phase.BACKGROUND
        case ((Boundary.ROUTE | Boundary.REQUEST | Boundary.THREAD), Passage.LEAVING):
            return Phase.TEARDOWN
        case _:
            return None


def _endpoint(request: ActiveRequest) -> CodeType | None:
    endpoint = request.scope.get("endpoint")
    return getattr(unwrap(endpoint), "__code__", None) if callable(endpoint) else None


def _dependencies(request: ActiveRequest) -> Iterator[CodeType]:
    """The functions of the dependencies of a request's route, as far as FastAPI lists them."""
    waiting = [getattr(request.scope.get("route"), "dependant", None)]
    for dependant in waiting:
        code = _code(getattr(dependant, "call", None))
        if code is not None:
            yield code
        waiting.extend(getattr(dependant, "dependencies", ()))


def _code(call: Any) -> CodeType | None:  # noqa: ANN401 - any callable
    while isinstance(call, partial):
        call = call.func
    if isclass(call):
        call = call.__init__
    elif not hasattr(call, "__code__") and not hasattr(call, "__wrapped__"):
        call = getattr(type(call), "__call__", None)  # noqa: B004 - an object that can be called
    return getattr(unwrap(call), "__code__", None) if callable(call) else None
