"""Bursts of noise against the checksums, and the gate behind them. The codec alone, since a wire would take days.

python benchmarks/wire_noise.py [--protocols feetech dynamixel] [--frames 1000000] [--seed 0]
"""

from __future__ import annotations

import argparse
from random import Random
from typing import Any

from arms import ROBOTS, write_results

from hardware.arm.gate import Gate, Verdict
from hardware.clock import Taken
from hardware.codec import dynamixel, feetech
from hardware.servos import SERVOS

CHANCE = {"feetech": 1 / 256, "dynamixel": 1 / 65536}
"""That random bytes have the right checksum."""

_SERVO = {"feetech": "STS3215", "dynamixel": "XL330-M288"}
_BLOCK = {
    "feetech": ("present_position", "present_current"),
    "dynamixel": ("present_pwm", "present_temperature"),
}
_CODECS = {"feetech": feetech, "dynamixel": dynamixel}
_LONGEST_BURST = 8
_PERIOD, _WIRE = 0.01, 0.002  # s, from cycle to cycle and from request to reply
_FASTEST = 9.0
_RADIANS = 0.001533980788
_FLICKER = 3


def noisy_frames(protocol: str, count: int, seed: int) -> dict[str, Any]:
    """Replies of telemetry, a run of 2 to 8 bytes of each replaced by random ones: how many count all the same?"""
    servo, codec, random = SERVOS[_SERVO[protocol]], _CODECS[protocol], Random(seed)
    span = servo.span(*_BLOCK[protocol])
    size = span.end - span.begin
    found = {"frames": count, "undetected": 0, "same_motion": 0, "caught": 0, "passed": 0}
    largest = 0.0
    for _ in range(count):
        position = random.randrange(600, 3500)
        data = bytearray(size)
        for name, value in (("present_position", position), ("present_voltage", 120), ("present_temperature", 30)):
            entry = servo.registers[name]
            begin = entry.address - span.begin
            data[begin : begin + entry.size] = entry.encode(value, servo.order)
        taken = _taken(codec, _burst(codec.encode_status(1, 0, bytes(data)), random), size)
        if taken is None or taken == bytes(data):
            continue
        found["undetected"] += 1
        values = span.decode(taken)
        speed = values["present_velocity"] * servo.registers["present_velocity"].scale
        verdict = _judged(position, values["present_position"], speed)
        found[verdict] += 1
        if verdict == "passed":
            largest = max(largest, abs(speed))
    found["rate"] = found["undetected"] / count
    found["chance"] = CHANCE[protocol]
    print(
        f"{protocol}: {count} replies with a burst of 2 to {_LONGEST_BURST} bytes, {found['undetected']} undetected "
        f"({found['rate']:.2e}; chance {CHANCE[protocol]:.2e}): position and speed unharmed in {found['same_motion']}, "
        f"caught by the gate {found['caught']}, let through {found['passed']} (wrong by up to {largest:.2f} rad/s)",
        flush=True,
    )
    return found


def _burst(frame: bytes, random: Random) -> bytes:
    length = random.randint(2, _LONGEST_BURST)
    begin = random.randrange(len(frame) - length + 1)
    return frame[:begin] + random.randbytes(length) + frame[begin + length :]


def _taken(codec: Any, frame: bytes, size: int) -> bytes | None:
    """The data that the exchange would take from `frame`: right id, exact length."""
    parser = codec.Parser()
    for each in parser.feed(frame) + parser.end():
        if each.id == 1 and each.is_status is not False and len(each.parameters) == size:
            parameters: bytes = each.parameters
            return parameters
    return None


def _judged(before: int, position: int, speed: float) -> str:
    """What becomes of a wrong reading of a joint that stood at `before` [ticks] one period ago. `speed`: [rad/s]."""
    if abs(position - before) <= _FLICKER and speed == 0.0:
        return "same_motion"
    gate = Gate(_FASTEST)
    gate.note(1, _RADIANS * before, Taken(0.0, _WIRE))
    verdict = gate.judge(1, _RADIANS * position, speed, Taken(_PERIOD, _PERIOD + _WIRE))
    return "passed" if verdict is Verdict.ACCEPTED else "caught"


def main() -> None:
    """Measures all of it and writes `benchmarks/results/wire_noise.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--protocols", nargs="+", default=list(ROBOTS), choices=ROBOTS)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    measured = {protocol: noisy_frames(protocol, given.frames, given.seed) for protocol in given.protocols}
    write_results("wire_noise", given.seed, measured)


if __name__ == "__main__":
    main()
