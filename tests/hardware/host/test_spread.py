"""Percentiles of the newest values."""

from __future__ import annotations

from hardware.host.spread import Samples, Spread


def test_nothing_yet() -> None:
    assert Samples().spread() == Spread(0, 0.0, 0.0, 0.0)


def test_only_the_newest_are_kept_but_all_are_counted() -> None:
    samples = Samples()
    samples.add(9.0)
    for _ in range(4096):
        samples.add(0.002)
    assert samples.spread() == Spread(4097, 2.0, 2.0, 2.0)
