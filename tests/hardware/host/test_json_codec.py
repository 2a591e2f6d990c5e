"""What arrives is one of our messages, whole and typed, or it is refused."""

from __future__ import annotations

import json

import pytest

from hardware.host.json_codec import MessageError, decode, encode
from hardware.host.messages import (
    BusCounts,
    Close,
    FaultReport,
    Follow,
    Hold,
    HostState,
    HostStatistics,
    Message,
    Refused,
    Release,
    Report,
    Started,
    Stop,
    TorqueOn,
)
from hardware.host.spread import Spread

SPREAD = Spread(3, 0.1, 0.2, 0.3)
STATISTICS = HostStatistics(SPREAD, SPREAD, SPREAD, SPREAD, BusCounts(100, 1, 2, 3, 4), 5)
PAIR = (0.25, -1.5)
REPORT = Report(
    state=HostState.FAULT,
    accepted=7,
    measured=12.5,
    position=PAIR,
    velocity=PAIR,
    commanded=PAIR,
    load=PAIR,
    voltage=PAIR,
    temperature=PAIR,
    current=PAIR,
    torque=(True, False),
    fault=FaultReport("overload", "lift is overloaded", "rest"),
    warnings=("warm",),
    statistics=STATISTICS,
)
FOLLOW = Follow(3, 1.25, PAIR, PAIR, PAIR, 0.05)


@pytest.mark.parametrize(
    "message",
    [
        TorqueOn(1, 0.5, 0.3),
        FOLLOW,
        Hold(2, 0.5),
        Release(2, 0.5),
        Stop(2, 0.5),
        Close(2, 0.5, True),
        REPORT,
        Started("SCHED_FIFO 20", PAIR, PAIR, PAIR),
        Refused("id 3 is missing"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_is_said_is_heard(message: Message) -> None:
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "shout"}, "no message of ours"),
        ({"speed": 1}, "expected the keys"),
        ({"position": "0.1"}, "expected a list"),
        ({"position": [0.1, None]}, "position: None"),
        ({"position": [0.1, True]}, "position: True"),
        ({"sequence": 1.5}, "sequence: 1.5"),
        ({"duration": "now"}, "duration: 'now'"),
    ],
)
def test_anything_else_is_refused(change: dict[str, object], complaint: str) -> None:
    content = json.loads(encode(FOLLOW)) | change
    with pytest.raises(MessageError, match=complaint):
        decode(json.dumps(content).encode())


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(number: str) -> None:
    data = encode(FOLLOW).replace(b"-1.5", number.encode(), 1)
    with pytest.raises(MessageError, match="position"):
        decode(data)


def test_numbers_that_are_not_finite_are_not_sent() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode(Follow(3, 1.25, (float("nan"), 0.0), PAIR, PAIR, 0.05))


@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"[1, 2]", b"nonsense", b'{"kind": 3}'])
def test_bytes_that_are_no_message(data: bytes) -> None:
    with pytest.raises(MessageError):
        decode(data)
