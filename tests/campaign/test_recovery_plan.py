"""Which troubles are planned, and how the seconds of a stretch are shared out."""

from __future__ import annotations

import pytest

from harness.campaign.recovering.plan import form_of
from harness.campaign.scenario import Settings
from harness.rig.troubles import TROUBLES


def test_the_short_form_has_the_troubles_that_teach_most() -> None:
    form = form_of(Settings(is_short=True))

    assert [trouble.probe for trouble in form.troubles] == [
        "recovery-killed",
        "recovery-restart",
        "recovery-cut",
        "recovery-slow",
        "recovery-full",
    ]


def test_the_long_form_has_a_crash_and_a_network_that_says_nothing_as_well() -> None:
    short = {trouble.probe for trouble in form_of(Settings(is_short=True)).troubles}
    long = {trouble.probe for trouble in form_of(Settings()).troubles}

    assert long - short == {"recovery-crash", "recovery-silent"}


def test_every_trouble_is_one_that_the_rig_knows() -> None:
    assert {trouble.what for trouble in form_of(Settings()).troubles} <= TROUBLES.keys()


@pytest.mark.parametrize(
    "settings", [Settings(), Settings(is_short=True), Settings(seconds=3.0), Settings(seconds=90.0)]
)
def test_the_watch_is_longer_than_every_wait_that_may_have_begun(settings: Settings) -> None:
    form = form_of(settings)
    watch_seconds = form.seconds - form.before_seconds - form.trouble_seconds

    assert watch_seconds > form.pool_timeout_seconds + form.trouble_seconds + 0.5


def test_what_the_user_says_is_followed() -> None:
    form = form_of(Settings(users=3, seconds=20.0))

    assert (form.users, form.seconds, form.before_seconds) == (3, 20.0, 5.0)
