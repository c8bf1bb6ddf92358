"""What the framework was doing for a request, told by where a stack of user code ends.

FastAPI has no hook between its steps. On the event loop the functions of its own that are on the
stack name the step; in a worker thread they are left behind, and what is left tells: the clean-up
of a context manager, the validation of a response, or the endpoint itself.
"""

from __future__ import annotations

from inspect import unwrap
from types import CodeType

from harness.capture.recording import Phase
from harness.capture.requests import ActiveRequest
from harness.capture.stacks import Boundary, Passage, Stack

__all__ = ["phase_of"]


def phase_of(
    stack: Stack, request: ActiveRequest | None, *, is_started: bool, is_answered: bool
) -> Phase:
    """Find the phase of what ran.

    Args:
        stack: The user's part of the stack.
        request: For which it ran.
        is_started: Whether the response had been started.
        is_answered: Whether its last part had been sent.
    """
    known = _named(stack)
    if known is not None:
        return known
    if request is None:
        return Phase.UNKNOWN
    if _endpoint(request) in stack.codes:
        return Phase.HANDLER
    is_thread = stack.boundary is Boundary.THREAD and bool(stack.codes)
    if is_started:
        return Phase.BACKGROUND if is_thread and is_answered else Phase.AFTER_RESPONSE
    return Phase.DEPENDENCY if is_thread else Phase.UNKNOWN


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
