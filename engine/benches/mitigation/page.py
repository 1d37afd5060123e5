"""The page of results: tables and figures drawn from the JSON files of benches.

What only a person can write, which sets the answers pay on and what did not work, stands in a
file of its own beside the page and is laid into it, so that drawing the page again loses nothing.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.artifacts.recipe import canonical_json
from engine.benches.mitigation.page_figures import figures_of
from engine.benches.mitigation.page_tables import counted, tables_of
from engine.errors import InvalidInput

NOTES_FILE = "results_notes.md"
FIGURES = Path("images/results")
FIRST_NOTES = ("Where do the answers pay?",)
"""Sections of the notes that stand before the tables; the others follow them."""
ORDER = ("stampbirds", "stampbirds-full", "solar", "shapes4", "patch", "noisy")

HEAD = """# Figures

Drawn by `gazecheck bench results` from the JSON files that the commands below wrote. Accuracies are on the test
split. A *seed* redraws the attention space, the queries, the answers, the clusters and the subset; the classifier
under study and its features are those of seed 0 throughout. ± is the sample deviation over seeds; intervals are
95 % of a bootstrap that draws seeds and test objects together, and differences are paired: the same seeds and
the same draws on both sides. Every route chooses its regularisation, and SLIM its rule of screening, by the plain average of the validation split.
Answers are simulated from the data's true regions.
"""


def write_page(files: Sequence[Path], out: Path) -> list[Path]:
    """Draw the page and its figures.

    Args:
        files: JSON files of `gazecheck bench mitigation`.
        out: The page; its figures go to `images/results` beside it, and its notes are read from
            `results_notes.md` beside it.

    Returns:
        What was written, the page first.

    Raises:
        InvalidInput: A file is missing or is not such a report.
    """
    reports = sorted((_read(path) for path in files), key=_place)
    notes = read_notes(out.with_name(NOTES_FILE))
    drawn: dict[str, str] = {}
    parts = [HEAD, _settings(reports)]
    parts += [f"## {title}\n\n{notes[title]}" for title in FIRST_NOTES if title in notes]
    for report in reports:
        figures = figures_of(report)
        drawn |= {name: svg for name, (svg, _) in figures.items()}
        links = {
            kind: f"![{text}]({FIGURES.as_posix()}/{name})"
            for name, (_, text) in figures.items()
            for kind in [name.removesuffix(".svg").rpartition("-")[2]]
        }
        parts.append(section(report, links))
    parts += [f"## {title}\n\n{text}" for title, text in notes.items() if title not in FIRST_NOTES]
    folder = out.parent / FIGURES
    folder.mkdir(parents=True, exist_ok=True)
    for name, svg in drawn.items():
        (folder / name).write_text(svg, encoding="utf-8")
    out.write_text("\n\n".join(part.strip() for part in parts if part) + "\n", encoding="utf-8")
    return [out, *(folder / name for name in drawn)]


def _read(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read as JSON: {error}") from error
    if report.get("bench") != "mitigation":
        raise InvalidInput(f"{path} is not a report of `gazecheck bench mitigation`")
    return report


def _place(report: Mapping[str, Any]) -> tuple[int, str, str]:
    name = str(report["data"])
    known = ORDER.index(name) if name in ORDER else len(ORDER)
    return known, name, str(report["mode"] != "head")


def read_notes(path: Path) -> dict[str, str]:
    """Read the hand-written sections.

    Args:
        path: Markdown whose sections start with `## `; it may be missing.

    Returns:
        Title to text, in the file's order.
    """
    if not path.is_file():
        return {}
    sections: dict[str, str] = {}
    for chunk in f"\n{path.read_text(encoding='utf-8')}".split("\n## ")[1:]:
        title, _, text = chunk.partition("\n")
        sections[title.strip()] = text.strip()
    return sections


def _settings(reports: Sequence[Mapping[str, Any]]) -> str:
    """Say under which settings the figures were made, and whether they are the same for all."""
    if not reports:
        return ""
    lines = []
    by_hash: dict[str, list[str]] = {}
    for report in reports:
        label = f"{report['data']}, {report['mode']}"
        by_hash.setdefault(str(report["settings_hash"]), []).append(label)
    for digest, names in by_hash.items():
        lines.append(f"- Settings `{digest[:16]}`: {'; '.join(dict.fromkeys(names))}.")
    versions = {canonical_json(report["versions"]) for report in reports}
    told = reports[0]["versions"]
    listed = ", ".join(f"{name} {version}" for name, version in told.items())
    more = "" if len(versions) == 1 else " (the first report's; others differ)"
    return "\n".join([*lines, f"- Made with {listed}{more}."])


def section(report: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """Write one report's section.

    Args:
        report: A bench's report.
        links: Kind of figure to the Markdown that shows it.

    Returns:
        Markdown.
    """
    tuned = "" if report["mode"] == "head" else ", all layers trained"
    facts = (
        f"`{report['command']}`, preset `{report['preset']}`, {counted(len(report['seeds']), 'seed')}, "
        f"{report['seconds']:.0f} s. {report['annotated']} of {report['n_train']} training images "
        f"and {report['annotated_val']} of {report['n_val']} validation images were asked about; "
        f"the subset holds {report['subset_size']}. Test: {report['n_test']} images of "
        f"{report['n_test_objects']} objects, by {report['grouped_by']}."
    )
    parts = [f"## {report['data']}{tuned}", facts]
    for kind, title, text in tables_of(report):
        parts += [f"### {title}" if title else "", text, links.get(kind, "")]
    left_out = [f"- `{name}`: {why}" for name, why in report["not_reported"].items()]
    if left_out:
        parts.append("Not reported:\n\n" + "\n".join(left_out))
    return "\n\n".join(part for part in parts if part)
