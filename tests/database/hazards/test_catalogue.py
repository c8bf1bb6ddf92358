"""The table of the documentation is the catalogue, and the catalogue is proved by tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.database.hazards.catalogue import HAZARDS, Answer, Hazard, as_table

HERE = Path(__file__).parent


def functions_of(file: Path) -> set[str]:
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def test_the_table_of_the_documentation_is_this_one(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs/reference/isolation.md").read_text("utf-8")

    assert as_table() in page


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.what)
def test_every_answer_is_proved_by_a_test(hazard: Hazard) -> None:
    for proof in hazard.proofs:
        file, _, name = proof.partition("::")
        folder = HERE.parents[1] if "/" in file else HERE

        assert name in functions_of(folder / file)


def test_every_answer_is_explained(pytestconfig: pytest.Config) -> None:
    page = (pytestconfig.rootpath / "docs/reference/isolation.md").read_text("utf-8")

    assert [answer for answer in Answer if f"- **{answer}**" not in page] == []
