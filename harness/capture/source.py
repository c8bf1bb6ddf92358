"""Which code is the user's own, and what its lines say.

Capture takes stacks as code objects (`stacks`); this is where they get a file, a line, a function
and a text that a person can open. Whether a file belongs to the project, to a library or to the
framework is found once for each file.
"""

from __future__ import annotations

import linecache
import re
import site
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import CodeType

from harness.capture.stacks import Boundary, Owner, Passage, Stack, StackBook, boundaries_of, here
from harness.capture.tracking import TrackedApp
from harness.findings import SourceLine

__all__ = ["CallStack", "SourceMap"]

_HARNESS = f"{Path(__file__).resolve().parents[1]}/"
_MOST_LINES = 12
_REQUEST_WRAPPER = str(Path(TrackedApp.__call__.__code__.co_filename).resolve())
# Comprehensions have frames of their own before Python 3.12 and none since: names must not differ.
_ANONYMOUS = re.compile(r"(?:\.<locals>)?\.<(?:listcomp|dictcomp|setcomp|genexpr|lambda)>")

FileOwner = Owner | Mapping[str, Boundary | Passage]


@dataclass(frozen=True, slots=True)
class CallStack:
    """The user's part of a call stack, explained."""

    site: SourceLine | None
    """The innermost line; None where no user code is on the stack."""
    key: int
    """Equal for equal stacks of user code within the process; 0 for none."""


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
    owners: dict[str, FileOwner] = field(init=False, default_factory=dict)
    """What is known of files so far, by the name that their code objects have."""
    _mine: tuple[str, ...] = field(init=False)
    _libraries: tuple[str, ...] = field(init=False)
    _lines: dict[tuple[CodeType, int], SourceLine] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.root = self.root.resolve()
        folders = [_package_folder(package) for package in self.packages]
        self._mine = tuple(folder for folder in folders if folder)
        self._libraries = _library_folders()

    def stack(self) -> CallStack:
        """The user's part of the current stack, innermost line first."""
        return self.explained(StackBook(self).take(here()))

    def explained(self, stack: Stack) -> CallStack:
        """Look up what was taken."""
        key = 0
        lines = [
            (code, _line_number(code, offset))
            for code, offset in zip(stack.codes, stack.offsets, strict=True)
        ]
        for code, number in lines:
            key = hash((key, code.co_filename, number))
        return CallStack(self.line(*lines[0]) if lines else None, key)

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

    def owner(self, filename: str) -> FileOwner:
        """Whose a file is; found once, and kept in `owners`."""
        owner = self.owners.get(filename)
        if owner is None:
            owner = self.owners[filename] = self._classify(filename)
        return owner

    def _shown(self, filename: str) -> str:
        path = Path(filename).resolve()
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.as_posix()

    def _classify(self, filename: str) -> FileOwner:
        if filename.startswith("<"):
            return Owner.LIBRARY
        path = str(Path(filename).resolve())
        if path == _REQUEST_WRAPPER:
            return {"__call__": Boundary.REQUEST}
        if path.startswith(self._mine):
            return Owner.USER
        if path.startswith((_HARNESS, *self._libraries)) or "/site-packages/" in path:
            return boundaries_of(path) or Owner.LIBRARY
        if Path(path).is_relative_to(self.root):
            return Owner.USER
        return boundaries_of(path) or Owner.LIBRARY  # a framework installed from its sources


def _line_number(code: CodeType, offset: int) -> int:
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno


def _statement(code: CodeType, number: int) -> str:
    """The text of what starts on a line, joined into one where it spans several."""
    ends = [end for start, end, _, _ in code.co_positions() if start == number and end]
    last = min(max(ends, default=number), number + _MOST_LINES)
    lines = (linecache.getline(code.co_filename, line) for line in range(number, last + 1))
    text = " ".join(line.strip() for line in lines)
    return text.replace("( ", "(").replace(" )", ")").replace(" .", ".").replace(",)", ")")
