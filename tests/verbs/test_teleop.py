"""A person moves an arm, from the command line: leader, takeover, by hand. Virtual arms, nobody at a terminal."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from porl_robot.cli import run as run_here
from porl_robot.errors import UsageError
from porl_robot.replay.log import read_log
from porl_robot.replay.record import Source
from porl_robot.replay.verify import verify_log
from porl_robot.verbs.compose import load
from porl_robot.verbs.teleop import teleoperated
from sim.virtual_arm.launch import LaunchedArm

SCALE = 2
REACH = ["env=serial_reach", "robot=so101", "robot.port=/dev/ttyUSB77"]
WRONG = [
    (["collect", "env=arm_reach", "teleop=leader"], "teleop=leader: env=arm_reach has no arm on a bus to move"),
    (["collect", "env=serial_twin", "teleop=kinesthetic"], "teleop=kinesthetic: env=serial_twin has no arm on a bus"),
    (["collect", *REACH, "teleop=leader"], "teleop.port=... is missing: teleop=leader reads a second arm"),
    (["collect", *REACH, "teleop=stick"], "teleop=stick: no such teleop; there are kinesthetic, leader"),
    (["collect", *REACH, "teleop=leader", "teleop.prt=x"], "unknown key teleop.prt; did you mean teleop.port"),
    (["evaluate", *REACH, "policy=x", "teleop=kinesthetic"], "teleop=kinesthetic: only collect takes it"),
    (["finetune", "-m", *REACH, "policy=x", "teleop=leader", "seed=0,1"], "teleop.port=... is missing"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_what_is_wrong_is_said_in_one_line(cli, policy, tmp_path, arguments, said):
    given = [each.replace("policy=x", f"policy={policy}") for each in arguments]
    outcome = cli(*given, f"out={tmp_path / 'run'}")
    assert outcome.code == 2
    assert said in outcome.err and outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("teleop.robot=so102", "teleop.robot=so102: no such robot; there are koch, light"),
        ("teleop.robot=so100 teleop.supply=low", "teleop.supply=low: expected a number or null"),
    ],
)
def test_a_leader_is_described_in_words_that_are_known(given, said):
    config = load("collect", [*REACH, "teleop=leader", "teleop.port=/dev/ttyUSB78", *given.split()])
    with pytest.raises(UsageError, match=said), teleoperated(config, None):
        pass


@pytest.fixture
def arms(tmp_path: Path) -> Iterator[tuple[LaunchedArm, LaunchedArm]]:
    """The one that follows and the one that leads."""
    with (
        LaunchedArm(tmp_path / "follower", time_scale=SCALE) as follower,
        LaunchedArm(tmp_path / "leader", time_scale=SCALE) as leader,
    ):
        yield follower, leader


class Verb:
    """A verb in a process of its own, with neither keys nor a person at a terminal."""

    def __init__(self, verb: str, follower: LaunchedArm, out: Path, *arguments: str) -> None:
        self.out = out
        arm = ["env=serial_reach", "robot=so101", f"robot.port={follower.link}", f"robot.time_scale={SCALE}"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "porl_robot", verb, *arm, *arguments, f"out={out}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_begun(self) -> None:
        """Returns once the session has begun; an out folder is made then."""
        deadline = time.monotonic() + 60.0
        while not (self.out / "config.yaml").exists():
            assert self.process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)

    def said(self) -> str:
        return self.process.communicate(timeout=120)[0]

    def ended(self) -> dict[str, object]:
        """The summary, once the verb has ended well."""
        said = self.said()
        assert self.process.returncode == 0, said
        summary: dict[str, object] = json.loads((self.out / "summary.json").read_text())
        return summary


@contextmanager
def hands_on(arm: LaunchedArm, wanted: Callable[[LaunchedArm], bool]) -> Iterator[None]:
    """Hands that sweep the first joints slowly to and fro while `wanted`."""
    done = threading.Event()

    def sweep() -> None:
        while not done.wait(0.02):
            goal = 0.5 * np.sin(2.0 * SCALE * time.monotonic())
            if wanted(arm):
                arm.tell("; ".join(f"hand ids={id} to={goal * share} for=0.1" for id, share in ((1, 1.0), (4, 0.6))))

    thread = threading.Thread(target=sweep)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def always(arm: LaunchedArm) -> bool:
    return True


def let_go(arm: LaunchedArm) -> bool:
    return not any(arm.state()["driven"])


@pytest.mark.slow
def test_an_arm_follows_a_leader_and_its_steps_are_a_persons(arms, tmp_path):
    follower, leader = arms
    verb = Verb("collect", follower, tmp_path / "log", "teleop=leader", f"teleop.port={leader.link}", "episodes=2")
    with hands_on(leader, always):
        summary = verb.ended()
    assert (summary["teleop"], summary["skill"], summary["episodes"]) == ("leader", None, 2)
    log = read_log(tmp_path / "log")
    assert verify_log(tmp_path / "log") == [] and log.episodes == 2
    assert set(log.source) == {Source.HUMAN} and not log.is_intervention.any()
    assert np.ptp(log.observation[:, 0]) > 0.2 and (np.abs(log.action[:, 0]) > 0.2).mean() > 0.3
    assert not any(leader.state()["driven"]) and all(follower.state()["driven"])


@pytest.mark.slow
def test_an_unplugged_leader_ends_the_run_and_holds_the_arm(arms, tmp_path):
    follower, leader = arms
    verb = Verb("collect", follower, tmp_path / "log", "teleop=leader", f"teleop.port={leader.link}", "episodes=50")
    with hands_on(leader, always):
        verb.wait_begun()
        time.sleep(4.0)
        leader.tell("unplug for=1")
        last = verb.said().strip().splitlines()[-1]
    assert verb.process.returncode == 1
    assert f"the leader at {leader.link} cannot be read" in last and "check its cable and its supply" in last
    log = read_log(tmp_path / "log")
    assert log.rows > 10 and log.truncated[-1] and not log.action[-1].any()
    assert all(follower.state()["driven"]) and max(map(abs, follower.state()["velocity"])) < 0.05


@pytest.mark.slow
def test_an_arm_is_led_by_hand_and_held_between_its_episodes(arms, tmp_path):
    follower, _ = arms
    verb = Verb("collect", follower, tmp_path / "log", "teleop=kinesthetic", "episodes=2")
    with hands_on(follower, let_go):
        summary = verb.ended()
    assert (summary["teleop"], summary["episodes"]) == ("kinesthetic", 2)
    log = read_log(tmp_path / "log")
    assert verify_log(tmp_path / "log") == [] and set(log.source) == {Source.HUMAN}
    assert not log.action_requested.any() and (np.abs(log.action[:, 0]) > 0.2).mean() > 0.3
    assert all(follower.state()["driven"])


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_every_end_takes_the_arm_out_of_the_hands(arms, tmp_path, number):
    follower, _ = arms
    verb = Verb("collect", follower, tmp_path / "log", "teleop=kinesthetic", "episodes=50")
    verb.wait_begun()
    deadline = time.monotonic() + 30.0
    while not let_go(follower) or not all_were_on(follower):
        assert verb.process.poll() is None, verb.said()
        assert time.monotonic() < deadline, follower.state()
        time.sleep(0.02)
    verb.process.send_signal(number)
    verb.said()
    time.sleep(1.0)
    assert verb.process.returncode != 0 and all(follower.state()["driven"])


def all_were_on(arm: LaunchedArm) -> bool:
    """Whether the arm was led to its start already: it stands nowhere near its pose at rest."""
    return abs(arm.state()["position"][1]) < 1.0


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cloned")
    twin, log, out = "env=serial_twin", folder / "log", folder / "policy"
    assert run_here(["collect", twin, "skill=degraded", "episodes=4", f"out={log}"]) == 0
    assert run_here(["pretrain", twin, f"log={log}", "steps=30", "eval_episodes=2", f"out={out}"]) == 0
    return out


@pytest.mark.slow
def test_a_person_takes_over_from_a_policy_and_gives_back(arms, tmp_path, cloned):
    follower, leader = arms
    given = [f"policy={cloned}", "teleop=leader", f"teleop.port={leader.link}", "method=sac_naive", "steps=300"]
    sizes = ["eval_every=300", "eval_episodes=1", "final_episodes=1"]
    verb = Verb("finetune", follower, tmp_path / "run", *given, *sizes)
    with hands_on(leader, always):
        verb.wait_begun()
        time.sleep(8.0)
        verb.process.send_signal(signal.SIGUSR1)
        time.sleep(2.0)
        verb.process.send_signal(signal.SIGUSR1)
        time.sleep(0.5)
        paused = follower.state()["position"]
        time.sleep(0.5)
        assert follower.state()["position"] == pytest.approx(paused, abs=0.02)
        verb.process.send_signal(signal.SIGUSR2)
        verb.ended()
    log = read_log(tmp_path / "run")
    human = log.source == Source.HUMAN
    assert verify_log(tmp_path / "run") == [] and 20 <= human.sum() <= 100 and log.rows == 300
    assert (log.is_intervention == human).all() and log.source[-1] == Source.POLICY


@pytest.mark.slow
def test_an_evaluation_counts_no_help_as_success(arms, tmp_path, cloned):
    follower, leader = arms
    given = [f"policy={cloned}", "teleop=leader", f"teleop.port={leader.link}", "teleop.robot=so101", "episodes=3"]
    verb = Verb("evaluate", follower, tmp_path / "judged", *given)
    verb.wait_begun()
    verb.process.send_signal(signal.SIGUSR1)
    summary = verb.ended()
    assert (summary["assisted"], summary["episodes"], summary["success"]) == (3, 3, 0.0)
