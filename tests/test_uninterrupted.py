"""A signal waits for the block, and is not lost."""

from __future__ import annotations

import signal
import threading

import pytest

from porl_robot.uninterrupted import uninterrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_arrives_behind_the_block(number: int) -> None:
    before = signal.signal(number, signal.default_int_handler)
    finished = False
    try:
        with pytest.raises(KeyboardInterrupt), uninterrupted():
            signal.raise_signal(number)
            finished = True
        assert finished and signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(("number", "forget"), [(signal.SIGUSR1, False), (signal.SIGINT, True), (signal.SIGTERM, True)])
def test_the_signals_of_a_pedal_are_dropped_and_all_on_the_way_out(number: int, forget: bool) -> None:
    with uninterrupted(forget):
        signal.raise_signal(number)
        signal.raise_signal(signal.SIGUSR2)


def test_an_error_of_the_block_is_what_one_hears_of() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="mine"), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("mine")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_runs_as_ever() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
