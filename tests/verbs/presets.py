"""The presets, and the shortest runs of them."""

import yaml

from porl_robot.paths import data_dir

from .refusal import REACH

SMALL = ["learner.hidden=[8]", "learner.batch_size=16"]
SHORT = [*SMALL, "steps=120", "eval_every=60", "eval_episodes=1", "final_episodes=1", "method.warm_up.steps=40"]
PRESETS = {path.stem: yaml.safe_load(path.read_text()) for path in (data_dir("configs") / "method").glob("*.yaml")}
CLONING = ("bc", "coil")
TUNING = sorted(PRESETS.keys() - CLONING)
OFFLINE = sorted(name for name, preset in PRESETS.items() if "offline_updates" in preset)
FITTED = ("porl", "porl_anchored", "q2rl", "opt")
QUICK = {
    "porl": ["method.warm_up.evidence=null"],
    "porl_anchored": ["method.warm_up.evidence=null"],
    "q2rl": ["method.warm_up.evidence=null"],
    "sac_scratch": ["method.explorer.uniform_steps=30"],
}


def command(method, pretrained, log, out):
    inputs = [f"policy={pretrained(PRESETS[method].get('pretraining', 'bc'))}", f"log={log}"]
    quick = QUICK.get(method, []) + (["method.warm_up.fit.updates=12"] if method in FITTED else [])
    return ["finetune", REACH, f"method={method}", *inputs, *SHORT, *quick, f"out={out}"]
