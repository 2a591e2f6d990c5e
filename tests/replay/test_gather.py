"""What stands in the rows that are gathered, n steps long too; against plain loops over lists of episodes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from porl_robot.methods.critics import random_critics, values
from porl_robot.methods.networks import Context
from porl_robot.methods.targets import StateValue
from porl_robot.replay.buffer import ReplayBuffer
from porl_robot.replay.log import LogData
from porl_robot.replay.record import LogSpec
from porl_robot.replay.schema import FIELDS

D, A = 2, 1
SPEC = LogSpec("toy", D, A, 20.0, (-1.0, 0.0), True, ())
ENDS = [(7, False), (3, True), (5, False), (1, True), (1, False), (4, True)]
"""Lengths of episodes, and whether they were terminated."""


def episodes_of(lengths, seed):
    """Lists of (observation, action, next observation, reward, terminated, truncated)."""
    rng = np.random.default_rng(seed)
    episodes = []
    for length, terminated in lengths:
        seen = rng.normal(size=(length + 1, D)).astype("f4")
        steps = []
        for i in range(length):
            last = i == length - 1
            steps.append((seen[i], rng.uniform(-1, 1, A).astype("f4"), seen[i + 1], float(np.float32(rng.normal())),
                          last and terminated, last and not terminated))  # fmt: skip
        episodes.append(steps)
    return episodes


def log_of(episodes, lost=()):
    """The log of these episodes; `lost` ones have no known final observation."""
    rows = [step for steps in episodes for step in steps]
    columns = {
        "observation": np.array([r[0] for r in rows]),
        "action": np.array([r[1] for r in rows]),
        "reward": np.array([r[3] for r in rows], "f4"),
        "terminated": np.array([r[4] for r in rows]),
        "truncated": np.array([r[5] for r in rows]),
        "episode_ends": np.cumsum([len(steps) for steps in episodes]),
        "final_observation": np.array(
            [np.full(D, np.nan) if i in lost else steps[-1][2] for i, steps in enumerate(episodes)], "f4"
        ),
    }
    others = {field.name: np.zeros(len(rows)) for field in FIELDS if field.name not in columns}
    return LogData(path=Path(), spec=SPEC, **columns, **others)


def filled(offline, online, lost=()):
    """A buffer of both; the last online episode is still under way."""
    buffer = ReplayBuffer(200, D, A, offline=log_of(offline, lost) if offline else None)
    for steps in online:
        for step in steps:
            buffer.add(*step)
    return buffer


def by_hand(steps, i, known, discount, n):
    """Reward, discount and next observation of step `i`, of which the first `known` steps have happened."""
    reward, factor = 0.0, 1.0
    for k in range(n):
        if i + k >= known:
            break
        _, _, following, earned, terminated, _ = steps[i + k]
        reward, factor = reward + factor * earned, factor * discount
        if terminated:
            return reward, 0.0, following
    return reward, factor, following


@pytest.mark.parametrize("rows", [0, 1, 7, 9, 15, 17, 18, 20])
@pytest.mark.parametrize("n", [1, 3, 10])
def test_rows_of_n_steps_equal_a_loop_over_the_episodes(n, rows):
    """Also at the ends of episodes, where what is known ends, and where offline data ends."""
    offline, online = episodes_of(ENDS, 1), episodes_of([*ENDS[:4], (4, False)], 2)
    online[-1][-1] = (*online[-1][-1][:5], False)
    buffer = filled(offline, online)
    assert buffer.offline == 21 and len(buffer) == 20
    batch = buffer.gather(torch.arange(21 + rows), rows, (21 + rows,), 0.9, n)
    at = 0
    for steps in offline:
        for i in range(len(steps)):
            expected = by_hand(steps, i, len(steps), 0.9, n)
            assert_row(batch, at, steps[i], expected)
            at += 1
    done = 0
    for steps in online:
        for i in range(len(steps)):
            if done + i < rows:
                assert_row(batch, at, steps[i], by_hand(steps, i, min(len(steps), rows - done), 0.9, n))
                at += 1
        done += len(steps)
    assert at == 21 + rows


def assert_row(batch, at, step, expected):
    reward, discount, following = expected
    assert np.array_equal(batch.observation[at], step[0]) and np.array_equal(batch.action[at], step[1])
    assert batch.reward[at].item() == pytest.approx(reward, rel=1e-5, abs=1e-6)
    assert batch.discount[at].item() == pytest.approx(discount, rel=1e-6)
    if discount > 0.0:
        assert np.array_equal(batch.next_observation[at], following)


@pytest.mark.parametrize("n", [1, 3])
def test_truncation_keeps_the_bootstrap_and_termination_drops_it(n):
    twins = [episodes_of([(5, terminated)], 3)[0] for terminated in (True, False)]
    networks = {"value": random_critics(1, D, (6,), torch.Generator().manual_seed(0), output_bias=-9.0)}
    targets = []
    for steps in twins:
        batch = filled([], [steps]).gather(torch.arange(5), 5, (5,), 0.9, n)
        targets.append(StateValue(0.9, n)(networks, "targets", batch, {}, Context((-1e9, 1e9))))
    terminated, truncated = targets
    following = torch.from_numpy(twins[0][-1][2])
    bootstrap = values(networks["value"], following[None])[0, 0].item()
    for i in range(5):
        left = 5 - i
        lost = 0.9**left * bootstrap if left <= n else 0.0
        assert (truncated[i] - terminated[i]).item() == pytest.approx(lost, rel=1e-4, abs=1e-5)


def test_a_lost_end_does_not_join_two_episodes():
    """An episode of one step whose end was lost leaves no row; the numbers of the others stay apart."""
    offline, online = episodes_of([(3, False), (1, False), (2, False)], 4), episodes_of([(4, False)], 5)
    buffer = filled(offline, online, lost=(1,))
    assert buffer.offline == 5
    batch = buffer.gather(torch.arange(9), 4, (9,), 0.9, 3)
    at = 0
    for steps in (offline[0], offline[2], online[0]):
        for i in range(len(steps)):
            assert_row(batch, at, steps[i], by_hand(steps, i, len(steps), 0.9, 3))
            at += 1


def test_returns_are_filled_as_episodes_end():
    offline, online = episodes_of(ENDS, 1), episodes_of(ENDS, 2)
    buffer, everything = filled(offline, online), torch.arange(42)

    def returns(rows):
        buffer.fill_returns(rows, 0.9)
        return buffer.gather(everything[: 21 + rows], rows, (21 + rows,), 0.9).returns

    known = 0
    for rows in (0, 6, 7, 12, 21):
        column, at = returns(rows), 0
        for steps in [*offline, *online]:
            begins = at
            for i in range(len(steps)):
                if at >= 21 + rows:
                    break
                if begins + len(steps) <= 21 + rows:
                    assert column[at].item() == pytest.approx(return_of(steps, i, 0.9), rel=1e-4, abs=1e-4)
                    known += 1
                else:
                    assert column[at].item() == float("-inf")
                at += 1
    assert known == 21 + 21 + 28 + 31 + 42


def return_of(steps, i, discount):
    """Beyond a truncation it goes on at the mean reward."""
    mean = sum(step[3] for step in steps) / len(steps)
    rest = 0.0 if steps[-1][4] else mean / (1 - discount)
    for step in reversed(steps[i:]):
        rest = step[3] + discount * rest
    return rest


def test_an_episode_that_only_fails_is_worth_its_reward_for_ever():
    steps = [(o, a, f, -1.0, t, e) for o, a, f, _, t, e in episodes_of([(6, False)], 1)[0]]
    buffer = filled([steps], [])
    buffer.fill_returns(0, 0.97)
    assert torch.allclose(buffer.gather(torch.arange(6), 0, (6,), 0.97).returns, torch.tensor(-1.0 / 0.03))
