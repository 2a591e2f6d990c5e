import random
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from porl_robot.learner.limiter import Grant, Limiter


def jitter(rng):
    """Sometimes nothing, sometimes a yield, sometimes a while."""
    kind = rng.random()
    if kind < 0.3:
        time.sleep(0)
    elif kind < 0.4:
        time.sleep(rng.random() * 1e-3)


class Worker(threading.Thread):
    """A learner that takes and finishes blocks, and checks its side of the bargain."""

    def __init__(self, limiter, seed, blocks=None):
        super().__init__(daemon=True)
        self.limiter, self.rng, self.blocks = limiter, random.Random(seed), blocks
        self.taken, self.ahead = [], 0

    def run(self):
        while self.blocks is None or len(self.taken) < self.blocks:
            jitter(self.rng)
            grant = self.limiter.take()
            if grant is None:
                return
            self.taken.append(grant)
            jitter(self.rng)
            self.limiter.finish()
            self.ahead = max(self.ahead, self.limiter.done - self.limiter.granted)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0, 1, 2, 5]), st.integers(1, 80))
def test_neither_thread_is_ever_too_far_ahead(within, seed, lag, steps):
    limiter, rng = Limiter(lag), random.Random(seed + 1)
    worker = Worker(limiter, seed)
    worker.start()
    for step in range(steps):
        jitter(rng)
        limiter.grant(Grant(rows=step, step=step))
        assert limiter.granted == step + 1
        within(limiter.wait)
        done = limiter.done
        assert step + 1 - lag <= done <= step + 1
    within(limiter.drain)
    assert limiter.done == limiter.granted == steps
    limiter.close()
    worker.join(20.0)
    assert not worker.is_alive()
    assert worker.ahead <= 0
    assert worker.taken == [Grant(rows=step, step=step) for step in range(steps)]


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31))
def test_real_time_never_waits_and_still_bounds_the_learner(within, seed):
    limiter, rng = Limiter(None), random.Random(seed)
    for step in range(20):
        limiter.grant(Grant(step, None))
        within(limiter.wait, 5.0)
    assert (limiter.granted, limiter.done) == (20, 0)
    worker = Worker(limiter, seed)
    worker.start()
    for step in range(20, 40):
        jitter(rng)
        limiter.grant(Grant(step, None))
        limiter.wait()
    within(limiter.drain)
    assert worker.ahead <= 0 and limiter.done == 40
    limiter.close()
    worker.join(20.0)


def test_nothing_runs_without_a_grant():
    limiter = Limiter(1)
    worker = Worker(limiter, 0)
    worker.start()
    time.sleep(0.05)
    assert worker.taken == [] and limiter.done == 0
    limiter.close()
    worker.join(20.0)
    assert not worker.is_alive()


@pytest.mark.parametrize("lag", [0, 3])
def test_environment_waits_while_the_lag_is_used_up(within, lag):
    limiter = Limiter(lag)
    for _ in range(lag):
        limiter.grant(Grant(1, 1))
        within(limiter.wait)
    limiter.grant(Grant(1, 1))
    waiting = threading.Thread(target=limiter.wait, daemon=True)
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    assert limiter.take() is not None
    waiting.join(0.05)
    assert waiting.is_alive(), "a block that was only begun was counted"
    limiter.finish()
    waiting.join(20.0)
    assert not waiting.is_alive()


def test_closing_releases_everybody():
    limiter = Limiter(0)
    limiter.grant(Grant(1, 1))
    assert limiter.take() is not None
    waiting = [threading.Thread(target=job, daemon=True) for job in (limiter.take, limiter.wait, limiter.drain)]
    for thread in waiting:
        thread.start()
    time.sleep(0.02)
    assert all(thread.is_alive() for thread in waiting)
    limiter.close()
    for thread in waiting:
        thread.join(20.0)
        assert not thread.is_alive()


def test_once_closed_nothing_is_handed_out_and_nobody_waits(within):
    limiter = Limiter(0)
    limiter.grant(Grant(1, 1))
    limiter.close()
    limiter.close()
    assert within(limiter.take) is None
    limiter.grant(Grant(2, 2))
    assert within(limiter.take) is None
    within(limiter.wait)
    within(limiter.drain)
    assert limiter.done == 0
