"""Record streams that the tests of the log share."""

import os

import numpy as np
import pytest

from porl_robot.replay.record import LogSpec, Phase, Source, StepRecord

SPEC = LogSpec("arm_reach", 5, 3, 20.0, (-1.0, 0.0), True, ("finite", "velocity"))


def make_stream(spec, lengths, *, seed=0, first_episode=0, first_row=0):
    """Episodes of `lengths` steps with random contents; `log_prob` is the row number."""
    rng = np.random.default_rng(seed)
    row = first_row
    for episode, length in enumerate(lengths, start=first_episode):
        for frame in range(length):
            last = frame == length - 1
            terminated = bool(last and rng.random() < 0.5)
            requested = rng.normal(size=spec.action_size).astype("f4")
            requested[rng.random(spec.action_size) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
            yield StepRecord(
                observation=rng.normal(size=spec.observation_size).astype("f4"),
                action=rng.uniform(-1, 1, spec.action_size).astype("f4"),
                action_requested=requested,
                log_prob=float(row),
                reward=float(np.float32(-rng.random())),
                terminated=terminated,
                truncated=last and not terminated,
                success=[None, False, True][rng.integers(3)],
                source=Source(rng.integers(len(Source))),
                is_intervention=bool(rng.integers(2)),
                filters=int(rng.integers(2**32)),
                episode_index=episode,
                frame_index=frame,
                phase=Phase(rng.integers(len(Phase))),
                policy_version=int(rng.integers(2**31)),
                time_tick=rng.uniform(0, 1e6),
                time_observed=rng.uniform(0, 1e6),
                time_sent=rng.uniform(0, 1e6),
                final_observation=rng.normal(size=spec.observation_size).astype("f4") if last else None,
            )
            row += 1


@pytest.fixture(scope="session", autouse=True)
def unsynced():
    """No test cuts the power, and syncing thousands of small files takes longer than the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(os, "fdatasync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def spec():
    return SPEC


@pytest.fixture(scope="session")
def stream():
    return make_stream
