import numpy as np
import pytest

from porl_robot.methods.explorers import Moment, SampleFromPolicy
from porl_robot.replay.record import Source


class Runner:
    action_size = 3

    def sample(self, observation, rng):
        return 0.5 * np.tanh(observation), float(rng.random())


def test_policy_is_sampled_with_the_generator_it_was_given():
    observation = np.array([0.1, -2.0, 3.0])
    proposed = SampleFromPolicy().act(Runner(), None, observation, Moment(0, 0), np.random.default_rng(1))
    np.testing.assert_array_equal(proposed.action, 0.5 * np.tanh(observation))
    assert proposed.log_prob == np.random.default_rng(1).random()
    assert proposed.source == Source.POLICY


def test_first_steps_are_uniform_with_their_density():
    explorer, rng, observation = SampleFromPolicy(1000), np.random.default_rng(0), np.full(3, 9.0)
    drawn = [explorer.act(Runner(), None, observation, Moment(step, step % 50), rng) for step in range(1000)]
    actions = np.array([proposed.action for proposed in drawn])
    assert np.abs(actions).max() <= 1.0
    np.testing.assert_allclose(actions.mean(0), 0.0, atol=0.07)
    np.testing.assert_allclose(actions.std(0), 1 / np.sqrt(3), atol=0.03)
    assert all(np.exp(proposed.log_prob) == pytest.approx(1 / 8) for proposed in drawn)
    proposed = explorer.act(Runner(), None, observation, Moment(1000, 0), rng)
    np.testing.assert_array_equal(proposed.action, 0.5 * np.tanh(observation))
