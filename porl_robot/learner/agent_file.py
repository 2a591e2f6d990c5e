"""What a run deploys, on disk: the policy, and where actor and frozen reference act together, what they choose by."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from porl_robot.errors import UserError
from porl_robot.files import replace_file
from porl_robot.learner.learner import Learner
from porl_robot.learner.networks_file import load_networks, save_networks
from porl_robot.methods.behaviours import Composite
from porl_robot.policy.checkpoint import load_policy, save_policy
from porl_robot.policy.inference import Agent, PolicyRunner
from porl_robot.policy.spec import Policy

BEHAVIOUR = "behaviour.json"
REFERENCE = "reference"
_UPDATED = "actor_updated"


def save_agent(policy: Policy, learner: Learner, folder: Path) -> None:
    """Writes `policy` and the learner's critics; for a composite, the reference and the rule as well.

    The rule says whether the actor was ever updated: until then another may act, see `Composite`.
    """
    behaviour = learner.method.behaviour
    if behaviour is not None:
        save_policy(learner.reference_policy, folder / REFERENCE)
        rule = {**asdict(behaviour), _UPDATED: learner.actor_updates > 0}
        replace_file(folder / BEHAVIOUR, json.dumps(rule).encode())
    save_networks(learner, folder)
    save_policy(policy, folder)


def load_agent(folder: Path) -> tuple[Policy, Agent]:
    """The policy in `folder`, and what acts with it.

    Raises:
        UserError: a file is missing or damaged.
    """
    policy = load_policy(folder)
    runner = PolicyRunner(policy)
    path = folder / BEHAVIOUR
    if not path.exists():
        return policy, runner
    try:
        rule = dict(json.loads(path.read_text()))
        updated = rule.pop(_UPDATED)
        behaviour = Composite(**rule)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"policy {folder}: {BEHAVIOUR} is not a rule for acting ({error})") from error
    except KeyError as error:
        raise UserError(f"policy {folder}: {BEHAVIOUR} has no {_UPDATED}") from error
    reference = PolicyRunner(load_policy(folder / REFERENCE))
    if not updated:
        return policy, behaviour.beginner(runner, reference)
    return policy, behaviour.agent(runner, reference, load_networks(folder, policy))
