"""What the program says of itself."""

from dataclasses import fields

import pytest

from porl_robot.cli import APPS, COMMANDS
from porl_robot.verbs.schema import SCHEMAS, groups


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_verb_is_listed(cli, flag):
    outcome = cli(flag)
    assert outcome.code == 0 and outcome.err == ""
    assert all(f"\n  {verb} " in outcome.out for verb in (*APPS, *COMMANDS))


@pytest.mark.parametrize("verb", APPS)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_verb_lists_its_keys_and_groups(cli, verb, flag):
    outcome = cli(verb, flag)
    assert outcome.code == 0 and outcome.err == ""
    assert all(f"\n  {each.name} " in outcome.out for each in fields(SCHEMAS[verb]))
    assert ("arm_reach, dm_control" in outcome.out) is ("env" in groups(verb))
    assert ("koch, light" in outcome.out) is ("robot" in groups(verb))


def test_help_needs_nothing_else(cli):
    assert cli("finetune", "env=nonsense", "--help").code == 0


def test_log_explains_itself(cli, capsys):
    with pytest.raises(SystemExit) as ended:
        cli("log", "--help")
    assert ended.value.code == 0
    assert "{info,verify,repair}" in capsys.readouterr().out
