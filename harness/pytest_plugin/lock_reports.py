"""Reports of a run for others than the person who waits: files, and GitHub's annotations.

Their renderers are imported only where somebody wants one. A file that cannot be written is told
and fails nothing: the gate has judged already.
"""

from __future__ import annotations

from pathlib import Path

from harness.report.query_content import QueryReport

__all__ = ["annotations_of", "written_report"]


def written_report(report: QueryReport, path: Path, *, root: Path) -> str:
    """Write a report, and tell what became of it in one line.

    Args:
        report: The report.
        path: The file.
        root: Folder of the project.
    """
    from harness.report.query_files import write_query_report  # noqa: PLC0415 - see the module
    from harness.report.query_paths import project_folder  # noqa: PLC0415 - see the module

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_query_report(report, path, folder=project_folder(root))
    except OSError as error:
        return f"no report: {path} cannot be written: {error.strerror or error}"
    return f"report: {path}"


def annotations_of(report: QueryReport, *, root: Path) -> tuple[str, ...]:
    """Lines that GitHub shows beside the changed code of a pull request.

    Args:
        report: The report.
        root: Folder of the project.
    """
    from harness.report.annotations import annotation_lines  # noqa: PLC0415 - see the module
    from harness.report.query_paths import project_folder  # noqa: PLC0415 - see the module

    return tuple(annotation_lines(report, folder=project_folder(root)))
