"""Numbers and their bytes: sign bits, two's complement, byte order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.servos import SERVOS, Register, ServoModel

CALM = settings(deadline=None)
EVERY = [(model, register) for model in SERVOS.values() for register in model.registers.values()]


def largest(register: Register) -> int:
    if isinstance(register.sign, int):
        return (1 << register.sign) - 1
    bits = 8 * register.size - (register.sign == "twos_complement")
    return (1 << bits) - 1


@CALM
@given(st.sampled_from(EVERY), st.data())
def test_a_number_comes_back_from_its_bytes(entry: tuple[ServoModel, Register], data: st.DataObject) -> None:
    model, register = entry
    top = largest(register)
    value = data.draw(st.integers(0 if register.sign is None else -top, top))
    encoded = register.encode(value, model.order)
    assert len(encoded) == register.size
    assert register.decode(encoded, model.order) == value


@CALM
@given(st.sampled_from(list(SERVOS.values())), st.data())
def test_a_span_decodes_as_its_registers_do(model: ServoModel, data: st.DataObject) -> None:
    memory = data.draw(st.binary(min_size=model.memory_size, max_size=model.memory_size))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(model.registers) - 1)] * 2)))
    names = list(model.registers)
    span = model.span(names[first], names[last])
    alone = {each.name: each.decode(memory[each.address : each.end], model.order) for each in span.registers}
    assert span.decode(memory[span.begin : span.end]) == alone
    assert list(alone) == names[first : last + 1]


@CALM
@given(st.sampled_from(EVERY))
def test_a_register_takes_what_its_table_says_or_its_bytes_hold(entry: tuple[ServoModel, Register]) -> None:
    model, register = entry
    lowest, highest = register.takes
    assert register.encode(lowest, model.order) != register.encode(highest, model.order)
    if register.lowest is None and register.highest is None:
        with pytest.raises(ValueError, match="does not fit"):
            register.encode(highest + 1, model.order)
    else:
        assert register.takes == (register.lowest, register.highest)


@CALM
@given(st.sampled_from(EVERY))
def test_a_number_that_does_not_fit_is_refused(entry: tuple[ServoModel, Register]) -> None:
    model, register = entry
    for value in (largest(register) + 1, -largest(register) - 2):
        with pytest.raises(ValueError, match=f"{register.name}: {value} does not fit"):
            register.encode(value, model.order)


@pytest.mark.parametrize(
    ("servo", "name", "value", "word"),
    [
        ("STS3215", "present_position", -1, 0x8001),
        ("STS3215", "present_load", -1, 0x0401),
        ("STS3215", "homing_offset", -1, 0x0801),
        ("STS3215", "homing_offset", -2047, 0x0FFF),
        ("STS3215", "present_current", -1, 0x8001),
        ("STS3215", "goal_velocity", -1500, 0x85DC),
        ("XL330-M288", "present_current", -1, 0xFFFF),
    ],
)
def test_minus_one_of_each_kind(servo: str, name: str, value: int, word: int) -> None:
    register = SERVOS[servo].registers[name]
    assert register.encode(value, "little") == word.to_bytes(2, "little")
    assert register.decode(word.to_bytes(2, "little"), "little") == value


def test_minus_zero_is_zero() -> None:
    assert SERVOS["STS3215"].registers["present_position"].decode(b"\x00\x80", "little") == 0


def test_scs_words_are_big_endian() -> None:
    model = SERVOS["SCS0009"]
    assert model.span("present_position", "present_position").decode(b"\x02\x00") == {"present_position": 512}
    assert bytes(model.factory_memory()[3:5]) == b"\x05\x04"
