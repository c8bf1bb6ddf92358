"""Which routes stream: what the OpenAPI document says, and what those answer that it calls JSON.

An endpoint that returns a ``StreamingResponse`` and declares no ``response_class`` is JSON in the
document, as everything is that FastAPI knows nothing of. Its answer tells: only a body whose length
nobody knows beforehand is sent without it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.campaign.asking import FAILURES, asked, is_streamed
from harness.campaign.ground import Ground
from harness.errors import MisuseError
from harness.load.routes import Plan, plan_of
from harness.load.sending import document_behind
from harness.load.streams import answers_json

__all__ = ["KnownRoutes", "known_routes"]

_SECONDS = 4.0
"""For asking all; what is left then is taken as it is documented."""
_ANSWER_SECONDS = 1.0
_GOOD = range(200, 300)


@dataclass(frozen=True, slots=True)
class KnownRoutes:
    """What a plan has of both."""

    streams: Plan
    others: Plan
    """Of the whole application, to be asked beside the streams."""


def known_routes(ground: Ground) -> KnownRoutes:
    """What streams, and what does not: of the user's own plan, or of what OpenAPI tells."""
    own = ground.settings.plan
    try:
        document = document_behind(ground.url, ground.settings.headers)
    except MisuseError:
        return KnownRoutes(own, ())
    everything = plan_of(document)
    each_once = dict.fromkeys([*own, *everything])
    documented = {each for each in each_once if not answers_json(each[0], document)}
    answered = _streaming(
        ground.url,
        [each for each in each_once if each not in documented],
        ground.settings.headers,
    )
    return KnownRoutes(
        streams=tuple(each for each in own or everything if each in documented | answered),
        others=tuple(each for each in everything if each not in documented | answered),
    )


def _streaming(
    url: str, plan: Iterable[tuple[str, str]], headers: Mapping[str, str]
) -> set[tuple[str, str]]:
    until_seconds = time.monotonic() + _SECONDS
    return {
        each
        for each in plan
        if time.monotonic() < until_seconds and _streams(url, each[1], headers)
    }


def _streams(url: str, path: str, headers: Mapping[str, str]) -> bool:
    try:
        with asked(url, path, wait_seconds=_ANSWER_SECONDS, headers=headers) as response:
            return response.status in _GOOD and is_streamed(response)
    except FAILURES:
        return False
