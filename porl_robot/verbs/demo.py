"""The main job on a simulated arm: demonstrations, a cloned policy, and PORL fine-tuning, with a report to look at."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from porl_robot.verbs import collect, finetune, pretrain
from porl_robot.verbs.build import require_new_out
from porl_robot.verbs.compose import load


def run(config: DictConfig) -> int:
    """Collects into `out/demonstrations`, clones into `out/cloned`, fine-tunes into `out`."""
    out = Path(config.out)
    require_new_out(out)
    env = f"env={config.env.name}"
    seed = f"seed={config.seed}"
    log, policy = out / "demonstrations", out / "cloned"
    collect.run(load("collect", [env, seed, "skill=degraded", f"episodes={config.episodes}", f"out={log}"]))
    pretrain.run(load("pretrain", [env, seed, f"log={log}", f"out={policy}"]))
    tuning = [f"{name}={config[name]}" for name in ("steps", "eval_every", "eval_episodes")]
    method = f"method={config.method.name}"
    return finetune.run(load("finetune", [env, seed, method, f"policy={policy}", f"out={out}", *tuning]))
