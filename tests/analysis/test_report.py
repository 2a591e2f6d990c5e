import json
import re

import pytest
from PIL import Image

from porl_robot.analysis.report import read_metrics, write_report
from porl_robot.analysis.report_html import figures
from porl_robot.analysis.report_panels import Phase, content


def summary(**changes):
    curve = [
        {"env_steps": steps, "success": success, "episodes": 20, "return_mean": -40.0 + steps / 100}
        for steps, success in ((0, 0.5), (1000, 0.45), (2000, 0.7), (3000, 0.95))
    ]
    return {
        "method": "porl",
        "env": "arm_push",
        "seed": 1,
        "env_steps": 3000,
        "critic_updates": 6000,
        "actor_updates": 3000,
        "updates_per_step": 2.0,
        "bc_success": 0.5,
        "bc_success_sampled": 0.4,
        "bc_return_mean": -40.0,
        "curve": curve,
        "unfreeze_step": 1000,
        "worst_after_unfreeze": 0.825,
        "steps_to_90": 3000,
        "steps_to_95": None,
        "final_success": 0.95,
        "final_success_low": 0.764,
        "final_success_high": 0.991,
        "final_return_mean": -10.0,
        "interventions": {"rate": 30},
        "wall_s": 100.0,
        "cpu_s": 80.0,
        "cpu_s_eval": 15.0,
        "stopped_because": None,
        "initialised": ["critic"],
        **changes,
    }


def dense():
    curve = [{**point, "success": None} for point in summary()["curve"]]
    rates = ("bc_success", "bc_success_sampled", "final_success", "final_success_low", "final_success_high")
    return summary(curve=curve, worst_after_unfreeze=-25.0, **dict.fromkeys(rates))


def rows():
    return [
        {
            "env_steps": step,
            "phase": "pre_sample" if step < 1000 else "online",
            "train_success": 0.5,
            "q_mean": None if step < 1000 else -20.0,
            "q_std": 1.5,
            "target_mean": float("nan") if step < 1000 else -19.0,
            "entropy": -3.0,
            "log_std_mean": -1.2,
            "alpha": 0.01,
            "updates_per_step": 2.0,
            "interventions": {"rate": step // 100, "position": 0},
            "anchor_distance": step * 1e-5,
        }
        for step in range(0, 3001, 250)
    ]


def titles(panels):
    return [panel.title for panel in panels]


@pytest.mark.parametrize(("made", "metrics"), [(summary(), rows()), (dense(), rows()), (summary(), [])])
def test_both_files_are_made_and_the_png_is_1200_wide(made, metrics, tmp_path):
    write_report(tmp_path, made, metrics)
    with Image.open(tmp_path / "report.png") as image:
        assert image.width == 1200
        assert image.height >= 390
        assert len(image.convert("L").getcolors()) > 10
    assert (tmp_path / "report.html").read_text().endswith("</html>\n")


def test_the_page_needs_no_network(tmp_path):
    write_report(tmp_path, summary(), rows())
    page = (tmp_path / "report.html").read_text()
    tags = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", page)
    assert not [tag for tag in tags if re.search(r"(?:src|href)\s*=", tag)]
    assert not re.search(r"@import|url\(\s*['\"]?https?:", page)
    assert page.count("Plotly.newPlot(") >= 8


def test_the_page_shows_figures_config_and_reason_escaped(tmp_path):
    (tmp_path / "config.yaml").write_text("env: <arm>\n")
    write_report(tmp_path, summary(stopped_because="1 < 3 successes"), rows())
    page = (tmp_path / "report.html").read_text()
    assert "<pre>env: &lt;arm&gt;\n</pre>" in page
    assert "Stopped early: 1 &lt; 3 successes" in page
    assert "<th>Final success</th><td>95.0 % (95 %: 76.4 to 99.1)</td>" in page


def test_no_config_no_block(tmp_path):
    write_report(tmp_path, summary(), [])
    page = (tmp_path / "report.html").read_text()
    assert "<details>" not in page
    assert "Stopped early" not in page


def test_figures_are_readable():
    shown = dict(figures(summary()))
    assert shown["Worst success after unfreezing"] == "82.5 %"
    assert shown["Steps to 90 %"] == "3,000"
    assert shown["Steps to 95 %"] == "n/a"
    assert shown["Processor time"] == "80 s, evaluation 15 s"
    assert dict(figures(dense()))["Final return"] == "-10.00"


def test_a_curve_of_rates_has_intervals_and_a_start_level():
    panel = content(summary(), rows()).curve
    (line,) = panel.series
    assert line.y == (50.0, 45.0, 70.0, 95.0)
    assert all(low < y < high for low, y, high in zip(line.low, line.y, line.high, strict=True))
    assert (panel.level.label, panel.level.y) == ("start 50 %", 50.0)


def test_a_dense_curve_shows_returns():
    panel = content(dense(), rows()).curve
    assert panel.title == "Evaluation return"
    assert panel.series[0].y == (-40.0, -30.0, -20.0, -10.0)
    assert panel.series[0].low == ()
    assert panel.level.label == "start -40.0"


def test_panels_without_data_are_left_out():
    everything = titles(content(summary(), rows()).panels)
    assert len(everything) == 7
    bare = [{"env_steps": 0, "alpha": 0.1}, {"alpha": 0.2}, {"env_steps": 5, "entropy": None}]
    assert titles(content(summary(), bare).panels) == ["Entropy temperature"]
    assert content(summary(), []).panels == ()


def test_gaps_are_skipped_and_the_ensemble_has_a_band():
    values = next(p for p in content(summary(), rows()).panels if p.title == "Value estimate")
    q, target = values.series
    assert q.x[0] == 1000.0
    assert (q.low[0], q.y[0], q.high[0]) == (-21.5, -20.0, -18.5)
    assert target.x[0] == 1000.0


@pytest.mark.parametrize(
    "metrics",
    [
        [{"env_steps": 1, "interventions": {"rate": 1, "box": 0}}, {"env_steps": 2, "interventions": {"rate": 3}}],
        [
            {"env_steps": 1, "interventions/rate": 1, "interventions/box": 0},
            {"env_steps": 2, "interventions/rate": 3},
        ],
    ],
)
def test_interventions_nested_or_flat(metrics):
    (panel,) = content(summary(), metrics).panels
    lines = {line.label: (line.x, line.y) for line in panel.series}
    assert lines == {"rate": ((1.0, 2.0), (1.0, 3.0)), "box": ((1.0,), (0.0,))}


def test_phases_follow_each_other_and_instant_ones_vanish():
    metrics = [
        {"env_steps": 50, "phase": "pre_sample"},
        {"env_steps": 1000, "phase": "fit"},
        {"env_steps": 1000, "phase": "fit"},
        {"env_steps": 1000, "phase": "online"},
        {"env_steps": 2000, "phase": "cool_down"},
    ]
    phases = content(summary(), metrics).phases
    assert [(p.label.split(":")[0], p.start, p.end) for p in phases] == [
        ("pre-sample", 0.0, 1000.0),
        ("online learning", 1000.0, 2000.0),
        ("cool_down", 2000.0, 3000.0),
    ]
    assert all(isinstance(phase, Phase) for phase in phases)


def test_metrics_are_read_up_to_a_torn_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    assert read_metrics(path) == []
    path.write_bytes(json.dumps({"env_steps": 1}).encode() + b"\n" + '{"phase": "é'.encode()[:-1])
    assert read_metrics(path) == [{"env_steps": 1}]
