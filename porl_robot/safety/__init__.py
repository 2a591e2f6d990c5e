"""Filters between what is asked of a robot and what its motors get.

A software limit is not a safety function.
"""

from porl_robot.safety.chain import Chain, action_chain, joint_chain
from porl_robot.safety.limits import JointLimits
from porl_robot.safety.paths import PathPlanner

__all__ = ["Chain", "JointLimits", "PathPlanner", "action_chain", "joint_chain"]
