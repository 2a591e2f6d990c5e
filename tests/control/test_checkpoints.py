"""Checkpoints bring a learner back exactly, and say what is wrong with those that cannot."""

import json
import re

import numpy as np
import pytest
import torch

from porl_robot.control.checkpoints import newest_checkpoint, restore_learner, save_checkpoint
from porl_robot.control.evaluation import EvaluationResult
from porl_robot.control.run_state import RunState
from porl_robot.errors import UserError
from porl_robot.policy.spec import Policy


def filled(learner, rows=40):
    rng = np.random.default_rng(0)
    for row in range(rows):
        observation = rng.normal(size=2)
        learner.buffer.add(observation, rng.uniform(-1, 1, 1), observation + 0.1, -1.0, False, row % 10 == 9)
    return learner


@pytest.fixture
def trained(learner_of):
    learner = filled(learner_of())
    for step in range(5):
        learner.block(40, step)
    return learner


def tensors(learner):
    return {name: tensor.detach().clone() for name, tensor in learner.state.tensors()}


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_learner_and_randomness_come_back(tmp_path, trained, learner_of):
    save_checkpoint(tmp_path, RunState(env_steps=40), trained)
    other = filled(learner_of(seed=9))
    restore_learner(newest_checkpoint(tmp_path), other)
    assert_equal(tensors(other), tensors(trained))
    assert (other.critic_updates, other.actor_updates) == (10, 5)
    for learner in (trained, other):
        learner.block(40, 5)
    assert_equal(tensors(other), tensors(trained))


def test_the_order_of_a_policys_arrays_does_not_matter(tmp_path, trained, learner_of, policy_of):
    save_checkpoint(tmp_path, RunState(env_steps=40), trained)
    policy = policy_of()
    shuffled = Policy(policy.spec, dict(reversed(policy.weights.items())))
    other = filled(learner_of(policy=shuffled))
    restore_learner(newest_checkpoint(tmp_path), other)
    assert_equal(tensors(other), tensors(trained))


def test_the_newest_whole_checkpoint_counts(tmp_path, trained):
    for steps in (100, 20, 100):
        save_checkpoint(tmp_path, RunState(env_steps=steps), trained)
    (tmp_path / "checkpoints" / "000000200.new").mkdir()
    assert newest_checkpoint(tmp_path).run.env_steps == 100
    assert len(list((tmp_path / "checkpoints").iterdir())) == 3


def test_no_checkpoint_is_said(tmp_path):
    with pytest.raises(UserError, match="holds no checkpoint"):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"{"])
def test_a_damaged_learner_is_said(tmp_path, trained, learner_of, content):
    save_checkpoint(tmp_path, RunState(env_steps=40), trained)
    checkpoint = newest_checkpoint(tmp_path)
    path = checkpoint.folder / "learner.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be resumed from"):
        restore_learner(checkpoint, learner_of())


@pytest.mark.parametrize("content", ["", "[", "[]", "{}", '{"run": {"env_steps": 3, "colour": 1}}'])
def test_damaged_counters_are_said(tmp_path, trained, content):
    save_checkpoint(tmp_path, RunState(env_steps=40), trained)
    (tmp_path / "checkpoints" / "000000040" / "run.json").write_text(content)
    with pytest.raises(UserError, match=r"run\.json"):
        newest_checkpoint(tmp_path)


DAMAGE = {
    "no learner": ("learner.safetensors", lambda whole: None),
    "empty learner": ("learner.safetensors", lambda whole: b""),
    "zeroed learner": ("learner.safetensors", lambda whole: bytes(len(whole))),
    "learner cut short": ("learner.safetensors", lambda whole: whole[:-1]),
    "no counters": ("run.json", lambda whole: None),
    "counters cut short": ("run.json", lambda whole: whole[:-1]),
}


def damage(folder, kind):
    name, changed = DAMAGE[kind]
    content = changed((folder / name).read_bytes())
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_passed_over_and_said(tmp_path, trained, caplog, kind):
    for steps in (20, 40, 60):
        save_checkpoint(tmp_path, RunState(env_steps=steps), trained)
    folders = sorted((tmp_path / "checkpoints").iterdir())
    damaged = damage(folders[2], kind)
    assert newest_checkpoint(tmp_path).run.env_steps == 40
    (said,) = caplog.messages
    assert said.startswith(f"{damaged}: cannot be resumed from (") and "\n" not in said
    assert said.endswith("; going on from the checkpoint of step 40")
    damage(folders[1], "no learner")
    assert newest_checkpoint(tmp_path).folder == folders[0]
    damage(folders[0], "no counters")
    with pytest.raises(UserError, match=re.escape(str(damaged))):
        newest_checkpoint(tmp_path)


@pytest.mark.parametrize("sizes", ["learner.hidden=[16,16]", "learner.members=1"])
def test_a_learner_of_other_sizes_is_refused(tmp_path, trained, learner_of, sizes):
    other = filled(learner_of(overrides=[sizes]))
    for saved, restored in ((trained, other), (other, trained)):
        save_checkpoint(tmp_path, RunState(env_steps=40), saved)
        with pytest.raises(UserError, match="cannot be resumed from"):
            restore_learner(newest_checkpoint(tmp_path), restored)


def test_counters_are_plain_and_come_back():
    state = RunState(env_steps=7, successes=None, failures=None, interventions={"box": 2})
    state.outcomes.extend([1.0, 0.0])
    state.start = EvaluationResult(2, None, -3.5), EvaluationResult(2, 1, -4.0, assisted=1)
    again = RunState.from_json(json.loads(json.dumps(state.to_json())))
    assert again == state and again.outcomes == [1.0, 0.0]


def test_success_is_that_of_the_last_twenty_training_episodes():
    state = RunState()
    assert state.train_success is None
    state.outcomes.extend([1.0] * 5 + [0.0] * 3)
    assert state.train_success == 5 / 8
    state.outcomes.extend([0.0] * 15)
    assert RunState.from_json(state.to_json()).train_success == 2 / 20
