"""SQLAlchemy's count beside the server's in ten lines, for a terminal of 80 columns.

Plain text without any dependency: it goes into the middle of other reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checks.reconciliation import Reconciliation, Share
from harness.checks.server_origins import Origin
from harness.findings import Verdict
from harness.report.quantities import counted, duration, grouped
from harness.report.wording import single_line

__all__ = ["reconciliation_as_text"]

_WIDTH, _MOST_LINES = 80, 10
_VERBS = frozenset({Origin.TRANSACTIONS, Origin.PRE_PING, Origin.CURSORS})
"""Their parts are words, most of which fit into a line."""


def reconciliation_as_text(found: Reconciliation) -> str:
    """At most ten lines: both counts, then what makes the difference, largest first."""
    if found.verdict is Verdict.SKIPPED:
        return _doubt(found)
    before = [] if found.verdict is Verdict.PASS else [_doubt(found)]
    before.append(
        f"SQLAlchemy saw {counted(found.seen, 'round trip')}, the server ran "
        f"{counted(found.ran, 'statement')} in {duration(found.seconds)}"
    )
    after = list(_notes(found))
    room = _MOST_LINES - len(before) - len(after)
    return "\n".join([*before, *_shares(found.shares, room), *after])


def _doubt(found: Reconciliation) -> str:
    return f"server counts {found.verdict}: {single_line(found.reason)}"


def _shares(shares: Sequence[Share], room: int) -> Iterator[str]:
    shown = len(shares) if len(shares) <= room else room - 1
    yield from (_line(share.calls, share.origin, _parts(share)) for share in shares[:shown])
    if rest := shares[shown:]:
        origins = ", ".join(f"{grouped(share.calls)} {share.origin}" for share in rest)
        yield _line(sum(share.calls for share in rest), "more", origins)


def _notes(found: Reconciliation) -> Iterator[str]:
    if found.uncounted:
        yield _line(-found.uncounted, "not counted", _uncounted(found))
    if found.other_roles:
        roles = ", ".join(f"{grouped(calls)} by {role}" for role, calls in found.other_roles)
        yield _short(f"not among them, of other roles: {single_line(roles)}", _WIDTH)
    if not found.has_utility:
        yield "BEGIN, COMMIT and DDL are not counted: pg_stat_statements.track_utility is off"


def _line(calls: int, origin: str, detail: str) -> str:
    return _short(f"{calls:>+7,} {origin:<16} {detail}", _WIDTH)


def _parts(share: Share) -> str:
    if share.origin in _VERBS:
        return ", ".join(f"{grouped(calls)} {text}" for text, calls in share.statements)
    (text, calls), *rest = share.statements
    more = f", and {counted(len(rest), 'other shape')}" if rest else ""
    room = _WIDTH - len(_line(share.calls, share.origin, f"{grouped(calls)} {more}"))
    return f"{grouped(calls)} {_short(single_line(text), room)}{more}"


def _uncounted(found: Reconciliation) -> str:
    streamed = found.uncounted - found.failed - found.lost
    parts = [f"{grouped(found.failed)} failed"] if found.failed else []
    parts += [f"{grouped(streamed)} streamed"] if streamed else []
    if found.lost:
        text = next(match.shape.text for match in found.shapes if match.lost)
        parts.append(f"{grouped(found.lost)} by its text: {single_line(text)}")
    return "; ".join(parts)


def _short(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 4]} ..."
