"""Where reports are written, and in which order they are told.

A folder must take the files before anything is measured; and what was measured for minutes is in
the file for machines before anything else is made of it: a screen may have no reader any more, a
page with charts takes a second, in which Ctrl-C or a fault of a chart may come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from errno import EISDIR
from os import strerror
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.cli.answer import print_answer
from harness.cli.screen import complain
from harness.errors import ExitCode, MisuseError
from harness.findings import Verdict

__all__ = ["ReportFiles", "exit_code"]

_EXIT_CODES = {Verdict.FAIL: ExitCode.FINDINGS, Verdict.INCONCLUSIVE: ExitCode.ENVIRONMENT}


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """The two files of a report.

    Args:
        folder: Where they go.
        stem: Their name, without ``.json`` and ``.html``.
    """

    folder: Path
    stem: str

    @property
    def data(self) -> Path:
        """For machines."""
        return self.folder / f"{self.stem}.json"

    @property
    def page(self) -> Path:
        """For people."""
        return self.folder / f"{self.stem}.html"

    def require(self) -> None:
        """Make the folder, if it is not there, and try to write into it.

        Raises:
            MisuseError: The files cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for file in (self.data, self.page):
                if file.is_dir():
                    raise IsADirectoryError(EISDIR, strerror(EISDIR))
                _half_written(file).write_text("", encoding="utf-8")
                _half_written(file).unlink()
        except OSError as error:
            raise MisuseError(
                f"cannot write the report to {self.folder}: {error.strerror}",
                remedy="give another folder with --output",
            ) from error

    def tell(
        self,
        text: str,
        *,
        page: Callable[[], str],
        tables: Callable[[Console], None],
        console: Console,
        as_json: bool,
    ) -> bool:
        """Write and print a report; what cannot be written is said, and the rest is told.

        Args:
            text: JSON.
            page: Makes HTML.
            tables: Prints it for people.
            console: Of the verb.
            as_json: Whether to print the JSON in place of the tables.

        Returns:
            Whether the JSON is in its file.
        """
        is_kept = _is_written(self.data, lambda: text)
        if as_json:
            print_answer(text)
        else:
            console.print()
            tables(console)
        files = [self.page] if _is_written(self.page, page) else []
        files += [self.data] if is_kept else []
        if not as_json:
            _print_files(files, console)
        return is_kept


def exit_code(verdict: Verdict, *, is_kept: bool) -> ExitCode:
    """Of a report.

    Args:
        verdict: What it says.
        is_kept: Whether it is in its file; else nothing is clean, and what failed has failed.
    """
    code = _EXIT_CODES.get(verdict, ExitCode.CLEAN)
    return code if is_kept or code is not ExitCode.CLEAN else ExitCode.ENVIRONMENT


def _half_written(file: Path) -> Path:
    return file.with_name(f".{file.name}.part")


def _is_written(file: Path, made: Callable[[], str]) -> bool:
    """In one step: whoever opens the file never sees half of it."""
    part = _half_written(file)
    try:
        part.write_text(made(), encoding="utf-8")
        part.replace(file)
    except OSError as error:
        complain(f"cannot write {file}: {error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - the verdict is known: a page takes nothing from it
        complain(f"{file} is not written, by a fault of the harness: {error!r}")
    else:
        return True
    finally:
        with suppress(OSError):
            part.unlink()
    return False


def _print_files(files: Iterable[Path], console: Console) -> None:
    """One a line, never folded: a path is there to be copied."""
    for number, file in enumerate(files):
        start = "\nreport  " if number == 0 else "        "
        console.print(Text(f"{start}{file}", style="dim"), soft_wrap=True)
