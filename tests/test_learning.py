"""Fine-tuning improves a cloned policy, and its control does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from porl_robot.cli import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cloned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("cloned")
    assert run(["collect", "env=arm_reach", "skill=degraded", "episodes=100", "seed=5", f"out={base / 'log'}"]) == 0
    assert run(["pretrain", "env=arm_reach", f"log={base / 'log'}", "seed=5", f"out={base / 'policy'}"]) == 0
    return base / "policy"


def finetuned(cloned: Path, out: Path, *overrides: str) -> dict[str, Any]:
    assert run(["finetune", "env=arm_reach", f"policy={cloned}", "seed=5", f"out={out}", *overrides]) == 0
    summary: dict[str, Any] = json.loads((out / "summary.json").read_text())
    return summary


def test_porl_makes_a_cloned_policy_reliable(cloned: Path, tmp_path: Path) -> None:
    summary = finetuned(cloned, tmp_path / "run", "method=porl", "steps=6000")
    assert summary["bc_success"] < 0.85
    assert summary["final_success"] >= 0.9


def test_without_the_critic_fit_success_collapses(cloned: Path, tmp_path: Path) -> None:
    summary = finetuned(cloned, tmp_path / "run", "method=sac_naive", "steps=1000")
    assert summary["curve"][-1]["env_steps"] == 1000
    assert summary["curve"][-1]["success"] <= 0.3
