"""Call sites: the user's own line, across greenlets and threads, and never the test's."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from harness.capture import Phase, Recording, RequestTracker, SourceMap, recording
from harness.capture.source import CallStack
from harness.checks.verdict import findings_of
from harness.pytest_plugin.queries import Queries
from target_app.models import User
from tests.capture.answers import UserOut

Visit = Callable[[str], Awaitable[Recording]]

_LIBRARY = """
async def app(scope, receive, send):
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
"""


@pytest.fixture
def shop(blog: Engine) -> FastAPI:
    """An application with a sync session, used in every phase of a request."""
    app = FastAPI()

    def session() -> Iterator[Session]:
        with Session(blog) as opened:
            yield opened

    def user_count(db: Annotated[Session, Depends(session)]) -> int:
        return len(db.scalars(select(User.id)).all())

    @app.get("/async", response_model=list[UserOut])
    async def serialised_on_the_loop(db: Annotated[Session, Depends(session)]) -> Sequence[User]:
        return db.scalars(select(User)).all()

    @app.get("/threads", response_model=list[UserOut])
    def serialised_in_a_thread(db: Annotated[Session, Depends(session)]) -> Sequence[User]:
        return db.scalars(select(User)).all()

    @app.get("/dependency")
    async def with_dependency(count: Annotated[int, Depends(user_count)]) -> int:
        return count

    @app.get("/background")
    async def with_background(
        db: Annotated[Session, Depends(session)], tasks: BackgroundTasks
    ) -> None:
        tasks.add_task(_note, db)

    return app


async def _note(session: Session) -> None:
    session.execute(text("SELECT 1"))


@pytest.fixture
def visit(shop: FastAPI, source: SourceMap) -> Visit:
    """Send one request to the shop and return what it ran."""

    async def visited(path: str) -> Recording:
        tracker = RequestTracker()
        transport = httpx.ASGITransport(tracker.wrap(shop))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            with recording(source, requests=tracker) as recorder:
                answer = await client.get(path)
        assert answer.status_code == 200
        return recorder.snapshot()

    return visited


def _stack_in(source: SourceMap, file: Path, code: str = "stack = take()") -> CallStack:
    """The stack as seen from a file whose code calls `take` and keeps it as `stack`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(code)
    names: dict[str, CallStack | Callable[[], CallStack]] = {"take": source.stack}
    exec(compile(code, str(file), "exec"), names)  # noqa: S102 - our own text, as if imported
    stack = names["stack"]
    assert isinstance(stack, CallStack)
    return stack


async def test_the_line_of_an_async_endpoint_is_found_through_greenlets(
    client: httpx.AsyncClient, queries: Queries
) -> None:
    await client.get("/twins/n-plus-one/authors")

    assert {
        (trip.call_site.path, trip.call_site.function, trip.phase)
        for trip in queries.statements
        if trip.call_site
    } == {("target_app/faults/n_plus_one.py", "authors_with_selected_posts", Phase.HANDLER)}


async def test_the_line_of_an_endpoint_in_the_thread_pool_is_found(visit: Visit) -> None:
    query, *_ = (await visit("/threads")).round_trips

    assert query.call_site is not None
    assert query.call_site.function.endswith("serialised_in_a_thread")
    assert (query.phase, query.request) == (Phase.HANDLER, 1)


async def test_the_line_of_a_dependency_is_found(visit: Visit) -> None:
    (query,) = (await visit("/dependency")).round_trips

    assert query.call_site is not None
    assert query.call_site.code == "return len(db.scalars(select(User.id)).all())"


async def test_what_a_background_task_runs_is_told_by_its_phase(visit: Visit) -> None:
    (query,) = (await visit("/background")).round_trips

    assert query.call_site is not None
    assert (query.call_site.function, query.phase) == ("_note", Phase.BACKGROUND)


async def test_loads_of_the_serialisation_blame_nobody_in_front_of_it(visit: Visit) -> None:
    _, *loads = (await visit("/async")).round_trips

    assert len(loads) == 3
    assert {(load.phase, load.call_site) for load in loads} == {(Phase.SERIALISATION, None)}


async def test_loads_of_a_serialisation_in_the_thread_pool_blame_nobody(visit: Visit) -> None:
    _, *loads = (await visit("/threads")).round_trips

    assert len(loads) == 3
    assert {(load.request, load.phase, load.call_site) for load in loads} == {
        (1, Phase.SERIALISATION, None)
    }


@pytest.mark.parametrize("path", ["/async", "/threads"])
async def test_an_n_plus_one_of_the_serialisation_leads_to_the_query_of_the_parents(
    visit: Visit, path: str
) -> None:
    (finding,) = findings_of(await visit(path))

    assert finding.label == "User.posts"
    assert finding.site is not None
    assert finding.site.code == "return db.scalars(select(User)).all()"


def test_the_projects_own_files_are_user_code(tmp_path: Path) -> None:
    stack = _stack_in(SourceMap(tmp_path), tmp_path / "shop" / "jobs.py")

    assert stack.site is not None
    assert (str(stack.site), stack.site.code) == ("shop/jobs.py:1", "stack = take()")


@pytest.mark.parametrize("folder", ["usr/src/app", "lib/python/app", "fastapi"])
def test_a_project_in_a_folder_named_like_a_library_is_user_code(
    tmp_path: Path, folder: str
) -> None:
    root = tmp_path / folder

    assert _stack_in(SourceMap(root), root / "jobs.py").site is not None


@pytest.mark.parametrize("file", [".venv/lib/site-packages/httpx/get.py", "../other/jobs.py"])
def test_installed_packages_and_other_projects_are_not_user_code(tmp_path: Path, file: str) -> None:
    root = tmp_path / "shop"

    stack = _stack_in(SourceMap(root), root / file)

    assert (stack.site, stack.key) == (None, 0)


async def test_what_a_library_runs_in_a_request_blames_nobody_around_it(
    source: SourceMap, tmp_path: Path
) -> None:
    engine = create_engine("sqlite://")
    library: dict[str, Any] = {"engine": engine, "text": text}
    code = compile(_LIBRARY, str(tmp_path / "site-packages" / "admin.py"), "exec")
    exec(code, library)  # noqa: S102 - our own text, as if imported
    tracker = RequestTracker()
    transport = httpx.ASGITransport(tracker.wrap(library["app"]))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        with recording(source, requests=tracker) as recorder:
            await client.get("/admin")
    engine.dispose()

    assert [trip.call_site for trip in recorder.snapshot().round_trips] == [None]


@pytest.mark.parametrize("inside", ["__init__.py", "jobs.py"])
@pytest.mark.parametrize("is_namespace", [False, True], ids=["package", "namespace"])
def test_an_installed_package_is_user_code_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str, is_namespace: bool
) -> None:
    installed = tmp_path / "site-packages"
    package = installed / f"shop_{tmp_path.name}".replace("-", "_")
    package.mkdir(parents=True)
    if not is_namespace:
        (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(installed)

    source = SourceMap(tmp_path / "elsewhere", packages=[package.name])

    assert _stack_in(source, package / inside).site is not None


def test_naming_a_module_does_not_name_its_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "single_module_shop.py").touch()
    monkeypatch.syspath_prepend(installed)

    source = SourceMap(tmp_path / "elsewhere", packages=["single_module_shop"])

    assert _stack_in(source, installed / "single_module_shop.py").site is not None
    assert _stack_in(source, installed / "neighbour.py").site is None


@pytest.mark.parametrize(
    "code",
    [
        "def jobs():\n    return [take() for _ in 'x']\nstack, = jobs()",
        "def jobs():\n    return {'x': take() for _ in 'x'}\nstack = jobs()['x']",
        "def jobs():\n    return next(take() for _ in 'x')\nstack = jobs()",
        "def jobs():\n    return (lambda: take())()\nstack = jobs()",
    ],
    ids=["list", "dict", "generator", "lambda"],
)
def test_a_comprehension_has_the_name_of_its_function(tmp_path: Path, code: str) -> None:
    stack = _stack_in(SourceMap(tmp_path), tmp_path / "jobs.py", code)

    assert stack.site is not None
    assert (stack.site.function, stack.site.line) == ("jobs", 2)


def test_two_lines_have_different_stacks_and_a_loop_has_one(tmp_path: Path) -> None:
    code = "a, b = [take() for _ in 'xy']\nstack = take()"
    names: dict[str, CallStack | Callable[[], CallStack]] = {"take": SourceMap(tmp_path).stack}
    exec(compile(code, str(tmp_path / "jobs.py"), "exec"), names)  # noqa: S102 - our own text

    keys = [getattr(names[name], "key", None) for name in ("a", "b", "stack")]

    assert keys[0] == keys[1] != keys[2]


def test_generated_code_is_nobodys() -> None:
    names: dict[str, CallStack | Callable[[], CallStack]] = {"take": SourceMap(Path("/")).stack}
    exec(compile("stack = take()", "<string>", "exec"), names)  # noqa: S102 - our own text

    stack = names["stack"]
    assert isinstance(stack, CallStack)
    assert stack.site is not None
    assert stack.site.function == "test_generated_code_is_nobodys"
