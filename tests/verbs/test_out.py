"""Where a verb writes: a folder of its own, by whatever name, and never over a run."""

import shutil

import pytest

from .refusal import REACH, assert_refused, contents

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize("verb", ["collect", "pretrain", "evaluate", "finetune", "demo", "evaluate -m"])
def test_nothing_is_overwritten(cli, tmp_path, log, policy, tuned, verb):
    inputs = {"pretrain": [f"log={log}"], "evaluate": [f"policy={policy}"], "finetune": [f"policy={policy}"]}
    out = tmp_path / "out"
    holder = out / "1" if "-m" in verb else out
    for held in (log, policy, tuned):
        shutil.copytree(held, holder)
        before = contents(out)
        seeds = ["seed=1,2"] if "-m" in verb else []
        outcome = cli(*verb.split(), REACH, *inputs.get(verb.split()[0], []), *seeds, f"out={out}")
        assert_refused(outcome, 2, verb.split()[0], f"out={holder}: already holds a run")
        assert contents(out) == before
        shutil.rmtree(out)


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/none"])
def test_a_place_that_cannot_be_written_is_refused(cli, tmp_path, policy, place):
    (tmp_path / "file").write_text("mine")
    outcome = cli("evaluate", REACH, f"policy={policy}", "episodes=1", f"out={place}")
    assert_refused(outcome, 2, "evaluate", f"out={place}: cannot be written")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("value", ["", "null", "[1]"])
def test_out_has_to_be_a_name(cli, tmp_path, policy, value):
    assert_refused(cli("evaluate", REACH, f"policy={policy}", f"out={value}"), 2, "evaluate", "expected text")
    assert list(tmp_path.iterdir()) == []


def test_sweeps_write_to_one_folder(cli, tmp_path, policy):
    outcome = cli("evaluate", "-m", REACH, f"policy={policy}", "seed=1,2", "out=a,b")
    assert_refused(outcome, 2, "evaluate", "out=a,b: expected one folder")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["it's", "a=b", "a(b)", 'say "so"'])
def test_odd_names_are_refused_with_the_quotes_they_need(cli, tmp_path, policy, name):
    outcome = cli("evaluate", REACH, f"policy={policy}", f"out={name}")
    assert_refused(outcome, 2, "evaluate", "needs quotes within quotes")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["with space", "it's", "a=b (c), d"])
def test_odd_names_are_written_when_quoted(cli, tmp_path, policy, name):
    assert cli("evaluate", REACH, f"policy={policy}", "episodes=1", f'out="{name}"').code == 0
    assert (tmp_path / name / "summary.json").is_file()


def test_an_unknown_interpolation_is_told(cli, tmp_path, policy):
    outcome = cli("evaluate", REACH, f"policy={policy}", "out=${x}")
    assert_refused(outcome, 2, "evaluate", "out=${x}: Interpolation key 'x' not found")
    assert list(tmp_path.iterdir()) == []
