"""A person with a device takes over from a policy and gives back, on a slider without a clock."""

import numpy as np
import pytest

from porl_robot.control.evaluation import evaluate
from porl_robot.control.operator import Operator
from porl_robot.control.rollout import Choice, episode, to_record
from porl_robot.control.run_state import RunState
from porl_robot.control.session import Action, Session, State
from porl_robot.replay.log import read_log
from porl_robot.replay.record import Phase, Source
from porl_robot.supervision import Fault

BROKEN = Fault("the leader cannot be read", "check its cable")


class Stick:
    """Pushes by .5, or is broken."""

    def __init__(self):
        self.asked, self.broken = 0, False

    def act(self):
        self.asked += 1
        return BROKEN if self.broken else np.array([0.5])

    def close(self):
        pass


@pytest.fixture
def stick():
    return Stick()


def operating(teleoperator=None, led=False):
    session = Session()
    session.act(Action.ARM)
    made = Operator(session, judges=True, teleoperator=teleoperator, led=led)
    made.start()
    return made


@pytest.fixture
def env(slider, stick):
    made = slider(reachable=False)
    made.supervisor = operating(stick)
    return made


def choose(observation):
    return Choice(np.array([-0.25]), 0.0, Source.POLICY, 3)


def press_at(env, **keys):
    """Has `keys["sN"]` pressed while step N (from 0) is waited for."""
    env.on_step = lambda taken: [env.supervisor.press(key) for key in keys.get(f"s{taken}", "")]


def resumed_by(operator, key):
    """Ends every pause by `key`."""
    operator.sleep = lambda seconds: operator.press(key)


def test_the_key_takes_over_and_gives_back_to_nobody(env, stick):
    press_at(env, s3="t", s6="t")
    states = []
    env.supervisor.sleep = lambda seconds: (states.append(env.supervisor.session.state), env.supervisor.press("p"))
    steps = list(episode(env, choose, seed=1))
    sources = [step.choice.source for step in steps]
    assert sources == [Source.POLICY] * 4 + [Source.HUMAN] * 3 + [Source.POLICY] * (env.horizon - 7)
    assert states == [State.PAUSED] and stick.asked == 3
    assert [step.step.action[0] for step in steps[3:8]] == [-0.25, 0.5, 0.5, 0.5, -0.25]


def test_a_pause_can_end_in_the_persons_hands(env):
    press_at(env, s3="p")
    resumed_by(env.supervisor, "t")
    steps = list(episode(env, choose, seed=1))
    assert {step.choice.source for step in steps[4:]} == {Source.HUMAN}


def test_a_persons_step_is_logged_as_an_intervention_but_not_where_nobody_else_acts(env):
    press_at(env, s3="t")
    steps = list(episode(env, choose, seed=1))
    policys, persons = (to_record(step, 0, 0, Phase.ONLINE) for step in (steps[0], steps[5]))
    assert not policys.is_intervention and persons.is_intervention
    assert persons.source is Source.HUMAN and np.isnan(persons.log_prob) and persons.policy_version == 0
    assert persons.action == persons.action_requested == 0.5
    assert not to_record(steps[5], 0, 0, Phase.COLLECT).is_intervention


def test_without_a_device_nobody_takes_over(slider):
    env = slider(reachable=False)
    env.supervisor = operating()
    press_at(env, s3="t")
    steps = list(episode(env, choose, seed=1))
    assert {step.choice.source for step in steps} == {Source.POLICY}
    assert "cannot take over: there is nothing to lead with" in env.supervisor.line()
    assert env.supervisor.session.state is State.POLICY


def test_a_broken_device_holds_and_ends_the_episode(env, stick):
    stick.broken = True
    press_at(env, s3="t")
    *_, last = steps = list(episode(env, choose, seed=1))
    assert len(steps) == 5 and last.truncated and not last.step.action.any()
    assert last.step.fault == "the leader cannot be read; check its cable"
    assert env.held == 1 and env.supervisor.session.state is State.FAULT


@pytest.mark.parametrize("key", ["p", "t"])
def test_where_only_a_person_acts_both_keys_pause_and_go_on(slider, stick, key):
    env = slider(reachable=False)
    env.supervisor = operating(stick, led=True)
    assert env.supervisor.session.state is State.HUMAN
    press_at(env, s3=key)
    resumed_by(env.supervisor, key)
    steps = list(episode(env, choose, seed=1))
    assert env.held == 1 and env.supervisor.session.state is State.HUMAN
    assert {step.choice.source for step in steps} == {Source.HUMAN}


def test_a_stopped_robot_is_not_taken_over(env):
    env.supervisor.press(" ")
    env.supervisor.press("t")
    assert env.supervisor.session.state is State.STOPPED and env.supervisor.hand() is None


class Standing:
    """A policy that never moves."""

    def mode(self, observation):
        return np.zeros(1)


def test_what_a_person_helped_with_is_no_success_of_the_policy(slider, stick):
    env = slider()
    env.supervisor = operator = operating(stick)
    seeds = [seed for seed in range(40) if is_above(env, seed)][:4]  # which the stick pushes to
    operator.press("t")
    result = evaluate(env, Standing(), seeds)
    assert (result.episodes, result.successes, result.assisted) == (4, 0, 4)
    operator.press("t")
    operator.press("p")
    assert evaluate(env, Standing(), seeds).assisted == 0


def is_above(env, seed):
    observation, _ = env.reset(seed=seed)
    return 0.15 < observation[1] - observation[0] < 0.9


def test_a_fine_tuning_run_learns_from_a_persons_steps_as_from_any(tmp_path, slider, run_of, stick):
    env = slider()
    env.supervisor = operating(stick)
    press_at(env, s20="t", s120="t")
    resumed_by(env.supervisor, "p")
    run = run_of(tmp_path, env=env)
    run.tuning.run()
    log = read_log(tmp_path)
    human = log.source == Source.HUMAN
    assert human.sum() == 100 and (log.is_intervention == human).all()
    assert (log.action[human] == 0.5).all() and np.isnan(log.log_prob[human]).all()
    assert len(run.learner.buffer) == log.rows == 200
    episodes = [log.episode(index) for index in range(log.episodes)]
    alone = [float(log.success[rows][-1] == 1 and not human[rows].any()) for rows in episodes]
    state = run.tuning.state
    assert state.outcomes == alone and state.successes == (log.success[log.episode_ends - 1] == 1).sum() > sum(alone)
    again = RunState()
    again.recount(log)
    assert (again.outcomes, again.successes) == (state.outcomes, state.successes)
