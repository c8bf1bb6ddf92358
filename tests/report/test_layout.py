"""A report in a narrow window: a real browser lays it out, and tells what sticks out.

A module of its own because it needs a browser, which not every machine has.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from html import escape, unescape
from pathlib import Path

import pytest

from harness.checks.load.classification import Outcome
from harness.report.load_content import LoadReport
from harness.report.load_html import load_report_to_html
from tests.report.load_reports import full_report, open_ended_report, sized_report

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_BROWSER = next(filter(None, map(shutil.which, _BROWSERS)), None)
# A frame: a window of a headless browser has a least width of its own.
_FRAME = """
<body><iframe id="page" srcdoc="{page}" style="width: {width}px; height: 900px; border: 0"></iframe>
<script>
page.onload = () => {{
  const seen = page.contentDocument;
  const sticking = [...seen.querySelectorAll(".tiles b")].filter((it) => it.scrollWidth > it.clientWidth);
  document.body.innerText = "seen" + JSON.stringify({{
    beyond: seen.documentElement.scrollWidth - seen.documentElement.clientWidth,
    sticking: sticking.map((it) => it.innerText),
  }});
}};
</script>
"""  # noqa: E501 - JavaScript

pytestmark = pytest.mark.skipif(_BROWSER is None, reason="needs a Chromium")


def laid_out(report: LoadReport, folder: Path, *, width: int) -> dict[str, object]:
    """How far the page goes beyond its window, and which tiles are too small for their value."""
    page = folder / "frame.html"
    html = escape(load_report_to_html(report))
    page.write_text(_FRAME.format(page=html, width=width), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000"]
    told = subprocess.run(
        [_BROWSER or "", *options, "--window-size=1400,1000", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    found = re.search(r"seen(\{.*\})", told)
    assert found is not None, told[-500:]
    seen: dict[str, object] = json.loads(unescape(found[1]))
    return seen


def unclear_report() -> LoadReport:
    """The longest word that a tile has."""
    report = full_report()
    assert report.classification is not None
    unclear = replace(report.classification, cause="", outcome=Outcome.INCONCLUSIVE)
    return replace(report, classification=unclear)


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("made", [unclear_report, sized_report, open_ended_report])
def test_nothing_sticks_out_of_the_page(
    made: Callable[[], LoadReport], width: int, tmp_path: Path
) -> None:
    assert laid_out(made(), tmp_path, width=width) == {"beyond": 0, "sticking": []}
