"""A user's project on a PostgreSQL from each place, and what pytest's header says about it."""

from __future__ import annotations

import os

import pytest

from harness.database.container import DEFAULT_IMAGE
from harness.database.engine import engine_client, image_on_engine
from harness.database.sources import SOURCES, Wish
from harness.errors import NoPostgresError
from tests.plugin.conftest import TABLE, Project

IMAGE = os.environ.get("CONTAINER_TEST_IMAGE", DEFAULT_IMAGE)

ISOLATED = """
    import pytest

    @pytest.mark.parametrize("name", ["ada", "ada again"])
    async def test_committed_rows_are_gone(client, name):
        assert (await client.post("/authors/ada")).json() == 6
        assert (await client.get("/authors")).json() == 6

    async def test_origin(postgres):
        with open("origin", "a") as file:
            print(postgres.origin, postgres.address.port, file=file)
"""


def require(place: str) -> None:
    """Skip where the machine has no such place."""
    (source,) = (source for source in SOURCES if source.name == place)
    missing = source.why_not(Wish())
    if missing is not None:
        pytest.skip(missing.why_not)
    if place == "container":
        try:
            with engine_client() as client:
                image_on_engine(client, IMAGE)
        except NoPostgresError as error:
            pytest.skip(error.what)


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("container", marks=pytest.mark.group("containers")),
        pytest.param("system", marks=pytest.mark.group("system")),
    ]
)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    require(name)
    monkeypatch.setenv("HARNESS_POSTGRES", name)
    monkeypatch.setenv("HARNESS_IMAGE", IMAGE)
    return name


@pytest.fixture
def placed(project: Project, place: str) -> Project:  # noqa: ARG001 - its variables come last
    return project


def test_every_test_is_rolled_back_wherever_the_server_comes_from(
    placed: Project, place: str
) -> None:
    result = placed.run(ISOLATED)

    result.assert_outcomes(passed=3)
    assert {"embedded": "embedded", "container": IMAGE, "system": "from /"}[place] in placed.read(
        "origin"
    )


def test_workers_share_one_server_wherever_it_comes_from(placed: Project) -> None:
    placed.write("test_more.py", ISOLATED)

    result = placed.run(ISOLATED, "-n", "2", "test_shop.py", "test_more.py", "--dist", "loadfile")

    result.assert_outcomes(passed=6)
    assert len(set(placed.read("origin").splitlines())) == 1


def header_of(project: Project) -> str:
    result = project.run("def test_nothing(): ...", "-v")
    (line,) = (line for line in result.outlines if line.startswith("harness: "))
    return line


def test_the_header_names_the_place_and_who_chose_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HARNESS_POSTGRES")
    default = header_of(project)
    project.configure(table=f'{TABLE}\npostgres = "embedded"\n')

    assert default == "harness: PostgreSQL embedded, by default"
    assert header_of(project) == "harness: PostgreSQL embedded, by pyproject.toml"


def test_the_header_shows_the_host_of_a_url_and_no_password(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_POSTGRES", "postgresql://me:secret@db.invalid/shop")

    assert header_of(project) == "harness: PostgreSQL db.invalid:5432, by HARNESS_POSTGRES"


def test_the_header_tells_why_the_first_place_will_not_do(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_POSTGRES", "embedded")
    project.write("shop/extensions.py", 'SQL = "CREATE EXTENSION citext"')
    project.configure(table=TABLE.replace("shop.database:Base", "shop:Base"))

    assert "none (embedded: lacks the extensions that the project creates: citext)" in header_of(
        project
    )


def test_a_test_that_needs_the_server_tells_the_missing_extension_and_the_remedy(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_POSTGRES", "embedded")
    project.write("shop/extensions.py", 'SQL = "CREATE EXTENSION citext"')
    project.configure(table=TABLE.replace("shop.database:Base", "shop:Base"))

    result = project.run("async def test_it(client): ...")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*lacks the extensions*citext*", '*postgres = "container"*'])


def test_a_wrong_choice_is_told_in_the_header_and_stops_no_other_test(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_POSTGRES", "embeded")

    assert header_of(project) == "harness: Unknown choice of PostgreSQL: 'embeded'."
