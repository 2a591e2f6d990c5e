"""What the operator may do when: one table, and the session that keeps to it."""

from __future__ import annotations

import enum
import threading
from collections.abc import Mapping

from porl_robot.errors import UserError
from porl_robot.supervision import Fault


class State(enum.Enum):
    """Who moves the robot, or why nobody does. STOPPED and FAULT are latched."""

    DISARMED = "disarmed"
    ARMED = "armed"
    POLICY = "policy"
    HUMAN = "human"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAULT = "fault"


class Action(enum.Enum):
    """What an operator or, for FAULT, the program can do."""

    ARM = "arm"
    DISARM = "disarm"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    TAKEOVER = "take over"
    RELEASE = "release"
    STOP = "stop"
    FAULT = "report a fault"
    RESET_STOP = "reset the stop"
    CLEAR_FAULT = "clear the fault"
    SUCCESS = "mark a success"
    FAILURE = "mark a failure"
    RERECORD = "re-record"


_EPISODE = {state: state for state in (State.POLICY, State.HUMAN, State.PAUSED)}
_LATCH = {State.STOPPED: State.STOPPED, State.FAULT: State.FAULT}

TRANSITIONS: Mapping[Action, Mapping[State, State]] = {
    Action.ARM: {State.DISARMED: State.ARMED},
    Action.DISARM: {State.ARMED: State.DISARMED, State.PAUSED: State.DISARMED},
    Action.START: {State.ARMED: State.POLICY},
    Action.PAUSE: {State.POLICY: State.PAUSED, State.HUMAN: State.PAUSED},
    Action.RESUME: {State.PAUSED: State.POLICY},
    Action.TAKEOVER: {State.POLICY: State.HUMAN, State.PAUSED: State.HUMAN},
    Action.RELEASE: {State.HUMAN: State.PAUSED},
    # Whoever stops is never refused. A fault is not hidden by a later stop: its remedy is still needed.
    Action.STOP: {**dict.fromkeys(State, State.STOPPED), **_LATCH},
    Action.FAULT: dict.fromkeys(State, State.FAULT),
    Action.RESET_STOP: {State.STOPPED: State.DISARMED},
    Action.CLEAR_FAULT: {State.FAULT: State.DISARMED},
    Action.SUCCESS: _EPISODE,
    Action.FAILURE: _EPISODE,
    Action.RERECORD: _EPISODE,
}
"""Where each action leads from each state; what is missing is illegal. Marks are for an episode and change no state."""

LATCHED = frozenset(_LATCH)
"""Left by an action of the operator alone, and only for DISARMED."""

MOVING = frozenset({State.POLICY, State.HUMAN})
"""In which commands reach the robot."""


class IllegalAction(UserError):
    """The action is not possible in this state; nothing has changed."""


class Session:
    """The state of one robot's operation, DISARMED at first. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._state = State.DISARMED
        self._reason: Fault | None = None

    @property
    def state(self) -> State:
        """The state now."""
        return self._state

    @property
    def reason(self) -> Fault | None:
        """Why the session is STOPPED or in FAULT, and what helps; None in all other states."""
        return self._reason

    def act(self, action: Action) -> State:
        """Takes `action`; returns the state it leads to. `stop` and `fault` have methods of their own.

        Raises:
            IllegalAction: it is not possible in this state.
            ValueError: `action` needs a reason.
        """
        if action in (Action.STOP, Action.FAULT):
            raise ValueError(f"{action.name} needs a reason: call stop() or fault()")
        return self._take(action, None)

    def stop(self, cause: str) -> None:
        """Latches STOPPED, from every state but FAULT."""
        self._take(Action.STOP, Fault(cause, "reset the stop and arm again"))

    def fault(self, fault: Fault) -> None:
        """Latches FAULT from every state. The first fault is kept: later ones follow from it."""
        self._take(Action.FAULT, fault)

    def wait_latched(self, seconds: float) -> None:
        """Returns once the session is STOPPED or in FAULT, or after `seconds` of wall time."""
        with self._changed:
            self._changed.wait_for(lambda: self._state in LATCHED, seconds)

    def _take(self, action: Action, reason: Fault | None) -> State:
        with self._changed:
            before = self._state
            if before not in TRANSITIONS[action]:
                raise IllegalAction(f"cannot {action.value} while {before.value}: {_possible(action)}")
            after = TRANSITIONS[action][before]
            if after is not before:
                self._reason = reason
                self._state = after
                self._changed.notify_all()
            return after


def _possible(action: Action) -> str:
    return f"possible while {' or '.join(state.value for state in TRANSITIONS[action])}"
