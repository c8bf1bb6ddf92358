"""Which line of the user's own code led here, across SQLAlchemy's greenlets.

The asyncio extension runs the driver in a greenlet of its own: its stack ends inside SQLAlchemy,
and the awaiting coroutines hang on the parent greenlet. Walking outwards stops at the framework:
beyond FastAPI's call of the endpoint there are only middleware and, under an in-process client, the
test that sent the request, and blaming either would be confidently wrong.
"""

from __future__ import annotations

import linecache
import re
import site
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, FrameType

import greenlet

from harness.capture.recording import Phase
from harness.findings import SourceLine

__all__ = ["CallStack", "SourceMap"]

_HARNESS = f"{Path(__file__).resolve().parents[1]}/"
_MOST_LINES = 12
_REQUEST_WRAPPER = f"{_HARNESS}capture/requests.py"
# Comprehensions have frames of their own before Python 3.12 and none since: names must not differ.
_ANONYMOUS = re.compile(r"(?:\.<locals>)?\.<(?:listcomp|dictcomp|setcomp|genexpr|lambda)>")
_FRAMEWORK = (
    "/fastapi/routing.py",
    "/fastapi/dependencies/utils.py",
    "/fastapi/telemetry/_api.py",
)
_BOUNDARIES = {
    "run_endpoint_function": Phase.HANDLER,
    "_run_sync_endpoint": Phase.HANDLER,  # of newer FastAPI, in the worker thread
    "serialize_response": Phase.SERIALISATION,
    "solve_dependencies": Phase.DEPENDENCY,
    "__call__": Phase.UNKNOWN,  # our own wrapper: what lies outside is the client
}


class _Owner(Enum):
    USER = auto()
    FRAMEWORK = auto()
    LIBRARY = auto()


@dataclass(frozen=True, slots=True)
class CallStack:
    """The user's part of a call stack."""

    site: SourceLine | None
    """The innermost line; None where no user code is on the stack."""
    key: int
    """Equal for equal stacks of user code within the process; 0 for none."""
    phase: Phase


def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders.update(site.getsitepackages())
    return tuple(f"{Path(folder).resolve()}/" for folder in folders)


def _package_folder(package: str) -> str | None:
    spec = find_spec(package)
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return str(Path(spec.origin).resolve()) if spec.origin else None  # a single module
    return f"{Path(next(iter(spec.submodule_search_locations))).resolve()}/"


@dataclass(slots=True)
class SourceMap:
    """Tells the user's code from everybody else's.

    Args:
        root: Folder of the project; paths are shown relative to it.
        packages: Importable packages that are the user's wherever they are installed.
    """

    root: Path
    packages: Sequence[str] = ()
    _mine: tuple[str, ...] = field(init=False)
    _libraries: tuple[str, ...] = field(init=False)
    _owners: dict[str, _Owner] = field(init=False, default_factory=dict)
    _lines: dict[tuple[CodeType, int], SourceLine] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        folders = [_package_folder(package) for package in self.packages]
        self._mine = tuple(folder for folder in folders if folder)
        self._libraries = _library_folders()

    def stack(self) -> CallStack:
        """The user's part of the current stack, innermost line first."""
        innermost: SourceLine | None = None
        key = 0
        for frame in _frames_outwards():
            owner = self._owner(frame.f_code.co_filename)
            if owner is _Owner.USER:
                innermost = innermost or self.line(frame.f_code, frame.f_lineno)
                key = hash((key, frame.f_code.co_filename, frame.f_lineno))
            elif owner is _Owner.FRAMEWORK and frame.f_code.co_name in _BOUNDARIES:
                return CallStack(innermost, key, _BOUNDARIES[frame.f_code.co_name])
        return CallStack(innermost, key, Phase.UNKNOWN)

    def line(self, code: CodeType, number: int) -> SourceLine:
        """Describe a line of a code object."""
        known = self._lines.get((code, number))
        if known is None:
            known = SourceLine(
                path=self._shown(code.co_filename),
                line=number,
                function=_ANONYMOUS.sub("", code.co_qualname),
                code=_statement(code, number),
            )
            self._lines[code, number] = known
        return known

    def definition(self, code: CodeType) -> SourceLine:
        """Describe a function by the line of its ``def``: its code begins at the decorators."""
        first = code.co_firstlineno
        for number in range(first, first + _MOST_LINES):
            text = linecache.getline(code.co_filename, number).lstrip()
            if text.startswith(("def ", "async def ")):
                return self.line(code, number)
        return self.line(code, first)

    def _shown(self, filename: str) -> str:
        path = Path(filename).resolve()
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.as_posix()

    def _owner(self, filename: str) -> _Owner:
        owner = self._owners.get(filename)
        if owner is None:
            owner = self._owners[filename] = self._classify(filename)
        return owner

    def _classify(self, filename: str) -> _Owner:
        if filename.startswith("<"):
            return _Owner.LIBRARY
        path = str(Path(filename).resolve())
        if path.endswith(_FRAMEWORK):
            return _Owner.FRAMEWORK
        if path == _REQUEST_WRAPPER:
            return _Owner.FRAMEWORK
        if path.startswith(self._mine):
            return _Owner.USER
        if path.startswith((_HARNESS, *self._libraries)) or "/site-packages/" in path:
            return _Owner.LIBRARY
        return _Owner.USER if Path(path).is_relative_to(self.root) else _Owner.LIBRARY


def _statement(code: CodeType, number: int) -> str:
    """The text of what starts on a line, joined into one where it spans several."""
    ends = [end for start, end, _, _ in code.co_positions() if start == number and end]
    last = min(max(ends, default=number), number + _MOST_LINES)
    lines = (linecache.getline(code.co_filename, line) for line in range(number, last + 1))
    text = " ".join(line.strip() for line in lines)
    return text.replace("( ", "(").replace(" )", ")").replace(" .", ".").replace(",)", ")")


def _frames_outwards() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the documented way to a cheap stack
    current = greenlet.getcurrent()
    while True:
        while frame is not None:
            yield frame
            frame = frame.f_back
        parent = current.parent
        if parent is None:
            return
        current = parent
        frame = current.gr_frame
