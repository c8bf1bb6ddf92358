"""The file is written whole or not at all, by one process at a time, and leaves nothing behind."""

from __future__ import annotations

import fcntl
import json
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ExitCode, LockError
from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.exclusive import is_file_of_that_name
from harness.lock.file import FILE_NAME, from_text, read, to_text, updated, write
from harness.lock.merging import merged
from harness.lock.schema import load_lock_schema
from tests.lock.strategies import CASES, locks

LOCK = QueryLock(
    {
        "postgresql": {
            "GET /users": EndpointCounts(
                3,
                4,
                {
                    "77aa00bb11cc": ShapeCount('SELECT "user".id FROM "user"', 1, grows=False),
                    "3f2a9c0d1e4b": ShapeCount("SELECT straße FROM post", 2, grows=True),
                },
            ),
            "DELETE /cache": EndpointCounts(0, 0),
        }
    }
)
OTHER = QueryLock({"postgresql": {"GET /posts": EndpointCounts(1, 1)}})
TEXT = r"""{
  "schema": 1,
  "dialects": {
    "postgresql": {
      "DELETE /cache": {
        "statements": 0,
        "round_trips": 0,
        "shapes": {}
      },
      "GET /users": {
        "statements": 3,
        "round_trips": 4,
        "shapes": {
          "3f2a9c0d1e4b": {"most": 2, "grows": true, "sql": "SELECT stra\u00dfe FROM post"},
          "77aa00bb11cc": {"most": 1, "grows": false, "sql": "SELECT \"user\".id FROM \"user\""}
        }
      }
    }
  }
}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_text_is_sorted_with_one_line_for_each_statement() -> None:
    assert to_text(LOCK) == TEXT


def test_the_documented_file_and_its_diff_are_as_the_harness_writes_them(
    pytestconfig: pytest.Config,
) -> None:
    page = (pytestconfig.rootpath / "docs/reference/query-lock-file.md").read_text("utf-8")
    blocks = dict(re.findall(r"```(json|diff)\n(.*?)```", page, re.DOTALL))
    before = blocks["json"]

    hunk = blocks["diff"].splitlines()
    old, new = ("\n".join(line[1:] for line in hunk if line[0] in kept) for kept in (" -", " +"))
    after = before.replace(old, new)

    assert before != after
    for text in (before, after):
        assert to_text(from_text(text, where=FILE_NAME)) == text


@CASES
@given(locks())
def test_a_lock_round_trips_byte_for_byte(lock: QueryLock) -> None:
    text = to_text(lock)

    assert from_text(text, where=FILE_NAME) == lock
    assert to_text(from_text(text, where=FILE_NAME)) == text


@CASES
@given(locks())
def test_the_text_is_plain_ascii_without_control_characters(lock: QueryLock) -> None:
    text = to_text(lock)

    assert text.isascii()
    assert text.replace("\n", "").isprintable() or "\x7f" in text


@CASES
@given(locks())
def test_the_published_schema_describes_the_file(lock: QueryLock) -> None:
    jsonschema.validate(json.loads(to_text(lock)), load_lock_schema())


@pytest.mark.parametrize(
    "damage",
    [
        ('"most": 2', '"most": 0'),
        ('"most": 2', '"most": "2"'),
        ('"statements": 3', '"statements": -1'),
        ('"grows": true', '"grows": 1'),
        ('"grows": true', '"grows": true, "note": ""'),
        ('"schema": 1', '"schema": 2'),
        ('"GET /users"', '""'),
    ],
)
def test_the_published_schema_refuses_what_the_reader_refuses(damage: tuple[str, str]) -> None:
    text = TEXT.replace(*damage)

    with pytest.raises(LockError):
        from_text(text, where=FILE_NAME)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text), load_lock_schema())


def test_the_published_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(load_lock_schema())


def test_what_was_written_is_read(file: Path) -> None:
    write(file, LOCK)

    assert read(file) == LOCK
    assert file.read_bytes() == TEXT.encode("ascii")


def test_without_a_file_reading_says_how_to_make_one(file: Path) -> None:
    with pytest.raises(LockError, match="there is no query lock") as caught:
        read(file)

    assert str(file) in str(caught.value)
    assert "pytest --query-lock=create" in caught.value.remedy
    assert caught.value.exit_code is ExitCode.ENVIRONMENT


def test_a_file_in_the_current_folder_is_named_as_people_type_it(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("{", encoding="ascii")
    monkeypatch.chdir(file.parent)

    with pytest.raises(LockError) as caught:
        read(file)

    assert caught.value.where == "query-lock.json:1"


def test_a_folder_is_no_lock(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_line_ends_of_windows_are_read(file: Path) -> None:
    file.write_bytes(TEXT.replace("\n", "\r\n").encode())

    assert read(file) == LOCK


def test_a_mark_of_the_encoding_is_read(file: Path) -> None:
    file.write_text(TEXT, encoding="utf-8-sig")

    assert read(file) == LOCK


def test_letters_that_somebody_wrote_as_such_are_read(file: Path) -> None:
    file.write_text(TEXT.replace(r"\u00df", "ß"), encoding="utf-8")

    assert read(file) == LOCK


def rewritten(file: Path, lock: QueryLock) -> None:
    updated(file, lambda _: lock)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("how", [write, rewritten])
def test_a_file_that_says_the_same_is_left_untouched(
    file: Path, end: str, how: Callable[[Path, QueryLock], None]
) -> None:
    formatted = json.dumps(json.loads(TEXT), indent=4).replace("\n", end).encode()
    file.write_bytes(formatted)
    before = file.stat()

    how(file, LOCK)

    assert file.read_bytes() == formatted
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_an_update_to_nothing_makes_no_file(file: Path) -> None:
    updated(file, lambda lock: lock)

    assert names_in(file.parent) == []


def test_a_damaged_file_is_replaced(file: Path) -> None:
    file.write_text("<<<<<<< HEAD", encoding="ascii")

    write(file, LOCK)

    assert read(file) == LOCK


@pytest.mark.parametrize("mode", [0o600, 0o664])
def test_the_mode_of_the_file_stays(file: Path, mode: int) -> None:
    write(file, OTHER)
    file.chmod(mode)

    write(file, LOCK)

    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_new_file_has_the_mode_of_any_new_file(file: Path) -> None:
    other = file.with_name("other")
    other.touch()

    write(file, LOCK)

    assert file.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("how", [write, rewritten])
def test_a_link_goes_on_leading_to_the_file(
    file: Path, tmp_path: Path, how: Callable[[Path, QueryLock], None]
) -> None:
    (tmp_path / "shared").mkdir()
    target = tmp_path / "shared" / "lock.json"
    write(target, OTHER)
    file.symlink_to(target)

    how(file, LOCK)

    assert file.is_symlink()
    assert read(target) == LOCK


def test_writing_leaves_nothing_beside_the_file(file: Path) -> None:
    write(file, OTHER)
    updated(file, lambda lock: merged(lock, LOCK))

    assert names_in(file.parent) == [FILE_NAME]


def test_whoever_reads_meanwhile_reads_the_whole_old_file(file: Path) -> None:
    write(file, OTHER)

    with file.open(encoding="ascii") as opened:
        write(file, LOCK)
        found = opened.read()

    assert found == to_text(OTHER)


def test_a_file_that_cannot_be_replaced_stays_and_leaves_nothing_beside_it(file: Path) -> None:
    (file / "inside").mkdir(parents=True)

    with pytest.raises(LockError, match="cannot be written"):
        write(file, LOCK)

    assert names_in(file.parent) == [FILE_NAME]


@pytest.mark.parametrize("how", [write, rewritten])
def test_a_folder_that_is_not_there_is_an_error_of_ours(
    tmp_path: Path, how: Callable[[Path, QueryLock], None]
) -> None:
    with pytest.raises(LockError, match="cannot be written: No such file or directory"):
        how(tmp_path / "nowhere" / FILE_NAME, LOCK)


def test_an_update_starts_from_nothing_where_there_is_no_file(file: Path) -> None:
    said = updated(file, lambda lock: LOCK if lock == QueryLock() else OTHER)

    assert said == read(file) == LOCK


def test_an_update_of_a_damaged_file_leaves_it_for_the_user_to_look_at(file: Path) -> None:
    file.write_text(TEXT[:100], encoding="ascii")

    with pytest.raises(LockError):
        updated(file, lambda _: LOCK)

    assert file.read_text(encoding="ascii") == TEXT[:100]
    assert names_in(file.parent) == [FILE_NAME]


def test_an_update_that_fails_lets_others_in(file: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        updated(file, lambda _: QueryLock({str(1 // 0): {}}))

    assert updated(file, lambda _: LOCK, wait_seconds=0) == LOCK


@contextmanager
def held_by_another(file: Path) -> Iterator[None]:
    """The file beside the lock is held, as another process does it."""
    with file.with_name(f".{FILE_NAME}.lock").open("w") as neighbour:
        fcntl.flock(neighbour, fcntl.LOCK_EX)
        yield


def test_an_update_waits_for_another_process_only_for_so_long(file: Path) -> None:
    with (
        held_by_another(file),
        pytest.raises(LockError, match="another process") as caught,
    ):
        updated(file, lambda _: LOCK, wait_seconds=0.05)

    assert f".{FILE_NAME}.lock" in caught.value.where
    assert not file.exists()


def test_a_neighbour_that_a_killed_process_left_holds_nobody_up(file: Path) -> None:
    file.with_name(f".{FILE_NAME}.lock").touch()

    updated(file, lambda _: LOCK, wait_seconds=0)

    assert names_in(file.parent) == [FILE_NAME]


def test_a_neighbour_that_was_removed_or_made_anew_is_not_the_one_that_we_hold(file: Path) -> None:
    with file.open("w") as held:
        assert is_file_of_that_name(held.fileno(), file)

        file.unlink()
        assert not is_file_of_that_name(held.fileno(), file)

        file.touch()
        assert not is_file_of_that_name(held.fileno(), file)


_WRITER = """
import sys
from pathlib import Path
from harness.lock.counts import EndpointCounts, QueryLock
from harness.lock.file import updated
from harness.lock.merging import merged

for number in range(20):
    own = QueryLock({"postgresql": {f"GET /{sys.argv[2]}/{number}": EndpointCounts(1, 1)}})
    updated(Path(sys.argv[1]), lambda lock: merged(lock, own))
"""


def test_processes_that_update_at_once_lose_nothing_of_each_other(file: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(file), name],
            cwd=Path(__file__).parents[2],
            stderr=subprocess.PIPE,
        )
        for name in "abc"
    ]
    said = [writer.communicate(timeout=60)[1] for writer in writers]

    assert said == [b"", b"", b""]
    assert len(read(file).dialects["postgresql"]) == 60
    assert names_in(file.parent) == [FILE_NAME]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_updates_leave_no_descriptor_open(file: Path) -> None:
    before = open_descriptors()

    updated(file, lambda _: LOCK)
    with held_by_another(file), pytest.raises(LockError):
        updated(file, lambda _: LOCK, wait_seconds=0)

    assert open_descriptors() == before


@CASES
@given(st.binary())
def test_random_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "random-lock.json"
    file.write_bytes(data)

    with pytest.raises(LockError):
        read(file)


@CASES
@given(locks(), st.data())
def test_a_truncated_file_is_refused(lock: QueryLock, data: st.DataObject) -> None:
    text = to_text(lock)
    # Without its last line end it is whole: some editors take it away.
    kept = data.draw(st.integers(0, len(text) - 2))

    with pytest.raises(LockError):
        from_text(text[:kept], where=FILE_NAME)


@CASES
@given(locks(), st.data())
def test_a_changed_byte_is_refused_or_read_as_a_lock(lock: QueryLock, data: st.DataObject) -> None:
    content = bytearray(to_text(lock).encode())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))

    try:
        found = from_text(content.decode("latin-1"), where=FILE_NAME)
    except LockError:
        return

    assert from_text(to_text(found), where=FILE_NAME) == found
