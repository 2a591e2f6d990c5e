"""Keeps what third-party libraries say at start-up out of the operator's terminal."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Inside the block Python warnings are dropped, and so is what `loggers` say below ERROR.

    A filter is used because libraries set their loggers' levels while they are imported.
    """
    named = [logging.getLogger(name) for name in loggers]
    for logger in named:
        logger.addFilter(_is_error)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in named:
            logger.removeFilter(_is_error)
