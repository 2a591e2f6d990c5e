"""The parameters of each joint with which the model moves as the arm was recorded to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from porl_robot.command import FloatArray
from sim.identify.excitation import Block
from sim.identify.parameters import NAMES
from sim.identify.recording import Recording
from sim.identify.simulation import Simulation

IndexArray = npt.NDArray[np.intp]

_LOWER = np.array([0.0, 0.1, 0.05, 0.0, 0.0])
_UPPER = np.array([10.0, 10.0, 10.0, 20.0, 10.0])
_STARTS = np.array(
    [
        [0.5, 1.0, 1.0, 1.0, 0.3],
        [2.0, 1.0, 1.0, 1.0, 1.0],
        [2.0, 0.6, 1.0, 2.0, 1.0],
        [2.0, 1.5, 1.0, 2.0, 0.3],
        [2.0, 1.0, 2.0, 2.0, 0.3],
        [5.0, 0.7, 1.5, 4.0, 2.0],
    ]
)
_STEPS = np.array([0.02, 0.005, 0.01, 0.02, 0.02])  # of the finite differences: above the kinks that friction makes
_AT_BOUND = 1e-3  # the optimiser comes no nearer
# All of these in units of `_scales`.

_RESOLUTION = np.array([0.2, 0.1, 0.15, 0.3, 0.2])
"""Standard errors beyond which a parameter is told badly: 2 ms, 10 %, 15 %, 30 %, 2 mrad."""

_CONTRADICTED = 2.0  # standard errors between estimate and prior from which on the data does contradict the prior

_MILLI = 1e3  # residuals in mrad: near one, as the optimiser's tolerances like it


@dataclass(frozen=True, eq=False, slots=True)
class JointFit:
    """One joint. Arrays: shape (5,), in the order and units of `parameters.NAMES`.

    Attributes:
        joint: its name.
        prior: what the model said.
        fitted: what it is to say.
        error: standard errors; those of `kept` parameters are what they would be, were they fitted.
        kept: names of the parameters that keep their prior, since the data neither tells nor contradicts it.
    """

    joint: str
    prior: FloatArray
    fitted: FloatArray
    error: FloatArray
    kept: tuple[str, ...]

    def rows(self) -> list[dict[str, str | float]]:
        """One row per parameter, plain values only."""
        columns = zip(NAMES, self.prior.tolist(), self.fitted.tolist(), self.error.tolist(), strict=True)
        return [
            {
                "joint": self.joint,
                "parameter": name,
                "before": before,
                "after": after,
                "error": error,
                "told_by": "prior" if name in self.kept else "data",
            }
            for name, before, after, error in columns
        ]


def fit(
    simulation: Simulation, recording: Recording, prior: FloatArray, progress: Callable[[JointFit], None]
) -> tuple[JointFit, ...]:
    """Fits joint by joint, each on the blocks in which it alone moves, those before it as they were fitted.

    Args:
        simulation: of the recording.
        recording: with any number of blocks per joint; a joint without keeps its prior.
        prior: parameters to start from and to fall back on, shape (n, 5).
        progress: called after each joint.
    """
    current, fits = prior.copy(), []
    for joint, name in enumerate(recording.header.joints):
        blocks = [block for block in recording.header.blocks if block.joint == name]
        if blocks:
            fits.append(_fitted(_Residuals(simulation, recording, blocks, joint, current), name, prior[joint]))
        else:
            fits.append(JointFit(name, prior[joint], prior[joint], np.full(len(NAMES), np.inf), NAMES))
        current[joint] = fits[-1].fitted
        progress(fits[-1])
    return tuple(fits)


def tracking_error(simulation: Simulation, recording: Recording, parameters: FloatArray) -> FloatArray:
    """RMS of simulated less measured position over the held-out blocks, shape (n,) [rad]."""
    squares = []
    for block in recording.header.blocks:
        if block.joint is None:
            difference = simulation.positions(block, [parameters])[0] - recording.position[block.start : block.stop]
            squares.append(difference[recording.compared(block)] ** 2)
    error: FloatArray = np.sqrt(np.concatenate(squares).mean(0))
    return error


class _Residuals:
    """Simulated less measured position of one joint [mrad], of its parameters in units of `scales`."""

    def __init__(
        self, simulation: Simulation, recording: Recording, blocks: list[Block], joint: int, current: FloatArray
    ) -> None:
        self._simulation, self._recording, self._blocks = simulation, recording, blocks
        self._joint, self._current = joint, current
        self.scales = _scales(current[joint])

    def at(self, points: FloatArray) -> FloatArray:
        """Of K points (K, 5). Shape (K, M)."""
        candidates = []
        for point in points:
            candidate = self._current.copy()
            candidate[self._joint] = point * self.scales
            candidates.append(candidate)
        parts = []
        for block in self._blocks:
            simulated = self._simulation.positions(block, candidates)[:, :, self._joint]
            measured = self._recording.position[block.start : block.stop, self._joint]
            parts.append((simulated - measured)[:, self._recording.compared(block)])
        return _MILLI * np.concatenate(parts, axis=1)

    def jacobian(self, point: FloatArray, free: IndexArray) -> FloatArray:
        """By the `free` parameters (F indices), forward differences. Shape (M, F)."""
        shifts = np.diag(_STEPS)[free]
        values = self.at(np.concatenate([point[None], point + shifts]))
        return (values[1:] - values[0]).T / _STEPS[free]


def _scales(prior: FloatArray) -> FloatArray:
    """Sizes that the parameters are measured in: 10 ms, the prior (or what suits its gain), 10 mrad."""
    kp = prior[NAMES.index("kp")]
    return np.maximum([0.01, kp, prior[2], prior[3], 0.01], [0.0, 0.0, 0.01 * kp, 0.001 * kp, 0.0])


def _fitted(residuals: _Residuals, name: str, prior: FloatArray) -> JointFit:
    """From the best of a few starts; then those that the data cannot tell are kept back, one at a time."""
    scales = residuals.scales
    fallback = prior / scales
    free = np.arange(len(NAMES))
    error = np.full(len(NAMES), np.inf)
    costs = (residuals.at(_STARTS) ** 2).sum(1)
    point = _minimum(residuals, _STARTS[np.argmin(costs)], free)
    while True:
        error[free] = _standard_errors(residuals, point, free)
        untold = (error > _RESOLUTION) & (np.abs(point - fallback) < _CONTRADICTED * error)
        candidates = free[untold[free]]
        if not len(candidates):
            break
        worst = candidates[np.argmax((error / _RESOLUTION)[candidates])]
        free = free[free != worst]
        point = _taken(point, worst, fallback)
        if not len(free):
            break
        point = _minimum(residuals, point, free)
    point = np.where(point <= _LOWER + _AT_BOUND, _LOWER, point)
    kept = tuple(each for index, each in enumerate(NAMES) if index not in free)
    return JointFit(name, prior, point * scales, error * scales, kept)


def _taken(point: FloatArray, index: int, source: FloatArray) -> FloatArray:
    """`point` with the value at `index` taken from `source`."""
    changed = point.copy()
    changed[index] = source[index]
    return changed


def _minimum(residuals: _Residuals, start: FloatArray, free: IndexArray) -> FloatArray:
    """The point of least squares over the `free` parameters, the others as in `start`."""

    def whole(values: FloatArray) -> FloatArray:
        point = start.copy()
        point[free] = values
        return point

    found = least_squares(
        lambda values: residuals.at(whole(values)[None])[0],
        np.clip(start, _LOWER + 1e-3, _UPPER - 1e-3)[free],
        jac=lambda values: residuals.jacobian(whole(values), free),
        bounds=(_LOWER[free], _UPPER[free]),
        ftol=1e-4,
        xtol=1e-4,
        max_nfev=25,
    )
    return whole(found.x)


def _standard_errors(residuals: _Residuals, point: FloatArray, free: IndexArray) -> FloatArray:
    """From the Jacobian J: the roots of the diagonal of s^2 tau (J^T J)^-1, s^2 the mean squared residual.

    Residuals of neighbouring samples resemble each other: tau, the sum of their autocorrelations up to its first zero,
    says how many of them count as one.
    """
    left = residuals.at(point[None])[0]
    jacobian = residuals.jacobian(point, free)
    squares = jacobian.T @ jacobian + 1e-9 * np.eye(len(free))  # what moves nothing has a huge error, not none
    spread = float(left @ left) / max(len(left) - len(free), 1) * _correlated(left)
    errors: FloatArray = np.sqrt(spread * np.diag(np.linalg.inv(squares)))
    return errors


def _correlated(residuals: FloatArray) -> float:
    """1 + 2 sum of the autocorrelations before the first that is not positive."""
    size = len(residuals)
    spectrum = np.abs(np.fft.rfft(residuals, 2 * size)) ** 2
    correlations = np.fft.irfft(spectrum)[:size]
    if correlations[0] <= 0.0:
        return 1.0
    crossing = int(np.argmax(correlations <= 0.0)) or size
    return float(2 * correlations[:crossing].sum() / correlations[0] - 1)
