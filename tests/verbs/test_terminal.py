"""What the operator reads never takes a second line, however narrow the terminal."""

import io
import re
import sys

import pytest

from porl_robot.verbs.terminal import Terminal

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class FakeScreen(io.StringIO):
    """Says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("columns", [20, 60, 200])
def test_the_operators_line_is_one_line(monkeypatch, columns):
    screen = FakeScreen()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    with Terminal("finetune", 500, "steps", lambda: "PAUSED  step 12  rate: " + "elbow " * 30) as terminal:
        terminal.progress(7, success=0.5)
        terminal.note("something happened")
    shown = CONTROL.sub("", screen.getvalue())
    frames = [line for line in re.split(r"[\r\n]+", shown) if "steps" in line or "PAUSED" in line]
    assert frames and all(len(line) <= columns and line.startswith("PAU") for line in frames)
    assert all(re.search(r"[07]/500 steps$", line) for line in frames)
    assert "something happened" in shown


def test_plain_output_ends_with_the_operators_line(monkeypatch, capsys):
    monkeypatch.setattr("porl_robot.verbs.terminal._PLAIN_EVERY", 0.0)
    with Terminal("finetune", 500, "steps", lambda: "POLICY  step 12") as terminal:
        terminal.progress(7, phase="online")
        terminal.progress(9)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("finetune 7/500 steps") and first.endswith("phase online  POLICY  step 12")
    assert second.startswith("finetune 9/500 steps") and second.endswith("phase online  POLICY  step 12")
