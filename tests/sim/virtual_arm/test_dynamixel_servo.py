"""What an X-series servo makes of what it is told."""

from __future__ import annotations

import pytest

from hardware.codec import dynamixel
from hardware.codec.dynamixel import Error, Instruction
from sim.virtual_arm.dynamixel_servo import BACKUP, DynamixelServo

from .servo_bench import ServoBench

OK = 0


class Bench(ServoBench):
    model, make, codec, width, volts, shaft = "XL330-M288", DynamixelServo, dynamixel, 2, 5.0, 1500.0

    def write(self, name, value, instruction=Instruction.WRITE):
        """The error only: a write has no data."""
        return super().write(name, value, instruction)[0]


def test_present_is_the_encoder_plus_the_offset():
    assert Bench(homing_offset=-900).read("present_position") == 600


@pytest.mark.parametrize(("mode", "shown"), [(3, 1500), (4, 2525)])
def test_mode_3_ignores_a_large_offset(mode, shown):
    assert Bench(operating_mode=mode, homing_offset=1025).read("present_position") == shown


def test_turns_are_counted_until_torque_comes_on_in_mode_3():
    bench = Bench()
    bench.turn_to(5000.0)
    assert bench.read("present_position") == 5000
    bench.write("torque_enable", 1)
    assert bench.read("present_position") == 904


def test_a_reversed_servo_counts_and_turns_the_other_way(make_arm):
    arm = make_arm("light", drive_mode=1, homing_offset=0, min_position=0, max_position=4095, operating_mode=4)
    servo = arm.servos[4]
    begun, angle = servo.drive.present(), arm.body.position()[4]
    servo.memory["goal_position"] = begun + 200
    servo.memory["torque_enable"] = 1
    servo.drive.reload()
    arm.advance(1.5)
    assert servo.drive.present() == pytest.approx(begun + 200, abs=10)
    assert arm.body.position()[4] < angle - 0.2


def test_the_eeprom_is_closed_while_torque_is_on():
    bench = Bench()
    assert bench.write("min_position", 100) == OK
    bench.write("torque_enable", 1)
    assert bench.write("min_position", 200) == Error.ACCESS
    assert (bench.read("min_position"), bench.saves) == (100, 1)
    bench.servo.restart()
    assert bench.read("min_position") == 100


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("present_position", 0, Error.ACCESS),
        ("baud_rate", 7, Error.RANGE),
        ("operating_mode", 2, Error.RANGE),
        ("bus_watchdog", -1, Error.RANGE),
        ("goal_position", 4095, Error.LIMIT),
        ("goal_position", 99, Error.LIMIT),
        ("goal_velocity", 446, Error.LIMIT),
        ("goal_current", -1751, Error.LIMIT),
        ("goal_pwm", 886, Error.LIMIT),
    ],
)
def test_what_must_not_be_written_is_refused_and_changes_nothing(name, value, error):
    bench = Bench(min_position=100, max_position=4000)
    before = bench.read(name)
    assert bench.write(name, value) == error
    assert bench.read(name) == before


def test_half_a_register_and_no_register_are_refused():
    bench = Bench()
    goal = bench.table["goal_position"].address
    assert bench.ask(Instruction.WRITE, bench.words(goal) + bytes(2))[0] == Error.LENGTH
    assert bench.ask(Instruction.WRITE, bench.words(goal + 2) + bytes(2))[0] == Error.LENGTH
    assert bench.ask(Instruction.WRITE, bench.words(150) + bytes(1))[0] == Error.ACCESS
    assert bench.ask(Instruction.READ, b"\x84")[0] == Error.LENGTH
    assert bench.ask(0x77)[0] == Error.INSTRUCTION
    assert bench.ask(Instruction.ACTION)[0] == Error.RESULT


def test_extended_mode_takes_goals_beyond_the_limits():
    bench = Bench(operating_mode=4, max_position=2000)
    assert bench.write("goal_position", -9000) == OK


def test_goals_begin_anew_with_the_mode():
    bench = Bench()
    bench.write("goal_pwm", 100)
    bench.write("operating_mode", 16)
    assert bench.read("goal_pwm") == 0
    bench.write("operating_mode", 5)
    assert (bench.read("goal_pwm"), bench.read("goal_current")) == (885, 1750)


def test_a_silent_bus_trips_the_watchdog_until_it_is_cleared():
    bench = Bench()
    bench.write("torque_enable", 1)
    bench.write("goal_position", 1800)
    bench.write("bus_watchdog", 5)
    drive = bench.servo.drive
    drive.hear()
    for _ in range(9):
        bench.servo.watch(0.01)
    drive.hear()
    for _ in range(9):
        bench.servo.watch(0.01)
    assert bench.read("bus_watchdog") == 5
    for _ in range(3):
        bench.servo.watch(0.01)
    assert bench.read("bus_watchdog") == -1
    assert bench.read("goal_position") == bench.read("present_position") == 1500
    assert bench.read("torque_enable") == 1
    assert bench.write("goal_position", 1600) == Error.RANGE
    assert bench.write("bus_watchdog", 10) == Error.RANGE
    assert bench.write("goal_position", 1600) == Error.RANGE
    assert bench.write("bus_watchdog", 0) == OK
    assert bench.write("goal_position", 1600) == OK


def test_status_level_says_what_is_answered():
    bench = Bench()
    bench.write("status_level", 1)
    assert bench.ask(Instruction.WRITE, bench.words(116) + (1600).to_bytes(4, "little")) is None
    assert bench.read("goal_position") == 1600
    bench.servo.execute(Instruction.WRITE, bench.words(68) + b"\0")
    assert bench.ask(Instruction.READ, bench.words(132, 4)) is None
    assert bench.ask(Instruction.PING) == (OK, bench.words(1200) + b"\0")


def test_indirect_registers_gather_others():
    bench = Bench()
    position = bench.table["present_position"].address
    for slot, address in enumerate((position, position + 1, bench.table["present_temperature"].address), 1):
        bench.write(f"indirect_address_{slot}", address)
    _, data = bench.ask(Instruction.READ, bench.words(bench.table["indirect_data_1"].address, 3))
    assert data == bench.words(1500) + b"\x19"
    for slot in range(4):
        bench.write(f"indirect_address_{slot + 4}", bench.table["goal_position"].address + slot)
    slots = bench.words(bench.table["indirect_data_4"].address)
    written = bench.ask(Instruction.WRITE, slots + (1700).to_bytes(4, "little"))
    assert (written[0], bench.read("goal_position")) == (OK, 1700)


def test_reg_write_waits_for_action():
    bench = Bench()
    bench.write("goal_position", 1234, Instruction.REG_WRITE)
    assert (bench.read("goal_position"), bench.read("registered")) == (1500, 1)
    bench.ask(Instruction.ACTION)
    assert (bench.read("goal_position"), bench.read("registered")) == (1234, 0)


@pytest.mark.parametrize(("what", "id", "baud"), [(0xFF, 1, 57_600), (0x01, 7, 57_600), (0x02, 7, 1_000_000)])
def test_a_factory_reset_spares_what_it_is_told(what, id, baud):
    bench = Bench(id=7, baud_rate=3, homing_offset=200, firmware_version=52)
    assert bench.ask(Instruction.FACTORY_RESET, bytes((what,)))[0] == OK
    assert (bench.servo.id, bench.servo.baud) == (id, baud)
    assert (bench.read("homing_offset"), bench.read("firmware_version")) == (0, 52)


def test_backed_up_gains_return_where_the_servo_is_told_to():
    for restores, gain in ((0, 400), (2, 1500)):
        bench = Bench(startup_configuration=restores)
        bench.write("position_p", 1500)
        assert bench.ask(BACKUP, bytes((1, 0x43, 0x54, 0x52, 0x4C)))[0] == OK
        bench.servo.restart()
        assert bench.read("position_p") == gain


def test_clear_forgets_the_turns():
    bench = Bench(operating_mode=4)
    bench.turn_to(9000.0)
    assert bench.read("present_position") == 9000
    bench.ask(Instruction.CLEAR, bytes((1, 0x44, 0x58, 0x4C, 0x22)))
    assert bench.read("present_position") == 808


@pytest.mark.parametrize(
    ("mode", "name", "value"), [(1, "goal_velocity", -60), (16, "goal_pwm", -300), (0, "goal_current", -200)]
)
def test_velocity_pwm_and_current_turn_it_backwards(make_arm, mode, name, value):
    arm = make_arm("light", operating_mode=mode)
    servo = arm.servos[4]
    begun = servo.drive.present()
    servo.memory[name] = value
    servo.memory["torque_enable"] = 1
    servo.drive.reload()
    arm.advance(0.5)
    moved = servo.drive.present() - begun
    assert moved == pytest.approx(-60 * 15.63 * 0.5, rel=0.1) if mode == 1 else moved < -200
