"""Priorities of rows while a learner learns: admitted, refreshed, drawn by, and kept in checkpoints."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from porl_robot.control.checkpoints import newest_checkpoint, restore_learner, save_checkpoint
from porl_robot.control.run_state import RunState
from porl_robot.learner.learner import Learner
from porl_robot.learner.prioritised import Priorities
from porl_robot.learner.update import normalised
from porl_robot.methods.critics import random_critics
from porl_robot.methods.replay_plans import AdvantageAndDensity, DensityRatio, log_ratio
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.replay.log import LogData
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import FIELDS
from porl_robot.verbs.build import make_method
from porl_robot.verbs.compose import load

D, A, OFFLINE = 3, 2, 400


def offline_log(rows=OFFLINE, seed=0, length=20):
    """Random steps around zero, every other episode terminated."""
    rng = np.random.default_rng(seed)
    ends = np.arange(length, rows + 1, length)
    terminated = np.zeros(rows, bool)
    terminated[ends[::2] - 1] = True
    truncated = np.zeros(rows, bool)
    truncated[ends[1::2] - 1] = True
    columns = {
        "observation": rng.normal(size=(rows, D)).astype("f4"),
        "action": rng.uniform(-1, 1, (rows, A)).astype("f4"),
        "reward": np.full(rows, -1.0, "f4"),
        "terminated": terminated,
        "truncated": truncated,
        "episode_ends": ends,
        "final_observation": rng.normal(size=(len(ends), D)).astype("f4"),
    }
    others = {field.name: np.zeros(rows) for field in FIELDS if field.name not in columns}
    spec = LogSpec("toy", D, A, 20.0, (-1.0, 0.0), True, ())
    return LogData(path=Path(), spec=spec, **columns, **others)


def act(buffer, rows, seed=1, length=10):
    """Online steps whose first observation is shifted."""
    rng = np.random.default_rng(seed)
    for row in range(rows):
        last = row % length == length - 1
        observation, following = rng.normal(size=(2, D)) + np.array([1.5, 0.0, 0.0])
        buffer.add(observation, rng.uniform(-1, 1, A), following, -1.0, last and row % 20 < 10, last and row % 20 >= 10)


@cache
def preset(name):
    return make_method(load("finetune", ["env=arm_reach", f"method={name}"]))


@pytest.fixture
def learner(policy_of, config_of):
    """A learner of a preset with offline data and critics of a checkpoint."""

    def make(name, online=100, capacity=300, rows=OFFLINE, seed=0):
        buffer = ReplayBuffer(capacity, D, A, offline=offline_log(rows))
        act(buffer, online)
        found = {"critics": random_critics(2, D + A, (8, 8), torch.Generator().manual_seed(7), output_bias=-5.0)}
        return Learner(preset(name), config_of(), policy_of(), buffer, (-1.0, 0.0), seed, found=found)

    return make


def priority(learner):
    return learner.state.networks["priority"]


def test_the_presets_are_of_both_kinds():
    plans = {name: type(preset(name).replay) for name in ("opt", "off2on", "a3rl")}
    assert plans == {"opt": DensityRatio, "off2on": DensityRatio, "a3rl": AdvantageAndDensity}


def test_new_rows_get_the_largest_priority_so_far(learner):
    one = learner("off2on", rows=4000)
    rows = priority(one)["rows"]
    priorities = Priorities(one.method.replay, one.state, one.buffer)
    assert priority(one)["largest"].item() == one.method.replay.first(4000) == 4.0
    priorities.admit(60)
    assert (rows[4000:4060] == 4.0).all() and (rows[:4000] == 1.0).all()
    priority(one)["largest"].fill_(9.0)
    priorities.admit(100)
    assert (rows[4000:4060] == 4.0).all() and (rows[4060:4100] == 9.0).all()
    assert (rows[4100:] == 1.0).all(), "what has not happened has no priority yet"
    priorities.admit(80)
    assert (rows[4000:4060] == 4.0).all() and priority(one)["seen"].item() == 100


def test_after_a_thousand_steps_half_of_what_is_drawn_is_online(learner):
    one = learner("off2on", rows=4000, online=1000, capacity=1000)
    Priorities(one.method.replay, one.state, one.buffer).admit(1000)
    drawn = one.method.replay.indices(4000, 1000, 20000, one.state.networks, one.rng)
    assert (drawn >= 4000).float().mean().item() == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("name", ["off2on", "a3rl"])
def test_the_rows_of_a_batch_are_judged_anew(learner, name):
    one = learner(name)
    priorities = Priorities(one.method.replay, one.state, one.buffer)
    priorities.admit(100)
    indices = torch.cat([torch.arange(32), torch.arange(5, 21), OFFLINE + torch.arange(16)])
    batch = one.buffer.gather(indices, 100, (2, 32), 0.97)
    density = {n: t.detach().clone() for n, t in one.state.networks["density"].items()}
    before = priority(one)["rows"].clone()
    priorities.refresh(batch, indices, 100, torch.tensor(1e-2), torch.Generator().manual_seed(0))
    assert any(not torch.equal(t, density[n]) for n, t in one.state.networks["density"].items())
    last = normalised(one.state, one.buffer.gather(indices[32:], 100, (32,), 0.97))
    with torch.no_grad():
        expected = one.method.replay.refreshed(one.state.networks, last, indices[32:], OFFLINE)
    after = priority(one)["rows"]
    assert torch.allclose(after[indices[32:]], expected)
    untouched = torch.ones(len(after), dtype=torch.bool)
    untouched[indices] = False
    assert torch.equal(after[untouched], before[untouched])
    assert priority(one)["largest"].item() == pytest.approx(max(before.max().item(), expected.max().item()))


def test_rows_that_look_online_come_more_often(learner):
    """Online data has a larger first observation; offline rows that have one too are preferred."""
    one = learner("off2on", online=200)
    for step in range(1, 301):
        one.block(200, step)
    everything = one.buffer.gather(torch.arange(OFFLINE + 200), 200, (OFFLINE + 200,), 0.97)
    ratio = log_ratio(one.state.networks, normalised(one.state, everything)).detach()
    assert ratio[OFFLINE:].mean() > 0.3 and ratio[:OFFLINE].mean() < -0.3
    first = everything.observation[:OFFLINE, 0]
    assert np.corrcoef(first, priority(one)["rows"][:OFFLINE].log())[0, 1] > 0.5
    assert priority(one)["rows"][OFFLINE : OFFLINE + 200].mean() > 1.1 * priority(one)["rows"][:OFFLINE].mean()


def test_every_block_of_a3rl_is_half_offline(learner, monkeypatch):
    one, drawn = learner("a3rl"), []
    gather = one.buffer.gather
    monkeypatch.setattr(one.buffer, "gather", lambda indices, *rest: (drawn.append(indices), gather(indices, *rest))[1])
    one.block(100, None)
    for half in drawn[0].view(2, 16):
        assert (half[:8] < OFFLINE).all() and (half[8:] >= OFFLINE).all() and half.max() < OFFLINE + 100


def test_the_meta_fit_moves_the_fresh_critics_only(learner):
    one = learner("opt")
    before = {name: tensor.detach().clone() for name, tensor in one.state.tensors()}
    one.fit(100, one.method.warm_up.fit, 12)
    changed = {name.split(".")[0] for name, tensor in one.state.tensors() if not torch.equal(tensor, before[name])}
    fitted = {"critics", "critics_moments", "targets"}
    assert fitted <= changed <= fitted | {"density", "density_moments", "priority"}
    assert one.critic_updates == 12 and one.actor_updates == 0


def state_of(learner):
    return {name: tensor.detach().clone() for name, tensor in learner.state.tensors()}


def assert_same(one, other):
    for (name, tensor), (_, same) in zip(one.state.tensors(), other.state.tensors(), strict=True):
        assert torch.equal(tensor, same), name


@pytest.mark.parametrize("name", ["opt", "off2on", "a3rl"])
def test_going_on_from_a_checkpoint_is_going_on(tmp_path, learner, name):
    """Bit for bit: priorities, classifier, both banks of critics, multipliers and randomness are all in it."""
    whole, first, second = learner(name), learner(name), learner(name, seed=5)
    for step in range(1, 13):
        whole.block(40 + 5 * step, step)
        if step <= 6:
            first.block(40 + 5 * step, step)
    begun = state_of(first)
    save_checkpoint(tmp_path, RunState(env_steps=70), first)
    restore_learner(newest_checkpoint(tmp_path), second)
    assert_same(second, first)
    for step in range(7, 13):
        second.block(40 + 5 * step, step)
    assert_same(second, whole)
    assert (second.critic_updates, second.actor_updates) == (whole.critic_updates, whole.actor_updates)
    assert any(not torch.equal(tensor, begun[name]) for name, tensor in second.state.tensors())


@pytest.mark.parametrize("name", ["opt", "a3rl"])
def test_a_longer_run_goes_on_from_a_checkpoint_too(tmp_path, learner, name):
    """With more steps to go there are more rows to keep a priority for."""
    first, longer = learner(name, capacity=100), learner(name, capacity=250)
    for step in range(1, 4):
        first.block(90, step)
    save_checkpoint(tmp_path, RunState(env_steps=90), first)
    restore_learner(newest_checkpoint(tmp_path), longer)
    assert torch.equal(priority(longer)["rows"][: OFFLINE + 100], priority(first)["rows"])
    act(longer.buffer, 100, seed=3)
    longer.block(200, 4)
    assert priority(longer)["seen"].item() == 200
    assert longer.policy().hash != first.policy().hash
