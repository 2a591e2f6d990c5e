"""Writing logs, and holding them against what was written."""

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.replay.schema import FIELDS
from porl_robot.replay.writer import LogWriter


def write(run, spec, records, **options):
    with LogWriter.create(run, spec, **options) as writer:
        for record in records:
            writer.append(record)


def assert_same(log, records):
    """The log holds exactly `records`, rounded to the types on disk."""
    for field in FIELDS:
        values = [getattr(record, field.name) for record in records]
        if field.name == "success":
            values = [-1 if value is None else int(value) for value in values]
        column = getattr(log, field.name)
        assert column.dtype == np.dtype(field.dtype)
        assert column.flags.c_contiguous and not column.flags.writeable
        expected = np.array(values, field.dtype).reshape(-1, *field.shape(log.spec))
        np.testing.assert_array_equal(column, expected)
    finals = [r.final_observation for r in records if r.final_observation is not None]
    np.testing.assert_array_equal(log.final_observation, np.array(finals).reshape(-1, log.spec.observation_size))
    ends = [i for i, record in enumerate(records, 1) if record.final_observation is not None]
    assert log.episode_ends.tolist() == ends


def refused(function, *names):
    """The message of the UserError that `function` raises: one line with all of `names` in it."""
    with pytest.raises(UserError) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    for name in (*names, "expected"):
        assert str(name) in message
    return message
