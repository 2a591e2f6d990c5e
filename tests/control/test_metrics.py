"""The read-outs of a run, also of one that was cut in the middle of a line."""

import json

from porl_robot.control.metrics import EVENTS, FILE, MetricsLog


def rows(out):
    return [json.loads(line) for line in (out / FILE).read_text().splitlines()]


def test_rows_are_flat_and_on_the_disk_at_once(tmp_path):
    with MetricsLog(tmp_path) as metrics:
        metrics.write(250, "online", {"q_mean": -3.0, "interventions/rate": 2.0})
        assert rows(tmp_path) == [{"env_steps": 250, "phase": "online", "q_mean": -3.0, "interventions/rate": 2.0}]
    assert list((tmp_path / EVENTS).glob("events.out.tfevents.*"))


def test_a_resumed_run_appends(tmp_path):
    for step in (1, 2):
        with MetricsLog(tmp_path) as metrics:
            metrics.write(step, "online", {})
    assert [row["env_steps"] for row in rows(tmp_path)] == [1, 2]


def test_a_line_that_a_crash_cut_is_dropped(tmp_path):
    (tmp_path / FILE).write_text('{"env_steps": 1, "phase": "online"}\n{"env_steps": 2, "pha')
    with MetricsLog(tmp_path) as metrics:
        metrics.write(3, "online", {})
    assert [row["env_steps"] for row in rows(tmp_path)] == [1, 3]
