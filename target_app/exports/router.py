"""The HTTP endpoints of exports.

Both have read their first rows when the answer starts, so that a database that has no time for them
is a 503; what fails later can only cut the body off.
"""

from collections.abc import AsyncIterator, Iterable, Sequence

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from target_app.exports.repository import (
    BalanceExport,
    BalanceRow,
    CommentExport,
    CommentPages,
    CommentRow,
)
from target_app.exports.schemas import BalanceLine, CommentLine

router = APIRouter(prefix="/exports", tags=["exports"])


class JsonLines(StreamingResponse):
    """One JSON object per line."""

    media_type = "application/x-ndjson"


@router.get("/comments", response_class=JsonLines)
async def export_comments(comments: CommentExport) -> JsonLines:
    """Stream all comments by id; no connection is held while the client reads."""
    return JsonLines(_comment_lines(comments, first=await comments.after(0)))


@router.get("/balances", response_class=JsonLines)
async def export_balances(balances: BalanceExport) -> JsonLines:
    """Stream the balances of all accounts at one moment; holds a connection until the end."""
    return JsonLines(_balance_lines(balances))


async def _comment_lines(
    comments: CommentPages, *, first: Sequence[CommentRow]
) -> AsyncIterator[bytes]:
    batch = first
    while batch:
        yield _lines(CommentLine, batch)
        batch = await comments.after(batch[-1].id)


async def _balance_lines(balances: BalanceExport) -> AsyncIterator[bytes]:
    async for batch in balances:
        yield _lines(BalanceLine, batch)


def _lines(model: type[BaseModel], rows: Iterable[CommentRow | BalanceRow]) -> bytes:
    """Return one chunk for many rows: a chunk per row would be a system call per row."""
    return "".join(f"{model.model_validate(row).model_dump_json()}\n" for row in rows).encode()
