"""An evaluation is a function of policy and seeds."""

from itertools import combinations

import pytest

from porl_robot.control.evaluation import evaluate, start_seeds
from porl_robot.policy.inference import PolicyRunner
from porl_robot.seeds import Stream, derive

STARTS = Stream.EVALUATION_STARTS


@pytest.fixture
def runner(policy_of):
    return PolicyRunner(policy_of())


@pytest.mark.parametrize("sampled", [False, True])
def test_the_same_policy_and_seeds_give_the_same_outcome(slider, runner, sampled):
    seeds = start_seeds(0, STARTS, 20)
    env = slider()
    first = evaluate(env, runner, seeds, sampled)
    assert evaluate(env, runner, seeds, sampled) == first
    assert evaluate(slider(), runner, seeds, sampled) == first
    assert 0 < first.success < 1


def test_mode_and_samples_are_different_things(slider, runner):
    seeds = start_seeds(0, STARTS, 20)
    assert evaluate(slider(), runner, seeds) != evaluate(slider(), runner, seeds, sampled=True)


def test_every_episode_is_reported(slider, runner):
    ticks = []
    evaluate(slider(), runner, [1, 2, 3], progress=lambda: ticks.append(1))
    assert len(ticks) == 3


def test_a_task_without_success_has_none(slider, runner):
    env = slider()
    env.has_success = False
    result = evaluate(env, runner, [1, 2])
    assert result.success is None and result.return_mean < 0


def test_streams_of_starts_do_not_meet():
    drawn = [{derive(0, stream, index) for index in range(200)} for stream in Stream]
    assert all(not a & b for a, b in combinations([*drawn, set(start_seeds(1, STARTS, 200))], 2))


def test_starts_are_repeatable_and_fewer_are_the_first_of_many():
    assert start_seeds(3, STARTS, 9)[:4] == start_seeds(3, STARTS, 4)
    assert len(set(start_seeds(3, STARTS, 100))) == 100
