"""The learner beside the control loop: repeatable, bounded, and never silent about its death."""

import contextlib
import random
import threading
import time

import numpy as np
import pytest
import torch

from porl_robot.errors import UserError
from porl_robot.learner.learner import LearnerConfig
from porl_robot.learner.thread import LearnerError, LearnerThread
from porl_robot.policy.inference import PolicyRunner

STEPS, FROZEN = 50, 15


class Stub:
    """Stands in for a learner: it may sleep, wait at its gate, and die at a block."""

    def __init__(self, policy, seed=0, dies_at=None, error=None, slow=0.0):
        self._policy, self._rng = policy, random.Random(seed)
        self._dies_at, self._error, self._slow = dies_at, error, slow
        self.gate = threading.Event()
        self.gate.set()
        self.config = LearnerConfig(1, (1,), 1, 1, "eager", 1, "cpu", 1)
        self.blocks = []

    def policy(self):
        return self._policy

    def agent(self, policy):
        return PolicyRunner(policy)

    def block(self, rows, step):
        self.gate.wait(20.0)
        time.sleep(self._rng.random() * self._slow)
        if self._dies_at == len(self.blocks):
            raise self._error
        self.blocks.append((rows, step))
        return {"critic_loss": torch.tensor(float(rows))}


@pytest.fixture
def stub_of(policy_of):
    return lambda **arguments: Stub(policy_of(), **arguments)


def act(learner, lag, seed, within):
    """A toy run: the environment is a leaky sum of actions; the acting thread sleeps at random."""
    rng, jitter = np.random.default_rng(seed), random.Random(time.monotonic_ns())
    thread = LearnerThread(learner, lag)
    thread.start()
    observation, versions = np.zeros(3, "f4"), []
    for step in range(STEPS):
        snapshot = thread.current()
        versions.append(snapshot.version)
        action, _ = snapshot.agent.sample(observation, rng)
        following = (0.9 * observation + np.array([*action, 0.1])).astype("f4")
        learner.buffer.add(observation, action, following, -float(following @ following), False, step % 10 == 9)
        observation = following
        time.sleep(jitter.choice([0.0, 0.0, 0.002, 0.004]))
        rows = len(learner.buffer)
        within(lambda rows=rows, step=step: thread.step(rows, None if step < FROZEN else step - FROZEN))
    within(lambda: thread.run_idle(lambda idle: None))
    newest = thread.newest()
    within(thread.stop)
    return versions, newest, learner


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_same_seed_same_run_under_any_timing(learner_of, within, lag):
    runs = [act(learner_of(seed=5, lag=lag), lag, 7, within) for _ in range(2)]
    (versions, newest, learner), (versions_again, newest_again, again) = runs
    assert versions == versions_again
    assert newest.version == newest_again.version == STEPS
    assert newest.policy.hash == newest_again.policy.hash == learner.policy().hash
    for (name, tensor), (_, other) in zip(learner.state.tensors(), again.state.tensors(), strict=True):
        assert torch.equal(tensor, other), name
    assert torch.equal(learner.buffer.all(110).action, again.buffer.all(110).action)
    assert learner.critic_updates == 2 * STEPS
    assert learner.actor_updates == STEPS - FROZEN


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_version_in_use_is_exactly_lag_grants_old(learner_of, within, lag):
    versions, _, _ = act(learner_of(lag=lag), lag, 1, within)
    # Frozen blocks publish nothing; block n of the run makes version n.
    expected = [0 if granted - lag <= FROZEN else granted - lag for granted in range(STEPS)]
    assert versions == expected


def test_versions_go_on_from_where_they_were(stub_of, within):
    thread = LearnerThread(stub_of(), lag=1, version=40)
    thread.start()
    assert thread.current().version == 40
    for step in range(5):
        within(lambda step=step: thread.step(step, step))
    assert thread.current().version == 44
    within(lambda: thread.run_idle(lambda idle: None))
    assert thread.newest().version == 45
    within(thread.stop)


def test_every_grant_becomes_its_block(stub_of, within):
    stub = stub_of(slow=2e-3)
    thread = LearnerThread(stub, lag=2)
    thread.start()
    grants = [(10 + n, None if n < 5 else n - 5) for n in range(30)]
    for grant in grants:
        within(lambda grant=grant: thread.step(*grant))
    assert within(lambda: thread.run_idle(lambda idle: list(idle.blocks))) == grants
    assert thread.metrics() == {"critic_loss": 39.0}
    within(thread.stop)


def test_idle_job_runs_alone_in_the_calling_thread(stub_of):
    stub = stub_of(slow=5e-3)
    thread = LearnerThread(stub, lag=None)
    thread.start()
    for n in range(10):
        thread.step(n, n)
    who, blocks = thread.run_idle(lambda idle: (threading.current_thread(), len(idle.blocks)))
    assert who is threading.current_thread()
    assert blocks == 10
    with pytest.raises(KeyError):
        thread.run_idle(lambda idle: {}["gone"])
    thread.step(1, 1)
    thread.stop()


def test_real_time_never_waits_and_acts_with_the_newest(stub_of, within):
    stub = stub_of()
    stub.gate.clear()
    thread = LearnerThread(stub, lag=None)
    thread.start()
    within(lambda: [thread.step(n, n) for n in range(20)], 5.0)
    assert stub.blocks == [] and thread.current().version == 0
    stub.gate.set()
    within(lambda: thread.run_idle(lambda idle: None))
    assert len(stub.blocks) == 20 and thread.current().version == 20
    within(thread.stop)


def test_stopping_ends_after_the_block_under_way_and_may_be_repeated(stub_of, within):
    stub = stub_of(slow=0.02)
    thread = LearnerThread(stub, lag=None)
    thread.start()
    for n in range(2000):
        thread.step(n, n)
    within(thread.stop)
    done = len(stub.blocks)
    assert done < 2000
    within(thread.stop)
    time.sleep(0.05)
    assert len(stub.blocks) == done


def test_stopping_what_was_never_started(stub_of, within):
    within(LearnerThread(stub_of(), lag=1).stop)


CALLS = {
    "step": lambda thread: thread.step(1, 1),
    "current": lambda thread: thread.current(),
    "run_idle": lambda thread: thread.run_idle(lambda idle: None),
    "stop": lambda thread: thread.stop(),
}


def dead(stub, lag, within):
    """A thread whose learner has died of its first block."""
    thread = LearnerThread(stub, lag)
    thread.start()
    with contextlib.suppress(LearnerError, UserError):
        thread.step(1, 1)
    within(thread._thread.join)
    return thread


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("lag", [0, 1, None])
def test_death_of_the_learner_surfaces_in_every_call(stub_of, within, lag, call):
    cause = ZeroDivisionError("in the update")
    thread = dead(stub_of(dies_at=0, error=cause), lag, within)
    for _ in range(2):
        with pytest.raises(LearnerError, match="in the update") as caught:
            within(lambda: CALLS[call](thread))
        assert caught.value.__cause__ is cause


@pytest.mark.parametrize("call", CALLS)
def test_user_error_keeps_its_kind(stub_of, within, call):
    thread = dead(stub_of(dies_at=0, error=UserError("smaller rates")), 1, within)
    with pytest.raises(UserError, match="smaller rates"):
        within(lambda: CALLS[call](thread))


@pytest.mark.parametrize("lag", [0, 1, 3, None])
@pytest.mark.parametrize("dies_at", [0, 1, 4, 9])
def test_nobody_hangs_when_the_learner_dies_under_way(stub_of, within, lag, dies_at):
    thread = LearnerThread(stub_of(dies_at=dies_at, error=RuntimeError("gone"), slow=1e-3), lag)
    thread.start()

    def run():
        for n in range(10_000):
            thread.current()
            thread.step(n, n)
            time.sleep(1e-3)

    with pytest.raises(LearnerError, match="gone"):
        within(run)
    with pytest.raises(LearnerError, match="gone"):
        within(thread.stop)


def test_idle_job_never_runs_on_a_dead_learner(stub_of, within):
    thread = LearnerThread(stub_of(dies_at=0, error=RuntimeError("gone"), slow=0.01), lag=None)
    thread.start()
    thread.step(1, 1)
    ran = []
    with pytest.raises(LearnerError, match="gone"):
        within(lambda: thread.run_idle(ran.append))
    assert ran == []


@pytest.mark.parametrize("lag", [0, 1])
def test_actor_that_diverges_ends_the_run_as_the_users_error(learner_of, within, lag):
    learner = learner_of(lag=lag)
    thread = LearnerThread(learner, lag)
    thread.start()
    within(lambda: thread.step(60, 1))

    def spoil(idle):
        with torch.no_grad():
            idle.state.networks["critics"]["w0"].fill_(float("nan"))

    within(lambda: thread.run_idle(spoil))

    def run():
        for step in range(5):
            thread.step(60, step)

    with pytest.raises(UserError, match="no longer finite"):
        within(run)
    with pytest.raises(UserError, match="no longer finite"):
        within(thread.stop)
    # What was published last is still a policy to hold on to.
    assert all(np.isfinite(array).all() for array in thread.newest().policy.weights.values())
