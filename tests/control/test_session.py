"""The session's table, pair by pair, against one written out by hand."""

import threading
import time

import pytest

from porl_robot.control.session import LATCHED, TRANSITIONS, Action, IllegalAction, Session, State
from porl_robot.supervision import Fault

TABLE = """
             DISARMED  ARMED     POLICY    HUMAN     PAUSED    STOPPED   FAULT
ARM          ARMED     -         -         -         -         -         -
DISARM       -         DISARMED  -         -         DISARMED  -         -
START        -         POLICY    -         -         -         -         -
PAUSE        -         -         PAUSED    PAUSED    -         -         -
RESUME       -         -         -         -         POLICY    -         -
TAKEOVER     -         -         HUMAN     -         HUMAN     -         -
RELEASE      -         -         -         PAUSED    -         -         -
STOP         STOPPED   STOPPED   STOPPED   STOPPED   STOPPED   STOPPED   FAULT
FAULT        FAULT     FAULT     FAULT     FAULT     FAULT     FAULT     FAULT
RESET_STOP   -         -         -         -         -         DISARMED  -
CLEAR_FAULT  -         -         -         -         -         -         DISARMED
SUCCESS      -         -         POLICY    HUMAN     PAUSED    -         -
FAILURE      -         -         POLICY    HUMAN     PAUSED    -         -
RERECORD     -         -         POLICY    HUMAN     PAUSED    -         -
"""

HEADINGS, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
PAIRS = {
    (State[before], Action[action]): None if after == "-" else State[after]
    for action, *afters in ROWS
    for before, after in zip(HEADINGS, afters, strict=True)
}
LEGAL = {pair: after for pair, after in PAIRS.items() if after is not None}
ILLEGAL = [pair for pair, after in PAIRS.items() if after is None]

BROKEN = Fault("servo 3 is overloaded", "take the load off")
WAYS = {
    State.DISARMED: (),
    State.ARMED: (Action.ARM,),
    State.POLICY: (Action.ARM, Action.START),
    State.HUMAN: (Action.ARM, Action.START, Action.TAKEOVER),
    State.PAUSED: (Action.ARM, Action.START, Action.PAUSE),
    State.STOPPED: (Action.STOP,),
    State.FAULT: (Action.FAULT,),
}


def take(session, action):
    if action is Action.STOP:
        session.stop("space")
    elif action is Action.FAULT:
        session.fault(BROKEN)
    else:
        assert session.act(action) is session.state


def session_in(state):
    session = Session()
    for action in WAYS[state]:
        take(session, action)
    assert session.state is state
    return session


def test_the_table_knows_every_pair():
    assert PAIRS.keys() == {(state, action) for state in State for action in Action}
    assert TRANSITIONS.keys() == set(Action)


@pytest.mark.parametrize(("before", "action"), LEGAL, ids=lambda each: each.name)
def test_a_legal_action_leads_where_the_table_says(before, action):
    session = session_in(before)
    take(session, action)
    assert session.state is LEGAL[before, action]
    assert (session.reason is not None) == (session.state in LATCHED)


@pytest.mark.parametrize(("before", "action"), ILLEGAL, ids=lambda each: each.name)
def test_an_illegal_action_is_refused_in_one_line_and_changes_nothing(before, action):
    session = session_in(before)
    reason = session.reason
    with pytest.raises(IllegalAction) as refused:
        session.act(action)
    message = str(refused.value)
    assert "\n" not in message and f"cannot {action.value} while {before.value}" in message
    assert all(state.value in message for state in State if (state, action) in LEGAL)
    assert session.state is before and session.reason is reason


def test_what_is_latched_is_left_for_disarmed_alone():
    out = {after for (before, _), after in LEGAL.items() if before in LATCHED} - LATCHED
    assert out == {State.DISARMED}


def test_a_human_gives_back_to_nobody():
    assert {after for (before, _), after in LEGAL.items() if before is State.HUMAN} & {
        State.POLICY,
        State.ARMED,
    } == set()


def test_a_session_says_why_it_stopped_and_what_helps():
    session = session_in(State.POLICY)
    session.stop("Ctrl-C")
    assert session.reason == Fault("Ctrl-C", "reset the stop and arm again")
    session.act(Action.RESET_STOP)
    assert session.reason is None


def test_the_first_fault_is_kept_whatever_follows_from_it():
    session = session_in(State.POLICY)
    session.fault(BROKEN)
    session.fault(Fault("the port is gone", "plug it in"))
    session.stop("space")
    assert (session.state, session.reason) == (State.FAULT, BROKEN)


def test_a_fault_after_a_stop_is_told():
    session = session_in(State.STOPPED)
    session.fault(BROKEN)
    assert (session.state, session.reason) == (State.FAULT, BROKEN)


@pytest.mark.parametrize("action", [Action.STOP, Action.FAULT])
def test_nobody_stops_without_a_reason(action):
    session = session_in(State.POLICY)
    with pytest.raises(ValueError, match="needs a reason"):
        session.act(action)
    assert session.state is State.POLICY


def test_waiting_ends_with_a_stop_from_another_thread():
    session = session_in(State.POLICY)
    threading.Timer(0.05, session.stop, ["space"]).start()
    began = time.monotonic()
    session.wait_latched(10.0)
    assert 0.04 < time.monotonic() - began < 5.0
    assert session.state is State.STOPPED


def test_waiting_ends_with_its_time():
    began = time.monotonic()
    session_in(State.PAUSED).wait_latched(0.05)
    assert time.monotonic() - began >= 0.05


def test_a_stop_is_never_lost_beside_a_busy_thread():
    for _ in range(50):
        session = session_in(State.POLICY)
        going = threading.Event()

        def toggle(session=session, going=going):
            going.set()
            try:
                while True:
                    session.act(Action.PAUSE)
                    session.act(Action.RESUME)
            except IllegalAction:
                pass

        busy = threading.Thread(target=toggle)
        busy.start()
        going.wait()
        session.stop("space")
        busy.join(10.0)
        assert not busy.is_alive() and session.state is State.STOPPED
