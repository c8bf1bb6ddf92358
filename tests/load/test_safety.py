"""Whom a load may hit, and for how long."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.errors import MisuseError, UnreachableTargetError
from harness.load.safety import (
    address_of,
    require_answer,
    require_own_target,
    require_short_run,
)
from tests.load.conftest import CountingServer, Generator, told_by_probe


@pytest.mark.parametrize(
    "host",
    [
        "http://localhost:8000",
        "http://127.0.0.1",
        "http://127.4.5.6:80",
        "http://[::1]:8000",
        "http://[::ffff:127.0.0.1]",
        "http://0.0.0.0:8000",
    ],
)
def test_this_machine_needs_no_confirmation(host: str) -> None:
    require_own_target(host, is_owned=False)


@pytest.mark.parametrize(
    "host",
    [
        "http://192.0.2.1",
        "http://[2001:db8::1]:80",
    ],
)
def test_what_may_be_somebody_elses_needs_one(host: str) -> None:
    with pytest.raises(MisuseError, match="--i-own-this-target"):
        require_own_target(host, is_owned=False)
    require_own_target(host, is_owned=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "localhost",
        "ftp://127.0.0.1",
        "http://",
        "http://:8000",
        "http://[::1",
        "http://127.0.0.1:abc",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:0",
    ],
)
def test_what_is_no_url_is_said_to_be_none(host: str) -> None:
    with pytest.raises(MisuseError, match=r"is no URL such as http://127\.0\.0\.1:8000"):
        require_own_target(host, is_owned=True)


@pytest.mark.parametrize(
    "host",
    [
        "http://user:s3cret@127.0.0.1:8000/shop",
        "http://s3cret@127.0.0.1",
        "http://user:s3cret@192.0.2.1",
        "http://user:s3cret@127.0.0.1:abc",
        "http://user:s3cret@[::1",
        "user:s3cret@127.0.0.1",
    ],
)
def test_a_password_in_the_host_is_refused_and_not_told(host: str) -> None:
    with pytest.raises(MisuseError, match="names a user") as caught:
        require_own_target(host, is_owned=True)

    assert "s3cret" not in str(caught.value)
    assert "--header 'Authorization: Basic" in caught.value.remedy


def test_no_user_is_named_behind_the_host() -> None:
    require_own_target("http://127.0.0.1/@shop", is_owned=False)


@pytest.mark.parametrize("is_owned", [True, False])
@pytest.mark.parametrize("name", ["127.example.invalid", "two..dots"])
def test_a_name_without_an_address_is_told_as_such(name: str, *, is_owned: bool) -> None:
    with pytest.raises(UnreachableTargetError, match=f"'{name}' has no address"):
        require_own_target(f"http://{name}", is_owned=is_owned)


def test_a_slash_at_the_end_of_the_host_is_none_of_the_path(
    server: CountingServer, generator: Generator
) -> None:
    server.probe = told_by_probe()

    code, said = replace(generator, url=f"{server.url}/", token="any").run("-t", "1s")

    assert "Traceback" not in said
    assert "harness: pool   pass" in said
    assert set(server.answered) == {"/pages/1"}
    assert code == 0


def test_nobody_listening_is_told(server: CountingServer) -> None:
    require_answer(server.url)

    with pytest.raises(UnreachableTargetError, match="nothing answers"):
        require_answer("http://127.0.0.1:1")


def test_a_run_is_as_long_as_allowed_and_no_longer() -> None:
    require_short_run(None, longest_seconds=600)
    require_short_run(600, longest_seconds=600)
    with pytest.raises(MisuseError, match="601 s is longer than the 600 s"):
        require_short_run(601, longest_seconds=600)


def test_a_run_time_above_the_cap_is_refused(server: CountingServer, generator: Generator) -> None:
    code, said = generator.run("-t", "11m")

    assert "raise the limit with --longest" in said
    assert code == 2
    assert server.answered == []


def test_no_option_allows_more_than_a_day(generator: Generator) -> None:
    code, said = generator.run("--longest", "25h")

    assert "at most 24h" in said
    assert code == 2


def test_a_run_without_an_end_ends_at_the_cap(generator: Generator) -> None:
    code, said = generator.run("--longest", "1s")

    assert "stopped after 1 s: --longest raises this limit" in said
    assert "harness: load   pass" in said
    assert code == 0


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("http://[::1]", ("::1", 80)),
        ("https://[::1]", ("::1", 443)),
        ("http://[::1]:8000/shop", ("::1", 8000)),
        ("https://localhost", ("localhost", 443)),
    ],
)
def test_a_url_without_a_port_leads_to_that_of_its_scheme(
    host: str, address: tuple[str, int]
) -> None:
    assert address_of(host) == address
