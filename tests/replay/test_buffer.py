import dataclasses
import math
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.methods.replay_plans import Uniform
from porl_robot.replay.buffer import Batch, Outcome, ReplayBuffer
from porl_robot.replay.log import LogData, read_log, repair_log
from porl_robot.replay.writer import LogWriter

D, A = 4, 2
DISCOUNT = 0.9

lengths_and_ends = st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=1, max_size=6)


def episodes_of(shape, seed=0):
    """Steps (observation, action, following, reward, terminated, truncated) of episodes (length, terminated)."""
    rng = np.random.default_rng(seed)
    for length, terminated in shape:
        observations = rng.normal(size=(length + 1, D)).astype("f4")
        for frame in range(length):
            last = frame == length - 1
            action = rng.uniform(-1, 1, A).astype("f4")
            reward = float(np.float32(rng.normal()))
            ended = (last and terminated, last and not terminated)
            yield observations[frame], action, observations[frame + 1], reward, *ended


def log_of(shape, spec, seed=0, lost_end=False):
    """The same steps as a log; with `lost_end` the last final observation is unknown, as after a crash."""
    steps = list(episodes_of(shape, seed))
    ends = np.cumsum([length for length, _ in shape])
    finals = np.array([steps[end - 1][2] for end in ends])
    if lost_end:
        finals[-1] = np.nan
    filled = {
        "path": Path("run"),
        "spec": dataclasses.replace(spec, observation_size=D, action_size=A),
        "observation": np.array([step[0] for step in steps]),
        "action": np.array([step[1] for step in steps]),
        "reward": np.array([step[3] for step in steps], "f4"),
        "terminated": np.array([step[4] for step in steps]),
        "truncated": np.array([step[5] for step in steps]),
        "episode_ends": ends,
        "final_observation": finals,
    }
    rest = {field.name: np.zeros(len(steps)) for field in dataclasses.fields(LogData) if field.name not in filled}
    for array in filled.values():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return LogData(**filled, **rest)


def added(steps, capacity=100):
    buffer = ReplayBuffer(capacity, D, A)
    for step in steps:
        buffer.add(*step)
    return buffer


def extended(*logs, capacity=100):
    buffer = ReplayBuffer(capacity, D, A)
    for log in logs:
        buffer.extend(log)
    return buffer


def assert_same(first, second):
    assert len(first) == len(second)
    assert first.episodes == second.episodes
    assert first.outcomes(len(first)) == second.outcomes(len(second))
    for buffer in (first, second):
        buffer.fill_returns(len(buffer), DISCOUNT)
    for field in Batch.__slots__:
        assert torch.equal(getattr(first.all(len(first)), field), getattr(second.all(len(second)), field)), field
    returns = first.returns(DISCOUNT)
    np.testing.assert_array_equal(returns, second.returns(DISCOUNT))
    np.testing.assert_array_equal(returns, first.all(len(returns)).returns)


def returns_by_hand(steps, discount):
    """Every return by summing forward; beyond a truncation the mean reward of the episode goes on for ever."""
    episodes, current = [], []
    for step in steps:
        current.append((step[3], step[4]))
        if step[4] or step[5]:
            episodes.append(current)
            current = []
    returns = []
    for episode in episodes:
        rewards = [reward for reward, _ in episode]
        tail = 0.0 if episode[-1][1] else sum(rewards) / len(rewards) / (1 - discount)
        for start in range(len(rewards)):
            left = rewards[start:]
            value = sum(discount**k * reward for k, reward in enumerate(left))
            returns.append(value + discount ** len(left) * tail)
    return returns


@settings(max_examples=50, deadline=None)
@given(lengths_and_ends, lengths_and_ends)
def test_adding_step_by_step_equals_extending_by_a_log(spec, first, second):
    steps = [*episodes_of(first, 1), *episodes_of(second, 2)]
    logs = log_of(first, spec, 1), log_of(second, spec, 2)
    buffer = added(steps)
    assert_same(buffer, extended(*logs))
    mixed = extended(logs[0])
    for step in episodes_of(second, 2):
        mixed.add(*step)
    assert_same(buffer, mixed)
    batch = buffer.all(len(buffer))
    for row, (observation, action, following, reward, terminated, _) in enumerate(steps):
        np.testing.assert_array_equal(batch.observation[row], observation)
        np.testing.assert_array_equal(batch.action[row], action)
        np.testing.assert_array_equal(batch.next_observation[row], following)
        assert batch.reward[row].item() == reward
        assert batch.discount[row].item() == (0.0 if terminated else 1.0)


@settings(max_examples=50, deadline=None)
@given(lengths_and_ends, lengths_and_ends, st.integers(2, 6))
@pytest.mark.filterwarnings("error")
def test_last_step_of_a_lost_end_is_left_out(spec, first, second, length):
    """What was stored of the lost episode before stays, as of a truncated one; later logs go on behind it."""
    lost = [*first, (length, False)]
    buffer = extended(log_of(lost, spec, 1, lost_end=True), log_of(second, spec, 2))
    steps = list(episodes_of(lost, 1))[:-1]
    steps[-1] = (*steps[-1][:5], True)
    assert_same(buffer, added([*steps, *episodes_of(second, 2)]))
    assert torch.isfinite(buffer.all(len(buffer)).next_observation).all()


@pytest.mark.filterwarnings("error")
def test_lost_episode_of_one_step_leaves_nothing(spec):
    buffer = extended(log_of([(3, True), (1, False)], spec, lost_end=True))
    assert len(buffer) == 3
    assert len(buffer.returns(0.9)) == 3
    assert buffer.episodes == 1


def test_log_itself_is_not_changed(spec):
    log = log_of([(3, True), (4, False)], spec)
    before = log.observation.copy()
    extended(log)
    np.testing.assert_array_equal(log.observation, before)


def test_repaired_log_of_a_crashed_run(spec, stream, tmp_path):
    records = list(stream(spec, [5, 3, 6], seed=3))
    writer = LogWriter.create(tmp_path, spec)
    for record in records[:-2]:
        writer.append(record)
    writer.close()
    repair_log(tmp_path)
    buffer = ReplayBuffer(50, spec.observation_size, spec.action_size)
    buffer.extend(read_log(tmp_path))
    # Four steps of the last episode were logged; what followed the fourth is unknown.
    assert len(buffer) == 5 + 3 + 3
    batch = buffer.all(len(buffer))
    for row, record in enumerate(records[:11]):
        following = record.final_observation if record.final_observation is not None else records[row + 1].observation
        np.testing.assert_array_equal(batch.next_observation[row], following)
        assert batch.discount[row].item() == float(not record.terminated)


@settings(max_examples=60, deadline=None)
@given(lengths_and_ends, st.floats(0.01, 0.99), st.integers(0, 5))
def test_returns_equal_the_forward_sum(shape, discount, unfinished):
    steps = list(episodes_of(shape, 4))
    pending = list(episodes_of([(6, False)], 5))[:unfinished]
    found = added([*steps, *pending]).returns(discount)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, returns_by_hand(steps, discount), rtol=1e-4, atol=1e-4)


def test_returns_of_the_usual_reward():
    """-1 per step and 0 on success: a failure is worth -1 / (1 - discount) at every step of it."""
    buffer, nothing = ReplayBuffer(10, 1, 1), np.zeros(1)
    for frame in range(3):
        buffer.add(nothing, nothing, nothing, -1.0 if frame < 2 else 0.0, frame == 2, False)
    for frame in range(4):
        buffer.add(nothing, nothing, nothing, -1.0, False, frame == 3)
    np.testing.assert_allclose(buffer.returns(0.9), [-1.9, -1.0, 0.0, *[-10.0] * 4], rtol=1e-6)


def test_no_finished_episode_no_returns():
    assert added([]).returns(0.9).shape == (0,)
    assert added(list(episodes_of([(5, False)]))[:3]).returns(0.9).shape == (0,)


def numbered(count, capacity=200):
    """Row i holds i everywhere."""
    buffer = ReplayBuffer(capacity, D, A)
    for row in range(count):
        buffer.add(np.full(D, row), np.full(A, row), np.full(D, row), float(row), row % 2 == 0, False)
    return buffer


def sampled(buffer, rows, shape, seed):
    """Uniform rows below `rows`."""
    indices = Uniform().indices(0, rows, math.prod(shape), {}, torch.Generator().manual_seed(seed))
    return buffer.gather(indices, rows, shape, DISCOUNT)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 100), st.sampled_from([(64,), (3, 16), (2, 2, 8)]), st.integers(0, 2**31))
def test_samples_are_whole_rows_below_the_count_given(rows, shape, seed):
    batch = sampled(numbered(100), rows, shape, seed)
    row = batch.reward
    assert row.shape == batch.discount.shape == batch.returns.shape == shape
    assert batch.observation.shape == batch.next_observation.shape == (*shape, D)
    assert batch.action.shape == (*shape, A)
    assert row.min() >= 0 and row.max() < rows
    for part in (batch.observation, batch.action, batch.next_observation):
        assert torch.equal(part, row[..., None].expand_as(part))
    assert torch.equal(batch.discount, DISCOUNT * (row % 2))


def test_every_row_is_drawn_equally_often():
    drawn = sampled(numbered(100), 20, (400, 50), 0).reward.flatten()
    counts = np.bincount(drawn.long().numpy(), minlength=20)
    # 1000 expected each, with a standard deviation of 31.
    assert len(counts) == 20 and counts.min() > 850 and counts.max() < 1150


def test_samples_follow_the_generator():
    buffer = numbered(50)
    first, again, other = (sampled(buffer, 50, (64,), seed).reward for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_sample_is_a_copy():
    buffer = numbered(50)
    batch = sampled(buffer, 50, (64,), 1)
    for name in Batch.__slots__:
        getattr(batch, name).fill_(-1.0)
    kept = buffer.all(50)
    assert torch.equal(kept.observation[:, 0], torch.arange(50.0))
    assert torch.equal(kept.reward, torch.arange(50.0))
    assert torch.equal(kept.discount, torch.arange(50.0) % 2)


def n_steps_by_hand(steps, row, rows, discount, n):
    """Reward, discount and next observation of `n` steps from `row` on, one after the other."""
    reward, factor = 0.0, 1.0
    for at in range(row, min(row + n, rows)):
        _, _, following, earned, terminated, truncated = steps[at]
        reward += factor * earned
        factor *= 0.0 if terminated else discount
        if terminated or truncated:
            break
    return reward, factor, following


@settings(max_examples=60, deadline=None)
@given(lengths_and_ends, st.integers(1, 5), st.floats(0.01, 0.99), st.integers(0, 4))
def test_n_steps_end_with_their_episode_and_with_what_is_known(shape, n, discount, unknown):
    steps = list(episodes_of(shape, 6))
    buffer, rows = added(steps), max(1, len(steps) - unknown)
    batch = buffer.gather(torch.arange(rows), rows, (rows,), discount, n)
    for row in range(rows):
        reward, factor, following = n_steps_by_hand(steps, row, rows, discount, n)
        np.testing.assert_array_equal(batch.observation[row], steps[row][0])
        np.testing.assert_array_equal(batch.action[row], steps[row][1])
        np.testing.assert_array_equal(batch.next_observation[row], following)
        assert batch.reward[row].item() == pytest.approx(reward, rel=1e-4, abs=1e-5)
        assert batch.discount[row].item() == pytest.approx(factor, rel=1e-4)


@settings(max_examples=40, deadline=None)
@given(lengths_and_ends, lengths_and_ends, st.integers(1, 4), st.booleans())
def test_offline_rows_lie_in_front_and_count_for_nothing_online(spec, first, second, n, lost_end):
    log, online = log_of(first, spec, 1, lost_end=lost_end), list(episodes_of(second, 2))
    buffer, alone, before = ReplayBuffer(100, D, A, offline=log), added(online), extended(log)
    assert (buffer.offline, len(buffer), buffer.episodes) == (len(before), 0, 0)
    for step in online:
        buffer.add(*step)
    rows = len(online)
    assert buffer.offline == len(before) and buffer.capacity == 100
    assert_same(buffer, alone)
    assert torch.equal(buffer.observations(), torch.cat([before.observations(), alone.observations()]))
    indices = torch.arange(buffer.offline + rows)
    both = buffer.gather(indices, rows, indices.shape, DISCOUNT, n)
    for source, part in ((before, slice(buffer.offline)), (alone, slice(buffer.offline, None))):
        source.fill_returns(len(source), DISCOUNT)
        own = source.gather(torch.arange(len(source)), len(source), (len(source),), DISCOUNT, n)
        for field in Batch.__slots__:
            assert torch.equal(getattr(both, field)[part], getattr(own, field)), field


def test_returns_are_filled_in_once_their_episode_is_granted():
    steps = list(episodes_of([(3, True), (4, False)], 8))
    buffer, expected = added(steps), returns_by_hand(steps, DISCOUNT)
    for rows, known in ((0, 0), (2, 0), (3, 3), (6, 3), (7, 7)):
        buffer.fill_returns(rows, DISCOUNT)
        returns = buffer.all(7).returns
        np.testing.assert_allclose(returns[:known], expected[:known], rtol=1e-4, atol=1e-5)
        assert torch.isneginf(returns[known:]).all()


def test_outcomes_are_those_of_the_episodes_granted():
    buffer = added(episodes_of([(3, True), (4, False)], 8))
    outcomes = [
        Outcome(3, float(buffer.all(3).reward.sum()), True),
        Outcome(4, float(buffer.all(7).reward[3:].sum()), False),
    ]
    for rows, count in ((2, 0), (3, 1), (6, 1), (7, 2)):
        assert buffer.finished(rows) == count
        assert buffer.outcomes(rows) == outcomes[:count]


def test_rows_are_rounded_to_float32_and_copied():
    buffer, observation = ReplayBuffer(2, D, A), np.full(D, 1 / 3)
    buffer.add(observation, np.zeros(A), observation, 0.1, False, False)
    observation[:] = 9.0
    np.testing.assert_array_equal(buffer.all(1).observation[0], np.full(D, 1 / 3, "f4"))


def test_full_buffer_refuses_one_more():
    buffer = numbered(5, capacity=5)
    assert (len(buffer), buffer.capacity) == (5, 5)
    with pytest.raises(IndexError):
        buffer.add(np.zeros(D), np.zeros(A), np.zeros(D), 0.0, True, False)
    assert len(buffer) == 5 and buffer.episodes == 3


def test_reader_of_granted_rows_never_sees_one_half_written():
    buffer, wrong, granted, over = ReplayBuffer(4000, D, A), [], [1], threading.Event()
    buffer.add(np.zeros(D), np.zeros(A), np.zeros(D), 0.0, False, False)

    def read():
        rng = torch.Generator().manual_seed(0)
        while not over.is_set():
            rows = granted[0]
            batch = buffer.gather(Uniform().indices(0, rows, 256, {}, rng), rows, (256,), DISCOUNT)
            same = torch.equal(batch.observation, batch.reward[:, None].expand(-1, D))
            if not same or batch.reward.max() >= rows:
                wrong.append(rows)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for row in range(1, 4000):
        buffer.add(np.full(D, row), np.full(A, row), np.full(D, row), float(row), False, row % 50 == 0)
        granted[0] = len(buffer)
    over.set()
    reader.join(20.0)
    assert not reader.is_alive() and wrong == []
