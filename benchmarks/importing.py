"""What `import-policy` makes of one cloned arm_reach policy in every form a policy comes in: docs/import.md's table.

The row of Stable-Baselines3 needs that package, which the project does not; it is left out where it is not installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from porl_robot.cli import run

SIZES = (18, 128, 128, 4)
CALLABLE = """
import numpy as np
from safetensors.numpy import load_file
w = load_file({weights!r})
def policy(observation):
    x = np.clip((observation - w["observation.mean"]) / w["observation.std"], -10, 10)
    for i in range(2):
        x = np.maximum(x @ w[f"layers.{{i}}.weight"] + w[f"layers.{{i}}.bias"], 0)
    return np.tanh(x @ w["mean.weight"] + w["mean.bias"])
def chunk(observation):
    return np.stack([policy(observation)] * 4)
def noisy(observation):
    return np.clip(policy(observation) + 0.2 * np.random.normal(size=4), -1, 1)
"""


class Clone(torch.nn.Module):
    """The cloned policy as somebody else would have written it."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.trunk = torch.nn.ModuleList(torch.nn.Linear(SIZES[i], SIZES[i + 1]) for i in range(2))
        self.head = torch.nn.Linear(SIZES[2], SIZES[3])
        for layer, name in zip((*self.trunk, self.head), ("layers.0", "layers.1", "mean"), strict=True):
            layer.weight.data = weights[f"{name}.weight"].T.contiguous()
            layer.bias.data = weights[f"{name}.bias"]
        self.register_buffer("mean", weights["observation.mean"])
        self.register_buffer("std", weights["observation.std"])

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Observations (B, D), actions (B, A)."""
        x = (observation - self.mean) / self.std
        for layer in self.trunk:
            x = torch.relu(layer(x))
        return torch.tanh(self.head(x))


def exported(clone: Clone, weights: Path, out: Path) -> dict[str, list[str]]:
    """Every form of the policy: its row's name and the arguments that import it."""
    example = torch.zeros(1, SIZES[0])
    torch.jit.script(clone).save(str(out / "clone.ts"))
    torch.export.save(torch.export.export(clone, (example,)), out / "clone.pt2")
    torch.onnx.export(clone, (example,), str(out / "clone.onnx"), dynamo=False)
    torch.save(clone.state_dict(), out / "clone.pth")
    (out / "clone.py").write_text(CALLABLE.format(weights=str(weights)))
    rows = {
        "TorchScript": [f"source={out / 'clone.ts'}"],
        "torch.export": [f"source={out / 'clone.pt2'}"],
        "state dict": [f"source={out / 'clone.pth'}", "observation_mean=mean", "observation_std=std"],
        "ONNX": [f"source={out / 'clone.onnx'}"],
        "callable": [f"source={out / 'clone.py'}:policy"],
        "callable, chunks": [f"source={out / 'clone.py'}:chunk", "chunk=2"],
        "callable, noisy": [f"source={out / 'clone.py'}:noisy", "stochastic=true"],
    }
    if importlib.util.find_spec("stable_baselines3"):
        rows["SB3 SAC"] = _sac(clone, out)
    return rows


def _sac(clone: Clone, out: Path) -> list[str]:
    import gymnasium  # noqa: PLC0415 - needed with the next only
    from stable_baselines3 import SAC  # noqa: PLC0415 - optional, no dependency of the project

    class Spaces(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, SIZES[:1], np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, SIZES[3:], np.float32)

    model = SAC("MlpPolicy", Spaces(), buffer_size=1, policy_kwargs={"net_arch": list(SIZES[1:3])}, device="cpu")
    actor = model.policy.actor
    for mine, theirs in zip(
        (*clone.trunk, clone.head), (actor.latent_pi[0], actor.latent_pi[2], actor.mu), strict=True
    ):
        theirs.load_state_dict(mine.state_dict())
    model.save(out / "clone.zip")
    np.savez(out / "statistics.npz", mean=clone.mean.numpy(), std=clone.std.numpy())
    return [f"source={out / 'clone.zip'}", f"normalisation={out / 'statistics.npz'}"]


def called(*arguments: object) -> None:
    """One command line, quietly."""
    with contextlib.redirect_stdout(io.StringIO()):
        code = run([str(each) for each in arguments])
    if code != 0:
        sys.exit(code)


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode(False):
        out = Path(folder)
        called("collect", "env=arm_reach", "skill=degraded", "episodes=60", "seed=5", f"out={out / 'demos'}")
        called("pretrain", "env=arm_reach", f"log={out / 'demos'}", "seed=5", f"out={out / 'cloned'}")
        weights = out / "cloned" / "policy.safetensors"
        print("form              route      mode difference: mean  95 %   max      success: source  imported  seconds")
        for number, (name, arguments) in enumerate(exported(Clone(load_file(weights)), weights, out).items()):
            called("import-policy", "env=arm_reach", *arguments, "eval_episodes=100", f"out={out / str(number)}")
            said = json.loads((out / str(number) / "summary.json").read_text())
            mean, most, worst = (max(said[f"mode_difference_{part}"]) for part in ("mean", "95", "max"))
            print(
                f"{name:17} {said['route']:10} {mean:21.1e} {most:7.1e} {worst:7.1e} {said['source_success']:14.2f} "
                f"{said['success']:9.2f} {said['wall_s']:8.0f}"
            )


if __name__ == "__main__":
    main()
