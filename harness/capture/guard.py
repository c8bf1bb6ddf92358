"""What happens when capture itself fails: nothing to the application, and nothing in silence.

Listeners run inside the user's calls, so an error of ours would look like an error of theirs. The
first one is kept; from then on things are counted and no longer described, and whoever judges the
recording sees `Guard.failure`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ParamSpec

from sqlalchemy import event

__all__ = ["Guard"]

_P = ParamSpec("_P")


@dataclass(slots=True, eq=False)
class Guard:
    """Keeps the first error of the listeners that share it."""

    failure: str = ""
    """What happened and where; empty while all is well."""

    def remember(self, error: Exception) -> None:
        """Keep an error, unless an earlier one is known."""
        if not self.failure:
            where = traceback.extract_tb(error.__traceback__)[-1]
            # The message of an error may quote a bind value; its type and place cannot.
            self.failure = (
                f"{type(error).__name__} in {where.name} ({where.filename}:{where.lineno})"
            )

    def unlisten(self, target: type, name: str, listener: Callable[..., object]) -> None:
        """Give a listener back; where somebody has taken it from us, we have been deaf since."""
        if event.contains(target, name, listener):
            event.remove(target, name, listener)
        elif not self.failure:
            name = f"{target.__name__}.{name}"
            self.failure = f"somebody removed our listener of {name}: since then nothing was seen"

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Work of ours inside somebody else's call: it never raises."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the application must not see it
            self.remember(error)

    def around(self, listener: Callable[_P, None]) -> Callable[_P, None]:
        """A listener that does nothing once anything has failed, and never raises."""

        def guarded(*args: _P.args, **kwargs: _P.kwargs) -> None:
            if self.failure:
                return
            try:
                listener(*args, **kwargs)
            except Exception as error:  # noqa: BLE001 - the application must not see it
                self.remember(error)

        return guarded
