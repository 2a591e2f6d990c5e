"""Thread counts of the numerical libraries. To be imported before any of them.

At their defaults they start one busy-waiting thread per core, which slows a learner beside a control loop tenfold.
"""

from __future__ import annotations

import os

_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def limit_threads() -> None:
    """One thread per library and passive waiting, unless the user has said otherwise."""
    for name in _COUNTS:
        os.environ.setdefault(name, "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("MUJOCO_GL", "egl")
