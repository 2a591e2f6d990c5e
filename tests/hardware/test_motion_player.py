"""A motion is played as given, watched on every bus cycle, and not one that was interrupted."""

from __future__ import annotations

import time
from contextlib import closing

import numpy as np
import pytest

from hardware.errors import HardwareError
from hardware.host.messages import HostState
from hardware.motion_player import MotionPlayer
from sim.virtual_arm.launch import LaunchedArm

from ..arms import described

SCALE = 0.5
HZ = 100.0

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def player(tmp_path_factory):
    with (
        LaunchedArm(tmp_path_factory.mktemp("arm") / "port", time_scale=SCALE) as arm,
        closing(MotionPlayer(described("so101", port=str(arm.link), time_scale=SCALE))) as made,
    ):
        made.arm()
        yield made


@pytest.fixture
def motion(player):
    """Two seconds in which the pan swings by 0.2 rad."""
    middle = (player.limits.lower + player.limits.upper) / 2
    motion = np.tile(middle, (200, 1))
    motion[:, 0] += 0.2 * np.sin(np.pi * np.arange(1, 201) / 100)
    return motion


def test_every_bus_cycle_of_the_motion_is_kept(player, motion):
    told = []
    played = player.play(motion, HZ, told.append)
    assert (np.diff(played.time) > 0).all()
    assert len(played.time) > 0.9 * len(motion)
    assert played.time[0] <= played.began and played.time[-1] == pytest.approx(played.began + 2.0, abs=0.05)
    assert {each.shape for each in played.watched.values()} == {(len(played.time), 6)}
    commanded = played.watched["commanded"]
    planned = np.interp(played.time - played.began, np.arange(1, 201) / HZ, motion[:, 0])
    assert np.abs(commanded[:, 0] - planned).max() < 0.03
    assert np.ptp(commanded[:, 1:], axis=0).max() < 0.003
    assert np.ptp(played.watched["position"][:, 0]) > 0.3
    assert told[-1] == 2.0
    player._sleep(0.2)
    assert player._look().state is HostState.HOLDING


def test_an_interrupted_motion_is_refused(player, motion):
    def stall(seconds):
        if seconds > 0.5:
            time.sleep(0.3 / SCALE)

    with pytest.raises(HardwareError, match=r"the motion was interrupted for 0\.\d s after 0\.\d s; start again"):
        player.play(motion, HZ, stall)


def test_a_motion_that_is_no_number_is_refused(player, motion):
    motion[50:60, 2] = np.nan
    with pytest.raises(HardwareError, match="the motion was refused: finite"):
        player.play(motion, HZ, lambda _: None)
