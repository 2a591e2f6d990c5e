"""The two sockets between a robot process and the arm host: orders one way, reports the other.

Both are ipc sockets in a folder that only this user can enter.
"""

from __future__ import annotations

import os
from pathlib import Path

import zmq

from hardware.host.json_codec import MessageError, decode, encode
from hardware.host.messages import Message, Order, Report

_ORDERS, _REPORTS = "orders", "reports"
_QUEUE = 64


class HostEnd:
    """The host's side: hears every order, and says how things are to whoever listens."""

    def __init__(self, folder: Path) -> None:
        self._context = zmq.Context()
        self._orders = _socket(self._context, zmq.PULL)
        self._reports = _socket(self._context, zmq.PUB)
        self._orders.bind(_address(folder, _ORDERS))
        self._reports.bind(_address(folder, _REPORTS))

    def orders(self) -> list[Order]:
        """What has arrived since, in order.

        Raises:
            MessageError: something that is no order has arrived.
        """
        heard: list[Order] = []
        while True:
            try:
                message = decode(self._orders.recv(zmq.NOBLOCK))
            except zmq.Again:
                return heard
            if not isinstance(message, Order):
                raise MessageError(f"expected an order, got a {type(message).__name__}")
            heard.append(message)

    def report(self, report: Report) -> None:
        """Says it; never waits for anybody."""
        self._reports.send(encode(report))

    def close(self) -> None:
        """Closes the sockets; what nobody has heard is dropped."""
        self._context.destroy(linger=0)


class ClientEnd:
    """The robot process's side. Of the reports only the newest is kept. Not to be shared between threads.

    Args:
        folder: of the sockets.
        priority: of the thread that carries the messages, scheduled in real time; None where that is not permitted.
    """

    def __init__(self, folder: Path, priority: int | None) -> None:
        self._context = zmq.Context()
        if priority is not None:
            self._context.set(zmq.THREAD_SCHED_POLICY, os.SCHED_FIFO)
            self._context.set(zmq.THREAD_PRIORITY, priority)
        self._orders = _socket(self._context, zmq.PUSH)
        self._reports = _socket(self._context, zmq.SUB)
        self._reports.setsockopt(zmq.CONFLATE, 1)
        self._reports.setsockopt(zmq.SUBSCRIBE, b"")
        self._orders.connect(_address(folder, _ORDERS))
        self._reports.connect(_address(folder, _REPORTS))

    def send(self, order: Order) -> bool:
        """Hands `order` on; False where nobody takes it."""
        try:
            self._orders.send(encode(order), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def newest(self, wait: float) -> Report | None:
        """The newest report that was not seen yet, or None where none comes within `wait` wall seconds."""
        if not self._reports.poll(round(1e3 * wait)):
            return None
        message: Message = decode(self._reports.recv())
        assert isinstance(message, Report)
        return message

    def close(self) -> None:
        """Closes the sockets; an order on its way is given a moment."""
        self._context.destroy(linger=200)


def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.setsockopt(zmq.SNDHWM, _QUEUE)
    socket.setsockopt(zmq.RCVHWM, _QUEUE)
    return socket


def _address(folder: Path, name: str) -> str:
    return f"ipc://{folder / name}"
