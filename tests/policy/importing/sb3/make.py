"""Makes the files in this folder; needs stable-baselines3 2.9, which the project itself does not."""

import zipfile
from pathlib import Path

import gymnasium
import numpy as np
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

HERE = Path(__file__).parent


class Noise(gymnasium.Env):
    """The spaces of arm_reach, and nothing to learn."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (18,), np.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (4,), np.float32)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return self.np_random.normal(0.5, 2.0, 18).astype("f4"), {}

    def step(self, action):
        return self.np_random.normal(0.5, 2.0, 18).astype("f4"), 0.0, False, False, {}


def without_machine(path):
    """Drops the description of the machine, which loading does not need."""
    with zipfile.ZipFile(path) as given:
        kept = {name: given.read(name) for name in given.namelist() if name != "system_info.txt"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in kept.items():
            archive.writestr(name, content)


def main():
    observations = np.random.default_rng(0).normal(0.5, 2.0, (20, 18)).astype("f4")
    predicted = {"observations": observations}
    kinds = {"sac": (SAC, {"buffer_size": 10}), "td3": (TD3, {"buffer_size": 10}), "ppo": (PPO, {})}
    kinds["sde"] = (SAC, {"buffer_size": 10, "use_sde": True})
    for name, (algorithm, keys) in kinds.items():
        model = algorithm("MlpPolicy", Noise(), seed=0, device="cpu", policy_kwargs={"net_arch": [16, 16]}, **keys)
        model.save(HERE / f"{name}.zip")
        without_machine(HERE / f"{name}.zip")
        predicted[name] = algorithm.load(HERE / f"{name}.zip").predict(observations, deterministic=True)[0]
    normalising = VecNormalize(DummyVecEnv([Noise]))
    normalising.seed(0)
    normalising.reset()
    for _ in range(100):
        normalising.step(np.zeros((1, 4)))
    normalising.save(HERE / "vecnormalize.pkl")
    np.savez(HERE / "predicted.npz", normalised=normalising.normalize_obs(observations), **predicted)


if __name__ == "__main__":
    main()
