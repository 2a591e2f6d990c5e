"""Bytes take their time."""

from __future__ import annotations

from random import Random

import pytest

from hardware.codec import dynamixel, feetech
from sim.virtual_arm.faults import parse_faults
from sim.virtual_arm.schedule import Schedule
from sim.virtual_arm.wire import Wire

MEGABAUD = 1_000_000
BYTE = 10 / MEGABAUD
READ = feetech.encode_request(*feetech.read(1, 56, 2))
STATUS_BYTES = 8


def wire(arm, faults=""):
    schedule = Schedule(range(1, 7))
    schedule.add(parse_faults(faults))
    schedule.advance(0.0)
    return Wire(arm.chain, schedule, Random(0))


def arrivals(made):
    """(time, bytes) of everything under way."""
    found = []
    while made.next_arrival is not None:
        moment = made.next_arrival
        found.append((moment, made.take(moment)))
    return found


def test_an_answer_comes_when_the_wire_has_carried_it(make_arm):
    made = wire(make_arm("so101"))
    made.receive(READ, MEGABAUD, now=1.0)
    due = 1.0 + (len(READ) + STATUS_BYTES) * BYTE
    assert made.next_arrival == pytest.approx(due, abs=1e-9)
    assert made.take(due - 1e-6) == b""
    assert len(made.take(due + 1e-9)) == STATUS_BYTES


def test_return_delays_count_per_servo(make_arm):
    made = wire(make_arm("light", return_delay=250))
    request = dynamixel.encode_request(*dynamixel.sync_read(range(1, 7), 132, 4))
    made.receive(request, MEGABAUD, now=0.0)
    ((moment, data),) = arrivals(made)
    assert len(data) == 6 * 15
    assert moment == pytest.approx((len(request) + len(data)) * BYTE + 6 * 500e-6)


def test_a_request_waits_for_the_one_before(make_arm):
    made = wire(make_arm("so101"))
    goals = feetech.encode_request(*feetech.sync_write(42, {id: b"\0\x08" for id in range(1, 7)}))
    made.receive(goals + READ, MEGABAUD, now=0.0)
    made.receive(READ, MEGABAUD, now=0.0)
    (first, _), (second, _) = arrivals(made)
    assert first == pytest.approx((len(goals) + len(READ) + STATUS_BYTES) * BYTE)
    assert second == pytest.approx(first + (len(READ) + STATUS_BYTES) * BYTE)


def test_a_slower_baud_takes_longer_and_is_heard_by_those_who_use_it(make_arm):
    arm = make_arm("so101")
    arm.servos[0].memory["baud_rate"] = 4
    made = wire(arm)
    made.receive(READ, MEGABAUD, now=0.0)
    assert made.next_arrival is None
    made.receive(READ, 115_200, now=0.1)
    assert made.next_arrival == pytest.approx(0.1 + (len(READ) + STATUS_BYTES) * 10 / 115_200)
    made.receive(READ, 0, now=0.2)


def test_half_a_request_is_forgotten_after_a_while(make_arm):
    made = wire(make_arm("so101"))
    made.receive(READ[:5], MEGABAUD, now=0.0)
    made.receive(READ[5:], MEGABAUD, now=0.01)
    assert made.next_arrival is not None
    made.cut()
    made.receive(READ[:5], MEGABAUD, now=0.02)
    made.receive(READ[5:], MEGABAUD, now=0.12)
    assert made.next_arrival is None


def test_faults_strike_between_servo_and_client(make_arm):
    arm = make_arm("so101")
    on_time = (len(READ) + STATUS_BYTES) * BYTE
    for faults, expected in (
        ("drop", []),
        ("late by=0.05", [(on_time + 0.05, STATUS_BYTES)]),
        ("latency", [(on_time + 0.016, STATUS_BYTES)]),
        ("echo", [(len(READ) * BYTE, len(READ)), (on_time, STATUS_BYTES)]),
        ("double", [(on_time, 2 * STATUS_BYTES)]),
        ("split gap=0.001", [(on_time + 0.001 * k, 1) for k in range(STATUS_BYTES)]),
    ):
        made = wire(arm, faults)
        made.receive(READ, MEGABAUD, now=0.0)
        found = [(moment, len(data)) for moment, data in arrivals(made)]
        assert [size for _, size in found] == [size for _, size in expected], faults
        assert [moment for moment, _ in found] == pytest.approx([moment for moment, _ in expected]), faults


def test_a_cut_wire_loses_what_was_under_way(make_arm):
    made = wire(make_arm("so101"))
    made.receive(READ, MEGABAUD, now=0.0)
    made.cut()
    assert made.next_arrival is None and made.take(1.0) == b""
