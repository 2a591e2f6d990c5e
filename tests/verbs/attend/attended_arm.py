"""The training arm made to need an operator and real time, and a process that moves it until somebody stops it.

    python attended_arm.py EVENTS ROUNDS [arm=yes]

Every hook appends a line to EVENTS: what it was, and the monotonic time.
"""

import os
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from porl_robot.control.rollout import Choice, counted_episodes, episode
from porl_robot.errors import UserError
from porl_robot.replay.record import Source
from porl_robot.supervision import ArmingCard, Fault, Halted
from porl_robot.verbs.attend import attended
from porl_robot.verbs.terminal import Terminal
from sim.arm_env import ArmEnv
from sim.arm_tasks import Reach


class AttendedArm(ArmEnv):
    """EVENTS as in the environment. A file beside it with the suffix .fault is a fault, one with .error a bug."""

    real_time = True
    arming_needed = True

    def __init__(self, task, speed=1.0):
        super().__init__(task, speed)
        self._events = Path(os.environ["EVENTS"])

    def note(self, *words):
        with self._events.open("a") as file:
            print(*words, time.monotonic(), file=file)

    def arming_card(self):
        return ArmingCard("training_arm", (("port", "/dev/training"), ("pose", "at rest")))

    def arm(self):
        self.note("armed")

    def hold(self):
        self.note("hold")
        super().hold()

    def _begin_episode(self, seed):
        for _ in range(2):
            self.attend()
            self._sleep(self.dt)
        super()._begin_episode(seed)
        self.note("begin")

    def _send(self, command):
        self.note("send")
        super()._send(command)

    def _wait_for_tick(self):
        self._sleep(self.dt)
        if self._events.with_suffix(".error").exists():
            raise ZeroDivisionError("a bug")
        super()._wait_for_tick()

    def _robot_fault(self):
        if self._events.with_suffix(".fault").exists():
            return Fault("servo 3 is overloaded", "take the load off and switch the arm off and on")
        return None

    def _now(self):
        return time.monotonic()


def choose(observation):
    return Choice(np.zeros(4), 0.0, Source.POLICY, 0)


def one_round(config):
    with closing(AttendedArm(Reach())) as env, attended(config, env) as operator:

        def run(seed):
            *_, last = episode(env, choose, seed)
            env.note("end", last.terminated, last.truncated, last.step.success, last.step.discarded, last.reward)
            return last

        with Terminal("test", 50, "episodes", operator.line):
            counted_episodes(env, range(50), run)
        env.note("finished")


def main():
    if os.isatty(0):
        os.close(os.open(os.ttyname(0), os.O_RDWR))  # a session without a terminal of its own takes the first it opens
    os.environ["EVENTS"], rounds = sys.argv[1], int(sys.argv[2])
    config = SimpleNamespace(arm="yes" if "arm=yes" in sys.argv else None)
    for left in reversed(range(rounds)):
        try:
            one_round(config)
        except Halted as halted:
            sys.stdout.write(f"{halted}\n")
            if not left:
                sys.exit(1)
        except UserError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
