"""Doing again what a busy computer has spoiled, where nothing hurries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hardware.errors import NoReply

TRIES = 3
"""Of each the bus itself makes several."""

_Result = TypeVar("_Result")


def patiently(work: Callable[[], _Result]) -> _Result:
    """The result of `work`, which may be begun again: up to three times where a servo does not answer in time.

    Raises:
        NoReply: it never did.
    """
    for _ in range(TRIES - 1):
        try:
            return work()
        except NoReply:
            continue
    return work()
