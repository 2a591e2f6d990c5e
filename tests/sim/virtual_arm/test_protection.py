"""Servos look after themselves, each family in its own way."""

from __future__ import annotations

import pytest

from sim.virtual_arm.drive import ROOM
from sim.virtual_arm.effects import apply_faults
from sim.virtual_arm.faults import parse_faults

OVERHEAT, OVERLOAD, VOLTAGE, OVER_CURRENT = 0x04, 0x20, 0x01, 0x08
ELBOW = 2


def hold(arm):
    for servo in arm.servos:
        servo.memory["torque_enable"] = 1
        servo.drive.reload()


def suffer(arm, text):
    apply_faults(parse_faults(text), arm)


def test_an_overloaded_sts_keeps_a_fifth_of_its_torque_until_the_goal_gives_way(make_arm):
    arm = make_arm("so101")
    servo = arm.servos[ELBOW]
    hold(arm)
    servo.memory["goal_position"] = servo.drive.present() - 1000
    servo.drive.reload()
    suffer(arm, "hand ids=3 to=-1.2; overload ids=3 load=0.9")
    arm.advance(1.9)
    assert servo.memory["status"] == 0 and abs(servo.drive.duty) > 0.3
    arm.advance(2.2)
    assert servo.memory["status"] == OVERLOAD
    assert abs(servo.drive.duty) <= 0.2
    assert servo.drive.driven
    suffer(arm, "hand ids=3 to=-1.2")
    arm.advance(2.5)
    assert servo.memory["status"] == OVERLOAD
    servo.memory["goal_position"] = servo.drive.present() + 100
    servo.drive.reload()
    arm.advance(2.6)
    assert servo.memory["status"] == 0


def test_a_blocked_sts_overloads_by_itself(make_arm):
    arm = make_arm("so101", position_p=32)
    servo = arm.servos[5]
    hold(arm)
    # The jaw's stop is in the way.
    servo.memory["min_position"] = 0
    servo.memory["goal_position"] = 400
    servo.drive.reload()
    arm.advance(4.0)
    assert servo.memory["status"] == OVERLOAD


def test_a_hot_sts_lets_go_and_does_not_take_hold_again_by_itself(make_arm):
    arm = make_arm("so101")
    hold(arm)
    suffer(arm, "overheat ids=3 to=75")
    servo = arm.servos[ELBOW]
    arm.advance(4.0)
    assert servo.drive.driven and 60.0 < servo.drive.temperature < 70.0
    arm.advance(5.5)
    assert servo.memory["status"] == OVERHEAT and servo.memory["torque_enable"] == 0
    suffer(arm, "")
    servo.drive.temperature = ROOM
    arm.advance(5.6)
    assert servo.memory["status"] == 0 and servo.memory["torque_enable"] == 0


def test_too_much_current_for_too_long_lets_go(make_arm):
    arm = make_arm("so101", protection_current=50, over_current_time=20)
    servo = arm.servos[ELBOW]
    hold(arm)
    servo.memory["goal_position"] = servo.drive.present() - 1000
    servo.drive.reload()
    arm.hands[ELBOW] = arm.body.position()[ELBOW]
    arm.advance(0.6)
    assert servo.memory["status"] & OVER_CURRENT and not servo.drive.driven
    servo.drive.forgive()
    assert servo.memory["status"] == 0


def test_a_sagging_supply_shows_in_the_status_only(make_arm):
    arm = make_arm("so101")
    hold(arm)
    suffer(arm, "brownout volts=3.5")
    arm.advance(0.1)
    assert all(servo.memory["status"] == VOLTAGE and servo.drive.driven for servo in arm.servos)
    suffer(arm, "")
    arm.advance(0.2)
    assert all(servo.memory["status"] == 0 for servo in arm.servos)


@pytest.mark.parametrize(
    ("fault", "bit"), [("overload ids=3", OVERLOAD), ("overheat ids=3", OVERHEAT), ("brownout volts=3.3", VOLTAGE)]
)
def test_a_dynamixel_shuts_down_until_it_is_rebooted(make_arm, fault, bit):
    arm = make_arm("light")
    servo = arm.servos[ELBOW]
    hold(arm)
    suffer(arm, fault)
    arm.advance(6.0)
    suffer(arm, "")
    servo.drive.temperature = ROOM
    arm.advance(6.1)
    assert servo.memory["status"] == bit and servo.memory["torque_enable"] == 0
    torque_on = b"\x40\x00\x01"
    assert servo.execute(0x03, torque_on)[8] == 0x80
    assert not servo.drive.driven
    servo.execute(0x08, b"")
    arm.advance(6.3)
    assert servo.listens and servo.memory["status"] == 0
    assert servo.execute(0x03, torque_on)[8] == 0
    assert servo.drive.driven


def test_a_shutdown_that_is_masked_only_alerts(make_arm):
    arm = make_arm("light", shutdown=0)
    hold(arm)
    suffer(arm, "overheat ids=3")
    arm.advance(6.0)
    servo = arm.servos[ELBOW]
    assert servo.memory["status"] == OVERHEAT and servo.drive.driven


def test_a_stuck_encoder_reports_and_controls_with_what_it_saw_last(make_arm):
    arm = make_arm("so101")
    hold(arm)
    arm.advance(0.1)
    servo = arm.servos[ELBOW]
    seen, angle = servo.drive.present(), arm.body.position()[ELBOW]
    suffer(arm, "stuck ids=3")
    servo.memory["goal_position"] = seen + 100
    servo.drive.reload()
    arm.advance(0.1)
    servo.drive.report()
    assert servo.drive.speed > 0.0 == servo.memory["present_velocity"]
    arm.advance(0.9)
    suffer(arm, "stuck ids=3")
    assert servo.drive.present() == seen
    assert arm.body.position()[ELBOW] > angle + 100 / 651.9
    suffer(arm, "")
    assert servo.drive.present() > seen + 100


def test_holding_a_load_for_ten_minutes_warms_an_sts_as_measured(make_arm):
    servo = make_arm("so101").servos[ELBOW]
    # 1.47 N m, measured: 48 degrees after ten minutes and no more.
    servo.drive.current = 1.47 / servo.drive.motor.kt
    for _ in range(600):
        servo.drive.warm(1.0)
    assert servo.drive.temperature == pytest.approx(48.0, abs=1.5)
