"""An operator at a real pseudo-terminal, an arm in real time behind it: arming, keys, and every way out."""

import random
import signal
import time

import pytest

from porl_robot.control.operator import STOPPED_BY_OPERATOR

PERIOD = 0.05  # [s], of the training arm
PRESSES = 20


@pytest.fixture
def person(at_the_arm):
    """Somebody who has typed the arm's name."""
    person = at_the_arm()
    person.wait_shown("type training_arm to arm: ")
    assert person.lines() == []
    person.type("training_arm\n")
    person.wait_event("send", 3)
    return person


def test_arming_shows_the_arm_before_anything_moves(person):
    card = person.shown.split("clear the space")[0]
    assert "arm   training_arm" in card and "port  /dev/training" in card and "pose  at rest" in card
    first = [line.split()[0] for line in person.lines()][:3]
    assert first == ["armed", "begin", "send"]


@pytest.mark.parametrize("answer", ["yes\n", "\n", "\x04"])
def test_another_answer_moves_nothing(at_the_arm, answer):
    person = at_the_arm()
    person.wait_shown("to arm: ")
    person.type(answer)
    assert person.leave() == 1
    person.wait_shown("nothing has moved")
    assert person.lines() == []


def test_without_a_terminal_nobody_arms(alone):
    events, process = alone()
    said, _ = process.communicate(timeout=60)
    assert said.decode() == "env=arm_reach: a real arm has to be armed; run this on a terminal, or give arm=yes\n"
    assert not events.exists()


def test_consent_arms_without_a_terminal_and_signals_still_stop(alone):
    events, process = alone("arm=yes")
    while process.poll() is None and not (events.exists() and "send" in events.read_text()):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"armed by arm=yes" in said and b"keys are off: standard input is no terminal" in said
    assert STOPPED_BY_OPERATOR.encode() in said


def stop_by_signal(person):
    person.process.send_signal(signal.SIGTERM)


WAYS_TO_STOP = {
    "space": lambda person: person.type(" "),
    "Ctrl-C": lambda person: person.type("\x03"),
    "SIGTERM": stop_by_signal,
}


@pytest.mark.parametrize("way", WAYS_TO_STOP)
def test_a_stop_holds_ends_the_episode_and_puts_the_terminal_back(person, way):
    WAYS_TO_STOP[way](person)
    assert person.leave() == 1
    person.wait_shown(STOPPED_BY_OPERATOR)
    assert person.ends() == [("False", "True", "False", "False", "-1.0")]
    assert person.times("hold")[0] > person.times("send")[-1]
    assert person.settings_now() == person.settings
    assert f"STOPPED  step {len(person.times('send'))}" in person.shown and way in person.shown


def test_a_closed_terminal_stops(person):
    person.hang_up()
    person.process.wait(60)
    assert len(person.ends()) == 1
    assert person.times("hold")[0] > person.times("send")[-1]


def test_a_bug_puts_the_terminal_back_and_holds(person):
    person.events.with_suffix(".error").touch()
    assert person.leave() == 1
    person.wait_shown("ZeroDivisionError")
    assert person.times("hold")[-1] > person.times("send")[-1]
    assert person.settings_now() == person.settings


def test_a_fault_is_told_with_its_remedy(person):
    person.events.with_suffix(".fault").touch()
    assert person.leave() == 1
    person.wait_shown("servo 3 is overloaded; take the load off and switch the arm off and on")
    assert "FAULT" in person.shown and person.ends()[0][:2] == ("False", "True")


def test_a_pause_sends_nothing_until_it_is_over(person):
    person.type("p")
    person.wait_event("hold", 3)
    sent = len(person.times("send"))
    person.wait_event("hold", 8)
    assert len(person.times("send")) == sent
    person.wait_shown(f"PAUSED  step {sent - 1}")  # the last one sent is not over
    person.type("p")
    person.wait_event("send", sent + 3)


def test_nobody_takes_over_without_a_leader(person):
    person.type("t")
    person.wait_shown("cannot take over: there is nothing to lead with")
    sent = len(person.times("send"))
    person.wait_event("send", sent + 3)


def test_marks_end_episodes_and_q_the_run(person):
    for count, key in enumerate("sfr", start=1):
        person.wait_event("begin", count)
        person.wait_event("send", len(person.times("send")) + 2)
        person.type(key)
        person.wait_event("end", count)
    person.wait_event("begin", 4)
    person.wait_event("send", len(person.times("send")) + 2)
    person.type("qs")
    assert person.leave() == 0
    success, failure, discarded, last = person.ends()
    assert success == ("True", "False", "True", "False", "0.0")
    assert failure[:4] == ("True", "False", "False", "False") and float(failure[4]) < -1.0
    assert discarded[:4] == ("False", "True", "None", "True")
    assert last == success and len(person.times("finished")) == 1


@pytest.mark.slow
def test_space_holds_within_one_control_period(at_the_arm):
    person = at_the_arm("arm=yes", rounds=PRESSES)
    latencies = []
    for number in range(PRESSES):
        person.wait_event("begin", number + 1)
        person.wait_event("send", len(person.times("send")) + 1)
        time.sleep(random.uniform(0.0, 2 * PERIOD))
        pressed = person.type(" ")
        person.wait_event("end", number + 1)
        latencies.append(min(held for held in person.times("hold") if held > pressed) - pressed)
    # One press in twenty may meet a busy machine that runs neither process.
    assert sorted(latencies)[-2] <= PERIOD
