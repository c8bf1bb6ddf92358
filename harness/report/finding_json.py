"""Findings as JSON, and back: for reports, and for the way from one process to another.

A module of its own, so that whatever carries findings writes them in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.findings import (
    Allowance,
    Finding,
    Judgement,
    RelatedSite,
    Severity,
    SourceLine,
    by_severity,
)

__all__ = [
    "Json",
    "finding_as_json",
    "finding_from_json",
    "judgement_as_json",
    "judgement_from_json",
]

Json = None | bool | int | float | str | Sequence["Json"] | dict[str, "Json"]
"""A value as the `json` module reads and writes it."""


def judgement_as_json(judgement: Judgement) -> dict[str, Json]:
    """Open and accepted findings, and allowances that matched none."""
    accepted = sorted(judgement.accepted, key=lambda pair: by_severity(pair[0]))
    unmatched = sorted(judgement.unmatched, key=lambda each: each.identity)
    return {
        "open": [finding_as_json(item) for item in sorted(judgement.open, key=by_severity)],
        "accepted": [finding_as_json(item) | {"reason": allow.reason} for item, allow in accepted],
        "unmatched_allowances": [asdict(item) for item in unmatched],
    }


def judgement_from_json(values: Mapping[str, Any]) -> Judgement:
    """The judgement that `judgement_as_json` wrote.

    Raises:
        KeyError: If a field is missing.
        ValueError: If a severity is unknown.
    """
    accepted = ((finding_from_json(item), item["reason"]) for item in values["accepted"])
    return Judgement(
        open=tuple(finding_from_json(item) for item in values["open"]),
        accepted=tuple((item, Allowance(item.identity, reason)) for item, reason in accepted),
        unmatched=tuple(Allowance(**item) for item in values["unmatched_allowances"]),
    )


def finding_as_json(finding: Finding) -> dict[str, Json]:
    """What `finding_from_json` reads; the identity stands in it for people and other tools."""
    return {
        "identity": finding.identity,
        "kind": finding.kind,
        "label": finding.label,
        "anchor": finding.anchor,
        "severity": str(finding.severity),
        "title": finding.title,
        "fix": finding.fix,
        "site": _site_as_json(finding.site),
        "related": [
            {"role": item.role, "site": _site_as_json(item.site)} for item in finding.related
        ],
        "evidence": [{"name": name, "value": value} for name, value in finding.evidence],
    }


def finding_from_json(values: Mapping[str, Any]) -> Finding:
    """The finding that `finding_as_json` wrote.

    Raises:
        KeyError: If a field is missing.
        ValueError: If the severity is unknown.
    """
    site = values["site"]
    return Finding(
        kind=values["kind"],
        label=values["label"],
        anchor=values["anchor"],
        severity=Severity(values["severity"]),
        title=values["title"],
        fix=values["fix"],
        site=None if site is None else SourceLine(**site),
        related=tuple(
            RelatedSite(item["role"], SourceLine(**item["site"])) for item in values["related"]
        ),
        evidence=tuple((item["name"], item["value"]) for item in values["evidence"]),
    )


def _site_as_json(site: SourceLine | None) -> Json:
    return None if site is None else asdict(site)
