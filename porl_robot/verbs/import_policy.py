"""Takes a policy made elsewhere, checks it and turns it into one that can be fine-tuned; says how far that is from it.

TorchScript, torch.export, ONNX, Stable-Baselines3, a state dict or a Python callable. A perceptron with ReLU and a tanh
at its end is converted where its weights can be read; everything else is distilled: the actor learns the source's
actions over the source's episodes and its own. docs/import.md says what is checked. Giving a Python file runs it;
loading anything else runs no Python.
"""

from __future__ import annotations

import hashlib
import math
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from omegaconf import DictConfig

from porl_robot.analysis.summary import rate, write_summary
from porl_robot.control.evaluation import evaluate, start_seeds
from porl_robot.env import RobotEnv
from porl_robot.errors import UsageError
from porl_robot.policy.checkpoint import save_policy
from porl_robot.policy.importing.agreement import ModeDifference, mode_difference
from porl_robot.policy.importing.checks import require_usable
from porl_robot.policy.importing.distil import Regression, fit, with_residual_std
from porl_robot.policy.importing.load import load
from porl_robot.policy.importing.mlp import convert
from porl_robot.policy.importing.source import Source, seed_everything
from porl_robot.policy.inference import PolicyRunner
from porl_robot.policy.network import random_policy
from porl_robot.policy.spec import Policy, PolicySpec
from porl_robot.seeds import Stream, derive
from porl_robot.verbs.build import make_declaration, make_env
from porl_robot.verbs.evaluate import describe
from porl_robot.verbs.inputs import require_log_fit, training_log
from porl_robot.verbs.outputs import new_out, require_new_out, unless_empty
from porl_robot.verbs.recorded import Recorded, record
from porl_robot.verbs.terminal import Terminal

_STARTS = 16
_CHECKED = 500
_HELD_OUT = 10

Float32 = npt.NDArray[np.float32]


def run(config: DictConfig) -> int:
    """Imports `config.source`."""
    began = time.monotonic()
    declaration = make_declaration(config)
    _require_values(config)
    require_new_out(Path(config.out))
    raw = load(config.source, declaration)
    with ExitStack() as kept, closing(make_env(config)) as env:
        size, actions = int(env.observation_space.shape[0]), int(env.action_space.shape[0])
        logged = _logged(config, env)
        source = Source(raw, declaration, config.source, env.name, size, actions)
        require_usable(source, _starts(config, env))
        seeds = start_seeds(config.seed, Stream.EVALUATION_STARTS, config.eval_episodes)
        shown = _recorded(env, source, seeds, "record the source")
        checked = _spread(np.concatenate([*shown.observations, *logged]), _CHECKED)
        require_usable(source, checked)
        out = kept.enter_context(unless_empty(new_out(config)))
        # The source's evaluation is compared on, never fitted to.
        compared = [*shown.observations, *logged[::_HELD_OUT]]
        truth = np.concatenate([source.labels(each) for each in compared])
        rows = np.concatenate(compared)
        perceptron, fitted_on = source.perceptron(checked), 0
        if perceptron is not None:
            mlp, statistics = perceptron
            spec = _spec(config, env, source, "converted", mlp.sizes[1:-1])
            everything = np.concatenate([rows, *logged])
            route, policy = "converted", convert(mlp, everything, statistics, source.indices, spec)
        else:
            fitted = [each for i, each in enumerate(logged) if i % _HELD_OUT]
            route, (policy, fitted_on) = "distilled", _distilled(config, env, source, fitted)
            policy = with_residual_std(policy, rows, truth)
        save_policy(policy, out)
        difference = mode_difference(policy, rows, truth)
        with Terminal("evaluate", len(seeds), "episodes") as terminal:
            own = evaluate(env, PolicyRunner(policy), seeds, progress=terminal.advance)
    values = {
        "env": env.name,
        "seed": config.seed,
        "source": config.source,
        "kind": raw.kind,
        "route": route,
        "log": config.log,
        "fitted_on": fitted_on,
        "compared_on": len(rows),
        "mode_difference_mean": difference.mean,
        "mode_difference_95": difference.quantile_95,
        "mode_difference_max": difference.max,
        "tolerance": config.tolerance,
        "within_tolerance": difference.within(config.tolerance),
        "episodes": len(seeds),
        **rate("source_success", shown.result.success, shown.result.episodes),
        "source_return_mean": shown.result.return_mean,
        **rate("success", own.success, own.episodes),
        "return_mean": own.return_mean,
        "policy_hash": policy.hash,
        "wall_s": time.monotonic() - began,
    }
    write_summary("import-policy", out / "summary.json", values)
    _report(terminal, values, difference)
    terminal.note(f"policy and summary: {out}")
    return 0


def _require_values(config: DictConfig) -> None:
    if not (math.isfinite(config.tolerance) and config.tolerance > 0.0):
        raise UsageError(f"tolerance={config.tolerance:g}: expected a number above 0")
    if not config.hidden or min(config.hidden) < 1:
        raise UsageError(f"hidden={config.hidden}: expected widths of at least 1, as in [128,128]")


def _logged(config: DictConfig, env: RobotEnv) -> list[Float32]:
    """The observations of every episode of the log, if there is one."""
    if config.log is None:
        return []
    log = training_log(config)
    require_log_fit(log, env)
    return [log.observation[log.episode(index)] for index in range(log.episodes)]


def _starts(config: DictConfig, env: RobotEnv) -> Float32:
    """Observations (N, D) of start states: nothing moves before the source has answered at these."""
    seeds = start_seeds(config.seed, Stream.TRAINING_STARTS, _STARTS)
    return np.stack([np.asarray(env.reset(seed=seed)[0], np.float32) for seed in seeds])


def _spread(rows: Float32, count: int) -> Float32:
    """At most `count` of the rows, evenly spread."""
    return rows[:: max(1, math.ceil(len(rows) / count))]


def _recorded(env: RobotEnv, source: Source, seeds: list[int], title: str) -> Recorded:
    """Episodes of the source."""

    def start(seed: int) -> None:
        source.reset()
        seed_everything(derive(seed, Stream.SAMPLED_ACTIONS))

    with Terminal(title, len(seeds), "episodes") as terminal:
        return record(env, source.act, seeds, start, terminal.advance)


def _spec(config: DictConfig, env: RobotEnv, source: Source, route: str, hidden: tuple[int, ...]) -> PolicySpec:
    file = Path(config.source)
    provenance: dict[str, Any] = {"method": "import", "route": route, "kind": source.raw.kind, "source": config.source}
    if file.is_file():
        provenance["source_hash"] = hashlib.sha256(file.read_bytes()).hexdigest()
    size = int(env.observation_space.shape[0])
    return PolicySpec(env.name, size, source.action_size, env.control_hz, hidden, provenance | {"seed": config.seed})


def _distilled(config: DictConfig, env: RobotEnv, source: Source, logged: list[Float32]) -> tuple[Policy, int]:
    """The fitted actor, and to how many observations."""
    count = config.episodes
    seeds = start_seeds(config.seed, Stream.TRAINING_STARTS, count * (config.rounds + 1))
    seed = derive(config.seed, Stream.ACTOR)
    shown = [*logged, *_recorded(env, source, seeds[:count], "record more").observations]
    rows, labels = source.examples(shown, seed)
    spec = _spec(config, env, source, "distilled", tuple(config.hidden))
    policy = random_policy(spec, seed, torch.from_numpy(np.concatenate(shown)))
    with Terminal("distil", (config.rounds + 1) * config.steps, "steps") as terminal:
        for number in range(config.rounds + 1):
            if number > 0:
                own = record(env, PolicyRunner(policy).mode, seeds[number * count :][:count])
                more, answers = source.examples(own.observations, seed + number)
                rows, labels = np.concatenate([rows, more]), np.concatenate([labels, answers])

            def progress(step: int, loss: float, before: int = number * config.steps) -> None:
                terminal.progress(before + step, loss=f"{loss:.4f}")

            policy = fit(policy, rows, labels, Regression(config.steps), seed + number, progress)
    return policy, len(rows)


def _report(terminal: Terminal, values: dict[str, Any], difference: ModeDifference) -> None:
    worst = int(difference.quantile_95.argmax())
    terminal.note(
        f"{values['route']} from {values['kind']}: mode difference mean {difference.mean.max():.2g}, 95 % "
        f"{difference.quantile_95[worst]:.2g}, max {difference.max.max():.2g} over {values['compared_on']} observations"
    )
    if not values["within_tolerance"]:
        terminal.note(
            f"WARNING: the imported policy misses tolerance={values['tolerance']}: 95 % of its actions differ by up to "
            f"{difference.quantile_95[worst]:.2g} in dimension {worst}"
            + ("; more episodes, rounds, steps or a wider hidden may help" if values["route"] == "distilled" else "")
        )
    for name in ("source_success", "success"):
        figures = {key: values[key] for key in (name, f"{name}_low", f"{name}_high")}
        terminal.note(f"{'source' if name == 'source_success' else 'imported'}: success {describe(figures)}")
