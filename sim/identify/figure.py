"""How closely the model follows the arm, joint by joint, as one PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from porl_robot.command import FloatArray
from sim.identify.recording import Recording
from sim.identify.simulation import Simulation

_WIDTH, _ROW, _DPI = 12.0, 2.4, 100  # [inch], [inch], dots per inch
_MEASURED, _BEFORE, _AFTER = "#333333", "#d55e00", "#0072b2"
_INK = "#333333"


def draw(path: Path, simulation: Simulation, recording: Recording, before: FloatArray, after: FloatArray) -> None:
    """Draws the first held-out block: measured, and simulated with the parameters `before` and `after`, (n, 5) each."""
    block = next(block for block in recording.header.blocks if block.joint is None)
    part = recording.compared(block)
    time = recording.time[block.start : block.stop]
    measured = recording.position[block.start : block.stop]
    simulated = simulation.positions(block, [before, after])
    names = recording.header.joints
    figure = Figure((_WIDTH, _ROW * len(names)), _DPI, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    rows = figure.subplots(len(names), 2, squeeze=False, sharex=True)
    for joint, (name, (positions, errors)) in enumerate(zip(names, rows, strict=True)):
        at = (time - time[0])[part]
        own, (first, second) = measured[part, joint], simulated[:, part, joint]
        positions.plot(at, own, color=_MEASURED, linewidth=2.2, alpha=0.6, label="measured")
        positions.plot(at, first, color=_BEFORE, linewidth=1.0, linestyle="--", label="model before")
        positions.plot(at, second, color=_AFTER, linewidth=1.0, label="model after")
        _label(positions, name, "position [rad]")
        for values, colour, when in ((first, _BEFORE, "before"), (second, _AFTER, "after")):
            error = 1e3 * (values - own)
            errors.plot(
                at, error, color=colour, linewidth=1.0, label=f"{when}: RMS {np.sqrt((error**2).mean()):.2f} mrad"
            )
        _label(errors, f"{name}: simulated - measured", "[mrad]")
        errors.legend(fontsize=8, frameon=False, loc="upper right")
    rows[0, 0].legend(fontsize=8, frameon=False, loc="upper right")
    for axes in rows[-1]:
        axes.set_xlabel("time in the held-out block [s]", fontsize=9, color=_INK)
    figure.savefig(path)


def _label(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=10, color=_INK)
    axes.set_ylabel(unit, fontsize=9, color=_INK)
    axes.tick_params(labelsize=8, colors=_INK, length=3)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
