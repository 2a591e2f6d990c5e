"""What a buffer holds of the steps and logs it was given."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.errors import UserError
from porl_robot.replay.buffer import Batch, Outcome, ReplayBuffer
from porl_robot.replay.log import read_log
from porl_robot.replay.repair import repair_log
from porl_robot.replay.writer import LogWriter

from .episodes import DISCOUNT, A, D, added, assert_same, episodes_of, extended, lengths_and_ends, log_of, numbered


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


def test_what_no_memory_can_hold_is_refused():
    with pytest.raises(UserError, match=f"no memory for {2**50} steps of replay: they would take [0-9]+ GiB"):
        ReplayBuffer(2**50, D, A)


def test_full_buffer_refuses_one_more():
    buffer = numbered(5, capacity=5)
    assert (len(buffer), buffer.capacity) == (5, 5)
    with pytest.raises(IndexError):
        buffer.add(np.zeros(D), np.zeros(A), np.zeros(D), 0.0, True, False)
    assert len(buffer) == 5 and buffer.episodes == 3
