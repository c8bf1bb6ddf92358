"""What the harness adds to Locust's command line.

Two kinds: of a single run, and of the campaign that a headless run without users and time is.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

from locust.util.timespan import parse_timespan

from harness.errors import MisuseError
from harness.load.sending_headers import header_of

__all__ = [
    "DEFAULT_PAGE_SIZE",
    "HANDED_ON",
    "LONGEST_SECONDS",
    "add_options",
    "own_options",
]

LONGEST_SECONDS = 600
"""How long a run may be where nothing else is said."""
DEFAULT_PAGE_SIZE = 10
_OF_CAMPAIGNS = {
    "output": ("DIR", "Folder for the report; default harness-report"),
    "count-by": ("WHO", "Who counts for n_plus_one: events, server or echo"),
    "echo-log": ("FILE", "Where the application behind --host writes its echo log"),
    "sizes": ("1,2,4", "Pool sizes to try; default: those around the bend"),
    "target-rate": ("N", "Requests a second to serve; default: all it can"),
    "replicas": ("N", "Of the application, that share the server"),
    "surge": ("X", "Replicas at once while a deployment rolls"),
}
HANDED_ON = (
    *("short", "plan", "i_own_this_target", "json"),
    *(name.replace("-", "_") for name in _OF_CAMPAIGNS),
)
"""Options that ``harness load`` takes as well, by the same names: a campaign hands them on, and
what they may be is for the other side to say."""
_MOST_SECONDS = 24 * 3600


def add_options(parser: ArgumentParser) -> None:
    """Add ours to Locust's parser; the scenarios are in the list of the web UI by default.

    None asks anything but its text: Locust parses the command line again for each page of the web
    UI, and what is refused there ends the run.
    """
    parser.set_defaults(class_picker=True)
    _add_options_of_runs(parser)
    _add_options_of_campaigns(parser)


def own_options() -> frozenset[str]:
    """The names of all of them, as Locust's form and namespace have them."""
    parser = ArgumentParser()
    add_options(parser)
    return frozenset(vars(parser.parse_args([])))


def _add_options_of_campaigns(parser: ArgumentParser) -> None:
    group = parser.add_argument_group(
        "harness: all probes",
        "Held by --headless without --users and --run-time, or those of the classes that are named",
    )
    group.add_argument("--short", action="store_true", help="The short form: less, and shorter")
    for name, (metavar, told) in _OF_CAMPAIGNS.items():
        group.add_argument(f"--{name}", metavar=metavar, default="", help=told)


def _add_options_of_runs(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("harness")
    group.add_argument(
        "--plan",
        metavar="FILE",
        default="",
        help="JSON list of [route, path] to request",
    )
    group.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        type=_header,
        action="append",
        default=[],
        help="Send with each request, such as 'Authorization: Bearer …'; may be repeated",
    )
    group.add_argument(
        "--result", metavar="FILE", default="", help="Write what was counted to this file, as JSON"
    )
    group.add_argument(
        "--keep-requests",
        metavar="N",
        type=int,
        default=0,
        help="Write the first N requests one by one as well (runs of one process)",
    )
    group.add_argument(
        "--arrival-rate",
        metavar="N",
        type=_rate,
        default=0.0,
        help="Requests arrive N a second, whether others were answered or not, split over all "
        "users; default: each user waits for its answer",
    )
    group.add_argument(
        "--longest",
        metavar="TIME",
        type=_longest,
        default=LONGEST_SECONDS,
        help="How long a run may be; default 10m, at most 24h",
    )
    group.add_argument(
        "--i-own-this-target", action="store_true", help="Allow a host that is not this machine"
    )
    group.add_argument(
        "--warm-up",
        metavar="TIME",
        type=parse_timespan,
        default=0,
        help="Send for so long before counting begins, as part of --run-time",
    )
    group.add_argument(
        "--page-size",
        metavar="N",
        type=int,
        default=DEFAULT_PAGE_SIZE,
        help="Items to ask for, in scenarios that ask for pages of any size; default 10",
    )
    group.add_argument(
        "--count-items", action="store_true", help="Count the items that answers hold, by route"
    )
    group.add_argument(
        "--stepped",
        action="store_true",
        help="One user: say when a request was answered, wait for a byte before the next",
    )
    group.add_argument(
        "--write",
        metavar="JSON",
        default="",
        help='Write through this endpoint: {"method": …, "path": …, "body": …} with {key} in it',
    )
    group.add_argument(
        "--keys",
        metavar="TEXT",
        default="",
        help="What the keys of writers begin with; default: by chance",
    )
    group.add_argument("--owned", action="store_true", help="Stop when standard input ends")
    group.add_argument(
        "--announce",
        action="store_true",
        help="Say on standard output, as JSON, when counting begins and ends, and nothing else",
    )


def _header(text: str) -> str:
    """As it is: the environment may have others."""
    try:
        header_of(text)
    except MisuseError as error:
        raise ArgumentTypeError(f"{error.what}; {error.remedy}") from error
    return text


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 <= rate < float("inf"):
        raise ArgumentTypeError("a number of requests a second, 0 or more")
    return rate


def _longest(text: str) -> int:
    seconds = parse_timespan(text)
    if not 0 < seconds <= _MOST_SECONDS:
        raise ArgumentTypeError("at most 24h, such as 30m")
    return int(seconds)
