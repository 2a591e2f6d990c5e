"""What is loaded from a run or a checkpoint acts as the learner's own agent did when it was saved."""

import json

import numpy as np
import pytest

from porl_robot.control.checkpoints import save_checkpoint
from porl_robot.control.run_state import RunState
from porl_robot.errors import UserError
from porl_robot.learner.agent_file import BEHAVIOUR, load_agent, save_agent
from porl_robot.learner.learner import Learner
from porl_robot.methods.behaviours import Composite
from porl_robot.policy.inference import PolicyRunner


@pytest.fixture
def pair(learner_of, method_of, config_of, policy_of):
    """Makes a learner whose actor acts beside another, frozen policy."""

    def make(**behaviour):
        method = method_of(behaviour=Composite(**behaviour))
        return Learner(method, config_of(), policy_of(0), learner_of().buffer, (-1.0, 0.0), 0, policy_of(1, (6,)))

    return make


def saved_run(learner, folder):
    save_agent(learner.policy(), learner, folder)
    return folder


def saved_checkpoint(learner, folder):
    save_checkpoint(folder, RunState(env_steps=60), learner)
    return folder / "checkpoints" / "000000060"


def modes(agent):
    observations = np.random.default_rng(0).normal(size=(200, 3)).astype("f4")
    return np.array([agent.mode(observation) for observation in observations])


@pytest.mark.parametrize("save", [saved_run, saved_checkpoint])
@pytest.mark.parametrize("warm_up", ["reference", "actor"])
def test_before_its_first_update_the_same_one_acts(tmp_path, pair, policy_of, save, warm_up):
    learner = pair(warm_up=warm_up)
    learner.block(60, None)
    policy, agent = load_agent(save(learner, tmp_path))
    assert policy.hash == learner.policy().hash
    expected = learner.reference if warm_up == "reference" else PolicyRunner(policy)
    assert (modes(agent) == modes(expected)).all()
    assert (modes(agent) == modes(learner.agent(learner.policy()))).all()


@pytest.mark.parametrize("save", [saved_run, saved_checkpoint])
def test_afterwards_the_critics_choose_between_both(tmp_path, pair, save):
    learner = pair()
    for step in range(1, 6):
        learner.block(60, step)
    policy, agent = load_agent(save(learner, tmp_path))
    assert (modes(agent) == modes(learner.agent(learner.policy()))).all()
    own = (modes(agent) == modes(PolicyRunner(policy))).all(1)
    assert 0 < own.sum() < len(own)


@pytest.mark.parametrize("content", ["", "3", "{}", '{"actor_updated": true, "rule": "best"}'])
def test_a_damaged_rule_is_told_in_one_line(tmp_path, pair, content):
    folder = saved_run(pair(), tmp_path)
    assert json.loads((folder / BEHAVIOUR).read_text())["actor_updated"] is False
    (folder / BEHAVIOUR).write_text(content)
    with pytest.raises(UserError, match=rf"policy {folder}: {BEHAVIOUR} .*$") as caught:
        load_agent(folder)
    assert "\n" not in str(caught.value)
