"""The whole calibration, on virtual arms whose joints are moved by a hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from hardware.calibrate.procedure import Procedure
from hardware.calibration import load_calibration
from hardware.manifest import read_manifest
from tests.hardware.calibrate.conftest import VirtualArm, puppeteer

Start = Callable[..., VirtualArm]
