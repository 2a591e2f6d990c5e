"""The operator beside one robot: keys in, one line out, and in between the env that asks what it may do."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from porl_robot.command import FloatArray
from porl_robot.control.session import LATCHED, MOVING, Action, IllegalAction, Session, State
from porl_robot.supervision import Fault, Mark, Teleoperator

STOPPED_BY_OPERATOR = "stopped by the operator"
FINISHED_BY_OPERATOR = "finished early by the operator"

STOP_KEYS = {" ": "space", "\x03": "Ctrl-C"}
KEYS_HELP = (
    "space or Ctrl-C stop   p pause, resume   t take over, release   "
    "s success   f failure   r re-record   q finish after this episode"
)

_MARKS = {
    "s": (Action.SUCCESS, Mark.SUCCESS),
    "f": (Action.FAILURE, Mark.FAILURE),
    "r": (Action.RERECORD, Mark.DISCARD),
}
_RECENT = 20


class Operator:
    """A `porl_robot.supervision.Supervisor` with a session behind it.

    `press` and `stop` may be called from another thread than the env's.

    Args:
        session: ARMED by the time the env moves.
        judges: whether the task knows success and what its rewards mean, so that episodes can be marked.
        teleoperator: what a person who takes over moves the robot with; None where there is nothing.
        led: nobody but a person moves the robot in this run: there is no policy to go back to.
    """

    def __init__(
        self, session: Session, judges: bool, teleoperator: Teleoperator | None = None, led: bool = False
    ) -> None:
        self.session = session
        self.finishing = False
        self._judges, self._teleoperator, self._led = judges, teleoperator, led
        self._lock = threading.Lock()
        self._mark: Mark | None = None
        self._acting = False
        self._step = 0
        self._outcomes: tuple[bool, ...] = ()
        self._intervention = self._answer = ""

    # What the env asks.

    @property
    def halted(self) -> str | None:
        state = self.session.state
        if state in MOVING or state is State.PAUSED:
            return None
        if state is State.STOPPED:
            return STOPPED_BY_OPERATOR
        reason = self.session.reason
        return f"the robot is {state.value}" if reason is None else f"{reason.cause}; {reason.remedy}"

    @property
    def paused(self) -> bool:
        return self.session.state is State.PAUSED

    def hand(self) -> FloatArray | None:
        if self._teleoperator is None or self.session.state is not State.HUMAN:
            return None
        asked = self._teleoperator.act()
        if isinstance(asked, Fault):
            self.report(asked)
            return None
        return asked

    def sleep(self, seconds: float) -> None:
        self.session.wait_latched(seconds)

    def report(self, fault: Fault) -> None:
        self.session.fault(fault)

    def begin(self) -> None:
        with self._lock:
            self._acting, self._mark, self._step, self._answer = True, None, 0, ""

    def mark(self) -> Mark | None:
        with self._lock:
            mark, self._mark = self._mark, None
            return mark

    def saw(self, step: int, reasons: Iterable[str], ended: bool, success: bool | None) -> None:
        self._step = step
        for reason in reasons:
            self._intervention = reason
        if ended:
            with self._lock:
                self._acting = False
            if success is not None:
                self._outcomes = (*self._outcomes, success)[-_RECENT:]

    # What the operator does.

    def press(self, key: str) -> None:
        """Does what `key` stands for. One that is not possible now is answered in the line; others do nothing."""
        try:
            if key in STOP_KEYS:
                self.stop(STOP_KEYS[key])
            elif key == "p":
                self.session.act(self._going_on if self.paused else Action.PAUSE)
                self._answer = ""
            elif key == "t":
                self._take_over_or_release()
                self._answer = ""
            elif key in _MARKS:
                self._put_mark(*_MARKS[key])
            elif key == "q":
                self.finishing = True
                self._answer = "finishing after this episode"
        except IllegalAction as refusal:
            self._answer = str(refusal)

    def stop(self, cause: str) -> None:
        """Stops the robot. `cause`: the key, the signal, or what else did it."""
        self.session.stop(cause)

    def start(self) -> None:
        """Lets the policy move the armed robot, or the person, where nobody else does."""
        self.session.act(Action.START)
        if self._led:
            self.session.act(Action.TAKEOVER)

    def leave(self) -> None:
        """Disarms at the end of a run. What is latched stays so."""
        if self.session.state in MOVING:
            self.session.act(Action.PAUSE)
        if self.session.state not in LATCHED:
            self.session.act(Action.DISARM)

    # What the operator sees.

    def line(self) -> str:
        """State, step of the episode, success of the last episodes, and why: the answer to a key, the last filter."""
        reason = self.session.reason
        parts = [self.session.state.value.upper(), f"step {self._step}"]
        outcomes = self._outcomes
        if outcomes:
            parts.append(f"success {sum(outcomes)}/{len(outcomes)}")
        said = (self._answer or self._intervention) if reason is None else reason.cause
        return "  ".join([*parts, said] if said else parts)

    @property
    def _going_on(self) -> Action:
        """What ends a pause."""
        return Action.TAKEOVER if self._led else Action.RESUME

    def _take_over_or_release(self) -> None:
        if self.session.state is State.HUMAN:
            self.session.act(Action.RELEASE)
        elif self._teleoperator is None and not self._led:
            raise IllegalAction("cannot take over: there is nothing to lead with; teleop=leader brings a second arm")
        else:
            self.session.act(Action.TAKEOVER)

    def _put_mark(self, action: Action, mark: Mark) -> None:
        if not self._judges:
            raise IllegalAction(f"cannot {action.value}: the task knows no success")
        with self._lock:
            if not self._acting:
                raise IllegalAction(f"cannot {action.value}: no episode is under way")
            self.session.act(action)
            self._mark = mark
        self._answer = f"{action.value}: at the next step"
