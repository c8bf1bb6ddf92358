"""What was measured for minutes gets into its files, whatever becomes of screen and page."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from harness.cli.report_files import ReportFiles, exit_code
from harness.errors import ExitCode, MisuseError
from harness.findings import Verdict
from harness.unread import OutlivingStream


def _tables(console: Console) -> None:
    console.print("tables")


def _page() -> str:
    return "<p>page</p>"


def _told(
    files: ReportFiles, *, as_json: bool = False, console: Console | None = None
) -> tuple[bool, str]:
    shown = console or Console(file=io.StringIO(), width=80)
    is_kept = files.tell("{}\n", page=_page, tables=_tables, console=shown, as_json=as_json)
    return is_kept, shown.file.getvalue() if isinstance(shown.file, io.StringIO) else ""


def test_both_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    is_kept, _ = _told(ReportFiles(tmp_path, "load"))

    written = {file.name: file.read_text("utf-8") for file in tmp_path.iterdir()}
    assert written == {"load.json": "{}\n", "load.html": "<p>page</p>"}
    assert is_kept


@pytest.mark.parametrize("broken", [ValueError("a chart"), OSError(28, "No space left on device")])
def test_a_page_that_fails_is_a_message_and_costs_nothing_else(
    broken: Exception, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def page() -> str:
        raise broken

    console = Console(file=io.StringIO(), width=80)
    is_kept = ReportFiles(tmp_path, "load").tell(
        "{}\n", page=page, tables=_tables, console=console, as_json=False
    )

    assert is_kept
    assert [file.name for file in tmp_path.iterdir()] == ["load.json"]
    assert "load.html" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verdict", "code", "unkept"),
    [
        (Verdict.PASS, ExitCode.CLEAN, ExitCode.ENVIRONMENT),
        (Verdict.WARN, ExitCode.CLEAN, ExitCode.ENVIRONMENT),
        (Verdict.SKIPPED, ExitCode.CLEAN, ExitCode.ENVIRONMENT),
        (Verdict.FAIL, ExitCode.FINDINGS, ExitCode.FINDINGS),
        (Verdict.INCONCLUSIVE, ExitCode.ENVIRONMENT, ExitCode.ENVIRONMENT),
    ],
)
def test_a_report_that_is_lost_costs_a_clean_exit_alone(
    verdict: Verdict, code: ExitCode, unkept: ExitCode
) -> None:
    assert exit_code(verdict, is_kept=True) is code
    assert exit_code(verdict, is_kept=False) is unkept


def test_ctrl_c_while_the_page_is_made_leaves_the_data(tmp_path: Path) -> None:
    def page() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ReportFiles(tmp_path, "load").tell(
            "{}\n", page=page, tables=_tables, console=Console(file=io.StringIO()), as_json=False
        )

    assert [file.name for file in tmp_path.iterdir()] == ["load.json"]


def test_data_that_cannot_be_written_are_said_and_still_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "load.json").mkdir()

    is_kept, shown = _told(ReportFiles(tmp_path, "load"))

    assert not is_kept
    assert "tables" in shown
    assert "Is a directory" in capsys.readouterr().err
    assert list(tmp_path.glob(".*")) == []


def test_paths_are_told_whole_one_a_line_with_their_brackets(tmp_path: Path) -> None:
    folder = tmp_path / "[nightly]" / f"a[{'b' * 60}]"
    files = ReportFiles(folder, "load")
    files.require()

    _, shown = _told(files)

    assert shown.endswith(f"\nreport  {folder / 'load.html'}\n        {folder / 'load.json'}\n")


def test_the_answer_for_a_program_has_no_paths_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, shown = _told(ReportFiles(tmp_path, "load"), as_json=True)

    assert (shown, capsys.readouterr().out) == ("", "{}\n")


def test_a_screen_that_nobody_reads_any_more_does_not_end_the_work(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with OutlivingStream(os.fdopen(writer, "wb")) as unread:
        is_kept, _ = _told(ReportFiles(tmp_path, "load"), console=Console(file=unread))

    assert is_kept
    assert {file.name for file in tmp_path.iterdir()} == {"load.json", "load.html"}


@pytest.mark.parametrize("name", ["load.json", "load.html"])
def test_a_file_that_is_a_folder_is_said_before_the_work(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()

    with pytest.raises(MisuseError, match=r"cannot write the report to .*: Is a dir"):
        ReportFiles(tmp_path, "load").require()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that takes no files")
def test_a_folder_that_takes_no_files_is_said_before_the_work() -> None:
    with pytest.raises(MisuseError, match="cannot write the report to /proc: "):
        ReportFiles(Path("/proc"), "load").require()


def test_trying_a_folder_leaves_nothing_in_it(tmp_path: Path) -> None:
    ReportFiles(tmp_path / "new", "load").require()

    assert list((tmp_path / "new").iterdir()) == []
