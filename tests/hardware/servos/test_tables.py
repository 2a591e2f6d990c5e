"""The tables say what the vendors' do."""

from __future__ import annotations

import pytest

from hardware.servos import SERVOS, SERVOS_BY_NUMBER, ServoModel, Span
from hardware.servos.model import parse_table

FEETECH = [each for each in SERVOS.values() if each.protocol == "feetech"]
DYNAMIXEL = [each for each in SERVOS.values() if each.protocol == "dynamixel"]

# name, address, size, default
STS = [
    ("model_number", 3, 2, 777),
    ("id", 5, 1, 1),
    ("return_delay", 7, 1, 0),
    ("status_level", 8, 1, 1),
    ("min_position", 9, 2, 0),
    ("max_position", 11, 2, 4095),
    ("max_temperature", 13, 1, 70),
    ("max_torque", 16, 2, 1000),
    ("phase", 18, 1, 12),
    ("unload_condition", 19, 1, 44),
    ("position_p", 21, 1, 32),
    ("position_d", 22, 1, 32),
    ("position_i", 23, 1, 0),
    ("protection_current", 28, 2, 500),
    ("homing_offset", 31, 2, 0),
    ("operating_mode", 33, 1, 0),
    ("torque_enable", 40, 1, 0),
    ("goal_position", 42, 2, None),
    ("goal_velocity", 46, 2, None),
    ("torque_limit", 48, 2, 1000),
    ("lock", 55, 1, None),
    ("present_position", 56, 2, None),
    ("present_velocity", 58, 2, None),
    ("present_load", 60, 2, None),
    ("present_voltage", 62, 1, None),
    ("present_temperature", 63, 1, None),
    ("status", 65, 1, 0),
    ("moving", 66, 1, 0),
    ("present_current", 69, 2, None),
    ("max_acceleration", 85, 1, None),
]
X = [
    ("firmware_version", 6, 1, None),
    ("id", 7, 1, 1),
    ("baud_rate", 8, 1, 1),
    ("return_delay", 9, 1, 250),
    ("operating_mode", 11, 1, 3),
    ("homing_offset", 20, 4, 0),
    ("pwm_limit", 36, 2, 885),
    ("max_position", 48, 4, 4095),
    ("min_position", 52, 4, 0),
    ("torque_enable", 64, 1, 0),
    ("status_level", 68, 1, 2),
    ("status", 70, 1, 0),
    ("position_d", 80, 2, 0),
    ("position_i", 82, 2, 0),
    ("position_p", 84, 2, 400),
    ("bus_watchdog", 98, 1, 0),
    ("goal_current", 102, 2, None),
    ("goal_position", 116, 4, None),
    ("moving", 122, 1, 0),
    ("present_current", 126, 2, None),
    ("present_velocity", 128, 4, None),
    ("present_position", 132, 4, None),
    ("present_voltage", 144, 2, None),
    ("present_temperature", 146, 1, None),
    ("indirect_address_1", 168, 2, 208),
    ("indirect_data_20", 227, 1, 0),
]


@pytest.mark.parametrize(("name", "address", "size", "default"), STS)
def test_sts3215(name: str, address: int, size: int, default: int | None) -> None:
    register = SERVOS["STS3215"].registers[name]
    assert (register.address, register.size, register.default) == (address, size, default)


@pytest.mark.parametrize(("name", "address", "size", "default"), X)
def test_xl330_m288(name: str, address: int, size: int, default: int | None) -> None:
    register = SERVOS["XL330-M288"].registers[name]
    assert (register.address, register.size, register.default) == (address, size, default)


def test_model_numbers() -> None:
    numbers = {each.name: each.number for each in SERVOS.values()}
    assert numbers == {
        "STS3215": 777,
        "STS3250": 2825,
        "SCS0009": 1284,
        "XL330-M077": 1190,
        "XL330-M288": 1200,
        "XL430": 1060,
        "XC430": 1070,
        "XM430": 1020,
        "XM540": 1120,
    }
    assert SERVOS_BY_NUMBER["dynamixel", 1060] is SERVOS["XL430"]


@pytest.mark.parametrize("model", SERVOS.values(), ids=SERVOS)
def test_registers_that_every_arm_uses(model: ServoModel) -> None:
    assert {
        "model_number", "id", "baud_rate", "return_delay", "status_level", "min_position", "max_position",
        "max_temperature", "min_voltage", "max_voltage", "position_p", "position_i", "position_d", "torque_enable",
        "acceleration", "goal_position", "goal_velocity", "present_position", "present_velocity", "present_voltage",
        "present_temperature", "status", "moving",
    } <= set(model.registers)  # fmt: skip
    assert ("present_load" in model.registers) or ("present_current" in model.registers)
    assert model.eprom_guard in model.registers and not model.registers[model.eprom_guard].eprom


@pytest.mark.parametrize("model", SERVOS.values(), ids=SERVOS)
def test_eprom_ends_where_ram_begins(model: ServoModel) -> None:
    border = 40 if model.protocol == "feetech" else 64
    assert all(each.eprom == (each.address < border) for each in model.registers.values())


@pytest.mark.parametrize("model", DYNAMIXEL, ids=lambda each: each.name)
def test_what_only_some_dynamixels_have(model: ServoModel) -> None:
    with_current = {"XL330-M077", "XL330-M288", "XM430", "XM540"}
    current = {"current_limit", "goal_current", "present_current"}
    assert current & set(model.registers) == (current if model.name in with_current else set())
    assert ("present_load" in model.registers) == (model.name not in with_current)
    assert model.registers["indirect_data_1"].address == (208 if model.name.startswith("XL330") else 224)


def test_units() -> None:
    def unit(servo: str, name: str) -> tuple[float, str]:
        register = SERVOS[servo].registers[name]
        return register.scale, register.unit

    assert unit("STS3215", "present_current") == (0.0065, "A")
    assert unit("STS3215", "present_load") == (0.001, "")
    assert unit("STS3215", "present_velocity") == (pytest.approx(2 * 3.141593 / 4096, rel=1e-5), "rad/s")
    assert unit("XL330-M288", "present_current") == (0.001, "A")
    assert unit("XM430", "present_current") == (0.00269, "A")
    assert unit("XM430", "present_velocity") == (pytest.approx(0.229 * 2 * 3.141593 / 60, rel=1e-5), "rad/s")
    assert unit("XL430", "present_voltage") == (0.1, "V")


@pytest.mark.parametrize("model", SERVOS.values(), ids=SERVOS)
def test_a_new_servo_reports_its_defaults(model: ServoModel) -> None:
    memory = bytes(model.factory_memory())
    everything = tuple(model.registers.values())
    assert len(memory) == model.memory_size
    assert Span(everything, model.order).decode(memory) == {each.name: each.default or 0 for each in everything}


def test_a_span_is_one_block() -> None:
    sts = SERVOS["STS3215"].span("present_position", "present_current")
    assert (sts.begin, sts.end) == (56, 71)
    xl330 = SERVOS["XL330-M288"].span("present_current", "present_temperature")
    assert (xl330.begin, xl330.end) == (126, 147)
    with pytest.raises(ValueError, match="lies before"):
        SERVOS["STS3215"].span("present_current", "present_position")


def test_faults_have_names() -> None:
    assert SERVOS["STS3215"].fault_names(0x21) == ("voltage", "overload")
    assert SERVOS["XL330-M288"].fault_names(0x90) == ("electrical shock", "bit 7")
    assert SERVOS["XM430"].fault_names(0) == ()


@pytest.mark.parametrize(
    ("text", "defaults", "said"),
    [
        ("a 0 2 r ram - - 0\nb 1 1 r ram - - 0", {}, "overlap"),
        ("a 0 1 r ram - - 0\na 1 1 r ram - - 0", {}, "same name"),
        ("a 0 1 r ram - - 0", {"b": 1}, "not in the table"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(text: str, defaults: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_table(text, defaults)
