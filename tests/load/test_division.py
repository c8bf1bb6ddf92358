"""What a headless Locust that becomes a campaign does with the options that it was given."""

from __future__ import annotations

import pytest

from harness.load.division import Division, divided

_DEFAULTS: dict[str, object] = {
    "locustfile": "locustfile.py",
    "stop_timeout": "0",
    "longest": 600,
    "exit_code_on_error": 1,
    "short": False,
    "output": "",
    "share_leaving": 0.75,
    "tenants": None,
}
_OF_LOCUST = frozenset({"stop_timeout", "exclude_tags", "html_file", "exit_code_on_error"})


def _divided(**options: object) -> Division:
    return divided(
        options,
        defaults=_DEFAULTS,
        of_campaign={"short", "output"},
        of_one_run={*_OF_LOCUST, "longest", "locustfile", "processes"},
    )


def test_what_nobody_has_set_goes_nowhere() -> None:
    assert _divided(**_DEFAULTS) == Division((), (), ())


def test_a_default_that_is_written_in_another_way_was_not_set() -> None:
    assert _divided(stop_timeout=0) == Division((), (), ())


def test_a_campaign_gets_what_it_takes_by_the_same_name() -> None:
    division = _divided(short=True, output="--there")

    assert division == Division(("--short", "--output=--there"), (), ())


def test_each_locust_gets_its_processes_and_what_locustfiles_have_added() -> None:
    division = _divided(processes=2, share_leaving=0.0, tenant="a b")

    assert division == Division((), ("--processes=2", "--share-leaving=0.0", "--tenant=a b"), ())


@pytest.mark.parametrize(
    ("name", "value", "option"),
    [
        ("exclude_tags", ["danger"], "--exclude-tags"),
        ("html_file", "run.html", "--html"),
        ("longest", 60, "--longest"),
        ("stop_timeout", 5, "--stop-timeout"),
        ("exit_code_on_error", 0, "--exit-code-on-error"),
    ],
)
def test_what_a_campaign_cannot_have_is_refused_as_it_was_typed(
    name: str, value: object, option: str
) -> None:
    assert _divided(**{name: value}).refused == (option,)


def test_a_value_that_cannot_be_typed_again_is_refused_and_not_lost() -> None:
    assert _divided(tenants=["a", "b"]) == Division((), (), ("--tenants",))


def test_the_place_of_the_traffic_is_neither_handed_on_nor_refused() -> None:
    assert _divided(locustfile="loadtests") == Division((), (), ())
