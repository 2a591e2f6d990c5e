"""The report of a fine-tuning run: `report.png` and `report.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from porl_robot.analysis.report_html import write_html
from porl_robot.analysis.report_panels import Row, content
from porl_robot.analysis.report_png import write_png


def write_report(out_dir: Path, summary: Mapping[str, Any], metrics: Sequence[Row]) -> None:
    """Writes `report.png` and `report.html` into `out_dir`.

    Args:
        summary: of a finetune run, as in `summary.json`.
        metrics: the rows of its `metrics.jsonl`; a panel whose keys are missing is left out. A `config.yaml` in
            `out_dir` is shown in the page.
    """
    shown = content(summary, metrics)
    config_file = out_dir / "config.yaml"
    config = config_file.read_text(encoding="utf-8") if config_file.is_file() else None
    write_png(out_dir / "report.png", shown)
    write_html(out_dir / "report.html", shown, summary, config)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl`; none where there is no file. A last line cut short by a crash is dropped."""
    if not path.is_file():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines() if line]
