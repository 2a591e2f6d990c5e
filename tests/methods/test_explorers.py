import numpy as np
import pytest
from scipy.stats import norm

from porl_robot.methods.explorers import GuideThenLearner, ModePlusNoise, Moment, SampleFromPolicy
from porl_robot.replay.record import Source


class Runner:
    action_size = 3

    def sample(self, observation, rng, noise_scale=1.0):
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


class Still(Runner):
    def mode(self, observation):
        return np.array([0.0, 0.5, -0.99])


def test_noise_around_the_mode_is_gaussian_within_the_action_space():
    explorer, rng = ModePlusNoise(0.1), np.random.default_rng(0)
    drawn = [explorer.act(Still(), None, np.zeros(3), Moment(step, 0), rng) for step in range(4000)]
    actions = np.array([proposed.action for proposed in drawn])
    assert np.abs(actions).max() <= 1.0 and (actions[:, 2] == -1.0).mean() == pytest.approx(0.46, abs=0.03)
    np.testing.assert_allclose(actions[:, :2].mean(0), [0.0, 0.5], atol=0.01)
    np.testing.assert_allclose(actions[:, :2].std(0), 0.1, atol=0.005)
    inside = [proposed for proposed in drawn if np.abs(proposed.action).max() < 1.0]
    for proposed in inside[:20]:
        expected = norm.logpdf(proposed.action, Still().mode(None), 0.1).sum()
        assert proposed.log_prob == pytest.approx(expected)


def test_guide_acts_first_and_the_learner_takes_over():
    explorer, rng = GuideThenLearner(longest=20, stages=4, window=2), np.random.default_rng(0)
    for recent, guided in (((), 20), ((1.0,), 20), ((1.0, 1.0), 15), ((1.0,) * 8, 0), ((1.0,) * 99, 0)):
        for frame in range(25):
            proposed = explorer.act(Runner(), Still(), np.zeros(3), Moment(7, frame, recent), rng)
            by_guide = frame < guided
            assert proposed.source == (Source.GUIDE if by_guide else Source.POLICY)
            assert np.isnan(proposed.log_prob) == by_guide
            np.testing.assert_array_equal(proposed.action, Still().mode(None) if by_guide else np.zeros(3))


def test_guide_stays_while_success_is_below_the_best():
    explorer = GuideThenLearner(longest=20, stages=4, window=2, tolerance=0.1)
    assert explorer.guided_steps([1.0, 1.0, 0.0, 1.0, 0.0]) == 15
    assert explorer.guided_steps([1.0, 1.0, 0.0, 1.0, 1.0]) == 10
    assert explorer.guided_steps([0.0, 0.0]) == 20, "no success at all is no reason to hand over"


class Undecided(Runner):
    def sample(self, observation, rng, noise_scale=1.0):
        return np.zeros(3), float("nan")


def test_action_of_the_frozen_reference_is_logged_as_the_guides():
    proposed = SampleFromPolicy().act(Undecided(), None, np.zeros(3), Moment(0, 0), np.random.default_rng(0))
    assert proposed.source == Source.GUIDE
