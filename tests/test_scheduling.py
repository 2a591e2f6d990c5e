"""Who may be scheduled in real time, and when."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from porl_robot.scheduling import CONTROL_PRIORITY, HOST_PRIORITY, Punctual, described, real_time


def _in_a_thread(job: Callable[[], object]) -> object:
    # What a thread asks for is its own: the tests' thread stays as it is.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(job).result()


def _policy() -> int:
    return os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK


@pytest.fixture
def permitted() -> None:
    if not _in_a_thread(lambda: real_time(CONTROL_PRIORITY)):
        pytest.skip("real-time scheduling is not permitted here")


@pytest.mark.usefixtures("permitted")
def test_a_thread_is_in_real_time_only_while_it_is_in_a_hurry() -> None:
    def life() -> list[int]:
        punctual = Punctual(CONTROL_PRIORITY)
        seen = [_policy()]
        for wanted in (True, True, False):
            punctual.hurry(wanted)
            seen.append(_policy())
        return seen

    assert _in_a_thread(life) == [os.SCHED_OTHER, os.SCHED_FIFO, os.SCHED_FIFO, os.SCHED_OTHER]


@pytest.mark.usefixtures("permitted")
def test_what_a_hurried_thread_starts_is_not_hurried() -> None:
    def life() -> tuple[int, int, str]:
        Punctual(CONTROL_PRIORITY).hurry(True)
        policies: list[int] = []
        child = threading.Thread(target=lambda: policies.append(_policy()))
        child.start()
        child.join()
        program = "import os; print(os.sched_getscheduler(0))"
        process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return _policy(), policies[0], process.stdout.strip()

    assert _in_a_thread(life) == (os.SCHED_FIFO, os.SCHED_OTHER, str(os.SCHED_OTHER))


@pytest.mark.usefixtures("permitted")
def test_the_priority_is_the_one_asked_for() -> None:
    def priority() -> int:
        real_time(HOST_PRIORITY)
        return os.sched_getparam(0).sched_priority

    assert _in_a_thread(priority) == HOST_PRIORITY


def test_a_user_who_may_not_have_it_is_told_so_and_nothing_else_changes() -> None:
    program = (
        "import os, resource\n"
        "from porl_robot.scheduling import CONTROL_PRIORITY, Punctual, described\n"
        "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "punctual = Punctual(CONTROL_PRIORITY)\n"
        "punctual.hurry(True)\n"
        "print(described(punctual.granted, CONTROL_PRIORITY), os.sched_getscheduler(0) & ~os.SCHED_RESET_ON_FORK)\n"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == f"normal scheduling (real-time not permitted) {os.SCHED_OTHER}"


def test_the_operator_reads_the_priority() -> None:
    assert described(True, CONTROL_PRIORITY) == f"real-time scheduling (FIFO {CONTROL_PRIORITY})"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to be permitted to lock memory")
@pytest.mark.parametrize("unused_too", [True, False])
def test_what_a_process_uses_stays_in_memory(unused_too: bool) -> None:
    program = (
        "from porl_robot.scheduling import stay_in_memory\n"
        f"stay_in_memory(unused_too={unused_too})\n"
        "later = bytearray(1 << 24)\n"
        "print(next(line for line in open('/proc/self/status') if line.startswith('VmLck')).split()[1])\n"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert int(process.stdout) > 1 << 14


def test_without_permission_memory_is_left_alone() -> None:
    program = (
        "import os, resource\n"
        "from porl_robot.scheduling import stay_in_memory\n"
        "resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 20, 1 << 20))\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "stay_in_memory(unused_too=True)\n"
        "print(len(bytearray(1 << 24)))\n"
    )
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == str(1 << 24)
