"""Runs the tests that touch SQLAlchemy's inside on other versions of SQLAlchemy.

    python scripts/test_matrix.py                      all versions
    python scripts/test_matrix.py 2.0.36 -- -k clones  one of them, with pytest's own arguments

Each version gets a thin environment that has SQLAlchemy alone and takes everything else from the
environment that runs this script: seconds and a few megabytes instead of minutes and half a
gigabyte. The environments stay in ``.matrix`` for the next time.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import site
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".matrix"
CAPTURE = ("tests/capture", "tests/checks", "tests/test_engine_plugin.py")
ISOLATION = (
    "tests/database/hazards",
    "tests/database/test_drivers.py",
    "tests/database/test_rollback.py",
    "tests/database/test_rollback_between_tests.py",
    "tests/plugin/test_fixtures.py",
)
BOTH = (*CAPTURE, *ISOLATION)
VERSIONS = {
    "2.0.36": BOTH,  # the oldest that is supported
    "2.0.49": CAPTURE,  # the last on which merely listening to ORM events breaks applications
    "2.0": BOTH,
    "2.1": BOTH,
}
PARALLEL = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")


def main() -> int:
    """Run pytest once per version; the first failure's exit status, or 0."""
    given, pytest_arguments = _arguments()
    statuses = {version: _run(version, pytest_arguments) for version in given.versions}
    for version, status in statuses.items():
        print(
            f"SQLAlchemy {version}: {'passed' if status == 0 else f'pytest exited with {status}'}"
        )
    return max(statuses.values())


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "versions", nargs="*", default=list(VERSIONS), help="2.0 is the newest of 2.0.x"
    )
    return parser.parse_args(words[:end]), words[end + 1 :]


def _run(version: str, arguments: Sequence[str]) -> int:
    python = _environment(version)
    found = subprocess.run(
        [python, "-c", "import sqlalchemy; print(sqlalchemy.__version__)"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    if version in VERSIONS and found == importlib.metadata.version("sqlalchemy"):
        print(f"== SQLAlchemy {found} is what the whole suite runs on: nothing to add", flush=True)
        return 0
    print(f"== SQLAlchemy {found}", flush=True)
    command = [python, "-m", "pytest", "-q", *(PARALLEL if not arguments else ()), *arguments]
    return subprocess.run(
        [*command, *VERSIONS.get(version, BOTH)], cwd=ROOT, check=False
    ).returncode


def _environment(version: str) -> str:
    """A Python that has this SQLAlchemy, and the rest from ours."""
    folder = FOLDER / version
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, symlinks=True)
    libraries = Path(
        sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    )
    # `addsitedir` and not a bare path: ours holds path files, too, such as editable installs.
    ours = "".join(f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages())
    (libraries / "environment_below.pth").write_text(ours, encoding="utf-8")
    wanted = f"sqlalchemy=={version}" if version.count(".") > 1 else f"sqlalchemy=={version}.*"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "-q", "--no-deps", "--upgrade", wanted], check=True)
    return str(python)


if __name__ == "__main__":
    sys.exit(main())
