"""``harness lock``: what its verbs print, write and exit with; git calls one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.lock.counts import EndpointCounts, QueryLock, ShapeCount
from harness.lock.file import from_text, to_text
from tests.cli.conftest import RunHarness

USERS = "SELECT users.id, users.name FROM users"
POSTS = (
    "SELECT posts.id, posts.title, posts.body, posts.published_at, posts.user_id FROM posts "
    "WHERE posts.user_id = ?"
)
CONFLICT = "<<<<<<< HEAD\n{}\n=======\n{}\n>>>>>>> branch\n"


def counts(statements: int, grows: str = "", **shapes: int) -> EndpointCounts:
    """An endpoint by the names of its statements."""
    texts = {"users": USERS, "posts": POSTS}
    return EndpointCounts(
        statements,
        statements,
        {
            name.ljust(12, "0"): ShapeCount(
                texts.get(name, f"SELECT {name}.id FROM {name}"), most, grows=name == grows
            )
            for name, most in shapes.items()
        },
    )


def lock_of(dialect: str = "postgresql", **endpoints: EndpointCounts) -> QueryLock:
    """A lock by the last parts of its endpoints' routes."""
    return QueryLock({dialect: {f"GET /{name}": each for name, each in endpoints.items()}})


MAIN = lock_of(users=counts(2, users=2), tags=counts(4, tags=4), old=counts(1, users=1))
BRANCH = lock_of(
    users=counts(14, users=2, posts=12, grows="posts"),
    tags=counts(3, tags=3),
    posts=counts(1, posts=1),
)


def write(folder: Path, name: str, content: QueryLock | str) -> Path:
    file = folder / name
    text = content if isinstance(content, str) else to_text(content)
    file.write_bytes(text.encode())
    return file


def report_of(content: QueryLock, **fields: object) -> str:
    """What matters of a report of ``--query-report``."""
    return json.dumps({"verdict": "pass", "seen": json.loads(to_text(content))} | fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the locks of two branches."""
    write(tmp_path, "main.json", MAIN)
    write(tmp_path, "branch.json", BRANCH)
    return tmp_path


def test_a_difference_tells_endpoints_counts_and_statements(
    run_harness: RunHarness, folder: Path
) -> None:
    ended = run_harness("lock", "diff", "main.json", "branch.json", folder=folder)

    assert ended.stderr == ""
    assert ended.stdout == (
        """\
MORE THAN BEFORE
  GET /users  statements 2 -> 14, round trips 2 -> 14
    +12  SELECT … FROM posts WHERE posts.user_i…  (0 -> 12, grows with the rows)

FEWER THAN BEFORE
  GET /tags  statements 4 -> 3, round trips 4 -> 3
    -1  SELECT tags.id FROM tags  (4 -> 3)

NEW
  GET /posts  1 statement, 1 round trip

GONE
  GET /old  1 statement, 1 round trip

main.json -> branch.json on postgresql: 1 regression, 1 improvement, 1 new
  endpoint, 1 endpoint gone
"""
    )


def test_long_statements_and_many_of_them_stay_readable(
    run_harness: RunHarness, folder: Path
) -> None:
    names = {f"{'table_' * 60}{number}": 1 for number in range(30)}
    write(folder, "branch.json", lock_of(users=counts(30, "", **names)))

    ended = run_harness("lock", "diff", "main.json", "branch.json", folder=folder)

    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 60
    assert "    ... and 21 further statements" in lines


@pytest.mark.parametrize(
    ("before", "after", "code", "words"),
    [
        (MAIN, MAIN, 0, "no endpoint changed"),
        (MAIN, BRANCH, 1, "1 regression"),
        (MAIN, lock_of(users=counts(2, users=1, posts=1)), 1, "1 regression"),
        (MAIN, lock_of(users=counts(2, users=2, grows="users")), 1, "2 -> 2, grows with the rows"),
        (lock_of(users=counts(2, users=2)), lock_of(users=counts(1, users=1)), 0, "1 improvement"),
        (
            lock_of(users=counts(2, "users", users=2)),
            lock_of(users=counts(2, users=2)),
            0,
            "no longer",
        ),
        (lock_of(users=counts(1, users=1)), BRANCH, 1, "2 new endpoints"),
        (lock_of(old=counts(1, users=1)), lock_of(posts=counts(1, posts=1)), 0, "1 new endpoint"),
    ],
    ids=[
        "equal",
        "more",
        "another statement",
        "growth",
        "fewer",
        "growth gone",
        "more and new",
        "new and gone",
    ],
)
def test_only_more_of_an_endpoint_that_was_there_fails(  # noqa: PLR0917 - what is parametrised
    run_harness: RunHarness,
    tmp_path: Path,
    before: QueryLock,
    after: QueryLock,
    code: int,
    words: str,
) -> None:
    write(tmp_path, "a.json", before)
    write(tmp_path, "b.json", after)

    ended = run_harness("lock", "diff", "a.json", "b.json", folder=tmp_path)

    assert words in " ".join(ended.stdout.split())
    assert ended.returncode == code


def test_reports_of_test_runs_are_compared_like_locks(
    run_harness: RunHarness, folder: Path
) -> None:
    write(folder, "report.json", report_of(BRANCH, gaps=["-k was given"]))

    ended = run_harness("lock", "diff", "main.json", "report.json", folder=folder)

    assert "note: report.json is not of a complete test run: -k was given" in ended.stdout
    assert "1 regression" in ended.stdout
    assert ended.returncode == 1


def test_what_only_one_of_the_two_ran_on_is_said_and_not_compared(
    run_harness: RunHarness, folder: Path
) -> None:
    both = QueryLock({**MAIN.dialects, **lock_of("sqlite", users=counts(9, users=9)).dialects})
    write(folder, "both.json", both)

    ended = run_harness("lock", "diff", "main.json", "both.json", folder=folder)

    assert "note: sqlite is in one of the two alone, and was not compared" in ended.stdout
    assert ended.returncode == 0


def test_json_has_every_number(run_harness: RunHarness, folder: Path) -> None:
    ended = run_harness(
        "lock", "diff", "main.json", "branch.json", "--format", "json", folder=folder
    )

    told = json.loads(ended.stdout)
    worst = next(each for each in told["changes"] if each["change"] == "regression")
    assert (told["schema_version"], told["has_regressed"]) == (1, True)
    assert (worst["endpoint"], worst["dialect"]) == ("GET /users", "postgresql")
    assert worst["before"] == {"statements": 2, "round_trips": 2}
    assert worst["after"] == {"statements": 14, "round_trips": 14}
    assert worst["shapes"] == [
        {
            "id": "posts0000000",
            "text": POSTS,
            "before": 0,
            "after": 12,
            "has_begun_to_grow": True,
            "has_stopped_growing": False,
        }
    ]
    assert ended.returncode == 1


def test_markdown_is_a_table_with_the_statements_folded_away(
    run_harness: RunHarness, folder: Path
) -> None:
    ended = run_harness(
        "lock", "diff", "main.json", "branch.json", "--format", "markdown", folder=folder
    )

    assert ended.stdout.startswith(
        "### Query lock: 1 regression, 1 improvement, 1 new endpoint, 1 endpoint gone\n"
    )
    assert "| <code>GET /users</code> | **more** | 2 → 14 | 2 → 14 |\n" in ended.stdout
    assert "| <code>GET /old</code> | gone | 1 → - | 1 → - |\n" in ended.stdout
    folded = "<details><summary><code>GET /users</code></summary>\n\n```diff\n+12  SELECT "
    assert folded in ended.stdout


def test_markdown_keeps_names_and_sql_from_being_read_as_markup(
    run_harness: RunHarness, folder: Path
) -> None:
    nasty = "a|b`c`<img src=x>@team\n# x"
    write(folder, "main.json", lock_of("postgresql", **{nasty: counts(1, users=1)}))
    write(
        folder,
        "branch.json",
        lock_of("postgresql", **{nasty: counts(2, "", users=1, **{"```\n<b>": 1})}),
    )

    ended = run_harness(
        "lock", "diff", "main.json", "branch.json", "--format", "markdown", folder=folder
    )

    table, _, folded = ended.stdout.partition("<details>")
    assert "GET /a&#124;b&#96;c&#96;&lt;img src=x&gt;&#64;team &#35; x</code> | **more**" in table
    assert "````diff\n+1  SELECT ``` <b>.id FROM ``` <b>  (0 -> 1)\n````" in folded


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (CONFLICT.format("{", "{"), 3, "conflict"),
        ('{"schema": 99, "dialects": {}}', 3, "newer"),
        ("[]", 3, "other.json"),
        ("", 3, "other.json"),
        ('{"name": "package"}', 3, "other.json"),
        ('{"seen": 7}', 3, "other.json"),
        (
            report_of(BRANCH, verdict="inconclusive", problems=["no engine was seen"]),
            3,
            "no engine",
        ),
        (lock_of("sqlite", users=counts(1, users=1)), 3, "postgresql"),
        (QueryLock(), 3, "no endpoint"),
        ("\udcff", 3, "not text"),
        (None, 2, "cannot read"),
    ],
    ids=[
        "conflict markers",
        "newer schema",
        "a list",
        "empty",
        "another file",
        "no report",
        "a run that could not see",
        "another dialect",
        "nothing in it",
        "no text",
        "missing",
    ],
)
def test_what_cannot_be_compared_never_passes(
    run_harness: RunHarness, folder: Path, content: QueryLock | str | None, code: int, words: str
) -> None:
    if content == "\udcff":
        (folder / "other.json").write_bytes(b"\xff\xfe\x00")
    elif content is not None:
        write(folder, "other.json", content)

    ended = run_harness("lock", "diff", "main.json", "other.json", folder=folder)

    assert ended.stdout == ""
    assert words in ended.stderr
    assert len(ended.stderr.splitlines()) < 10
    assert ended.returncode == code


def test_a_merge_has_the_highest_of_everything(run_harness: RunHarness, folder: Path) -> None:
    ended = run_harness("lock", "merge", "main.json", "branch.json", "-o", "all", folder=folder)

    endpoints = from_text((folder / "all").read_text(), where="all").dialects["postgresql"]
    told = {endpoint: each.statements for endpoint, each in endpoints.items()}
    assert told == {"GET /old": 1, "GET /posts": 1, "GET /tags": 4, "GET /users": 14}
    assert (ended.stdout, ended.returncode) == ("", 0)


def test_a_merge_is_printed_or_written_over_an_input(run_harness: RunHarness, folder: Path) -> None:
    printed = run_harness("lock", "merge", "main.json", "branch.json", "-o", "-", folder=folder)
    names = ("branch.json", "main.json", "-o", "main.json")
    written = run_harness("lock", "merge", *names, folder=folder)

    assert (folder / "main.json").read_text() == printed.stdout
    assert (printed.returncode, written.returncode) == (0, 0)


def test_the_reports_of_shards_merge_into_one_lock(run_harness: RunHarness, folder: Path) -> None:
    for number, content in enumerate((MAIN, BRANCH)):
        write(folder, f"shard-{number}.json", report_of(content))

    shards = run_harness("lock", "merge", "shard-0.json", "shard-1.json", "-o", "-", folder=folder)
    locks = run_harness("lock", "merge", "main.json", "branch.json", "-o", "-", folder=folder)

    assert shards.stdout == locks.stdout != ""


def test_a_merge_that_fails_leaves_every_file_alone(run_harness: RunHarness, folder: Path) -> None:
    broken = write(folder, "broken.json", CONFLICT.format("{", "{"))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    ended = run_harness("lock", "merge", "main.json", broken.name, "-o", "main.json", folder=folder)

    assert ended.returncode == 3
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_merge_without_a_place_to_write_to_is_misuse(
    run_harness: RunHarness, folder: Path
) -> None:
    without = run_harness("lock", "merge", "main.json", "branch.json", folder=folder)
    nowhere = run_harness("lock", "merge", "main.json", "-o", "nowhere/all.json", folder=folder)
    three = run_harness(
        "lock", "merge", "main.json", "--base", "main.json", "-o", "-", folder=folder
    )

    assert "Missing option '-o'" in without.stderr
    assert "nowhere/all.json" in nowhere.stderr
    assert "--base is for two files, and there is 1" in three.stderr
    assert (without.returncode, nowhere.returncode, three.returncode) == (2, 3, 2)


@pytest.mark.parametrize("verb", [(), ("diff",), ("merge",), ("check",)], ids=str)
def test_help_has_an_example_and_fits_80_columns(
    run_harness: RunHarness, verb: tuple[str, ...]
) -> None:
    ended = run_harness("lock", *verb, "--help")

    assert "harness lock " in ended.stdout.partition("Example")[2]
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert ended.returncode == 0


def test_a_lock_as_pytest_writes_it_passes_in_silence(
    run_harness: RunHarness, folder: Path
) -> None:
    write(folder, "query-lock.json", MAIN)

    alone = run_harness("lock", "check", folder=folder)
    named = run_harness("lock", "check", "main.json", "branch.json", folder=folder)

    assert (alone.stdout, alone.stderr, alone.returncode) == ("", "", 0)
    assert (named.stdout, named.stderr, named.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text + "\n",
        lambda text: "\ufeff" + text,
        lambda text: json.dumps(json.loads(text)),
    ],
    ids=["line ends", "a blank line", "a mark of the encoding", "one line"],
)
def test_another_form_is_named_and_can_be_mended(
    run_harness: RunHarness, folder: Path, change: Callable[[str], str]
) -> None:
    write(folder, "query-lock.json", change(to_text(MAIN)))

    found = run_harness("lock", "check", folder=folder)
    mended = run_harness("lock", "check", "--fix", folder=folder)

    told = "query-lock.json: not as pytest writes it: harness lock check --fix\n"
    assert (found.stdout, found.returncode) == (told, 1)
    assert (mended.stdout, mended.returncode) == ("query-lock.json: written anew\n", 0)
    assert (folder / "query-lock.json").read_bytes() == to_text(MAIN).encode()


def test_a_lock_that_cannot_be_read_is_never_mended(run_harness: RunHarness, folder: Path) -> None:
    text = to_text(MAIN)
    twice = text.replace('"GET /tags"', '"GET /users"')
    for name, content in {
        "conflict.json": CONFLICT.format(text, text),
        "twice.json": twice,
    }.items():
        write(folder, name, content)
    crooked = write(folder, "crooked.json", text + "\n")

    conflict = run_harness("lock", "check", "--fix", "conflict.json", folder=folder)
    both = run_harness("lock", "check", "--fix", "crooked.json", "twice.json", folder=folder)

    assert "conflict.json:1" in conflict.stderr
    assert '"GET /users" stands there twice' in both.stderr
    assert (conflict.returncode, both.returncode) == (3, 3)
    assert (folder / "twice.json").read_text() == twice
    assert crooked.read_text() == text + "\n"


def test_a_missing_lock_is_misuse(run_harness: RunHarness, tmp_path: Path) -> None:
    ended = run_harness("lock", "check", folder=tmp_path)

    assert "cannot read query-lock.json: No such file or directory" in ended.stderr
    assert ended.returncode == 2
