"""What an interrupt leaves: whatever was kept, and no folder in the way where nothing was."""

import pytest

import sim.arm_env
from porl_robot.replay.log import read_log
from porl_robot.replay.verify import verify_log
from porl_robot.replay.writer import LogError, LogWriter
from porl_robot.verbs import evaluate, pretrain

from .refusal import REACH, assert_refused


@pytest.fixture
def interrupted_at(monkeypatch):
    """Interrupts at the n-th observation of an env, counted over all."""

    def arrange(count):
        observe, seen = sim.arm_env.ArmEnv._observe, []

        def counted(env):
            seen.append(None)
            if len(seen) == count:
                raise KeyboardInterrupt
            return observe(env)

        monkeypatch.setattr(sim.arm_env.ArmEnv, "_observe", counted)

    return arrange


def test_collect_keeps_its_episodes_and_says_so(cli, tmp_path, interrupted_at):
    out = tmp_path / "out"
    interrupted_at(200)
    outcome = cli("collect", REACH, "episodes=50", f"out={out}")
    kept = int(outcome.out.split(" episodes were kept")[0].split()[-1])
    assert outcome.code == 1 and outcome.err == "porl-robot collect: interrupted\n"
    assert f"{kept} episodes were kept: log={out}\n" in outcome.out
    assert 0 < kept <= read_log(out).episodes <= kept + 1
    assert verify_log(out) == [] and not (out / "summary.json").exists()


def test_collect_that_recorded_nothing_can_be_repeated(cli, tmp_path, interrupted_at, monkeypatch):
    """Through a link to somewhere else, which stays."""
    (tmp_path / "elsewhere").mkdir()
    out = tmp_path / "out"
    out.symlink_to(tmp_path / "elsewhere")
    interrupted_at(1)
    outcome = cli("collect", REACH, "episodes=1", f"out={out}")
    assert outcome.code == 1 and outcome.err == "porl-robot collect: interrupted\n"
    assert out.is_symlink() and not any(out.iterdir())
    monkeypatch.undo()
    assert cli("collect", REACH, "episodes=1", f"out={out}").code == 0


@pytest.mark.parametrize("verb", ["pretrain", "evaluate"])
def test_a_verb_that_made_nothing_leaves_nothing_in_the_way(cli, tmp_path, monkeypatch, log, policy, verb):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(*((pretrain, "clone") if verb == "pretrain" else (evaluate, "evaluate")), interrupt)
    given = f"log={log}" if verb == "pretrain" else f"policy={policy}"
    outcome = cli(verb, REACH, given, f"out={tmp_path / 'out'}")
    assert outcome.code == 1 and outcome.err == f"porl-robot {verb}: interrupted\n"
    assert not any((tmp_path / "out").iterdir())


def test_a_log_that_is_being_written_is_not_called_damaged(cli, tmp_path, log):
    with LogWriter.create(tmp_path / "run", read_log(log).spec):
        says = f"{tmp_path / 'run'}: the log is being written; verify it once its run has ended"
        assert_refused(cli("log", "verify", str(tmp_path / "run")), 1, "log", says)
    assert verify_log(tmp_path / "run") == []
    assert_refused(cli("log", "info", str(log / "log.zarr")), 1, "log", f"give the folder it is in, {log}")


def test_a_log_that_cannot_be_written_any_more_says_how_to_go_on(cli, tmp_path, policy, tiny, monkeypatch):
    append, out = LogWriter.append, tmp_path / "out"

    def full(log, record):
        if log.episodes > 2:
            raise LogError(f"{out}: the log can no longer be written (no space left)")
        append(log, record)

    monkeypatch.setattr(LogWriter, "append", full)
    outcome = cli("finetune", REACH, f"policy={policy}", *tiny, f"out={out}")
    assert outcome.code == 1 and "the log can no longer be written" in outcome.err
    assert f"to go on once it can be written again: porl-robot finetune resume={out}" in outcome.out
    monkeypatch.undo()
    assert cli("finetune", f"resume={out}").code == 0
