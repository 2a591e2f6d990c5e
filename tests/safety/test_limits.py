import dataclasses

import numpy as np
import pytest

from porl_robot.errors import UserError
from porl_robot.safety import JointLimits

GOOD = {
    "names": ("base", "elbow"),
    "lower": [-1.0, -2.0],
    "upper": [1.0, 2.0],
    "velocity": [3.0, 4.0],
    "acceleration": [10.0, 20.0],
    "jerk": [100.0, 200.0],
}


def test_arrays_are_own_float64_and_read_only():
    upper = np.array([1.0, 2.0], dtype=np.float32)
    limits = JointLimits(**{**GOOD, "upper": upper})
    upper[0] = 9.0
    assert limits.upper.dtype == np.float64
    assert limits.upper.tolist() == [1.0, 2.0]
    assert len(limits) == 2
    with pytest.raises(ValueError, match="read-only"):
        limits.jerk[0] = 1.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.jerk = np.ones(2)


@pytest.mark.parametrize(
    ("field", "given", "message"),
    [
        (
            "velocity",
            [3.0, 0.0],
            "velocity of joint 'elbow' must be a positive finite number, got 0",
        ),
        ("acceleration", [-1.0, 20.0], "acceleration of joint 'base' .* positive .* got -1"),
        ("jerk", [np.inf, 1.0], "jerk of joint 'base' .* got inf"),
        ("lower", [np.nan, -2.0], "lower of joint 'base' must be a finite number, got nan"),
        ("upper", [1.0, -2.0], "lower of joint 'elbow' must be below upper, got -2 and -2"),
        ("velocity", [3.0], r"velocity has shape \(1,\), expected .* base, elbow"),
        ("names", ("elbow", "elbow"), "unique"),
        ("names", (), "at least one"),
    ],
)
def test_a_bad_value_is_named(field, given, message):
    with pytest.raises(UserError, match=message):
        JointLimits(**{**GOOD, field: given})
