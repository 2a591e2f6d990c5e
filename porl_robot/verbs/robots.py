"""Whether task, arm and person go together."""

from __future__ import annotations

from omegaconf import DictConfig

from porl_robot.errors import UsageError
from porl_robot.verbs.made import made


def require_robot(config: DictConfig) -> None:
    """Holds the arm against the task.

    Raises:
        UsageError: an arm was given to a task without one, or a value of it is refused.
    """
    if "robot" in config.env.adapter:
        made(config.robot, "robot")
    elif config.robot is not None:
        raise UsageError(
            f"robot={config.robot.name}: env={config.env.name} has no arm on a bus; serial_reach and serial_twin have"
        )


def require_port(config: DictConfig) -> None:
    """Refuses a task that moves a real arm without knowing where it is.

    Raises:
        UsageError: names the key and the task that needs none.
    """
    if "twin" in config.env and config.robot.port is None:
        raise UsageError(
            f"robot.port=... is missing: env={config.env.name} moves a real arm; expected robot={config.robot.name} "
            "robot.port=DEVICE (porl-robot scan finds it), or env=serial_twin, which needs none"
        )


def require_teleop(config: DictConfig) -> None:
    """Refuses a person without an arm to move, or without a place in the verb.

    Raises:
        UsageError: names the key and what would be accepted.
    """
    teleop = config.get("teleop")
    if teleop is None:
        return
    if "twin" not in config.env:
        raise UsageError(f"teleop={teleop.name}: env={config.env.name} has no arm on a bus to move; serial_reach has")
    if "adapter" in teleop:
        if "policy" in config:
            raise UsageError(f"teleop={teleop.name}: only collect takes it; expected leader, which takes over")
    elif teleop.port is None:
        raise UsageError(
            f"teleop.port=... is missing: teleop={teleop.name} reads a second arm; expected its serial device "
            "(porl-robot scan finds it)"
        )
