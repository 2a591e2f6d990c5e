"""What one may ask to go wrong, and what then becomes of a reply."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import pytest

from hardware.errors import HardwareError
from sim.virtual_arm.chain import Reply
from sim.virtual_arm.disturb import disturbed
from sim.virtual_arm.faults import KINDS, parse_faults
from sim.virtual_arm.schedule import Schedule

REPLY = Reply(3, 0.0, bytes(range(100, 121)))


def pieces(text, random=None):
    return disturbed(REPLY, parse_faults(text), random or Random(1))


def test_a_line_says_what_when_and_whom():
    drop, late = parse_faults("drop p=0.25 ids=1,3 at=2 for=0.5; late by=0.1", now=10.0)
    assert (drop.kind, drop.start, drop.end, drop.probability, drop.ids) == ("drop", 12.0, 12.5, 0.25, (1, 3))
    assert drop.befalls(3) and not drop.befalls(2)
    assert (late.start, late.end, late.value) == (10.0, math.inf, 0.1)
    assert late.befalls(2)


def test_a_file_says_the_same(tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text("- {fault: drop, p: 0.25, ids: [1, 3], at: 2, for: 0.5}\n- {fault: late, by: 0.1}\n")
    assert parse_faults(str(path)) == parse_faults("drop p=0.25 ids=1,3 at=2 for=0.5; late by=0.1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fire", "fire: no such fault; there are drop, late"),
        ("drop q=1", "drop q=...: no such key; expected at, for, p, ids"),
        ("late bits=1", "late bits=...: no such key; expected at, for, p, ids, by"),
        ("drop p", "drop p: expected KIND key=value"),
        ("drop p=", "expected KIND key=value"),
        ("drop p=2", "p=2.0: expected a probability"),
        ("drop p=often", "p=often: expected a number >= 0"),
        ("late by=-1", "by=-1: expected a number >= 0"),
        ("drop at=nan", "at=nan: expected a number"),
        ("drop ids=one", "ids=one: expected ids such as 1,3"),
        ("dead", "dead: expected ids=1"),
        ("duplicate ids=2", "duplicate: expected ids=1,2"),
        ("nowhere.yaml", "nowhere.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text, said):
    with pytest.raises(HardwareError) as error:
        parse_faults(text)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["{fault: drop}", "- drop", "- {p: 1}", "- {fault: [", "- {fault: drop, ids: 1.5}"])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "faults.yml"
    path.write_text(content)
    with pytest.raises(HardwareError, match="faults") as error:
        parse_faults(str(path))
    assert "\n" not in str(error.value)


def test_faults_begin_and_end_in_time():
    schedule = Schedule(range(1, 7))
    schedule.add(parse_faults("drop at=1 for=1; dead ids=2 at=1.5; echo at=5"))
    assert schedule.advance(0.9) == ([], [])
    assert [fault.kind for fault in schedule.advance(1.0)[1]] == ["drop"]
    assert [fault.kind for fault in schedule.advance(1.9)[1]] == ["dead"]
    ended, begun = schedule.advance(2.0)
    assert ([fault.kind for fault in ended], begun) == (["drop"], [])
    assert [fault.kind for fault in schedule.of("dead")] == ["dead"]
    schedule.clear()
    assert [fault.kind for fault in schedule.advance(2.1)[0]] == ["dead"]
    assert schedule.advance(9.0) == ([], []) and not schedule.active


def test_a_fault_of_a_servo_that_is_not_there_is_refused_with_all_beside_it():
    schedule = Schedule(range(1, 7))
    with pytest.raises(HardwareError, match="stuck ids=9: no such servo; there are 1, 2, 3, 4, 5, 6"):
        schedule.add(parse_faults("drop; stuck ids=9"))
    assert schedule.advance(1.0) == ([], [])


def test_each_fault_does_to_a_reply_what_it_says():
    data = REPLY.data
    assert pieces("") == [(0.0, data)]
    assert pieces("drop") == []
    assert pieces("late by=0.2") == [(0.2, data)]
    assert pieces("double") == [(0.0, data + data)]
    assert pieces("split gap=0.01 ") == [(0.01 * k, data[k : k + 1]) for k in range(len(data))]
    ((_, cut),) = pieces("truncate")
    assert len(cut) < len(data) and data.startswith(cut)
    ((_, flipped),) = pieces("flip bits=3")
    assert sum((a ^ b).bit_count() for a, b in zip(flipped, data, strict=True)) == 3
    ((_, noisy),) = pieces("noise bytes=4")
    changed = [k for k, (a, b) in enumerate(zip(noisy, data, strict=True)) if a != b]
    assert changed and changed[-1] - changed[0] < 4
    ((_, chattered),) = pieces("chatter bytes=5")
    assert chattered[5:] == data
    assert pieces("drop ids=4; late by=0.1; double") == [(0.1, data + data)]


def test_chances_are_as_given_and_the_same_for_the_same_seed():
    def dropped(seed):
        random = Random(seed)
        return [not pieces("drop p=0.3", random) for _ in range(2000)]

    assert dropped(1) == dropped(1) != dropped(2)
    assert 0.25 < sum(dropped(1)) / 2000 < 0.35


@pytest.mark.parametrize("kind", KINDS)
def test_the_docs_name_every_fault_and_its_knob(kind):
    page = (Path(__file__).parents[3] / "docs" / "virtual_arm.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{kind}` |")]
    assert f"`{KINDS[kind].knob}`" in row or KINDS[kind].knob is None
