"""The death of the process that started us is seen, whoever its pid belongs to next."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from hardware.host.owner import Owner

CHILD = """
import sys
from hardware.host.owner import Owner
owner = Owner(int(sys.argv[1]))
print(owner.gone, flush=True)
while not owner.gone:
    pass
print("gone", flush=True)
"""
PARENT = """
import subprocess, sys, os
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())])
child.wait()
"""


def test_a_killed_parent_is_gone() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "False\n"
    parent.send_signal(signal.SIGKILL)
    begun = time.monotonic()
    assert parent.stdout.readline() == "gone\n"
    assert time.monotonic() - begun < 1.0
    parent.wait()
    parent.stdout.close()


def test_who_is_not_our_parent_counts_as_gone() -> None:
    assert Owner(os.getpid()).gone
    assert Owner(2**22 + 1).gone


def test_a_living_parent_is_there_until_we_look_away() -> None:
    owner = Owner(os.getppid())
    assert not owner.gone
    owner.close()
    owner.close()
    assert owner.gone
