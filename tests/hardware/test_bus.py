"""Registers by name, on both families, on a good line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hardware.bus import Bus, open_bus
from hardware.clock import Clock
from hardware.codec import dynamixel, feetech
from hardware.description import robot
from hardware.errors import Disconnected, HardwareError, NoReply, Refused
from hardware.servos import SERVOS

UNHURRIED = (0.5, 0.5)
"""Wall seconds that a reply may be late by where the line is good and only this computer may be busy."""

IDS = (1, 2, 3, 4, 5, 6)
SERVO = {"feetech": "STS3215", "dynamixel": "XL330-M288"}
TELEMETRY = {
    "feetech": ("present_position", "present_current"),
    "dynamixel": ("present_current", "present_temperature"),
}


def opened(port: str, protocol: str, **servos: str) -> Bus:
    joints = {
        f"joint_{id}": {"id": id, "servo": servos.get(f"servo_{id}", SERVO[protocol]), "lower": -1.0, "upper": 1.0}
        for id in IDS
    }
    limits = {"velocity": 3.0, "acceleration": 60.0, "jerk": 3000.0}
    gains = {"p": 16, "i": 0, "d": 32}
    return open_bus(robot("arm", protocol, joints, gains, supply=12.0, port=port, **limits), Clock())


@pytest.fixture(params=["feetech", "dynamixel"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(serve: Callable[..., Any], protocol: str) -> Any:
    return serve({id: SERVOS[SERVO[protocol]] for id in IDS})


@pytest.fixture
def bus(server: Any, protocol: str) -> Iterator[Bus]:
    made = opened(server.port, protocol)
    made._exchange.patience = UNHURRIED
    yield made
    made.close()


def test_ping_tells_the_model(bus: Bus, protocol: str) -> None:
    assert bus.ping(3) == SERVOS[SERVO[protocol]].number
    bus._exchange.patience = (0.01, 0.05)
    with pytest.raises(NoReply, match="servo 9 does not answer; check its supply"):
        bus.ping(9)


def test_a_register_is_read_and_written_by_name(bus: Bus, server: Any) -> None:
    server.set(2, "present_position", -5)
    assert bus.read(2, "present_position") == -5
    bus.write(2, "homing_offset", -709)
    assert server.get(2, "homing_offset") == -709 == bus.read(2, "homing_offset")
    assert server.get(1, "homing_offset") == 0


def test_every_register_reads_as_it_stands(bus: Bus, server: Any) -> None:
    for name, entry in server.servos[4].registers.items():
        assert bus.read(4, name) == (entry.default or 0)


def test_one_exchange_reads_all_servos(bus: Bus, server: Any, protocol: str) -> None:
    for id in IDS:
        server.set(id, "present_position", 2000 + id)
        server.set(id, "present_velocity", -id)
    before = len(server.heard)
    readings = bus.sync_read(IDS, *TELEMETRY[protocol])
    assert len(server.heard) == before + 1
    assert {id: reading["present_position"] for id, reading in readings.items()} == {id: 2000 + id for id in IDS}
    assert [reading["present_velocity"] for reading in readings.values()] == [-id for id in IDS]
    assert set(readings[1]) == {
        each.name for each in server.servos[1].span(*TELEMETRY[protocol]).registers
    }  # nothing that was only read along
    assert bus.statistics.retries == 0


def test_a_sick_servo_is_read_all_the_same(bus: Bus, server: Any, protocol: str) -> None:
    server.error[2] = 0x21 if protocol == "feetech" else 0x80
    readings = bus.sync_read(IDS, *TELEMETRY[protocol])
    expected = ("voltage", "overload") if protocol == "feetech" else ("hardware alert",)
    assert readings[2].faults == expected and readings[1].faults == ()
    bus.write(2, "torque_enable", 0)
    assert bus.read(2, "torque_enable") == 0


def test_a_dead_servo_is_missing_and_the_others_are_not(bus: Bus, server: Any, protocol: str) -> None:
    server.dead.add(3)
    bus._exchange.patience = (0.01, 0.05)
    for _ in range(5):
        assert set(bus.sync_read(IDS, *TELEMETRY[protocol])) == {1, 2, 4, 5, 6}
    with pytest.raises(NoReply, match="servo 3"):
        bus.read(3, "present_position")
    server.dead.clear()
    bus._exchange.patience = UNHURRIED
    assert set(bus.sync_read(IDS, *TELEMETRY[protocol])) == set(IDS)
    assert bus.statistics.timeouts > 0


def test_goals_go_to_all_at_once(bus: Bus, server: Any) -> None:
    bus.sync_write("goal_position", {id: 100 * id for id in IDS})
    bus.read(1, "id")  # so the goals have been heard
    assert [server.get(id, "goal_position") for id in IDS] == [100 * id for id in IDS]


def test_everyone_lets_go_at_once(bus: Bus, server: Any, protocol: str) -> None:
    codec = feetech if protocol == "feetech" else dynamixel
    for id in IDS:
        server.set(id, "torque_enable", 1)
    bus.torque_off_all()
    assert bus.read(1, "torque_enable") == 0
    assert not any(server.get(id, "torque_enable") for id in IDS)
    assert [frame.id for frame in server.heard[:2]] == [codec.BROADCAST] * 2


@pytest.mark.parametrize("acknowledged", [True, False])
def test_a_write_is_confirmed_one_way_or_the_other(bus: Bus, server: Any, acknowledged: bool) -> None:
    if not acknowledged:
        for id in IDS:
            server.set(id, "status_level", server.servos[id].acknowledging - 1)
    bus.write(1, "goal_position", 1234)
    assert server.get(1, "goal_position") == 1234
    read = {bytes(frame.parameters[:1]) for frame in server.heard if frame.code == feetech.Instruction.READ}
    assert len(read) == (1 if acknowledged else 2)  # the status level, and what was written


def test_telling_a_servo_to_be_quiet_is_heeded(bus: Bus, server: Any) -> None:
    quiet = server.servos[1].acknowledging - 1
    bus.write(1, "status_level", quiet)
    begun = bus.statistics.timeouts
    bus.write(1, "goal_position", 55)
    assert bus.statistics.timeouts == begun and server.get(1, "goal_position") == 55


def test_a_write_that_is_not_taken_raises(bus: Bus, server: Any) -> None:
    bus.write(1, "goal_position", 1)
    server.dead.add(1)
    bus._exchange.patience = (0.01, 0.05)
    with pytest.raises(NoReply, match="nothing shows that servo 1 took goal_position = 2"):
        bus.write(1, "goal_position", 2)


def test_what_happens_each_time_is_not_repeated(serve: Callable[..., Any]) -> None:
    server = serve({id: SERVOS["STS3215"] for id in IDS})
    bus = opened(server.port, "feetech")
    bus.write(1, "torque_enable", 0)
    server.tamper = lambda request, replies: [(0.0, b"".join(replies) if request[4] == 2 else b"")]
    server.set(1, "torque_enable", 0)
    server.memory[1] = _Stubborn(server.memory[1])
    before = len(server.heard)
    with pytest.raises(NoReply, match="torque_enable = 128"):
        bus.write(1, "torque_enable", 128)
    assert [frame.code for frame in server.heard[before:]].count(feetech.Instruction.WRITE) == 1
    bus.close()


class _Stubborn(bytearray):
    def __setitem__(self, where: Any, value: Any) -> None:
        return


def test_dynamixel_refuses_eprom_while_the_torque_is_on(serve: Callable[..., Any]) -> None:
    server = serve({id: SERVOS["XL330-M288"] for id in IDS})
    bus = opened(server.port, "dynamixel")
    bus.write(5, "torque_enable", 1)
    with pytest.raises(Refused, match=r"servo 5 did not take homing_offset = 7: read-only, or in the EPROM while"):
        bus.write(5, "homing_offset", 7)
    bus.close()


def test_old_firmware_without_fast_sync_read(serve: Callable[..., Any]) -> None:
    server = serve({id: SERVOS["XL330-M288"] for id in IDS})
    server.unknown.add(dynamixel.Instruction.FAST_SYNC_READ)
    bus = opened(server.port, "dynamixel")
    for _ in range(5):
        assert set(bus.sync_read(IDS, *TELEMETRY["dynamixel"])) == set(IDS)
    asked = [frame.code for frame in server.heard]
    assert asked.count(dynamixel.Instruction.FAST_SYNC_READ) == 3
    assert asked.count(dynamixel.Instruction.SYNC_READ) == 5
    bus.close()


def test_scs_servos_are_read_one_by_one(serve: Callable[..., Any]) -> None:
    server = serve({id: SERVOS["SCS0009"] for id in IDS})
    bus = opened(server.port, "feetech", **{f"servo_{id}": "SCS0009" for id in IDS})
    server.set(2, "present_position", 700)
    server.dead.add(4)
    assert bus.ping(2) == 1284
    readings = bus.sync_read(IDS, "present_position", "moving")
    assert readings[2]["present_position"] == 700 and set(readings) == {1, 2, 3, 5, 6}
    bus.close()


def test_servos_of_different_kinds_need_a_common_block(serve: Callable[..., Any]) -> None:
    server = serve({id: SERVOS["XL430" if id == 6 else "XL330-M288"] for id in IDS})
    bus = opened(server.port, "dynamixel", servo_6="XL430")
    assert set(bus.sync_read(IDS, "present_velocity", "present_temperature")) == set(IDS)
    with pytest.raises(KeyError, match="present_current"):
        bus.sync_read(IDS, "present_current", "present_temperature")
    with pytest.raises(ValueError, match="not in one place"):
        bus.sync_read(IDS, "max_temperature", "indirect_data_1")
    bus.close()


def test_unplugged(bus: Bus, server: Any) -> None:
    server.unplug()
    for action in (lambda: bus.read(1, "id"), lambda: bus.sync_write("goal_position", {1: 1}), bus.torque_off_all):
        with pytest.raises(Disconnected):
            action()


def test_round_trips_are_counted(bus: Bus, protocol: str) -> None:
    for _ in range(3):
        bus.sync_read(IDS, *TELEMETRY[protocol])
    assert len(bus.statistics.round_trips) == 3
    assert all(0.0 < each < 1.0 for each in bus.statistics.round_trips)
    assert bus.statistics.requests == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"port": None}, "robot.port is missing"),
        ({"servo": "MX28"}, "joint_1.servo 'MX28' is no feetech servo; there are STS3215, STS3250, SCS0009"),
        ({"servo": "XL430"}, "'XL430' is no feetech servo"),
    ],
)
def test_an_arm_that_cannot_be_opened(changes: dict[str, Any], said: str) -> None:
    joint = {"id": 1, "servo": changes.get("servo", "STS3215"), "lower": -1.0, "upper": 1.0}
    port = changes.get("port", "/dev/null")
    limits = {"velocity": 3.0, "acceleration": 60.0, "jerk": 3000.0}
    arm = robot("arm", "feetech", {"joint_1": joint}, {"p": 1, "i": 0, "d": 0}, supply=12.0, port=port, **limits)
    with pytest.raises(HardwareError, match=said):
        open_bus(arm, Clock())
