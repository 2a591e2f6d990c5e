"""What the YAML files compose, and what a composition refuses."""

import dataclasses
import functools

import pytest
from omegaconf import OmegaConf

from porl_robot.errors import UsageError
from porl_robot.learner.learner import LearnerConfig
from porl_robot.methods.actor_losses import SoftActorCritic
from porl_robot.methods.anchors import ModeDistance
from porl_robot.methods.explorers import SampleFromPolicy
from porl_robot.methods.heads import MinOfRandomSubset
from porl_robot.methods.method import REQUIREMENTS, ActorInit, CriticTraining, Method, Temperature
from porl_robot.methods.next_actions import Sampled
from porl_robot.methods.replay_plans import Uniform
from porl_robot.methods.schedules import Linear, Progress
from porl_robot.methods.targets import Bootstrap
from porl_robot.methods.warm_up import Evidence, Fit, WarmUp
from porl_robot.paths import data_dir
from porl_robot.policy.cloning import CloningConfig
from porl_robot.verbs.build import make_learner_config, make_method, make_pretraining
from porl_robot.verbs.compose import load

CLONING = {"bc", "coil"}
METHODS = sorted({path.stem for path in (data_dir("configs") / "method").glob("*.yaml")} - CLONING)


@functools.cache
def composed(*overrides):
    return load("finetune", ["env=arm_reach", *overrides])


def config_of(*groups, **nested):
    """Composing costs much more than changing a value below a group, so that only groups are composed."""
    config = composed(*groups).copy()
    for key, value in nested.items():
        OmegaConf.update(config, key.replace("__", "."), value)
    return config


def method(name="porl", **nested):
    return make_method(config_of(f"method={name}", **{f"method__{key}": value for key, value in nested.items()}))


@pytest.mark.parametrize("name", METHODS)
def test_every_method_composes(name):
    made = method(name)
    assert isinstance(made, Method)
    assert made.name == name, "a log would name another method"
    assert set(made.requires) <= set(REQUIREMENTS)
    assert "policy" in made.requires or made.actor.source == "random", "nothing to take the actor from"
    assert "policy" in made.requires or made.behaviour is None, "nothing to act beside"
    assert ("critics" in made.requires) == (made.critic.source == "checkpoint")
    assert "policy" in made.requires or "critics" not in made.requires, "critics lie beside a policy"
    assert made.temperature.initial is not None or made.critic.source == "checkpoint"
    assert made.pretraining in {*METHODS, *CLONING}
    for field in dataclasses.fields(made):
        assert not isinstance(getattr(made, field.name), dict), f"{field.name} has no _target_"


def test_porl_keeps_the_policy_and_fits_a_critic_before_it_trains():
    porl = method("porl")
    assert porl.warm_up == WarmUp(2000, False, Fit(4000, 1e-3, 0.02), Evidence(3, 3, 0.2, 10))
    assert porl.actor_loss == SoftActorCritic("mean", None)
    assert porl.explorer == SampleFromPolicy(0)
    assert porl.target == Bootstrap(0.97, Sampled(1), MinOfRandomSubset(2), entropy_backup=False, n_step=1)
    assert porl.critic == CriticTraining(3e-4, 0.01, "random", None)
    assert (porl.replay, porl.behaviour) == (Uniform(), None)
    assert tuple(porl.requires) == ("policy",)
    assert method("porl_anchored") == make_method(composed()), "the default"


def test_anchored_porl_differs_in_what_it_says():
    porl, anchored = method("porl"), method("porl_anchored")
    changes = {
        "name": "porl_anchored",
        "actor": dataclasses.replace(porl.actor, initial_std=0.2, least_std=0.1),
        "critic": dataclasses.replace(porl.critic, learning_rate=1e-3, tau=0.02),
        "actor_loss": SoftActorCritic("mean", ModeDistance(Linear(0.02, 0.5, 3000))),
        "warm_up": dataclasses.replace(porl.warm_up, noise=(1.0, 0.5)),
    }
    assert anchored == dataclasses.replace(porl, **changes)


@pytest.mark.parametrize(("own", "std"), [(None, 0.2), (0.5, 0.2), (0.15, 0.15), (0.03, 0.1)])
def test_anchored_porl_explores_no_more_than_the_training_data_varied(own, std):
    anchored = method("porl_anchored")
    suited = anchored.suited_to(own)
    assert suited.actor.initial_std == std
    radii = [suited.actor_loss.anchor.radius(Progress(step)) for step in (0, 3000)]
    assert radii == pytest.approx([0.1 * std, 2.5 * std])
    rest = {"actor": anchored.actor, "actor_loss": anchored.actor_loss}
    assert dataclasses.replace(suited, **rest) == anchored
    assert (suited == anchored) == (std == 0.2)


def test_other_methods_suit_every_policy():
    for name in ("porl", "ibrl", "pex", "jsrl", "q2rl"):
        assert method(name).suited_to(0.03) == method(name)


def test_long_tasks_take_longer_to_begin():
    config = load("finetune", ["env=robosuite_square", "method=porl_anchored"])
    made = make_method(config)
    assert (made.target.discount, made.warm_up.steps) == (0.99, 5000)
    assert made.actor_loss.anchor.radius == Linear(0.02, 0.5, 10_000)


def test_naive_sac_differs_in_its_warm_up_only():
    porl, naive = method("porl"), method("sac_naive")
    assert naive == dataclasses.replace(porl, name="sac_naive", warm_up=WarmUp(200, True))


def test_sac_from_scratch_needs_no_policy():
    scratch = method("sac_scratch")
    assert tuple(scratch.requires) == ()
    assert scratch.actor == ActorInit("random", None, 3e-4)
    assert scratch.explorer == SampleFromPolicy(1000)
    assert scratch.warm_up == WarmUp(1000, False)


def test_cloning_composes():
    assert make_pretraining(load("pretrain", ["env=arm_reach", "log=x"])) == CloningConfig(hidden=[128, 128])


@pytest.mark.parametrize(("name", "members", "batch"), [("small", 10, 64), ("large", 10, 256)])
def test_learners_compose(name, members, batch):
    made = make_learner_config(config_of(f"learner={name}", learner__threads=1))
    assert isinstance(made, LearnerConfig)
    assert (made.members, made.batch_size, made.lag) == (members, batch, 1)


def test_nested_keys_reach_their_part():
    nested = ["method.actor_loss.anchor.radius.end=0.4", "method.warm_up.fit.updates=10"]
    made = make_method(composed("method=porl_anchored", *nested))
    assert made.actor_loss.anchor.radius(Progress(10**6)) == 0.4
    assert made.warm_up.fit.updates == 10


def refused(function, *named):
    """The refusal is one line and holds all of `named`."""
    with pytest.raises(UsageError) as caught:
        function()
    message = str(caught.value)
    assert "\n" not in message
    for name in named:
        assert name in message


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("target.heads.size", 0, "size"),
        ("target.discount", 1.0, "discount"),
        ("actor.source", "thin_air", "source"),
        ("actor_loss.value", "median", "value"),
        ("temperature.initial", 0.0, "initial"),
        ("warm_up.steps", -5, "steps"),
        ("critic.tau", 1.5, "tau"),
        ("critic.learning_rate", -1.0, "learning_rate"),
        ("actor.learning_rate", -1.0, "learning_rate"),
        ("actor.initial_std", 5.0, "initial_std"),
        ("actor.initial_std", 0.0, "initial_std"),
        ("actor.least_std", 0.4, "least_std"),
        ("actor.least_std", 0.0, "least_std"),
    ],
)
def test_value_out_of_range_is_refused(key, value, named):
    refused(lambda: method(**{key: value}), named, str(value))


def test_pre_training_is_no_fine_tuning():
    refused(lambda: method("bc"), "pre-trains", "porl")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("members", 0),
        ("batch_size", 0),
        ("updates_per_step", 0),
        ("threads", 0),
        ("lag", -1),
        ("backend", "jax"),
        ("device", "tpu"),
        ("hidden", []),
        ("hidden", [64, 0]),
    ],
)
def test_learner_value_out_of_range_is_refused(key, value):
    refused(lambda: make_learner_config(config_of("learner=small", **{f"learner__{key}": value})), key)


@pytest.mark.parametrize("initial", [0.0, -1.0, float("nan")])
def test_temperature_has_a_logarithm(initial):
    with pytest.raises(ValueError, match=r"temperature\.initial"):
        Temperature(initial, 3e-4, None)
