"""The watch beside the physics of an arm: no joint that only lags, sags or turns round counts as stuck."""

from __future__ import annotations

import numpy as np
import pytest

from hardware.arm.faults import Fault, FaultKind
from hardware.arm.telemetry import Telemetry
from hardware.arm.watch import Watch
from hardware.description import JointDescription
from sim.serial_twin import SerialTwin

from ...arms import described

SIX = np.zeros(6)


class WatchedTwin(SerialTwin):
    """Shows every bus cycle to a watch; `frozen` is a joint whose encoder stands still."""

    watch: Watch | None = None
    frozen: tuple[int, float] | None = None
    fault: Fault | None = None
    cycles = 0

    def _listen(self) -> None:
        super()._listen()
        self.cycles += 1
        if self.watch is None or self.fault is not None:
            return
        position = self._position.copy()
        if self.frozen is not None:
            position[self.frozen[0]] = self.frozen[1]
        flags = (frozenset[str](),) * 6
        now = 0.01 * self.cycles
        told = Telemetry(SIX + now, now, position, self._velocity, SIX, SIX + 12.0, SIX + 30.0, SIX, flags)
        self.fault = self.watch.fault(told, self._data.ctrl.copy())

    def begin(self, seed: int) -> None:
        self.watch = None
        self.reset(seed=seed)
        joints = [JointDescription(name, id, "") for id, name in enumerate(self.kinematics.names, 1)]
        self.watch, self.fault, self.frozen = Watch(joints, (12.0,) * 6), None, None

    def play(self, action: np.ndarray) -> None:
        self._ended = False
        self.step(action)


@pytest.fixture(params=["so101", "light"])
def twin(request: pytest.FixtureRequest) -> WatchedTwin:
    return WatchedTwin(described(request.param))


def test_nothing_is_found_in_an_arm_that_plays(twin: WatchedTwin) -> None:
    rng = np.random.default_rng(0)
    for episode in range(12):
        twin.begin(episode)
        for step in range(50):
            jerks, swings = rng.choice([-1.0, 1.0], 4), np.sign(np.sin(0.7 * step + np.arange(4)))
            twin.play((rng.uniform(-1.0, 1.0, 4), jerks, swings)[episode % 3])
        assert twin.fault is None, (episode, twin.fault)


def test_a_stuck_encoder_of_a_moving_joint_is_found_within_a_tenth_of_a_second(twin: WatchedTwin) -> None:
    for episode in range(6):
        twin.begin(episode)
        for _ in range(5):
            twin.play(np.array([0.9, 0.0, 0.0, 0.0]))
        assert twin.fault is None
        twin.frozen, begun = (0, twin._position[0]), twin.cycles
        while twin.fault is None and twin.cycles < begun + 10:
            twin.play(np.array([0.9, 0.0, 0.0, 0.0]))
        assert twin.fault is not None and twin.fault.kind is FaultKind.STUCK and "shoulder_pan" in twin.fault.cause
