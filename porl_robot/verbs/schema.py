"""The plain keys of every verb: name, type, default, and what `--help` says of them."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from porl_robot.paths import data_dir

LARGEST = 2**32 - 1
"""No whole number may be larger; generators of random numbers take no larger seed."""

CONSENT = "yes"
"""The one value of `arm`. It is of one command: no run keeps it."""

_ARM = f"{CONSENT} lets a real arm move without asking at the terminal"
_TELEOP = "leader (with teleop.port=DEVICE): a person may take over with a second arm (group)"


def _key(meaning: str, default: Any = MISSING, least: int | None = None) -> Any:
    metadata = {"help": meaning, "least": least}
    if isinstance(default, list):
        return field(default_factory=default.copy, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class Common:
    """Keys of every verb. The groups hold nested keys of their own."""

    env: Any = _key("the task (group)")
    robot: Any = _key("the arm on a bus, of serial tasks (group)", None)
    safety: Any = _key("limits of the safety filters (group)")
    seed: int = _key("of all randomness", 0, least=0)
    out: str = _key("folder to write; must not hold a run yet")


@dataclass
class CollectKeys(Common):
    """Keys of `collect`."""

    skill: str = _key("how good the demonstrator is: clean or degraded", "clean")
    teleop: Any = _key("leader (with teleop.port=DEVICE) or kinesthetic: a person moves the arm instead (group)", None)
    episodes: int = _key("episodes to record", 40, least=1)
    arm: str | None = _key(_ARM, None)


@dataclass
class PretrainKeys(Common):
    """Keys of `pretrain`."""

    method: Any = _key("how to pre-train (group)")
    learner: Any = _key("sizes of the critics, for methods that have some (group)")
    log: str = _key("folder written by collect or finetune")
    steps: int | None = _key("gradient steps; left out, as many as the method says", None, least=1)
    eval_episodes: int = _key("episodes of each of the two evaluations", 100, least=1)


@dataclass
class ImportPolicyKeys(Common):
    """Keys of `import-policy`; those from `chunk` on say of the source what its file does not."""

    source: str = _key("file of the policy, or module:attribute or file.py:attribute of a Python callable")
    kind: str = _key("torchscript, export, onnx, sb3, state_dict, callable, or auto to look into the file", "auto")
    log: str | None = _key("folder with a log whose observations are used too", None)
    episodes: int = _key("episodes to record for each round of a distillation", 60, least=1)
    rounds: int = _key("rounds in which the distilled policy's own episodes are relabelled", 3, least=0)
    steps: int = _key("gradient steps of each round of a distillation", 4000, least=1)
    hidden: list[int] = _key("widths of a distilled policy's hidden layers", [128, 128])
    tolerance: float = _key("of the mode difference, in actions; reported against, not enforced", 0.05)
    eval_episodes: int = _key("episodes of each of the two evaluations", 50, least=1)
    chunk: int | None = _key("the source gives chunks (H, A); execute so many actions of each", None)
    stochastic: bool = _key("the source may answer one observation with different actions", False)
    stateful: bool = _key("the source may remember earlier observations of the episode", False)
    clip: bool = _key("cut the source's actions off at the ends of its range", False)
    action_low: list[float] | None = _key("low end of the source's own action range, as [-2] or per dimension", None)
    action_high: list[float] | None = _key("high end of it", None)
    observation_indices: list[int] | None = _key("which of the task's observations the source takes, in order", None)
    normalisation: str | None = _key("file with observation mean and std (.npz, .json, VecNormalize .pkl)", None)
    layers: list[str] | None = _key("state_dict: names of the linear layers in order", None)
    activation: str = _key("state_dict: between the layers", "relu")
    output: str = _key("state_dict: after the last layer: tanh, linear, clip", "tanh")
    log_std: str | None = _key("state_dict: name of the log standard deviation's head or vector", None)
    observation_mean: str | None = _key("state_dict: name of the tensor with the observations' mean", None)
    observation_std: str | None = _key("state_dict: name of the tensor with their standard deviation", None)


@dataclass
class EvaluateKeys(Common):
    """Keys of `evaluate`."""

    policy: str = _key("folder written by pretrain or finetune")
    episodes: int = _key("episodes to run", 100, least=1)
    sampled: bool = _key("sample actions instead of taking the policy's mode", False)
    teleop: Any = _key(_TELEOP, None)
    arm: str | None = _key(_ARM, None)


@dataclass
class FinetuneKeys(Common):
    """Keys of `finetune`."""

    method: Any = _key("how to fine-tune (group)")
    learner: Any = _key("sizes and pace of the learner (group)")
    policy: str | None = _key("folder written by pretrain or finetune", None)
    log: str | None = _key("folder with a log, for methods that use one", None)
    steps: int = _key("environment steps in all, the pre-sample included", 10000, least=1)
    eval_every: int = _key("environment steps between evaluations and checkpoints", 1000, least=1)
    eval_episodes: int = _key("episodes of each evaluation, on the same starts throughout", 50, least=1)
    final_episodes: int | None = _key(
        "fresh episodes for the final figure; left out, 200, or on an arm as many as eval_episodes", None, least=1
    )
    teleop: Any = _key(_TELEOP, None)
    resume: str | None = _key("out folder of a run to go on with; only steps and arm may be given beside it", None)
    arm: str | None = _key(_ARM, None)


@dataclass
class DemoKeys(Common):
    """Keys of `demo`."""

    method: Any = _key("how to fine-tune (group)")
    learner: Any = _key("sizes and pace of the learner (group)")
    episodes: int = _key("demonstrations to collect", 100, least=1)
    steps: int = _key("environment steps of fine-tuning", 6000, least=1)
    eval_every: int = _key("environment steps between evaluations", 1000, least=1)
    eval_episodes: int = _key("episodes of each evaluation", 50, least=1)


@dataclass
class CompareKeys:
    """Keys of `compare`. Those of the groups are handed on to the runs: see `PASSED_ON`."""

    methods: tuple[str, ...] = _key("methods to compare, the reference first", ("porl", "porl_anchored", "sac_naive"))
    envs: tuple[str, ...] = _key("tasks", ("arm_reach", "arm_lift"))
    seeds: tuple[int, ...] = _key("one run of every method on every task per seed", (0, 1, 2), least=0)
    steps: int = _key("environment steps of each run", 10000, least=1)
    eval_every: int = _key("environment steps between evaluations", 1000, least=1)
    eval_episodes: int = _key("episodes of each evaluation", 50, least=1)
    final_episodes: int = _key("fresh episodes for the final figure of a run", 200, least=1)
    skill: str = _key("how good the demonstrator is: clean or degraded", "degraded")
    demonstrations: int | None = _key("episodes to learn from; null: as many as suit the task", None, least=2)
    cloning_steps: int | None = _key("gradient steps of cloning; null: the default of pretrain", None, least=1)
    offline_steps: int | None = _key("gradient steps of other pre-training; null: the default", None, least=1)
    jobs: int = _key("processes at a time", 2, least=1)
    budget: float | None = _key("hours after which no further run is started; null: no limit", None)
    overrides: tuple[str, ...] = _key("filled by group=option, env.key=, method.key= ...: handed on to every run", ())
    out: str = _key("folder to write; one that holds a comparison is gone on with")


@dataclass
class CalibrateKeys:
    """Keys of `calibrate`. It writes no run, so it has no `out`."""

    robot: Any = _key("the arm on a bus, with robot.port=DEVICE (group)")
    seconds: float | None = _key("length of the sweep; left out, it ends with Enter", None)
    write: str | None = _key(f"{CONSENT} writes the EPROM and moves the joints a little without asking", None)
    signs: list[int] | None = _key("1 or -1 per joint: ticks grow with its angle, or fall; null: find out", None)
    source: str | None = _key("calibration file of LeRobot's to take over instead of a sweep", None)
    export: str | None = _key("file to write the arm's calibration to, for LeRobot; nothing else is done", None)


@dataclass
class IdentifyKeys:
    """Keys of `identify`."""

    robot: Any = _key("the arm on a bus (group)")
    safety: Any = _key("limits of the safety filters (group)")
    log: str | None = _key("recording to fit; left out, the arm at robot.port is excited and recorded", None)
    seed: int = _key("of the excitation", 0, least=0)
    arm: str | None = _key(_ARM, None)
    out: str = _key("folder to write; must not hold a run yet")


PASSED_ON = {"compare": ("env.", "robot", "method.", "learner", "safety")}
"""How the overrides begin that a verb hands on to the runs it starts, in its key `overrides`."""

SCHEMAS: dict[str, type[Common | CompareKeys | CalibrateKeys | IdentifyKeys]] = {
    "collect": CollectKeys,
    "pretrain": PretrainKeys,
    "import-policy": ImportPolicyKeys,
    "finetune": FinetuneKeys,
    "evaluate": EvaluateKeys,
    "demo": DemoKeys,
    "compare": CompareKeys,
    "calibrate": CalibrateKeys,
    "identify": IdentifyKeys,
}


def register() -> None:
    """Makes the schemas known to Hydra."""
    store = ConfigStore.instance()
    for verb, schema in SCHEMAS.items():
        store.store(name=f"{verb.replace('-', '_')}_schema", node=schema)


def help_text(verb: str, purpose: str) -> str:
    """What `--help` prints: purpose, keys with defaults, and where nested keys are found."""
    lines = [f"porl-robot {verb} [group=option] [key=value] ...", "", purpose.strip(), "", "keys:"]
    chosen = _chosen(verb)
    for each in fields(SCHEMAS[verb]):
        lines.append(f"  {each.name:19} {chosen.get(each.name) or _default(each):13} {each.metadata['help']}")
    folder = data_dir("configs")
    lines += ["", "groups (nested keys as in method.warm_up.steps=3000):"]
    for group in groups(verb):
        lines.append(f"  {group:19} {', '.join(sorted(path.stem for path in (folder / group).glob('*.yaml')))}")
    if not sweeps(verb):
        return "\n".join(lines)
    return "\n".join([*lines, "", "-m runs a sweep over comma-separated values; job k writes OUT/k."])


def sweeps(verb: str) -> bool:
    """Whether `verb` may be run for every combination of several values: its runs then have folders of their own."""
    return verb not in PASSED_ON and any(each.name == "out" for each in fields(SCHEMAS[verb]))


def groups(verb: str) -> list[str]:
    """The groups whose keys `verb` takes."""
    own = [each.name for each in fields(SCHEMAS[verb]) if each.type == "Any"]
    return own + [start.rstrip(".") for start in PASSED_ON.get(verb, ())]


def _chosen(verb: str) -> dict[str, str]:
    """The option of each group that is taken where none is given."""
    path = data_dir("configs") / f"{verb.replace('-', '_')}.yaml"
    composed: Any = OmegaConf.to_container(OmegaConf.load(path))
    listed = {
        group: option for each in composed["defaults"] if isinstance(each, dict) for group, option in each.items()
    }
    return {group: "required" if option == MISSING else option or "" for group, option in listed.items()}


def _default(key: Field[Any]) -> str:
    if key.type == "Any" or key.name == "out" or key.default in (None, ()):
        return ""
    default = key.default_factory() if callable(key.default_factory) else key.default
    if isinstance(default, tuple):
        return f"[{','.join(map(str, default))}]"
    return "required" if default is MISSING else "" if default is None else str(default)
