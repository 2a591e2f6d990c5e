import json
import re

import numpy as np
import pytest
from PIL import Image

from porl_robot.analysis.comparison import (
    Entry,
    improvement,
    improvement_interval,
    improvements,
    iqm,
    iqm_interval,
    table_rows,
)
from porl_robot.analysis.comparison_report import panels, write_comparison_html, write_comparison_png
from porl_robot.analysis.comparison_table import markdown, plain, table

# Two methods, two tasks, five runs each.
ONE = [np.array([0.98, 1.0, 0.99, 0.93, 0.67]), np.array([0.95, 0.98, 0.40, 0.99, 0.0])]
OTHER = [np.array([0.93, 0.67, 0.41, 0.99, 0.93]), np.array([0.99, 0.0, 0.99, 0.5, 0.7])]


def run(final=0.9, start=0.5, worst=0.4, to_90=3000, to_95=None, curve=(0.5, 0.7, 0.9)):
    return {
        "final_success": final,
        "final_return_mean": -10.0,
        "bc_success": start,
        "bc_return_mean": -40.0,
        "worst_after_unfreeze": worst,
        "steps_to_90": to_90,
        "steps_to_95": to_95,
        "cpu_s": 30.0,
        "curve": [
            {"env_steps": 1000 * index, "success": value, "episodes": 50, "return_mean": -40.0 + 10 * index}
            for index, value in enumerate(curve)
        ],
    }


def dense(final_return=-10.0):
    curve = (None, None, None)
    return run(None, None, -25.0, None, curve=curve) | {"final_return_mean": final_return}


def entry(method, *runs, env="arm_reach", planned=3):
    return Entry(env, method, "policy (bc)", runs, planned)


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        ([0.7], 0.7),
        ([0.0, 0.5, 1.0], 0.5),  # a quarter of three is less than one: nothing is cut
        ([0.0, 0.6, 0.8, 0.1], 0.35),
        ([0.0, 1.0, 0.2, 0.4, 0.6, 0.8, 0.0, 1.0], 0.5),
    ],
)
def test_the_interquartile_mean_cuts_a_quarter_at_either_end(scores, mean):
    assert iqm(scores) == pytest.approx(mean)


def test_figures_agree_with_rliable():
    # rliable 1.2.0: aggregate_iqm, probability_of_improvement, 20,000 resamples.
    assert iqm(np.concatenate(ONE)) == pytest.approx(0.916667, abs=1e-6)
    assert iqm(np.concatenate(OTHER)) == pytest.approx(0.786667, abs=1e-6)
    assert iqm_interval(ONE) == pytest.approx((0.66, 0.985), abs=0.02)
    assert iqm_interval(OTHER) == pytest.approx((0.53, 0.96), abs=0.02)
    assert improvement(ONE, OTHER) == pytest.approx(0.59)
    assert improvement_interval(ONE, OTHER) == pytest.approx((0.35, 0.83), abs=0.02)


def test_resampling_is_repeatable_and_stays_within_tasks():
    assert iqm_interval(ONE) == iqm_interval(ONE) != iqm_interval(ONE, seed=1)
    # Every run of a task is the same: nothing is left to chance, however far the tasks are apart.
    assert iqm_interval([np.zeros(3), np.ones(3)]) == (0.5, 0.5)


def test_ties_count_half_and_tasks_count_alike():
    assert improvement([np.ones(2)], [np.ones(3)]) == 0.5
    assert improvement([np.ones(1), np.zeros(9)], [np.zeros(2), np.ones(1)]) == 0.5


def test_a_row_says_what_its_runs_say():
    rows = table_rows(
        [entry("porl", run(1.0, 0.6, 0.3), run(0.8, 0.4, 0.5, None), run(0.9, 0.5, 0.4, 5000, 6000))], 100
    )
    (row,) = rows
    assert (row.measure, row.seeds, row.planned) == ("success", 3, 3)
    assert (row.start, row.worst) == pytest.approx((0.5, 0.4))
    assert row.dip == pytest.approx((0.3 + 0.0 + 0.1) / 3)
    assert (row.steps_to_90, row.reached_90, row.steps_to_95, row.reached_95) == (4000.0, 2, 6000.0, 1)
    # scipy.stats.binomtest(270, 300).proportion_ci(method="wilson")
    assert (row.final, row.final_low, row.final_high) == pytest.approx((0.9, 0.860834, 0.929052), abs=1e-6)
    assert (row.final_iqm, row.final_iqm_low, row.final_iqm_high) == pytest.approx((0.9, 0.8, 1.0))


def test_several_tasks_have_a_row_over_all_of_them():
    finals = {"arm_reach": ONE[0], "arm_lift": ONE[1]}
    entries = [entry("porl", *map(run, scores), env=env, planned=5) for env, scores in finals.items()]
    *_, over_all = table_rows(entries, 200)
    assert (over_all.env, over_all.seeds, over_all.planned, over_all.final) == ("all", 10, 10, None)
    assert over_all.final_iqm == pytest.approx(0.916667, abs=1e-6)
    assert (over_all.final_iqm_low, over_all.final_iqm_high) == iqm_interval(ONE)


def test_a_task_without_a_run_leaves_dashes():
    entries = [entry("porl", run()), entry("porl", env="arm_lift")]
    reach, lift, over_all = table(table_rows(entries, 50), (), ()).lines
    assert reach[3:5] == ("1/3", "0.50")
    assert lift == ("arm_lift", "porl", "policy (bc)", "0/3", *"--------")
    assert over_all[3] == "1/6" and over_all[4] == over_all[10] == "-"


def test_one_seed_has_no_bootstrap_interval():
    entries = [entry("porl", run()), entry("sac_naive", run())]
    assert table_rows(entries, 50)[0].final_iqm_low is None
    assert improvements(entries) == []


def test_a_start_that_was_not_given_is_not_said():
    (row,) = table_rows([entry("sac_scratch", run(start=None), run(start=None))], 50)
    assert row.start is None and row.dip is None and row.worst == 0.4


def test_dense_tasks_show_returns_and_stay_out_of_the_rows_over_all():
    entries = [
        entry("porl", run(), run()),
        entry("porl", run(), run(), env="arm_lift"),
        entry("porl", dense(), dense(-30.0), env="walker"),
    ]
    rows = table_rows(entries, 50)
    assert [row.env for row in rows] == ["arm_reach", "arm_lift", "walker", "all"]
    walker = rows[2]
    assert (walker.measure, walker.start, walker.final, walker.final_low) == ("return", -40.0, -20.0, None)
    assert table(rows, (), ()).lines[2][9:11] == ("-20.0", "-20.0 (-30.0 to -10.0)")
    assert rows[3].planned == 6


def test_every_method_is_held_against_the_first():
    entries = [
        entry(method, *map(run, scores), env=env)
        for env, one, other in zip(("arm_reach", "arm_lift"), OTHER, ONE, strict=True)
        for method, scores in (("porl", one), ("porl_anchored", other))
    ]
    (found,) = improvements(entries)
    assert (found.method, found.over) == ("porl_anchored", "porl")
    assert found.probability == pytest.approx(0.59)
    assert "A run of porl_anchored ends higher than one of porl with probability 0.59 (0." in plain(
        table([], [found], [])
    )


def test_markdown_and_plain_hold_the_same_cells():
    shown = table(
        table_rows([entry("porl", run(1.0), run(0.8)), entry("sac_naive", run(0.2))], 50), (), ("Two seeds.",)
    )
    lines = markdown(shown).splitlines()
    assert [cell.strip() for cell in lines[2].strip("|").split("|")] == list(shown.lines[0])
    assert lines[1].count("---") == lines[0].count(" | ") + 1
    assert "Two seeds.  " in lines
    heading, first, *_ = plain(shown).splitlines()
    assert re.split(r"  +", first) == list(shown.lines[0]) and heading.startswith("task")
    assert all(line == line.rstrip() for line in plain(shown).splitlines())


def test_curves_are_means_with_a_band_per_method():
    entries = [
        entry("porl", run(curve=(0.4, 0.6, 1.0)), run(curve=(0.6, 0.6, 0.8))),
        entry("sac_naive", run(curve=(0.4, 0.0, 0.2))),
        entry("porl", env="arm_lift"),
    ]
    (panel,) = panels(entries)
    first, other = panel.series
    assert (panel.title, first.label, first.x) == ("arm_reach", "porl", (0.0, 1000.0, 2000.0))
    assert first.y == pytest.approx((50.0, 60.0, 90.0))
    assert (first.low, first.high) == ((40.0, 60.0, 80.0), (60.0, 60.0, 100.0))
    assert other.low == () and other.colour != first.colour
    assert panel.level.label == "start 50 %"


def test_the_start_is_marked_where_all_begin_with_the_same():
    cloned, scratch = entry("porl", run(start=0.4)), Entry("arm_reach", "sac_scratch", "nothing", (run(start=None),), 1)
    other = Entry("arm_reach", "wsrl", "policy + critics (cal_ql)", (run(start=0.6),), 1)
    assert panels([cloned, scratch])[0].level.label == "start 40 %"
    assert panels([cloned, scratch, other])[0].level is None


def test_many_methods_are_drawn_without_bands_in_colours_of_their_own():
    (panel,) = panels([entry(f"method_{index}", run(), run()) for index in range(12)])
    assert len({series.colour for series in panel.series}) == 12
    assert not any(series.low for series in panel.series)


def test_dense_curves_are_returns():
    (panel,) = panels([entry("porl", dense())])
    assert panel.series[0].y == (-40.0, -30.0, -20.0)
    assert (panel.y_label, panel.y_range, panel.level.label) == ("mean return", None, "start -40.0")


@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_the_png_is_1200_wide(tmp_path, tasks):
    drawn = panels([entry("porl", run(), run(), env=f"task_{index}") for index in range(tasks)])
    write_comparison_png(tmp_path / "compare.png", drawn)
    with Image.open(tmp_path / "compare.png") as image:
        assert image.size == (1200, 850 if tasks > 2 else 450)
        assert len(image.convert("L").getcolors()) > 10


def test_the_page_needs_no_network_and_holds_table_and_curves(tmp_path):
    entries = [entry("porl", run(), run()), entry("porl", run(), run(), env="arm_lift")]
    shown = table(table_rows(entries, 50), improvements(entries), ("a < b",))
    write_comparison_html(tmp_path / "compare.html", panels(entries), shown, "steps: 1\n")
    page = (tmp_path / "compare.html").read_text()
    tags = re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", page)
    assert not [tag for tag in tags if re.search(r"(?:src|href)\s*=", tag)]
    assert page.count("Plotly.newPlot(") >= 2 and page.endswith("</html>\n")
    assert page.count("<tr>") == 1 + len(shown.lines)
    assert "<td>porl</td>" in page and "<p>a &lt; b</p>" in page and "<pre>steps: 1\n</pre>" in page
    assert all(f'"text":"{env}"' in page or json.dumps(env) in page for env in ("arm_reach", "arm_lift"))


def test_a_page_without_curves_has_the_table(tmp_path):
    write_comparison_html(tmp_path / "compare.html", [], table([], (), ()), "")
    assert "Learning curves" not in (tmp_path / "compare.html").read_text()
