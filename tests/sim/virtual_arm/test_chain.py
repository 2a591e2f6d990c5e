"""Who answers on the bus, in which order, and after how long."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardware.codec import dynamixel, feetech
from hardware.codec.frame import Frame
from sim.virtual_arm.effects import apply_faults
from sim.virtual_arm.faults import parse_faults

MEGABAUD = 1_000_000


@pytest.fixture
def arms(make_arm):
    """An arm of each family, which go on from one request to the next."""
    return {name: make_arm(name) for name in ("so101", "light")}


def frame(request):
    return Frame(*request, is_status=None)


def told(arm, request, baud=MEGABAUD):
    return arm.chain.execute(frame(request), baud)


def test_a_sync_read_is_answered_in_the_order_asked(make_arm):
    for name, codec in (("so101", feetech), ("light", dynamixel)):
        arm = make_arm(name)
        replies = told(arm, codec.sync_read([3, 1, 6], 132 if codec is dynamixel else 56, 2))
        assert [reply.id for reply in replies] == [3, 1, 6]
        statuses = [codec.Parser().feed(reply.data)[0] for reply in replies]
        assert [int.from_bytes(each.parameters, "little") for each in statuses] == [
            arm.servos[place].drive.present() for place in (2, 0, 5)
        ]


def test_a_servo_hears_its_own_baud_only(make_arm):
    arm = make_arm("so101")
    arm.servos[1].memory["baud_rate"] = 1
    everyone = feetech.ping(feetech.BROADCAST)
    assert [reply.id for reply in told(arm, everyone)] == [1, 3, 4, 5, 6]
    assert [reply.id for reply in told(arm, everyone, 500_000)] == [2]
    assert told(arm, everyone, 57_600) == []


def test_the_broadcast_is_obeyed_but_answered_to_a_ping_only(make_arm):
    arm = make_arm("so101")
    assert told(arm, feetech.write(feetech.BROADCAST, 41, b"\x32")) == []
    assert {servo.memory["acceleration"] for servo in arm.servos} == {50}
    arm = make_arm("light")
    assert told(arm, dynamixel.write(dynamixel.BROADCAST, 65, b"\x01")) == []
    assert {servo.memory["led"] for servo in arm.servos} == {1}


def test_two_servos_with_one_id_talk_into_each_other(make_arm):
    arm = make_arm("so101")
    apply_faults(parse_faults("duplicate ids=2,5"), arm)
    (reply,) = told(arm, feetech.read(2, 56, 2))
    assert len(reply.data) == 2 * 8
    assert feetech.Parser().feed(reply.data) == []
    assert told(arm, feetech.read(5, 56, 2)) == []
    apply_faults([], arm)
    assert len(told(arm, feetech.read(5, 56, 2))) == 1


def test_a_dead_servo_neither_answers_nor_obeys(make_arm):
    arm = make_arm("so101")
    apply_faults(parse_faults("dead ids=4"), arm)
    assert [reply.id for reply in told(arm, feetech.sync_read(range(1, 7), 56, 2))] == [1, 2, 3, 5, 6]
    told(arm, feetech.sync_write(41, {3: b"\x0a", 4: b"\x0a"}))
    assert [arm.servos[place].memory["acceleration"] for place in (2, 3)] == [10, 0]


def test_a_fast_sync_read_ends_at_the_first_servo_that_is_missing(make_arm):
    arm = make_arm("light")
    request = dynamixel.fast_sync_read([1, 2, 3], 132, 4)
    (whole,) = told(arm, request)
    (status,) = dynamixel.Parser().feed(whole.data)
    assert [part.id for part in dynamixel.split_fast_status(status, 4)] == [1, 2, 3]
    apply_faults(parse_faults("dead ids=2"), arm)
    (cut,) = told(arm, request)
    assert whole.data.startswith(cut.data) and len(cut.data) == len(whole.data) - 2 * 8
    apply_faults(parse_faults("dead ids=1"), arm)
    assert told(arm, request) == []


def test_bulk_instructions_reach_each_servo_at_its_own_address(make_arm):
    arm = make_arm("light")
    told(arm, dynamixel.bulk_write({1: (65, b"\x01"), 2: (116, (2100).to_bytes(4, "little"))}))
    assert (arm.servos[0].memory["led"], arm.servos[1].memory["goal_position"]) == (1, 2100)
    replies = told(arm, dynamixel.bulk_read({2: (116, 4), 1: (65, 1)}))
    assert [(reply.id, len(reply.data)) for reply in replies] == [(2, 15), (1, 12)]


def test_every_instruction_keeps_every_watchdog_quiet(make_arm):
    arm = make_arm("light")
    for servo in arm.servos:
        servo.memory["bus_watchdog"] = 5
        servo.memory["torque_enable"] = 1
        servo.drive.reload()
    for moment in (0.08, 0.16, 0.24):
        arm.advance(moment)
        told(arm, dynamixel.ping(1))
    assert {servo.memory["bus_watchdog"] for servo in arm.servos} == {5}
    arm.advance(0.4)
    assert {servo.memory["bus_watchdog"] for servo in arm.servos} == {-1}


def test_the_return_delay_is_the_servos_own(make_arm):
    arm = make_arm("light", return_delay=250)
    (reply,) = told(arm, dynamixel.ping(1))
    assert reply.delay == 500e-6
    (fast,) = told(arm, dynamixel.fast_sync_read([1, 2], 132, 4))
    assert fast.delay == 500e-6


def test_what_makes_no_sense_is_not_answered(make_arm):
    assert told(make_arm("so101"), (254, feetech.Instruction.SYNC_READ, b"\x38")) == []
    arm = make_arm("light")
    assert told(arm, (254, dynamixel.Instruction.BULK_READ, b"\x01")) == []
    assert arm.chain.execute(Frame(1, 0, b"", is_status=True), MEGABAUD) == []


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["so101", "light"]),
    code=st.sampled_from(sorted({*feetech.Instruction, *dynamixel.Instruction} - {dynamixel.Instruction.STATUS}))
    | st.integers(0, 255),
    id=st.sampled_from([1, 2, 6, 254]),
    parameters=st.binary(max_size=30),
)
def test_no_request_whatever_brings_the_arm_down(arms, name, code, id, parameters):
    arm = arms[name]
    told(arm, (id, code, parameters))
    arm.advance(arm.time + 0.02)
    assert all(-1.0 <= servo.drive.duty <= 1.0 for servo in arm.servos)
