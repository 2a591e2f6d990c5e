"""Who acts: the better of actor and reference, and the guide that hands over ever earlier."""

import numpy as np
import pytest
import torch

from porl_robot.methods.behaviours import Composite
from porl_robot.methods.critics import action_values, random_critics, values
from porl_robot.methods.explorers import GuideThenLearner, Moment, SampleFromPolicy
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import normalise, random_parameters, to_policy
from porl_robot.policy.spec import PolicySpec
from porl_robot.replay.record import Source

D, A = 4, 2
NOW = Moment(step=100, frame=3)


def cast(seed=0):
    """An actor, a reference with the same statistics, and networks that may prefer either."""
    rng = torch.Generator().manual_seed(seed)
    spec = PolicySpec("toy", D, A, 20.0, (8,))
    actor, reference = (random_parameters(spec, rng) for _ in range(2))
    for parameters in (actor, reference):
        parameters["observation.mean"] = torch.tensor([1.0, -2.0, 0.0, 3.0])
        parameters["observation.std"] = torch.tensor([2.0, 0.5, 1.0, 4.0])
        parameters["mean.weight"] *= 4.0
    networks = {
        "targets": random_critics(3, D + A, (9, 8), rng, output_bias=-4.0),
        "reference_value": random_critics(1, D, (7,), rng, output_bias=-4.0),
    }
    return PolicyRunner(to_policy(actor, spec)), PolicyRunner(to_policy(reference, spec)), networks, actor


def observations(count, seed=1):
    return np.random.default_rng(seed).normal(scale=3.0, size=(count, D)).astype("f4")


def worth(networks, parameters, observation, action):
    seen = normalise(parameters, torch.tensor(observation)[None])
    return action_values(networks["targets"], seen, torch.tensor(action)[None])[:, 0].min().item()


def test_values_are_those_of_torch():
    actor, reference, networks, parameters = cast()
    agent, rng = Composite().agent(actor, reference, networks), np.random.default_rng(0)
    own_value = Composite(reference_value="returns").agent(actor, reference, networks)
    for observation in 40.0 * observations(50):  # some beyond the clip of the observation
        own, other = rng.uniform(-1, 1, (2, A)).astype("f4")
        mine = worth(networks, parameters, observation, own)
        expected = mine - worth(networks, parameters, observation, other)
        assert agent._gain(observation, own, other) == pytest.approx(expected, rel=1e-3, abs=1e-5)
        seen = normalise(parameters, torch.tensor(observation)[None])
        expected = mine - values(networks["reference_value"], seen)[0, 0].item()
        assert own_value._gain(observation, own, other) == pytest.approx(expected, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("rule", ["argmax", "softmax"])
def test_mode_is_the_better_of_both_modes(rule):
    actor, reference, networks, parameters = cast()
    agent, chosen = Composite(rule).agent(actor, reference, networks), []
    for observation in observations(60):
        modes = actor.mode(observation), reference.mode(observation)
        mine, other = (worth(networks, parameters, observation, mode) for mode in modes)
        chosen.append(mine > other)
        assert np.array_equal(agent.mode(observation), modes[0] if mine > other else modes[1])
    assert any(chosen) and not all(chosen)


def sampled(agent, seen, seed=0):
    rng = np.random.default_rng(seed)
    return [agent.sample(each, rng) for each in seen]


def test_a_cold_softmax_is_the_argmax():
    """And what is sampled is the actor's own sample or the reference's mode."""
    actor, reference, networks, parameters = cast()
    seen, from_reference = observations(60), 0
    greedy, cold = (Composite(rule, 1e9).agent(actor, reference, networks) for rule in ("argmax", "softmax"))
    for i, observation in enumerate(seen):
        own, log_prob = actor.sample(observation, np.random.default_rng(i))
        other = reference.mode(observation)
        better = worth(networks, parameters, observation, own) > worth(networks, parameters, observation, other)
        from_reference += not better
        for agent in (greedy, cold):
            action, density = agent.sample(observation, np.random.default_rng(i))
            assert np.array_equal(action, own if better else other)
            assert density == log_prob if better else np.isnan(density)
    assert 0 < from_reference < 60


def test_equal_values_are_chosen_alike_by_softmax():
    actor, reference, networks, _ = cast()
    networks["targets"]["w_out"].zero_()
    both = Composite("softmax", 10.0).agent(actor, reference, networks)
    share = np.mean([np.isnan(density) for _, density in sampled(both, np.repeat(observations(1), 4000, 0))])
    assert share == pytest.approx(0.5, abs=0.025)


def test_softmax_chooses_by_the_difference():
    actor, reference, networks, parameters = cast()
    networks["targets"]["w_out"] *= 0.2
    agent = Composite("softmax", 10.0).agent(actor, reference, networks)
    observation = observations(3)[2]
    expected, rng = [], np.random.default_rng(5)
    other = worth(networks, parameters, observation, reference.mode(observation))
    for _ in range(500):
        own, _ = actor.sample(observation, rng)
        expected.append(1.0 / (1.0 + np.exp(-10.0 * (worth(networks, parameters, observation, own) - other))))
    share = np.mean([not np.isnan(density) for _, density in sampled(agent, [observation] * 4000)])
    assert 0.02 < np.mean(expected) < 0.98
    assert share == pytest.approx(np.mean(expected), abs=0.06)


def test_reference_s_own_value_decides_whatever_the_critics_say_of_it():
    actor, reference, networks, _ = cast()
    agent = Composite(reference_value="returns").agent(actor, reference, networks)
    for value, whose in ((-1e6, actor), (1e6, reference)):
        networks["reference_value"]["b_out"].fill_(value)
        agent = Composite(reference_value="returns").agent(actor, reference, networks)
        for observation in observations(10):
            assert np.array_equal(agent.mode(observation), whose.mode(observation))


def test_an_agent_keeps_the_networks_it_was_made_with():
    """The learner goes on while it acts."""
    actor, reference, networks, _ = cast()
    agent, seen = Composite().agent(actor, reference, networks), observations(20)
    before = [agent.mode(observation) for observation in seen]
    for tensor in networks["targets"].values():
        tensor.neg_()
    assert all(np.array_equal(agent.mode(o), mode) for o, mode in zip(seen, before, strict=True))
    changed = Composite().agent(actor, reference, networks)
    assert any(not np.array_equal(changed.mode(o), mode) for o, mode in zip(seen, before, strict=True))


def test_the_log_says_who_acted():
    actor, reference, networks, _ = cast()
    agent, rng, sources = Composite().agent(actor, reference, networks), np.random.default_rng(0), set()
    for observation in observations(60):
        proposed = SampleFromPolicy().act(agent, reference, observation, NOW, rng)
        by_reference = np.array_equal(proposed.action, reference.mode(observation))
        assert np.isnan(proposed.log_prob) == by_reference
        assert proposed.source is (Source.GUIDE if by_reference else Source.POLICY)
        sources.add(proposed.source)
    assert len(sources) == 2
    assert SampleFromPolicy().act(actor, reference, observation, NOW, rng).source is Source.POLICY


# The guide.

GUIDE = GuideThenLearner(longest=20, stages=4, window=5, tolerance=0.2)


def test_guide_hands_over_by_stages_while_success_holds():
    assert [GUIDE.guided_steps([1.0] * n) for n in (0, 4, 5, 9, 10, 15, 20, 99)] == [20, 20, 15, 15, 10, 5, 0, 0]


def test_guide_waits_until_success_is_back():
    """Best .8 at the first stage: .6 of five are too few, four of five go on."""
    first = [1.0, 1.0, 0.0, 1.0, 1.0]
    history = [*first, 1.0, 0.0, 1.0, 0.0, 1.0]
    assert GUIDE.guided_steps(first) == 15
    assert GUIDE.guided_steps(history) == 15
    assert GUIDE.guided_steps([*history, 0.0]) == 15
    assert GUIDE.guided_steps([*first, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]) == 10
    assert GUIDE.guided_steps([*first, *[0.0] * 200]) == 15


def test_guided_steps_never_rise_again():
    outcomes = (np.random.default_rng(0).random(200) < 0.6).astype(float).tolist()
    steps = [GUIDE.guided_steps(outcomes[:n]) for n in range(200)]
    assert steps == sorted(steps, reverse=True) and steps == [GUIDE.guided_steps(outcomes[:n]) for n in range(200)]


def test_guide_acts_first_by_its_mode():
    actor, reference, _, _ = cast()
    observation, rng = observations(1)[0], np.random.default_rng(0)
    for frame in range(30):
        moment = Moment(500, frame, [1.0] * 5)
        proposed = GUIDE.act(actor, reference, observation, moment, rng)
        guided = frame < 15
        assert np.array_equal(proposed.action, reference.mode(observation)) == guided
        assert np.isnan(proposed.log_prob) == guided
        assert proposed.source is (Source.GUIDE if guided else Source.POLICY)


@pytest.mark.parametrize("values", [{"rule": "best"}, {"reference_value": "guess"}])
def test_unknown_behaviours_are_refused(values):
    with pytest.raises(ValueError, match=r"behaviour\."):
        Composite(**values)


@pytest.mark.parametrize("values", [{"stages": 0}, {"window": 0}, {"longest": -1}])
def test_a_guide_without_stages_is_refused(values):
    with pytest.raises(ValueError, match="explorer"):
        GuideThenLearner(**({"longest": 20} | values))
