"""Orders arrive in order; of the reports the newest is what one gets."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.host.channel import ClientEnd, HostEnd
from hardware.host.json_codec import MessageError, encode
from hardware.host.messages import BusCounts, Hold, HostState, HostStatistics, Order, Report, Stop
from hardware.host.spread import Spread
from porl_robot.scheduling import CONTROL_PRIORITY, Punctual

NONE = Spread(0, 0.0, 0.0, 0.0)
REPORT = Report(
    state=HostState.HOLDING,
    accepted=0,
    measured=0.0,
    position=(0.0,),
    velocity=(0.0,),
    commanded=(0.0,),
    load=(0.0,),
    voltage=(12.0,),
    temperature=(30.0,),
    current=(0.0,),
    torque=(True,),
    fault=None,
    warnings=(),
    statistics=HostStatistics(NONE, NONE, NONE, NONE, BusCounts(0, 0, 0, 0, 0), 0),
)


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[HostEnd, ClientEnd]]:
    host, client = HostEnd(tmp_path), ClientEnd(tmp_path, None)
    yield host, client
    client.close()
    host.close()


def heard(host: HostEnd, count: int) -> list[Order]:
    orders: list[Order] = []
    deadline = time.monotonic() + 2.0
    while len(orders) < count and time.monotonic() < deadline:
        orders += host.orders()
        time.sleep(0.001)
    return orders


def test_orders_arrive_in_order(ends: tuple[HostEnd, ClientEnd]) -> None:
    host, client = ends
    sent: list[Order] = [Hold(k, 0.1) for k in range(9)] + [Stop(9, 0.2)]
    assert host.orders() == []
    assert all(client.send(order) for order in sent)
    assert heard(host, len(sent)) == sent


def test_only_the_newest_report_is_kept(ends: tuple[HostEnd, ClientEnd]) -> None:
    host, client = ends
    for _ in range(200):  # a subscription takes a moment to arrive
        host.report(REPORT)
        if client.newest(0.01) is not None:
            break
    for number in range(1, 51):
        host.report(replace(REPORT, accepted=number))
    deadline, seen = time.monotonic() + 2.0, 0
    while seen < 50 and time.monotonic() < deadline:
        newest = client.newest(0.1)
        seen = newest.accepted if newest else seen
    assert seen == 50
    assert client.newest(0.0) is None


def test_what_is_no_order_is_refused(ends: tuple[HostEnd, ClientEnd]) -> None:
    host, client = ends
    for nonsense in (b"stop!", encode(REPORT)):
        client._orders.send(nonsense)
        deadline = time.monotonic() + 2.0
        with pytest.raises(MessageError):
            while time.monotonic() < deadline:
                host.orders()


def test_without_a_host_orders_are_not_taken_for_ever(tmp_path: Path) -> None:
    client = ClientEnd(tmp_path, None)
    assert not all(client.send(Hold(k, 0.0)) for k in range(1000))
    assert client.newest(0.0) is None
    client.close()


def test_messages_travel_in_real_time_where_that_is_permitted(tmp_path: Path) -> None:
    if not Punctual(CONTROL_PRIORITY).granted:
        pytest.skip("real-time scheduling is not permitted here")
    client = ClientEnd(tmp_path, CONTROL_PRIORITY)
    deadline = time.monotonic() + 2.0
    while os.SCHED_FIFO not in _policies() and time.monotonic() < deadline:  # a thread asks for it once it runs
        time.sleep(0.01)
    found = _policies()
    client.close()
    assert os.SCHED_FIFO in found
    assert os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK == os.SCHED_OTHER


def _policies() -> list[int]:
    return [os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()]
