"""A leader without torque: what it asks of the arm that follows, and which arms may not lead. Two virtual arms."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from hardware.calibration import load_calibration
from hardware.description import RobotDescription
from hardware.leader import Leader
from hardware.reach import MOVED
from hardware.serial_env import SerialReach
from porl_robot.command import FloatArray
from porl_robot.env import RobotEnv
from porl_robot.errors import UserError
from porl_robot.paths import data_dir
from porl_robot.supervision import Fault
from sim.serial_twin import SerialTwin
from sim.virtual_arm.launch import LaunchedArm

SCALE = 2.0
WITHIN = 0.02  # rad: of a hand's pose the gears' play with 4 N m


def described(name: str = "so101", port: Path | None = None) -> RobotDescription:
    path = data_dir("configs") / "robot" / f"{name}.yaml"
    made: RobotDescription = instantiate(OmegaConf.load(path), _convert_="all")
    return replace(made, port=None if port is None else str(port), time_scale=SCALE)


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path_factory.mktemp("leader") / "arm", time_scale=SCALE) as arm:
        yield arm


@pytest.fixture
def leading(launched: LaunchedArm) -> Iterator[LaunchedArm]:
    """The arm that leads, with nothing wrong; nothing may ever have turned its torque on."""
    yield launched
    assert not any(launched.state()["driven"])
    launched.tell("clear")


@pytest.fixture(scope="module")
def twin() -> SerialTwin:
    return SerialTwin(described())


@pytest.fixture
def lead(leading: LaunchedArm) -> Iterator[Callable[..., Leader]]:
    """Makes leaders for an env; they are closed with the test."""
    made: list[Leader] = []

    def make(env: RobotEnv, follower: RobotDescription | None = None, **given: object) -> Leader:
        values = {"robot": described(), "port": str(leading.link), **given}
        made.append(Leader(env, follower or described(), **values))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def moved_by_hand(arm: LaunchedArm, pose: FloatArray) -> None:
    """Leads the joints of `arm` to `pose` and keeps them there."""
    arm.tell("; ".join(f"hand ids={k + 1} to={angle} for=60" for k, angle in enumerate(pose)))
    deadline = time.monotonic() + 5.0
    while np.abs(np.array(arm.state()["position"]) - pose).max() > WITHIN:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def action_of(leader: Leader) -> FloatArray:
    asked = leader.act()
    assert not isinstance(asked, Fault)
    return asked


def test_the_action_leads_the_commanded_joints_to_those_of_the_leader(
    leading: LaunchedArm, twin: SerialTwin, lead: Callable[..., Leader]
) -> None:
    leader = lead(twin)
    twin.reset(seed=1)
    pose = twin.task.centre + np.array([0.3, -0.2, 0.15, 0.1, 0.0, 0.0])
    moved_by_hand(leading, pose)
    first = action_of(leader)
    assert first.shape == (MOVED,) and np.abs(first).max() == 1.0
    for _ in range(30):
        before = twin.robot_state().commanded.values
        twin.step(action_of(leader))
        assert np.abs(twin.robot_state().commanded.values - before).max() <= 0.05 + 1e-9
    assert twin.robot_state().commanded.values[:MOVED] == pytest.approx(pose[:MOVED], abs=WITHIN)
    assert np.abs(action_of(leader)).max() < 0.1


@pytest.fixture(scope="module")
def following(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchedArm]:
    with LaunchedArm(tmp_path_factory.mktemp("follower") / "arm", time_scale=SCALE) as arm:
        yield arm


@pytest.fixture
def env(following: LaunchedArm) -> Iterator[SerialReach]:
    """Of the arm that follows, at its start."""
    made = SerialReach(described(port=following.link))
    made.reset(seed=2)
    yield made
    made.close()


def test_an_arm_follows_another_at_the_actions_own_pace(
    leading: LaunchedArm, following: LaunchedArm, env: SerialReach, lead: Callable[..., Leader]
) -> None:
    leader = lead(env, described(port=following.link))
    moved_by_hand(leading, env.task.centre + np.array([-0.4, 0.3, -0.3, 0.2, 0.0, 0.0]))
    fastest = 0.0
    for _ in range(25):
        env.step(action_of(leader))
        fastest = max(fastest, *np.abs(following.state()["velocity"]))
    apart = np.array(following.state()["position"]) - leading.state()["position"]
    assert np.abs(apart[:MOVED]).max() < 0.1  # what an SO-101 sags by
    assert 0.3 < fastest < 3.0


def test_an_unplugged_leader_is_a_fault_with_its_remedy(
    leading: LaunchedArm, twin: SerialTwin, lead: Callable[..., Leader]
) -> None:
    leader = lead(twin)
    twin.reset(seed=1)
    leading.tell("unplug for=0.5")
    deadline = time.monotonic() + 3.0
    while not isinstance(fault := leader.act(), Fault):
        assert time.monotonic() < deadline
    assert fault.cause.startswith(f"the leader at {leading.link} cannot be read: ") and "start again" in fault.remedy
    leader.close()
    time.sleep(0.6)
    assert isinstance(lead(twin).act(), np.ndarray)


def test_a_servo_that_is_silent_for_a_moment_ends_nothing_and_a_dead_one_does(
    leading: LaunchedArm, twin: SerialTwin, lead: Callable[..., Leader]
) -> None:
    leader = lead(twin)
    twin.reset(seed=1)
    leading.tell("dead ids=2")
    assert not any(isinstance(leader.act(), Fault) for _ in range(9))
    leading.tell("clear")
    action_of(leader)
    leading.tell("dead ids=2")
    last = [leader.act() for _ in range(10)][-1]
    assert isinstance(last, Fault) and "shoulder_lift (id 2) has not answered" in last.cause


def refused(lead: Callable[..., Leader], twin: SerialTwin, **given: object) -> str:
    with pytest.raises(UserError) as caught:
        lead(twin, **given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_followers_port_is_no_leaders(leading: LaunchedArm, twin: SerialTwin, lead: Callable[..., Leader]) -> None:
    other = leading.link.with_name("same")
    other.symlink_to(leading.link)
    said = refused(lead, twin, follower=described(port=leading.link), port=str(other))
    assert said == f"teleop.port={other}: is the port of the arm that follows; give that of the leader"
    other.unlink()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"robot": described("so100")}, "robot=so100: has other joints, zeros or lengths than the arm that follows"),
        ({"robot": described("light")}, "robot=light: has other joints, zeros or lengths"),
        ({"robot": described("koch")}, "robot=koch: has no model"),
        ({"robot": replace(described(), name="so101b")}, "is a virtual so101; give robot=so101"),
        ({"port": "/dev/ttyUSB77", "follower": replace(described(), time_scale=1.0)}, "/dev/ttyUSB77: no such port"),
        ({"follower": replace(described(), time_scale=3.0)}, "give robot.time_scale=2"),
        ({"supply": 5.0}, "robot=so101 is made for 5"),
    ],
)
def test_another_arm_does_not_lead(
    twin: SerialTwin, lead: Callable[..., Leader], given: dict[str, object], words: str
) -> None:
    said = refused(lead, twin, **given)
    assert said.startswith("the leader (teleop.robot, teleop.port): ") and words in said


def test_a_missing_servo_is_named(leading: LaunchedArm, twin: SerialTwin, lead: Callable[..., Leader]) -> None:
    leading.tell("dead ids=4")
    assert "wrist_flex (id 4) does not answer" in refused(lead, twin)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), "no such calibration; porl-robot calibrate writes one"),
        (lambda path: save_with(path, homing_offset=77), "homing_offset is"),
    ],
)
def test_a_leader_is_calibrated_like_any_arm(
    leading: LaunchedArm,
    twin: SerialTwin,
    lead: Callable[..., Leader],
    tmp_path: Path,
    change: Callable[[Path], None],
    words: str,
) -> None:
    manifest = leading.link.with_name(leading.link.name + ".json")
    written = manifest.read_text()
    own = tmp_path / "own.json"
    own.write_bytes(Path(json.loads(written)["calibration"]).read_bytes())
    change(own)
    manifest.write_text(json.dumps({**json.loads(written), "calibration": str(own)}))
    try:
        assert words in refused(lead, twin)
    finally:
        manifest.write_text(written)


def save_with(path: Path, **changes: int) -> None:
    """Stores the calibration at `path` with another elbow."""
    known = load_calibration(path)
    joints = {**known.joints, "elbow_flex": replace(known.joints["elbow_flex"], **changes)}  # type: ignore[arg-type]
    replace(known, joints=joints).save(path)


def test_an_arm_that_is_held_by_its_torque_does_not_lead(
    leading: LaunchedArm, twin: SerialTwin, lead: Callable[..., Leader]
) -> None:
    env = SerialReach(described(port=leading.link))
    env.arm()
    env.close()
    assert all(leading.state()["driven"])
    assert "is on, so nobody can move it; hold the arm, switch its supply off and on" in refused(lead, twin)
    leading.tell("brownout")
    time.sleep(0.5)
