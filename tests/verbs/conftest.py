"""A tiny log, policy and fine-tuned run on arm_reach, made by the program itself, once."""

import os
from dataclasses import dataclass

import pytest

from porl_robot.cli import run

from .presets import SMALL
from .refusal import REACH

TINY = [
    "steps=400",
    "method.warm_up.steps=150",
    "method.warm_up.fit.updates=40",
    "method.warm_up.evidence=null",
    "eval_every=200",
    "eval_episodes=3",
    "final_episodes=3",
]


@dataclass
class Outcome:
    """What a command line came to."""

    code: int
    out: str
    err: str


@pytest.fixture(scope="session", autouse=True)
def unsynced():
    """No test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        patch.setattr(os, "fdatasync", lambda _: None)
        yield


@pytest.fixture
def cli(capsys):
    """Runs one command line in this process."""

    def outcome(*arguments):
        capsys.readouterr()
        code = run([str(each) for each in arguments])
        return Outcome(code, *capsys.readouterr())

    return outcome


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty working directory: the default out folder lies in it."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def tiny():
    """The settings of a fine-tuning run that takes seconds."""
    return TINY


@pytest.fixture(scope="session")
def log(tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "log"
    assert run(["collect", "env=arm_reach", "skill=degraded", "episodes=6", f"out={out}"]) == 0
    return out


@pytest.fixture(scope="session")
def policy(log):
    out = log.parent / "policy"
    assert run(["pretrain", "env=arm_reach", f"log={log}", "steps=50", "eval_episodes=3", f"out={out}"]) == 0
    return out


@pytest.fixture(scope="session")
def tuned(policy):
    out = policy.parent / "tuned"
    assert run(["finetune", "env=arm_reach", f"policy={policy}", "method=porl", *TINY, f"out={out}"]) == 0
    return out


@pytest.fixture(scope="session")
def pretrained(log, policy):
    """The folder of a policy by the method that made it, each made once."""
    made = {"bc": policy}

    def folder(method):
        if method not in made:
            made[method] = log.parent / f"pretrained_{method}"
            given = [REACH, f"method={method}", f"log={log}", "eval_episodes=1", f"out={made[method]}"]
            steps = ["method.steps=30", "method.steps_per_stage=5"] if method == "coil" else ["steps=30"]
            assert run(["pretrain", *given, *steps, *SMALL]) == 0
        return made[method]

    return folder
