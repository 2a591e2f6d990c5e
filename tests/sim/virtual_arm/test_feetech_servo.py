"""What an STS servo makes of what it is told."""

from __future__ import annotations

import pytest

from hardware.codec import feetech
from hardware.codec.feetech import Instruction, Parser
from sim.virtual_arm.feetech_servo import RESET, FeetechServo

from .servo_bench import ServoBench


class Bench(ServoBench):
    model, make, codec, width, volts, shaft = "STS3215", FeetechServo, feetech, 1, 7.4, 3000.0


def test_present_is_the_encoder_less_the_offset_within_one_turn():
    for offset, shown in ((0, 3000), (709, 2291), (-709, 3709), (-2000, 904)):
        assert Bench(homing_offset=offset).read("present_position") == shown


def test_with_multi_turn_feedback_it_leaves_the_turn():
    bench = Bench(homing_offset=-2000, phase=12 | 0x10)
    assert bench.read("present_position") == 5000
    bench.turn_to(-200.0)
    assert bench.read("present_position") == 1800
    bench.turn_to(-4200.0)
    assert bench.read("present_position") == -2200


def test_telemetry_has_the_signs_of_the_table():
    bench = Bench()
    drive = bench.servo.drive
    drive.speed, drive.duty, drive.current, drive.temperature = -700.0, -0.25, -0.65, 41.2
    assert bench.read("present_velocity") == -700
    assert bench.read("present_load") == -250
    assert bench.read("present_current") == -100
    assert bench.read("present_voltage") == 74
    assert bench.read("present_temperature") == 41
    assert bench.ask(Instruction.READ, bytes((60, 2)))[1] == (250 | 1 << 10).to_bytes(2, "little")


def test_a_locked_eprom_forgets_with_the_power():
    bench = Bench(id=4)
    assert bench.read("lock") == 1
    bench.write("min_position", 700)
    assert bench.read("min_position") == 700 and bench.saves == 0
    bench.servo.restart()
    assert bench.read("min_position") == 0
    bench.write("lock", 0)
    bench.write("min_position", 700)
    bench.write("homing_offset", -300)
    bench.servo.restart()
    assert (bench.read("min_position"), bench.read("homing_offset"), bench.saves) == (700, -300, 2)


def test_ram_is_the_factorys_after_power_up():
    bench = Bench(max_torque=600)
    bench.write("acceleration", 50)
    bench.write("torque_enable", 1)
    bench.servo.restart()
    assert bench.read("acceleration") == bench.read("torque_enable") == 0
    assert bench.read("torque_limit") == 600
    assert bench.read("goal_position") == bench.read("present_position")


@pytest.mark.parametrize("shaft", [3000.0, 100.0, 4095.0])
def test_128_makes_this_place_the_centre_and_keeps_it(shaft):
    bench = Bench(shaft)
    bench.write("torque_enable", 128)
    assert bench.read("present_position") == 2048
    assert bench.read("torque_enable") == 0
    bench.servo.restart()
    assert bench.read("present_position") == 2048


def test_goals_are_clipped_to_the_limits_without_complaint():
    bench = Bench(min_position=1000, max_position=3500)
    bench.write("torque_enable", 1)
    assert bench.write("goal_position", 3600) == (0, b"")
    for _ in range(2000):
        bench.servo.drive.advance(3000.0, 0.0, 7.4, 0.002)
    assert bench.servo.drive.profile.position == 3500


def test_read_only_registers_ignore_writes():
    bench = Bench()
    assert bench.write("present_temperature", 99) == (0, b"")
    assert bench.read("present_temperature") == 25
    bench.ask(Instruction.WRITE, bytes((3, 1, 1)))
    assert bench.read("model_number") == 777


def test_an_id_or_baud_that_does_not_exist_is_not_taken():
    bench = Bench(id=3)
    bench.write("lock", 0)
    bench.write("id", 254)
    bench.write("baud_rate", 9)
    assert (bench.servo.id, bench.servo.baud) == (3, 1_000_000)
    bench.write("baud_rate", 4)
    assert bench.servo.baud == 115_200


def test_it_answers_a_change_of_its_id_by_the_old_one():
    bench = Bench(id=3)
    answer = bench.servo.execute(Instruction.WRITE, bytes((5, 9)))
    assert Parser().feed(answer)[0].id == 3
    assert bench.servo.id == 9


def test_with_status_level_0_it_answers_ping_and_read_only():
    bench = Bench(status_level=0)
    assert bench.ask(Instruction.PING) == (0, b"")
    assert bench.read("status_level") == 0
    assert bench.write("goal_position", 2000) is None
    assert bench.read("goal_position") == 2000


def test_reg_write_waits_for_action():
    bench = Bench()
    before = bench.read("goal_position")
    bench.write("goal_position", 1234, Instruction.REG_WRITE)
    assert (bench.read("goal_position"), bench.read("registered")) == (before, 1)
    bench.ask(Instruction.ACTION)
    assert (bench.read("goal_position"), bench.read("registered")) == (1234, 0)


def test_step_mode_counts_from_where_it_is():
    bench = Bench(operating_mode=3)
    bench.write("goal_position", -500)
    assert bench.read("goal_position") == 2500


def test_reset_spares_the_id():
    bench = Bench(id=5, homing_offset=300, position_p=16)
    bench.ask(RESET)
    assert (bench.servo.id, bench.read("homing_offset"), bench.read("position_p")) == (5, 0, 32)


def test_what_is_no_instruction_is_not_answered():
    bench = Bench()
    assert bench.ask(0x77) is None
    assert bench.ask(Instruction.READ, b"\x38") is None
    assert bench.ask(Instruction.WRITE, b"\x28") is None


@pytest.mark.parametrize(("mode", "name", "value"), [(1, "goal_velocity", -900), (2, "goal_time", 400 | 1 << 10)])
def test_velocity_and_pwm_turn_it_backwards(make_arm, mode, name, value):
    arm = make_arm("so101", operating_mode=mode, phase=12 | 0x10)
    servo = arm.servos[4]
    begun = servo.drive.present()
    servo.memory[name] = value
    servo.memory["torque_enable"] = 1
    servo.drive.reload()
    arm.advance(1.0)
    moved = servo.drive.present() - begun
    assert moved == pytest.approx(-900, rel=0.1) if mode == 1 else moved < -500
