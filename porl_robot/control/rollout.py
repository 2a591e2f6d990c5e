"""Episodes: who chooses, what happened, and how it is logged. Collecting, evaluating and learning share this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from porl_robot.command import FloatArray
from porl_robot.control.operator import FINISHED_BY_OPERATOR
from porl_robot.env import RobotEnv, StepInfo, step_info
from porl_robot.replay.record import Phase, Source, StepRecord
from porl_robot.supervision import Halted


@dataclass(frozen=True, slots=True)
class Choice:
    """An action (A,) in [-1, 1], its log-density (NaN where there is none), and where it comes from."""

    action: FloatArray
    log_prob: float
    source: Source
    policy_version: int


@dataclass(frozen=True, slots=True)
class Transition:
    """One step as it happened. Observations: (D,)."""

    observation: FloatArray
    choice: Choice
    reward: float
    terminated: bool
    truncated: bool
    next_observation: FloatArray
    step: StepInfo

    @property
    def ended(self) -> bool:
        """Whether the episode is over."""
        return self.terminated or self.truncated


def episode(
    env: RobotEnv,
    choose: Callable[[FloatArray], Choice],
    seed: int | None = None,
    begin: Callable[[], None] = lambda: None,
) -> Iterator[Transition]:
    """One episode from reset to its end. `begin` is called between the reset and the first choice.

    `choose` is not asked while a person who has taken over gives the actions.
    """
    observation, _ = env.reset(seed=seed)
    begin()
    ended = False
    while not ended:
        by_hand = None if env.supervisor is None else env.supervisor.hand()
        choice = choose(observation) if by_hand is None else Choice(by_hand, float("nan"), Source.HUMAN, 0)
        next_observation, reward, terminated, truncated, info = env.step(choice.action)
        ended = terminated or truncated
        yield Transition(observation, choice, reward, terminated, truncated, next_observation, step_info(info))
        observation = next_observation


def counted_episodes(env: RobotEnv, seeds: Iterable[int], run: Callable[[int], Transition]) -> int:
    """Calls `run` with every seed, again where the operator discarded the episode, until the operator wants no more.

    Args:
        run: runs one episode from its seed and returns its last transition.

    Returns:
        how many episodes count, at least one.

    Raises:
        Halted: the operator stopped the robot or finished before the first of them, or the robot has a fault.
    """
    count = 0
    for seed in seeds:
        last = run(seed)
        env.attend()
        while last.step.discarded and not env.finishing:
            last = run(seed)
            env.attend()
        count += not last.step.discarded
        if env.finishing:
            break
    if not count:
        raise Halted(FINISHED_BY_OPERATOR)
    return count


def to_record(transition: Transition, episode_index: int, frame_index: int, phase: Phase) -> StepRecord:
    """The log's view of a transition."""
    step, choice = transition.step, transition.choice
    return StepRecord(
        observation=transition.observation,
        action=step.action,
        action_requested=choice.action,
        log_prob=choice.log_prob,
        reward=transition.reward,
        terminated=transition.terminated,
        truncated=transition.truncated,
        success=step.success,
        source=choice.source,
        is_intervention=choice.source is Source.HUMAN and phase is not Phase.COLLECT,  # there, nobody else acts
        filters=step.verdict.filters,
        episode_index=episode_index,
        frame_index=frame_index,
        phase=phase,
        policy_version=choice.policy_version,
        time_tick=step.time_tick,
        time_observed=step.time_observed,
        time_sent=step.time_sent,
        final_observation=transition.next_observation if transition.ended else None,
    )
