"""The main job on a simulated arm: demonstrations, a cloned policy, and PORL fine-tuning, with a report to look at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from omegaconf import DictConfig

from porl_robot.verbs import collect, finetune, pretrain
from porl_robot.verbs.build import make_learner_config, make_method, require_demonstrator
from porl_robot.verbs.compose import load, quoted
from porl_robot.verbs.inputs import require_policy_alone
from porl_robot.verbs.outputs import require_new_out

_TASK = ("env", "robot", "safety", "seed")
_TUNING = (*_TASK, "method", "learner", "steps", "eval_every", "eval_episodes")


def run(config: DictConfig) -> int:
    """Collects into `out/demonstrations`, clones into `out/cloned`, fine-tunes into `out`."""
    out = Path(config.out)
    log, policy = out / "demonstrations", out / "cloned"
    for folder in (out, log, policy):
        require_new_out(folder)
    require_demonstrator(config)
    require_policy_alone(make_method(config))
    make_learner_config(config)
    collect.run(_config("collect", config, _TASK, skill="degraded", episodes=config.episodes, out=log))
    pretrain.run(_config("pretrain", config, _TASK, log=log, out=policy))
    return finetune.run(_config("finetune", config, _TUNING, policy=policy, out=out))


def _config(verb: str, config: DictConfig, shared: Iterable[str], **given: object) -> DictConfig:
    """The config of another verb: its defaults, what is `given`, and the `shared` keys and groups of ours."""
    typed = (f"{key}={quoted(value) if isinstance(value, Path) else value}" for key, value in given.items())
    own = load(verb, [f"env={config.env.name}", *typed])
    for name in shared:
        own[name] = config[name]
    return own
