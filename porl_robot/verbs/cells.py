"""The runs a comparison consists of, and what each of them needs before it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from porl_robot.control.checkpoints import FOLDER as CHECKPOINTS
from porl_robot.control.operator import STOPPED_BY_OPERATOR
from porl_robot.errors import UsageError
from porl_robot.verbs.build import make_learner_config, make_method, require_demonstrator
from porl_robot.verbs.compose import CONFIG_NAME, dotted, load, parse, quoted
from porl_robot.verbs.kinds import shown
from porl_robot.verbs.robots import require_robot

INPUTS = {"policy": "policy", "critics": "critics", "offline_data": "data"}
"""What a method may require, and which of the inputs made here holds it. `data` is the demonstrations' log; policy and
critics come from the pre-training that the method names in its key `pretraining`, cloning where it names none."""

_CLONING = "bc"
_DEMONSTRATIONS = {"arm_lift": 40, "robosuite_can": 25, "robosuite_square": 40, "robosuite_door": 20}
_DEMONSTRATIONS_ELSEWHERE = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One command of the program.

    Attributes:
        overrides: of `verb`, `out` among them.
        out: the folder it writes.
        config: what the overrides come to, resolved, without `out`; paths of inputs by their last part, so that the
            folder of the comparison may be moved.
    """

    verb: str
    overrides: tuple[str, ...]
    out: Path
    config: dict[str, Any]

    def summary(self) -> dict[str, Any] | None:
        """What it says of itself once it is finished; None before. A run that was interrupted is not finished."""
        path = self.out / "summary.json"
        if not path.is_file():
            return None
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return None if said.get("stopped_because") == STOPPED_BY_OPERATOR else said


def resumable(out: Path) -> bool:
    """Whether an unfinished run left something in `out` to go on from."""
    whole = [folder for folder in (out / CHECKPOINTS).glob("*") if folder.suffix != ".new"]
    return bool(whole) and (out / CONFIG_NAME).is_file()


@dataclass(frozen=True, slots=True)
class Cell:
    """One method on one task with one seed.

    Attributes:
        given: what the method starts from, in words.
        steps: the commands that make its inputs, shared with other cells, and last the run itself.
    """

    env: str
    method: str
    seed: int
    given: str
    steps: tuple[Step, ...]

    @property
    def run(self) -> Step:
        """The run itself."""
        return self.steps[-1]

    def __str__(self) -> str:
        return f"{self.env} {self.method} seed {self.seed}"


def demonstrations_for(env: str) -> int:
    """How many episodes of the task to learn from: so many that the clone works, and leaves something to learn."""
    return _DEMONSTRATIONS.get(env, _DEMONSTRATIONS_ELSEWHERE)


def plan(config: DictConfig) -> list[Cell]:
    """The cells of a comparison: every method on every task with the first seed, then with the next.

    Raises:
        UsageError: a list is empty or repeats itself, or a combination cannot be run. Nothing was started.
    """
    for name in ("methods", "envs", "seeds"):
        values = list(config[name])
        if not values or len(set(values)) < len(values):
            problem = "holds a value twice" if values else "is empty"
            raise UsageError(f"{name}={shown(values)}: {problem}; expected {name} that differ")
    planner = _Planner(config)
    return [
        planner.cell(env, method, seed) for seed in config.seeds for env in config.envs for method in config.methods
    ]


def require_same(step: Step) -> None:
    """Refuses a run that was begun with other settings.

    Raises:
        UsageError: names the first key that differs.
    """
    path = step.out / CONFIG_NAME
    if not path.is_file():
        return
    there, here = (dict(dotted(each)) for each in (_identity(OmegaConf.load(path)), step.config))
    for key in here | there:
        before, now = there.get(key), here.get(key)
        if before != now and not isinstance(before, dict) and not isinstance(now, dict):
            raise UsageError(
                f"{step.out}: was run with {key}={shown(before)}, now it is {shown(now)}; give another out, or delete "
                "that folder to have it run again"
            )


def inputs_of(method: DictConfig) -> tuple[set[str], str]:
    """What `method` is to be given (values of `INPUTS`), and the pre-training that makes its policy and critics.

    Raises:
        UsageError: it requires what cannot be made here.
    """
    unknown = [item for item in method.requires if item not in INPUTS]
    if unknown:
        raise UsageError(f"method={method.name}: requires {unknown[0]}; compare provides {', '.join(INPUTS)}")
    inputs = {INPUTS[item] for item in method.requires}
    pretraining = method.get("pretraining", _CLONING)
    if "critics" in inputs and pretraining == _CLONING:
        raise UsageError(f"method={method.name}: requires critics, but its key pretraining names none that makes some")
    return inputs, pretraining


class _Planner:
    """Composes the commands of `settings`, each distinct one once."""

    def __init__(self, settings: DictConfig) -> None:
        self._settings = settings
        self._out = Path(settings.out)
        self._composed: dict[tuple[str, ...], DictConfig] = {}
        groups = {override: parse([override])[0].key_or_group.split(".")[0] for override in settings.overrides}
        self._for_all = tuple(each for each, group in groups.items() if group in ("env", "robot", "safety"))
        self._sizes = tuple(each for each, group in groups.items() if group == "learner")
        self._for_runs = tuple(settings.overrides)

    def cell(self, env: str, method: str, seed: int) -> Cell:
        """One cell.

        Raises:
            UsageError: it cannot be run; says which it is.
        """
        try:
            return self._cell(env, method, seed)
        except UsageError as error:
            raise UsageError(f"{error} (for {method} on {env})") from error

    def _cell(self, env: str, method: str, seed: int) -> Cell:
        settings = self._settings
        keys = ("steps", "eval_every", "eval_episodes", "final_episodes")
        chosen = (f"env={env}", f"method={method}", *(f"{key}={settings[key]}" for key in keys), *self._for_runs)
        config = self._config("finetune", chosen)
        inputs, pretraining = inputs_of(config.method)
        steps: list[Step] = []
        given: dict[str, Path] = {}
        if inputs:
            log = self._demonstrations(env, seed)
            steps.append(log)
        if inputs & {"policy", "critics"}:
            steps.append(self._pretrained(env, seed, pretraining, log))
            given["policy"] = steps[-1].out
        if "data" in inputs:
            given["log"] = log.out
        out = self._out / "runs" / env / method / str(seed)
        steps.append(self._step("finetune", chosen, seed, out, **given))
        return Cell(env, method, seed, _in_words(inputs, pretraining), tuple(steps))

    def _demonstrations(self, env: str, seed: int) -> Step:
        settings = self._settings
        episodes = settings.demonstrations or demonstrations_for(env)
        chosen = (f"env={env}", f"skill={quoted(settings.skill)}", f"episodes={episodes}", *self._for_all)
        require_demonstrator(self._config("collect", chosen))
        return self._cached("collect", "demonstrations", chosen, seed)

    def _pretrained(self, env: str, seed: int, method: str, log: Step) -> Step:
        settings = self._settings
        cloned = method == _CLONING
        steps = settings.cloning_steps if cloned else settings.offline_steps
        length = () if steps is None else (f"steps={steps}",)
        chosen = (f"env={env}", f"method={method}", f"eval_episodes={settings.eval_episodes}", f"log={quoted(log.out)}")
        sizes = () if cloned else self._sizes  # critics are handed over as they are
        return self._cached("pretrain", method, (*chosen, *length, *self._for_all, *sizes), seed)

    def _cached(self, verb: str, kind: str, overrides: tuple[str, ...], seed: int) -> Step:
        """A step whose folder is named after everything that determines what it writes."""
        step = self._step(verb, overrides, seed, self._out)
        digest = hashlib.sha256(json.dumps(step.config, sort_keys=True).encode()).hexdigest()[:12]
        return self._step(verb, overrides, seed, self._out / "cache" / f"{kind}-{digest}")

    def _step(self, verb: str, overrides: tuple[str, ...], seed: int, out: Path, **inputs: Path) -> Step:
        config = self._config(verb, overrides).copy()
        config.seed = seed
        for key, folder in inputs.items():
            config[key] = str(folder)
        paths = (f"{key}={quoted(folder)}" for key, folder in {**inputs, "out": out}.items())
        return Step(verb, (*overrides, f"seed={seed}", *paths), out, _identity(config))

    def _config(self, verb: str, overrides: tuple[str, ...]) -> DictConfig:
        key = (verb, *overrides)
        if key not in self._composed:
            config = load(verb, overrides)
            require_robot(config)
            if "twin" in config.env:
                raise UsageError(
                    f"envs: {config.env.name} moves a real arm and nobody attends here; expected serial_twin"
                )
            if verb == "finetune":
                make_method(config)
                make_learner_config(config)
            self._composed[key] = config
        return self._composed[key]


def _identity(config: Any) -> dict[str, Any]:
    """What a config determines, wherever its folders lie."""
    node = OmegaConf.to_container(config, resolve=True)
    assert isinstance(node, dict)
    kept = {str(key): value for key, value in node.items() if key not in ("out", "resume")}
    return kept | {key: Path(kept[key]).name for key in ("policy", "log") if kept.get(key)}


def _in_words(inputs: set[str], pretraining: str) -> str:
    """What a method is given, for the table."""
    learned = [name for name in ("policy", "critics") if name in inputs]
    words = [f"{' + '.join(learned)} ({pretraining})"] if learned else []
    return ", ".join([*words, *(["data"] if "data" in inputs else [])]) or "nothing"
