"""The docs say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from porl_robot.analysis.summary import SCHEMA, schema_table
from porl_robot.control.session import TRANSITIONS, Action, State

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("kind", SCHEMA)
def test_summary_page_holds_the_schema(kind: str) -> None:
    assert schema_table(kind) in (DOCS / "summary.md").read_text()


@pytest.mark.parametrize("action", Action)
def test_operator_page_holds_the_table_of_the_session(action: Action) -> None:
    after = [TRANSITIONS[action].get(state) for state in State]
    cells = " | ".join("" if state is None else state.value for state in after)
    row = f"| {action.value} | {cells} |".replace("  ", " ")
    assert row in (DOCS / "operator.md").read_text().splitlines()
