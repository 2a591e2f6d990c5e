"""Filters between what is asked of a robot and what its motors get.

A software limit is not a safety function.
"""

from porl_robot.safety.chain import Chain, action_chain, joint_chain
from porl_robot.safety.limits import JointLimits

__all__ = ["Chain", "JointLimits", "action_chain", "joint_chain"]
