"""How far, how fast and how smoothly each joint may move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from porl_robot.errors import UserError


@dataclass(frozen=True, eq=False)
class JointLimits:
    """Limits of n joints. All arrays: shape (n,), float64, read-only; [rad] is [m] for slides.

    Attributes:
        names: of the joints, unique.
        lower: smallest position [rad].
        upper: largest position [rad].
        velocity: largest speed [rad/s].
        acceleration: largest magnitude [rad/s^2].
        jerk: largest magnitude [rad/s^3].

    Raises:
        UserError: a value is missing, not finite, not positive, or a range is empty; names the
            joint and the value.
    """

    names: tuple[str, ...]
    lower: npt.NDArray[np.float64]
    upper: npt.NDArray[np.float64]
    velocity: npt.NDArray[np.float64]
    acceleration: npt.NDArray[np.float64]
    jerk: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        names = tuple(self.names)
        if not names or len(set(names)) != len(names):
            raise UserError(f"joint limits: names must be unique and at least one, got {names}")
        object.__setattr__(self, "names", names)
        for field in ("lower", "upper", "velocity", "acceleration", "jerk"):
            object.__setattr__(self, field, self._checked(field))
        for name, lower, upper in zip(names, self.lower, self.upper, strict=True):
            if lower >= upper:
                raise UserError(
                    f"joint limits: lower of joint '{name}' must be below upper, got {lower:g} and {upper:g}"
                )

    def __len__(self) -> int:
        return len(self.names)

    def _checked(self, field: str) -> npt.NDArray[np.float64]:
        values = np.array(getattr(self, field), dtype=np.float64)
        if values.shape != (len(self.names),):
            raise UserError(
                f"joint limits: {field} has shape {values.shape}, "
                f"expected one value for each of the joints {', '.join(self.names)}"
            )
        signed = field in ("lower", "upper")
        for name, value in zip(self.names, values, strict=True):
            if not np.isfinite(value) or (not signed and value <= 0.0):
                wanted = "a finite number" if signed else "a positive finite number"
                raise UserError(f"joint limits: {field} of joint '{name}' must be {wanted}, got {value:g}")
        values.setflags(write=False)
        return values
