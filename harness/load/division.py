"""Who gets which option of a headless Locust that becomes a campaign.

Some are `harness load`'s as well, some go to each Locust that it starts; what nobody would look at
is named, so that it can be refused: an option that does nothing is worse than an error. Free of
Locust.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

__all__ = ["Division", "divided"]

_OF_THIS_PROCESS = frozenset(
    {
        # Who loads what: read before a campaign begins, and handed on by ways of their own.
        *("config", "locustfile", "host", "header", "user_classes", "headless"),
        # Of web UIs, masters and workers: as in any run without them.
        *("class_picker", "web_host", "web_port", "tls_cert", "tls_key", "web_login"),
        *("master", "master_bind_host", "master_bind_port", "master_host", "master_port"),
        *("worker", "expect_workers", "expect_workers_max_wait", "enable_rebalancing"),
        # What Locust itself prints meanwhile.
        *("loglevel", "skip_log_setup", "only_summary", "print_stats"),
    }
)
_OF_EACH_LOCUST = frozenset({"processes", "equal_weights"})
"""Locust's own, that hold for each stretch of load. What others have added to Locust does, too."""
_SPELLED = {
    "csv_prefix": "--csv",
    "stats_history_enabled": "--csv-full-history",
    "html_file": "--html",
}


@dataclass(frozen=True, slots=True)
class Division:
    """The options that were set, as words of a command line."""

    of_campaign: tuple[str, ...]
    of_each_locust: tuple[str, ...]
    """What stands behind two dashes."""
    refused: tuple[str, ...]
    """The names of those that nobody would look at."""


def divided(
    options: Mapping[str, object],
    *,
    defaults: Mapping[str, object],
    of_campaign: Collection[str],
    of_one_run: Collection[str],
) -> Division:
    """Divide what was set between a campaign and the Locusts that it starts.

    Args:
        options: By the names of Locust's namespace.
        defaults: What they are where nobody has set them.
        of_campaign: Names of those that `harness load` takes as well.
        of_one_run: Names of those that a campaign cannot have, where it is not said otherwise here.
    """
    campaign: list[str] = []
    each_locust: list[str] = []
    refused: list[str] = []
    for name, value in options.items():
        # As text: Locust's defaults are what would have been typed.
        if name in _OF_THIS_PROCESS or str(value) == str(defaults.get(name)):
            continue
        option = _SPELLED.get(name, f"--{name.replace('_', '-')}")
        is_of_locusts = name in _OF_EACH_LOCUST or name not in of_one_run
        if name in of_campaign:
            campaign += _words(option, value)
        elif is_of_locusts and _words(option, value):
            each_locust += _words(option, value)
        else:
            refused.append(option)
    return Division(tuple(campaign), tuple(each_locust), tuple(refused))


def _words(option: str, value: object) -> tuple[str, ...]:
    """Nothing where it is not known how it was typed."""
    if value is True:
        return (option,)
    if value is not False and isinstance(value, str | int | float):
        return (f"{option}={value}",)
    return ()
