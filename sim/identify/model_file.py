"""The identified model: one MJCF file that says everything, delay and backlash included."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np

from porl_robot.command import FloatArray
from porl_robot.errors import UserError
from porl_robot.files import replace_file
from sim.identify import parameters, transmission
from sim.identify.parameters import NAMES

_ORIGIN = "identified"
_DELAY, _BACKLASH = NAMES.index("delay"), NAMES.index("backlash")


class ModelFile:
    """An MJCF file of an arm, and what it says of the servos of `names`.

    Attributes:
        path: of the file.
        model: compiled.
        servos: of `names`, in order.

    Raises:
        UserError: it cannot be read, or is no model of such an arm.
    """

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        self.path = path
        try:
            self._spec = mujoco.MjSpec.from_file(str(path))
            self.model = self._spec.compile()
            self.servos = parameters.servos(self.model, names)
            self._delay, self._backlash = (
                transmission.numeric(self.model, transmission.DELAY),
                transmission.numeric(self.model, transmission.BACKLASH),
            )
        except ValueError as error:
            raise UserError(f"robot.model {path}: {str(error).splitlines()[0]}") from error

    @property
    def parameters(self) -> FloatArray:
        """As the file has them, shape (n, 5)."""
        actuators = [servo.actuator for servo in self.servos]
        return parameters.read(self.model, self.servos, self._delay[actuators], self._backlash[actuators])

    def write(self, path: Path, fitted: FloatArray, origin: str) -> None:
        """Writes a copy with the parameters `fitted`, shape (n, 5), which need no other file beside it.

        Args:
            path: of the copy.
            fitted: parameters of the joints.
            origin: where they come from, kept in the file.

        Raises:
            UserError: the copy does not compile.
        """
        spec = self._spec.copy()
        # Meshes and textures are found from wherever the copy lies.
        spec.meshdir, spec.texturedir = (
            str((self.path.parent / each).resolve()) for each in (spec.meshdir, spec.texturedir)
        )
        for servo, (_, kp, damping, frictionloss, _) in zip(self.servos, fitted, strict=True):
            joint, actuator = spec.joints[servo.joint], spec.actuators[servo.actuator]
            own, kv = parameters.split(self.model, servo, damping)
            joint.damping[0], joint.frictionloss = own, frictionloss
            actuator.gainprm[0], actuator.biasprm[1], actuator.biasprm[2] = kp, -kp, -kv
        delay, backlash = self._delay.copy(), self._backlash.copy()
        actuators = [servo.actuator for servo in self.servos]
        delay[actuators], backlash[actuators] = fitted[:, _DELAY], fitted[:, _BACKLASH]
        _set_numeric(spec, transmission.DELAY, delay)
        _set_numeric(spec, transmission.BACKLASH, backlash)
        _set_text(spec, _ORIGIN, origin)
        try:
            spec.compile()
        except ValueError as error:
            raise UserError(
                f"robot.model {self.path}: the identified copy fails: {str(error).splitlines()[0]}"
            ) from error
        replace_file(path, spec.to_xml().encode())


def _set_numeric(spec: mujoco.MjSpec, name: str, values: FloatArray) -> None:
    for numeric in spec.numerics:
        if numeric.name == name:
            numeric.data = np.asarray(values)
            return
    spec.add_numeric(name=name, data=values.tolist(), size=len(values))


def _set_text(spec: mujoco.MjSpec, name: str, data: str) -> None:
    for text in spec.texts:
        if text.name == name:
            text.data = data
            return
    spec.add_text(name=name, data=data)
