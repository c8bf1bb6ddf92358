"""A matplotlib figure as inline SVG that follows the page's colours and repeats byte for byte.

The only module that knows what matplotlib writes into an SVG file. A figure is drawn in the
`Ink` colours; in the result each of them is a CSS variable with that colour as its fallback, so
that one drawing serves light and dark pages. Nothing here touches pyplot; the settings hold while
a drawing is made, and are put back.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from enum import StrEnum
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["Ink", "inline_svg"]


class Ink(StrEnum):
    """The colours of the charts; a name in lower case is its CSS variable, ``--ink-text``.

    No two may be equal: the drawing is recoloured by value.
    """

    TEXT = "#4b5565"
    GRID = "#d7dce4"
    GOOD = "#0f8a6c"
    WARY = "#b7791f"
    BAD = "#c8322b"
    REFUSED = "#7c4fd0"
    HANG = "#23272f"
    WAIT = "#c2570c"
    HOLD = "#2563c4"
    BLOCKED = "#8a94a6"
    MARK = "#1f6feb"
    PAPER = "#fffffe"


_SETTINGS: dict[Any, Any] = {  # newer matplotlib types the keys as a Literal, older ones as str
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10.0,
    "text.color": Ink.TEXT.value,
    "axes.labelcolor": Ink.TEXT.value,
    "axes.edgecolor": Ink.GRID.value,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": Ink.GRID.value,
    "grid.linewidth": 0.7,
    "xtick.color": Ink.GRID.value,
    "ytick.color": Ink.GRID.value,
    "xtick.labelcolor": Ink.TEXT.value,
    "ytick.labelcolor": Ink.TEXT.value,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
}

_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def inline_svg(
    draw: Callable[[Figure], None], *, name: str, title: str, inches: tuple[float, float]
) -> str:
    """What `draw` puts on a figure, as an ``<svg>`` element for an HTML page.

    Args:
        draw: Gets an empty figure of the size `inches`.
        name: Unique on its page: every id in the drawing starts with it.
        title: What the drawing shows, for those who cannot see it.
        inches: Width and height; the page scales the drawing to its own width.
    """
    file = io.StringIO()
    with mpl.rc_context({**_SETTINGS, "svg.hashsalt": name}), warnings.catch_warnings():
        # The browser draws the text with its own fonts; this one only measures it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=inches, layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", transparent=True, metadata=_NO_METADATA)
    return _as_element(file.getvalue(), name=name, title=title)


def _as_element(document: str, *, name: str, title: str) -> str:
    """The drawing without prologue and metadata, its ids set apart and its colours variable."""
    viewbox = re.search(r'viewBox="[^"]+"', document)
    body = document[document.index(">", document.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    for ink in Ink:
        body = body.replace(ink.value, f"var(--ink-{ink.name.lower()}, {ink.value})")
    return (
        f'<svg {viewbox.group() if viewbox else ""} role="img" aria-labelledby="{name}-title">\n'
        f'<title id="{name}-title">{escape(title)}</title>{body.strip()}'
    )
