"""The operator's place at a terminal: arming, and from then on keys and signals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omegaconf import DictConfig

from porl_robot.control.keyboard import Keyboard, keyboard
from porl_robot.control.operator import KEYS_HELP, Operator
from porl_robot.control.session import Action, Session
from porl_robot.env import RobotEnv
from porl_robot.errors import UsageError, UserError
from porl_robot.supervision import ArmingCard, Teleoperator
from porl_robot.verbs.schema import CONSENT


@contextmanager
def attended(
    config: DictConfig, env: RobotEnv, teleoperator: Teleoperator | None = None, led: bool = False
) -> Iterator[Operator | None]:
    """Puts an operator beside an env in real time; a simulation has none.

    Where the env needs arming, the operator arms, and keys act until the way out. Where it does not (the virtual arm),
    nothing is asked and standard input stays unread; signals stop the robot all the same.

    Args:
        teleoperator: what a person who takes over moves the robot with.
        led: a person moves it from the start, and nobody else does.

    Raises:
        UserError: nobody armed the robot; nothing has moved.
    """
    if not env.real_time:
        yield None
        return
    session = Session()
    descriptor = keyboard() if env.arming_needed else None
    if env.arming_needed:
        _ask(env, config.arm == CONSENT, descriptor is not None)
        print(f"keys: {KEYS_HELP}" if descriptor is not None else "keys are off: standard input is no terminal")
    session.act(Action.ARM)
    operator = Operator(session, env.has_success and env.reward_bounds is not None, teleoperator, led)
    env.supervisor = operator
    try:
        with Keyboard(operator.press, operator.stop, descriptor):
            env.arm()
            operator.start()
            yield operator
    finally:
        env.hold()
        operator.leave()


def _ask(env: RobotEnv, consented: bool, on_terminal: bool) -> None:
    """Shows what is about to move and has it armed.

    Raises:
        UserError: it is not.
    """
    if not consented and not on_terminal:
        raise UsageError(f"env={env.name}: a real arm has to be armed; run this on a terminal, or give arm={CONSENT}")
    card = env.arming_card()
    _show(card)
    if consented:
        print(f"armed by arm={CONSENT}")
        return
    try:
        answer = input(f"clear the space around the arm, then type {card.arm} to arm: ").strip()
    except EOFError:
        answer = ""
    if answer != card.arm:
        raise UserError(f"not armed: {answer!r} was typed, {card.arm!r} was expected; nothing has moved")


def _show(card: ArmingCard) -> None:
    rows = (("arm", card.arm), *card.rows)
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        print(f"{label:{width}}  {value}")
