"""Episodes that the operator wants again stay in the log, marked, and out of what is learned from it."""

import dataclasses

import numpy as np
import pytest

from porl_robot.replay.log import read_log
from porl_robot.replay.schema import FIELDS
from porl_robot.replay.verify import verify_log
from porl_robot.replay.writer import LogWriter

LENGTHS = (3, 2, 4, 1)
DISCARDED = (False, True, False, True)


@pytest.fixture(params=[True, False], ids=["success", "no success"])
def log(request, tmp_path, spec, stream):
    """A log of four episodes; the second and the last end without a verdict."""
    spec = dataclasses.replace(spec, has_success=request.param)
    with LogWriter.create(tmp_path, spec) as writer:
        for record in stream(spec, LENGTHS):
            success = None if DISCARDED[record.episode_index] and record.final_observation is not None else False
            writer.append(dataclasses.replace(record, success=success if request.param else None))
    assert verify_log(tmp_path) == []
    return read_log(tmp_path)


def test_an_end_without_a_verdict_is_a_discarded_episode_where_there_is_success(log):
    assert log.episodes == 4 and log.rows == 10
    assert log.discarded.tolist() == (list(DISCARDED) if log.spec.has_success else [False] * 4)


def test_what_is_kept_is_the_other_episodes_unchanged(log):
    kept = log.kept()
    rows = np.repeat(~log.discarded, LENGTHS)
    for field in FIELDS:
        assert getattr(kept, field.name).tobytes() == getattr(log, field.name)[rows].tobytes()
    assert kept.episode_ends.tolist() == ([3, 7] if log.spec.has_success else [3, 5, 9, 10])
    assert kept.final_observation.tobytes() == log.final_observation[~log.discarded].tobytes()
    assert kept.episode(1) == (slice(3, 7) if log.spec.has_success else slice(3, 5))
    assert not kept.discarded.any()
