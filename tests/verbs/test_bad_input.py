"""Wrong command lines: one line that names key, value and what would be accepted, and nothing written."""

import pytest
import torch

from .refusal import REACH, assert_refused

pytestmark = pytest.mark.usefixtures("elsewhere")

UNSCRIPTED = ["env=dm_control", "env.domain=reacher", "env.task=easy"]
ENVS = "there are arm_lift, arm_push, arm_reach, dm_control, gymnasium, robosuite_"
USAGE = [
    ([], "a verb is missing; there are demo, collect"),
    (["fly"], "no such verb; there are demo, collect"),
    (["collect"], f"env=... is missing; {ENVS}"),
    (["collect", "env=arm_reech"], f"env=arm_reech: no such env; {ENVS}"),
    (["collect", "env="], f"env=: no such env; {ENVS}"),
    (["collect", "env=arm_reach,arm_push"], "several values need -m"),
    (["collect", "environment=arm_reach"], "unknown key environment; did you mean env?"),
    (["collect", "env.domain=reacher"], f"env=... is missing; {ENVS}"),
    (["collect", REACH, "epsiodes=3"], "unknown key epsiodes; did you mean episodes?"),
    (["collect", REACH, "policy=x"], "unknown key policy; porl-robot collect --help lists the keys"),
    (["collect", REACH, "+foo=1"], "+foo=1: unknown key foo"),
    (["collect", REACH, "++foo=1"], "++foo=1: unknown key foo"),
    (
        ["collect", REACH, "env.foo=1"],
        "unknown key env.foo; there are env.discount, env.pre_sample, env.anchoring, env.name, env.adapter",
    ),
    (["collect", REACH, "hydra.run.dir=x"], "unknown key hydra.run.dir"),
    (["collect", REACH, "~episodes"], "~episodes: expected key=value"),
    (["collect", REACH, "~env"], "~env: expected key=value"),
    (["collect", REACH, "episodes"], "episodes: expected key=value"),
    (["collect", REACH, "=3"], "=3: expected key=value"),
    (["collect", REACH, "--fast"], "--fast: expected key=value"),
    (["collect", REACH, "episodes=[1"], "episodes=[1: the value cannot be read"),
    (["collect", REACH, "episodes=abc"], "episodes=abc: expected a whole number"),
    (["collect", REACH, "episodes=1e3"], "episodes=1e3: expected a whole number"),
    (["collect", REACH, "episodes=0"], "episodes=0: expected a whole number of at least 1"),
    (["collect", REACH, "episodes=-5"], "episodes=-5: expected a whole number of at least 1"),
    (["collect", REACH, "seed=-1"], "seed=-1: expected a whole number of at least 0"),
    (["collect", REACH, "seed=1.5"], "seed=1.5: expected a whole number"),
    (["collect", REACH, "seed=null"], "seed=null: expected a whole number"),
    (["collect", REACH, f"seed={2**70}"], "expected a whole number of at most 4294967295"),
    (["collect", REACH, "skill=foo"], "skill=foo: expected clean or degraded"),
    (["collect", REACH, "env.skills.clean.bias=abc"], "env.skills.clean.bias=abc: expected a number"),
    (["collect", REACH, "env.adapter._target_=sim.nothing"], "expected a name that can be imported"),
    (["collect", REACH, "safety=fast"], "safety=fast: no such safety; there are default"),
    (["collect", REACH, "safety.sped=1"], "unknown key safety.sped; did you mean safety.speed?"),
    (["collect", REACH, "safety.speed=0"], "safety.speed=0: expected a number above 0 and at most 1"),
    (["collect", REACH, "safety.speed=1.1"], "safety.speed=1.1: expected a number above 0 and at most 1"),
    (["collect", REACH, "safety.speed=nan"], "safety.speed=nan: expected a number above 0 and at most 1"),
    (["collect", REACH, "safety.speed=abc"], "safety.speed=abc: expected a number above 0 and at most 1"),
    (["collect", *UNSCRIPTED], "has no scripted demonstrator; there is one for arm_lift, arm_push"),
    (["collect", "env=dm_control"], "env.domain=... is missing"),
    (["collect", "env=dm_control", "env.domain=reacher"], "env.task=... is missing"),
    (["collect", "env=gymnasium"], "env.id=... is missing"),
    (["collect", REACH, "resume=x"], "unknown key resume"),
    (["pretrain", REACH], "log=... is missing; expected the folder written by collect or finetune"),
    (["pretrain", REACH, "log="], "log=: expected text"),
    (["pretrain", REACH, "log=x", "method=foo"], "method=foo: no such method; there are a3rl, adaptive_bc, awac, bc"),
    (["pretrain", REACH, "log=x", "method=porl"], "method=porl: only fine-tunes; pretrain accepts bc, coil, awac"),
    (["pretrain", REACH, "log=x", "steps=-5"], "steps=-5: expected a whole number of at least 1"),
    (["pretrain", REACH, "log=x", "method.hiden=[8]"], "unknown key method.hiden; did you mean method.hidden?"),
    (["pretrain", REACH, "log=x", "method.patience=abc"], "method.patience=abc: expected a whole number or null"),
    (["evaluate", REACH], "policy=... is missing; expected the folder written by pretrain or finetune"),
    (["evaluate", REACH, "policy=x", "sampled=maybe"], "sampled=maybe: expected true or false"),
    (
        ["compare", "methods=[porl]", "envs=[serial_reach]"],
        "envs: serial_reach moves a real arm and nobody attends here",
    ),
    (["collect", REACH, "out=~/x"], "no shell has replaced the ~; expected a whole path, as in out=$HOME/x"),
    (["collect", REACH, "env.skills.clean=5"], "env.skills.clean=5: expected keys with values"),
    (["collect", REACH, "env.skills=null"], "env.skills=null: expected keys with values"),
    (["collect", REACH, "env.adapter=3"], "env.adapter=3: expected keys with values"),
    (["collect", REACH, "env.demonstrator=5"], "env.demonstrator=5: expected keys with values"),
    (["collect", REACH, "env.demonstrator=null"], "env=arm_reach: has no scripted demonstrator"),
    (["identify", "robot=so101", "robot.model=5", "log=x"], "identify: robot.model=5: expected text or null"),
    (["evaluate", "-m"], f"env=... is missing; {ENVS}"),
    (["finetune", REACH], "method=porl_anchored needs policy=FOLDER"),
    (["finetune", REACH, "method=bc"], "this one pre-trains; expected a fine-tuning method such as porl"),
    (["finetune", REACH, "policy=x", "eval_every=0"], "eval_every=0: expected a whole number of at least 1"),
    (["finetune", REACH, "method.target.discount=2"], "target.discount 2 is outside (0, 1)"),
    (["finetune", REACH, "method.target.discount=abc"], "method.target.discount=abc: expected a number"),
    (["finetune", REACH, "method.critic.tau=inf"], "method.critic.tau=inf: expected a number"),
    (["finetune", REACH, "method.target.discont=.9"], "did you mean method.target.discount?"),
    (["finetune", REACH, "method.actor_loss.value=foo"], "method.actor_loss.value=foo: expected mean or min"),
    (["finetune", REACH, "method.replay._target_=os.system"], "method.replay: expected another _target_"),
    (["finetune", REACH, "method.warm_up.fit=3"], "method.warm_up.fit=3: expected a node with _target_ or null"),
    (["finetune", REACH, "method.warm_up.fit={lr:1}"], "method.warm_up.fit={lr:1}: Key 'lr' is not in struct"),
    (["finetune", REACH, "method.warm_up.steps=-1"], "warm_up.steps -1 is negative"),
    (["finetune", REACH, "learner=medium"], "learner=medium: no such learner; there are large, small"),
    (["finetune", REACH, "learner.backend=foo"], "learner.backend=foo: expected eager or compile"),
    (["finetune", REACH, "learner.device=tpu"], "learner.device=tpu: is not here; expected cpu"),
    (["finetune", REACH, "learner.members=0"], "learner.members 0 must be at least 1"),
    (["finetune", REACH, "learner.members=null"], "learner.members=null: expected a whole number"),
    (["finetune", REACH, "learner.hidden=64"], "learner.hidden=64: expected a list as in [1, 2]"),
    (["finetune", REACH, "learner.hidden=[64,abc]"], "learner.hidden=[64,abc]: expected a list as in [1, 2]"),
    (["finetune", "resume="], "resume=: expected text or null"),
    (["finetune", "resume=x", REACH], f"{REACH}: only steps and arm may be given beside resume"),
    (["finetune", "resume=x", "seed=3"], "seed=3: only steps and arm may be given beside resume"),
    (["finetune", "resume=x", "steps=abc"], "steps=abc: expected a whole number"),
    (["finetune", "resume=x", "steps"], "steps: expected key=value"),
    (["finetune", "-m", "resume=x,y"], "goes on with one run; leave out -m"),
    (["finetune", "-m", REACH, "method=glob(porl*)", "policy=x"], "cannot be swept over"),
    (["finetune", "-m", REACH, "method=sac_scratch", "method.target.discount=.9,2"], "target.discount 2 is outside"),
    (["finetune", "-m", REACH, "method=sac_scratch,bc"], "this one pre-trains; expected a fine-tuning method"),
    (["finetune", "-m", REACH, "method=sac_scratch,porl"], "method=porl needs policy=FOLDER"),
    (["finetune", "-m", REACH, "method=sac_scratch", "learner.device=cpu,tpu"], "learner.device=tpu: is not here"),
    (["pretrain", "-m", REACH, "log=x", "method=porl,bc"], "method=porl: only fine-tunes; pretrain accepts bc, coil"),
    (["demo", "-m", REACH, "method=porl,rlpd"], "method=rlpd needs offline_data, demo makes a cloned policy only"),
    (["finetune", "-m", "env=serial_reach", "method=rlpd", "log=x", "seed=1,2"], "robot.port=... is missing"),
    (["collect", "-m", *UNSCRIPTED, "seed=1,2"], "env=dm_control/reacher-easy: has no scripted demonstrator"),
    (["evaluate", "-m", REACH, "policy=x", "seed=1,abc"], "seed=abc: expected a whole number"),
    (["evaluate", "-m", REACH, "policy=x", "seed=1,-2"], "seed=-2: expected a whole number of at least 0"),
    (["evaluate", "-m", "env=arm_reach,arm_foo", "policy=x"], f"env=arm_foo: no such env; {ENVS}"),
    (["demo", *UNSCRIPTED], "has no scripted demonstrator"),
    (["demo", "method=bc"], "this one pre-trains"),
    (["demo", "learner.members=0"], "learner.members 0 must be at least 1"),
    (["demo", "episodes=0"], "episodes=0: expected a whole number of at least 1"),
    (["log"], "expected log info|verify|repair PATH"),
    (["log", "frob", "x"], "expected log info|verify|repair PATH"),
    (["log", "info"], "expected log info|verify|repair PATH"),
    (["log", "info", "x", "y"], "expected log info|verify|repair PATH"),
]


def named(case):
    return " ".join(case[0]) or "nothing"


@pytest.mark.parametrize(("arguments", "says"), USAGE, ids=map(named, USAGE))
def test_wrong_usage_is_refused(cli, tmp_path, arguments, says):
    assert_refused(cli(*arguments), 2, arguments[0] if arguments else "", says)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_device_is_refused(cli, tmp_path, policy):
    outcome = cli("finetune", REACH, f"policy={policy}", "learner.device=cuda")
    assert_refused(outcome, 2, "finetune", "learner.device=cuda: is not here; expected cpu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["env=dm_control", "env.domain=reachr", "env.task=easy"], "nearest: reacher/easy"),
        (["env=gymnasium", "env.id=FetchReech-v4"], "nearest: FetchReach-v4"),
        (["env=gymnasium", "env.id=CartPole-v1"], "has discrete actions; continuous ones are needed"),
    ],
)
def test_tasks_of_the_suites_are_refused_by_name(cli, tmp_path, policy, arguments, says):
    assert_refused(cli("evaluate", *arguments, f"policy={policy}"), 2, "evaluate", says)
    assert list(tmp_path.iterdir()) == []
