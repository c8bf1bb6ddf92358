"""What the harness adds to Locust's command line, and to the form of its web UI."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

from locust.util.timespan import parse_timespan

__all__ = ["LONGEST_SECONDS", "add_options"]

LONGEST_SECONDS = 600
"""How long a run may be where nothing else is said."""
_MOST_SECONDS = 24 * 3600


def add_options(parser: ArgumentParser) -> None:
    """Add ours to Locust's parser."""
    group = parser.add_argument_group("harness")
    group.add_argument(
        "--plan", metavar="FILE", default="", help="JSON list of [route, path] to request"
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
        help="Send for so long before counting begins, as part of --run-time (one process)",
    )
    group.add_argument("--owned", action="store_true", help="Stop when standard input ends")
    group.add_argument(
        "--announce",
        action="store_true",
        help="Say on standard output, as JSON, when counting begins and ends, and nothing else",
    )


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
