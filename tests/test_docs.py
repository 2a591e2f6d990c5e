"""The docs say what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest

from porl_robot.analysis.summary import SCHEMA, schema_table

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("kind", SCHEMA)
def test_summary_page_holds_the_schema(kind: str) -> None:
    assert schema_table(kind) in (DOCS / "summary.md").read_text()
