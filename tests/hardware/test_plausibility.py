"""A travel that the model does not have is refused with both numbers."""

from __future__ import annotations

import math

import pytest

from hardware.description import RobotDescription, robot
from hardware.errors import HardwareError
from hardware.homing import Homing
from hardware.plausibility import require_plausible

RANGES = {"elbow": (-1.5, 1.5)}


def arm(continuous: bool = False) -> RobotDescription:
    joint = {"id": 1, "servo": "STS3215", "lower": -1.5, "upper": 1.5, "continuous": continuous}
    return robot("one", "feetech", {"elbow": joint}, {"p": 16, "i": 0, "d": 32}, 12.0, 3.0, 60.0, 3000.0)


def with_travel(ticks: int) -> dict[str, Homing]:
    low = 2048 - ticks // 2
    return {"elbow": Homing(0, low, low + ticks)}


def ticks(radians: float) -> int:
    return round(radians * 4096 / math.tau)


@pytest.mark.parametrize("travel", [3.0 - 0.24, 3.0, 3.0 + 0.39])
def test_about_the_models_range_is_taken(travel: float) -> None:
    require_plausible(arm(), RANGES, with_travel(ticks(travel)))


@pytest.mark.parametrize(
    ("travel", "said"),
    [
        (3.0 - 0.26, r"elbow: travelled 157 deg, the model of one has 172 \(at least 158 expected\).*stop to stop"),
        (0.0, r"elbow: travelled 0 deg, the model of one has 172.*stop to stop"),
        (1.0, r"elbow: travelled 57 deg, the model of one has 172 \(at least 158 expected\).*stop to stop"),
        (3.0 + 0.41, r"elbow: travelled 195 deg, the model of one has 172 \(at most 195 expected\).*slips"),
    ],
)
def test_another_range_is_refused_with_both_numbers(travel: float, said: str) -> None:
    with pytest.raises(HardwareError, match=said):
        require_plausible(arm(), RANGES, with_travel(ticks(travel)))


def test_a_full_turn_is_refused_even_where_the_model_has_nearly_one() -> None:
    nearly = {"elbow": (-3.1, 3.1)}
    require_plausible(arm(), nearly, with_travel(4000))
    with pytest.raises(HardwareError, match=r"elbow: travelled 352 deg.*at most 352"):
        require_plausible(arm(), nearly, with_travel(4001))


def test_a_continuous_joint_has_no_travel_to_compare() -> None:
    require_plausible(arm(continuous=True), RANGES, {"elbow": Homing(0, 0, 4095)})
