"""One step as it is logged: what was asked for, what was executed, and why they differ."""

from itertools import pairwise

import numpy as np
import pytest

from porl_robot.control.rollout import Choice, episode, to_record
from porl_robot.replay.record import Phase, Source
from sim.arm_env import ArmEnv
from sim.arm_tasks import Reach


def chosen(action):
    return lambda observation: Choice(np.asarray(action, "f4"), -1.5, Source.POLICY, 3)


def records(env, choose, seed=0):
    return [to_record(t, 5, frame, Phase.ONLINE) for frame, t in enumerate(episode(env, choose, seed))]


@pytest.fixture(scope="module")
def slow_arm():
    """Swings as fast as it may at a fifth of the speed, one record per step."""
    rng = np.random.default_rng(0)

    def swing(observation):
        return chosen(rng.choice([-1.0, 1.0], 4))(observation)

    return records(ArmEnv(Reach(), speed=0.2), swing)


def test_the_executed_action_differs_where_a_filter_changed_it(slow_arm):
    changed = [r for r in slow_arm if r.filters]
    assert len(changed) > len(slow_arm) // 2
    for record in changed:
        assert np.abs(record.action - record.action_requested).max() > 0.1
        assert np.abs(record.action).max() <= 1.0


def test_the_executed_action_is_the_requested_one_where_none_did():
    for record in records(ArmEnv(Reach()), chosen(np.full(4, 0.1))):
        assert record.filters == 0
        assert np.array_equal(record.action, record.action_requested)


def test_requests_keep_their_log_density_and_origin(slow_arm):
    assert all(np.abs(r.action_requested).min() == 1.0 for r in slow_arm)
    assert {(r.log_prob, r.source, r.policy_version, r.phase, r.episode_index) for r in slow_arm} == {
        (-1.5, Source.POLICY, 3, Phase.ONLINE, 5)
    }


def test_only_the_last_record_holds_a_final_observation(slow_arm):
    assert [r.frame_index for r in slow_arm] == list(range(len(slow_arm)))
    assert all(r.final_observation is None and not r.truncated for r in slow_arm[:-1])
    assert slow_arm[-1].final_observation is not None and slow_arm[-1].truncated


def test_observations_follow_one_another(slider):
    transitions = list(episode(slider(reachable=False), chosen([0.5]), seed=1))
    assert len(transitions) == slider.horizon
    for before, after in pairwise(transitions):
        assert np.array_equal(before.next_observation, after.observation)


def test_begin_is_called_between_reset_and_the_first_choice(slider):
    env, order = slider(), []

    def choose(observation):
        order.append("choose")
        return chosen([1.0])(observation)

    list(episode(env, choose, 0, lambda: order.append("begin")))
    assert order[:2] == ["begin", "choose"] and order.count("begin") == 1


def test_a_command_that_is_no_number_ends_the_episode_as_a_fault(slider):
    env = slider()
    (record,) = records(env, chosen([np.nan]))
    assert record.truncated and not record.terminated and record.filters == 1
    assert np.isnan(record.action_requested).all() and not record.action.any()
    assert env.held == 1
