"""The device with which a person moves an arm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from omegaconf import DictConfig, OmegaConf

from porl_robot.env import RobotEnv
from porl_robot.errors import UsageError
from porl_robot.paths import data_dir
from porl_robot.supervision import Teleoperator
from porl_robot.verbs.made import made


@contextmanager
def teleoperated(config: DictConfig, env: RobotEnv) -> Iterator[Teleoperator | None]:
    """The device of `config.teleop` for `env`; None where there is none, or the arm itself is moved.

    Raises:
        UserError: it is not what it is taken for, or cannot be reached.
    """
    teleop = config.teleop
    if teleop is None or "device" not in teleop:
        yield None
        return
    parts = {
        "follower": config.robot,
        "robot": config.robot if teleop.robot is None else _robot(str(teleop.robot)),
        "port": str(teleop.port),
        "supply": teleop.supply,
    }
    device: Teleoperator = made(OmegaConf.create({**teleop.device, **parts}), "teleop", env=env)
    with closing(device):
        yield device


def _robot(name: str) -> DictConfig:
    folder = data_dir("configs") / "robot"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise UsageError(f"teleop.robot={name}: no such robot; there are {', '.join(known)}")
    loaded = OmegaConf.load(folder / f"{name}.yaml")
    assert isinstance(loaded, DictConfig)
    return loaded
