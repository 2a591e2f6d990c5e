"""What verifying reports and training refuses."""

import dataclasses

import numpy as np
import pytest
import zarr

from porl_robot.replay.log import read_log
from porl_robot.replay.verify import require_trainable, verify_log

from .logs import refused, write


@pytest.mark.parametrize(
    ("name", "key"), [("observation", "observation.state"), ("action", "action"), ("reward", "next.reward")]
)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_training_refuses_what_is_not_finite_and_verify_reports_it(tmp_path, spec, stream, name, key, value):
    records = list(stream(spec, [3, 4]))
    bad = value
    if name != "reward":
        bad = getattr(records[5], name).copy()
        bad[1] = value
    records[5] = dataclasses.replace(records[5], **{name: bad})
    write(tmp_path, spec, records)
    refused(lambda: require_trainable(read_log(tmp_path)), tmp_path, key, "episode 1, step 2")
    assert any(f"data/{key}: not finite" in line for line in verify_log(tmp_path))


@pytest.mark.parametrize("value", [1.001, -7.0])
def test_training_refuses_actions_beyond_their_range(tmp_path, spec, stream, value):
    records = list(stream(spec, [3, 4]))
    for row in (4, 6):
        action = records[row].action.copy()
        action[0] = value
        records[row] = dataclasses.replace(records[row], action=action)
    write(tmp_path, spec, records)
    problem = "data/action: outside [-1, 1] in 2 rows, first in episode 1, step 1"
    refused(lambda: require_trainable(read_log(tmp_path)), tmp_path, problem)
    assert verify_log(tmp_path) == [problem]


def test_a_failure_may_cost_what_the_rest_of_its_episode_could_have_cost(tmp_path, spec, stream):
    records = list(stream(dataclasses.replace(spec, reward_bounds=(-1.0, 0.0)), [3, 4]))
    records = [dataclasses.replace(each, reward=-1.0) for each in records]
    judged = {"reward": -17.0, "terminated": True, "truncated": False}
    records[2] = dataclasses.replace(records[2], **judged, success=False)
    for success, problems in ((False, 0), (True, 1)):
        records[6] = dataclasses.replace(records[6], **judged, success=success)
        run = tmp_path / str(success)
        write(run, dataclasses.replace(spec, reward_bounds=(-1.0, 0.0)), records)
        assert len(verify_log(run)) == problems
        if not problems:
            require_trainable(read_log(run))


def test_training_accepts_a_finite_log_within_range(tmp_path, spec, stream):
    records = list(stream(spec, [3]))
    ends = np.resize([-1.0, 1.0], records[0].action.shape)
    write(tmp_path, spec, [dataclasses.replace(records[0], action=ends), *records[1:]])
    require_trainable(read_log(tmp_path))


@pytest.mark.parametrize(
    ("path", "row", "value"),
    [
        ("data/action", 1, 1.5),
        ("data/frame_index", 3, 9),
        ("data/episode_index", 0, 4),
        ("data/next.truncated", 1, True),
        ("meta/episode_ends", 0, 7),
    ],
)
def test_verify_names_the_array_that_is_wrong(tmp_path, spec, stream, path, row, value):
    write(tmp_path, spec, stream(spec, [3, 4]))
    zarr.open_array(str(tmp_path / "log.zarr"), path=path, mode="r+")[row] = value
    assert any(path.removeprefix("data/") in line for line in verify_log(tmp_path))


@pytest.mark.parametrize("rows", [2, 9])
def test_verify_reports_ragged_arrays(tmp_path, spec, stream, rows):
    write(tmp_path, spec, stream(spec, [3, 4]))
    zarr.open_array(str(tmp_path / "log.zarr"), path="data/next.reward", mode="r+").resize((rows,))
    (problem,) = verify_log(tmp_path)
    assert "next.reward" in problem and "7" in problem
