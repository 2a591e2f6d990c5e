"""What an identification of an arm's model says of it, as rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IdentifiedJoint:
    """RMS of simulated less measured position on held-out data, with the model as it was and as it became [rad]."""

    joint: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class IdentifiedParameter:
    """One parameter of one joint.

    Attributes:
        joint, parameter: names.
        before, after: in the model as it was and as it became.
        error: standard error of what the data say.
        told_by: `data`, or `prior` where the data neither tells the parameter nor contradicts what the model said.
    """

    joint: str
    parameter: str
    before: float
    after: float
    error: float
    told_by: str
