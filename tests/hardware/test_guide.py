"""The hardware guide quotes what the program says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "hardware.md").read_text()
QUOTED = re.findall(r"^\| `([^`]+)` \|", GUIDE.partition("## What a refusal means")[2], flags=re.MULTILINE)


def strings() -> list[str]:
    """Every piece of text in the rooms that talk to the operator of an arm."""
    rooms = [*(ROOT / "hardware").rglob("*.py"), *(ROOT / "porl_robot" / "verbs").glob("*.py")]
    nodes = [node for room in rooms for node in ast.walk(ast.parse(room.read_text()))]
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


SAID = strings()


@pytest.mark.parametrize("message", QUOTED)
def test_the_program_says_so(message: str) -> None:
    assert any(message in text for text in SAID)


def test_no_refusal_of_calibrate_is_left_out() -> None:
    """Every error that the calibration's own rooms raise has a line in the table."""
    rooms = [
        *(ROOT / "hardware" / "calibrate").glob("*.py"),
        *map(_room, ("homing", "plausibility", "sweep", "roll_call")),
    ]
    raised = [
        "".join(part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str))
        for room in rooms
        for node in ast.walk(ast.parse(room.read_text()))
        if isinstance(node, ast.Raise) and node.exc is not None
    ]
    wordy = [text for text in raised if len(text) > 40]
    assert len(wordy) > 12
    assert [text for text in wordy if not any(quoted in text for quoted in QUOTED)] == []


def _room(name: str) -> Path:
    return ROOT / "hardware" / f"{name}.py"
