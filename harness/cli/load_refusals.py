"""What a command line of ``harness load`` asks for in vain, refused before anything is started.

An option that does nothing is worse than an error: whoever gave it believes in what they measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import click
from click.core import ParameterSource

__all__ = ["refuse_second_names", "refuse_unused_options"]

_OF_PROBES = {
    "sizes": "pool_sizing",
    "target_rate": "pool_sizing",
    "replicas": "pool_sizing",
    "surge": "pool_sizing",
    "count_by": "n_plus_one",
    "echo_log": "n_plus_one",
}
"""Options that one probe alone looks at."""
_WITHOUT_HOST = {
    "sizes": "the pool is not ours to set",
    "target_rate": "the pool is not ours to set",
    "replicas": "the pool is not ours to set",
    "surge": "the pool is not ours to set",
    "workers": "whoever serves there has its own",
}
"""Options for an application that is served here, and why."""
_OF_LOCUST = {
    "-H": "--host",
    "--host": "--host",
    "--header": "--header",
    "-u": "--users",
    "--users": "--users",
    "-t": "--time",
    "--run-time": "--time",
    "--longest": "--time",
    "--plan": "--plan",
    "-f": "",
    "--locustfile": "",
    "--result": "",
    "--logfile": "",
}
"""What each probe says to Locust by itself, and our option for it, if there is one."""


def refuse_second_names(command: click.Command, context: click.Context, args: list[str]) -> None:
    """Refuse a further word before the two dashes: Locust would take it for a class.

    Args:
        command: Whose parser tells words from the values of options.
        context: Of the command.
        args: As they were given.

    Raises:
        UsageError: There is one.
    """
    before = args[: args.index("--")] if "--" in args else args
    given, _, _ = command.make_parser(context).parse_args(list(before))
    surplus = given.get("locust_options")
    if isinstance(surplus, tuple | list) and surplus:  # click has a word of its own for none
        raise click.UsageError(
            f"{' '.join(surplus)}: one probe at a time, or campaign for all of them; "
            "what is meant for Locust stands behind --",
            context,
        )


def refuse_unused_options(
    context: click.Context, *, probes: Collection[str], host: str, locust_options: Sequence[str]
) -> None:
    """Refuse options that nobody would look at, or that would overrule ours.

    Args:
        context: With the options, and where they come from.
        probes: That will be held.
        host: What is loaded; empty where the application is served here.
        locust_options: What goes to Locust.

    Raises:
        UsageError: There is one.
    """
    for name in filter(lambda each: _is_given(context, each), context.params):
        option = f"--{name.replace('_', '-')}"
        if name in _OF_PROBES and _OF_PROBES[name] not in probes:
            why = f"{option} is for {_OF_PROBES[name]}, which is not among what is held"
            raise click.UsageError(why, context)
        if name in _WITHOUT_HOST and host:
            why = f"{option} does nothing with --host: {_WITHOUT_HOST[name]}"
            raise click.UsageError(why, context)
    for text in locust_options:
        name = text.partition("=")[0] if text.startswith("--") else text[:2]
        if name in _OF_LOCUST:
            told = f"give {_OF_LOCUST[name]} before --" if _OF_LOCUST[name] else "leave it out"
            raise click.UsageError(f"-- {name} would overrule what the probe says: {told}", context)


def _is_given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE
