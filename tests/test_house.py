"""The house rules: lint, types, the import law, and that what the wheel needs is found."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from porl_robot.paths import data_dir

ROOT = Path(__file__).parent.parent
TOOLS = {
    "lint": ["ruff", "check"],
    "format": ["ruff", "format", "--check"],
    "types": ["mypy"],
    "imports": ["lint-imports"],
}


@pytest.mark.parametrize("rule", TOOLS)
def test_rule_holds(rule: str) -> None:
    command = [str(Path(sys.executable).parent / TOOLS[rule][0]), *TOOLS[rule][1:]]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_data_folders_are_found() -> None:
    assert (data_dir("configs") / "finetune.yaml").is_file()
    assert data_dir("calibration").is_dir()


def test_unknown_data_folder_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match="no plans folder"):
        data_dir("plans")


def test_wheel_holds_packages_and_configs(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "porl_robot/cli.py",
        "sim/arm_env.py",
        "hardware/__init__.py",
        "porl_robot/_configs/.porl_robot",
        "porl_robot/_configs/env/arm_lift.yaml",
        "porl_robot/_calibration/.porl_robot",
    } <= names
