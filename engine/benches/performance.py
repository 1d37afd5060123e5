"""The page of speed: one section for each JSON file of a bench, and a figure of how cost grows."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.benches.scaling import scaling_figure
from engine.data.staging import staged_file
from engine.errors import InvalidInput

FIGURE = Path("images/performance/scaling.svg")

HEAD = """# Speed and scale

Drawn by `gazecheck bench performance` from the JSON files that the commands below wrote; nothing here is typed by
hand. Ratios compare what was measured in turns in one process on one machine. *Extrapolated* figures lie beyond
the largest size that was measured. What is meant to scale, and how, is said on [scale.md](scale.md).

    pip install 'gazecheck[bench,ray]'
    gazecheck bench attention --model resnet50 --json var/bench/attention.json
    gazecheck bench precision --data stampbirds --json var/bench/precision.json
    gazecheck bench inversion --json var/bench/inversion.json
    gazecheck bench spreading --json var/bench/spreading.json
    gazecheck bench space --json var/bench/space.json
    gazecheck bench pipeline --sizes 20000,200000 --folder var/bench/made --json var/bench/pipeline.json
    gazecheck bench scaling --folder var/bench/made --json var/bench/scaling.json
    OMP_NUM_THREADS=1 gazecheck bench ray --folder var/bench/made --json var/bench/ray.json
    manage.py bench_site --json var/bench/site.json
    gazecheck bench performance var/bench/*.json
"""
NOTHING = "No figures have been taken yet."

Row = Sequence[object]


def write_page(files: Sequence[Path], out: Path) -> list[Path]:
    """Draw the page and its figure.

    Args:
        files: JSON files of benches, in any order; without any the page names the commands alone.
        out: The page; the figure goes to `images/performance` beside it.

    Returns:
        What was written, the page first.

    Raises:
        InvalidInput: A file is missing or is no such bench's.
    """
    reports = sorted((_read(path) for path in files), key=_place)
    written = [out]
    parts = [HEAD, *(_section(report) for report in reports)] if reports else [HEAD, NOTHING]
    for report in reports:
        if report["bench"] == "scaling":
            figure = out.parent / FIGURE
            figure.parent.mkdir(parents=True, exist_ok=True)
            figure.write_text(scaling_figure(report), encoding="utf-8")
            written.append(figure)
    with staged_file(out) as staging:
        staging.write_text("\n".join(part.rstrip() + "\n" for part in parts), encoding="utf-8")
    return written


def _read(path: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = report["bench"] in _SECTIONS
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} is no JSON file of a bench ({error}); give what --json of gazecheck bench wrote"
        ) from error
    if not known:
        raise InvalidInput(
            f"{path} is of the bench {report['bench']!r}, which this page does not show; it shows "
            f"{', '.join(_SECTIONS)}"
        )
    return report


def _place(report: Mapping[str, Any]) -> tuple[int, str]:
    return list(_SECTIONS).index(report["bench"]), str(report.get("architecture", ""))


def _section(report: Mapping[str, Any]) -> str:
    title, tell = _SECTIONS[report["bench"]]
    machine = report["machine"]
    torch = f", torch {machine['torch']}" if "torch" in machine else ""
    made = f"`{report['command']}` on {machine['processor']}; Python {machine['python']}{torch}."
    return f"## {title(report)}\n\n{tell(report)}\n\n{made}\n"


def _table(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _attention(report: Mapping[str, Any]) -> str:
    speeds = [
        (name, "not installed" if speed is None else f"{speed:.1f}")
        for name, speed in report["images_per_second"].items()
    ]
    ratios = [
        (name.removeprefix("ratio_").replace("_", " "), f"{value:.2f}")
        for name, value in report.items()
        if name.startswith("ratio_") and value is not None
    ]
    about = (
        f"{report['size']} px, batch {report['batch']}, {report['threads']} threads, medians of "
        f"{report['rounds']} turns, ratios those of the turns' own; end to end in {report['end_to_end_precision']}."
    )
    return "\n\n".join(
        [about, _table(("", "images a second"), speeds), _table(("ours", "ratio"), ratios)]
    )


def _precision(report: Mapping[str, Any]) -> str:
    formats = list(report["against_given"])
    names = list(report["against_given"][formats[0]])
    rows: list[Row] = [("accuracy", *(report["accuracy"][each] for each in formats))]
    for name in names:
        figures = (report["against_given"][each][name] for each in formats)
        rows.append((name.replace("_", " "), *figures))
    about = (
        f"{report['images']:,} images of {report['data']} ({report['split']}), "
        f"{report['architecture']}, against the network as given in fp32, whose accuracy is "
        f"{report['accuracy']['as given']}. Logits differ in units of their standard deviation."
    )
    return f"{about}\n\n{_table(('ours', *formats), rows)}"


def _inversion(report: Mapping[str, Any]) -> str:
    return (
        f"{report['slices']} pictures of {report['size']} px, {report['architecture']}, "
        f"{report['batch']} at once, {report['steps']} steps: {report['ratio']:.2f} times as long as "
        "as many bare passes forward and back through the network as given "
        f"({report['ratio_cpu']:.2f} in processor time); {report['ms_a_picture_and_step']:.0f} ms a "
        f"picture and step, {report['threads']} threads, median of turns."
    )


def _spreading(report: Mapping[str, Any]) -> str:
    shown = {
        name: value
        for name, value in report.items()
        if isinstance(value, int | float) and name not in ("n", "rounds")
    }
    rows = [(name.replace("_", " "), f"{value:.4g}") for name, value in shown.items()]
    return _table((f"{report['n']:,} points", ""), rows)


def _space(report: Mapping[str, Any]) -> str:
    rows = []
    for name, seconds in report["seconds"].items():
        trust = report["trustworthiness"].get(name)
        rows.append((name, f"{seconds:.2f}", "-" if trust is None else f"{trust['core']:.3f}"))
    text = _table(("", "seconds", "trustworthiness of the core half"), rows)
    large = report["large"]
    if not large:
        return text
    put_in = large["trustworthiness"]["core_put_in"]
    told = "" if put_in is None else f"; {put_in:.3f} on those put in alone"
    return (
        f"{report['n']:,} images, vectors of {report['dimension']}, both halves.\n\n{text}\n\n"
        f"{large['n']:,} images alone: {large['seconds']:.0f} s, peak {large['peak_mib']:.0f} MiB "
        f"with {large['vectors_mib']:.0f} MiB of vectors, {large['fitted']:,} fitted, "
        f"trustworthiness {large['trustworthiness']['core']:.3f}{told}."
    )


def _pipeline(report: Mapping[str, Any]) -> str:
    columns = [report["sizes"][str(n)] for n in report["images"]]
    rows: list[Row] = [
        (
            stage,
            *(f"{column['seconds_by_stage'][stage]:.1f}" for column in columns),
            "-" if growth is None else f"{growth:.2f}",
        )
        for stage, growth in report["growth_by_stage"].items()
    ]
    rows.append(("**whole run**", *(f"{c['seconds']:.0f}" for c in columns), report["growth"]))
    rows.append(("ms an image", *(f"{c['milliseconds_per_image']:.2f}" for c in columns), ""))
    rows.append(("peak MiB", *(f"{c['peak_mib']:.0f}" for c in columns), ""))
    head = ("seconds", *(f"{n:,} images" for n in report["images"]), "growth")
    about = (
        f"Made pictures of {report['side']} px, {report['architecture']} trained for "
        f"{report['epochs']} epoch(s), all other settings the defaults. *Growth* is the cost of an "
        "image at the largest size over that at the smallest."
    )
    return f"{about}\n\n{_table(head, rows)}"


_OF_SPACE = (
    "UMAP goes over up to 10,000 images 500 times and over more of them 200 times, so 10,000 cost "
    "nearly what 30,000 do; of more than 100,000 it is fitted on a part, which the extrapolation "
    "does not know."
)


def _scaling(report: Mapping[str, Any]) -> str:
    target = f"{report['target']:,}"
    rows = []
    for part, figures in report["parts"].items():
        beyond = figures["extrapolated"].get(str(report["target"]))
        rows.append(
            (
                part,
                *(f"{seconds:.2f}" for seconds in figures["seconds"].values()),
                f"n^{figures['exponent']:.2f}",
                "measured" if beyond is None else f"{beyond:.0f} (extrapolated)",
                f"{max(figures['peak_mib'].values()):.0f}",
            )
        )
    sizes = [f"{n:,}" for n in report["images"]]
    head = ("seconds", *sizes, "grows as", f"at {target}", "peak MiB")
    note = f"\n\n{_OF_SPACE}" if "space" in report["parts"] else ""
    return (
        f"{_table(head, rows)}{note}\n\n![Cost against the number of images]({FIGURE.as_posix()})"
    )


def _ray(report: Mapping[str, Any]) -> str:
    rows = [
        (name.replace("_", " "), f"{value:.3g}" if isinstance(value, float) else value)
        for name, value in report["figures"].items()
    ]
    return _table((f"{report['images']:,} images", ""), rows)


def _site(report: Mapping[str, Any]) -> str:
    rows = [
        (page, figures["queries"], f"{figures['median_ms']:.0f}", f"{figures['p95_ms']:.0f}")
        for page, figures in report["pages"].items()
    ]
    about = (
        f"{report['images']:,} images, {report['answers']:,} answers, {report['database']}; server "
        f"time of {report['rounds']} turns. On PostgreSQL `next` and `answer` send their statements "
        "together, past the counter of queries."
    )
    return f"{about}\n\n{_table(('page', 'queries', 'median ms', 'p95 ms'), rows)}"


_SECTIONS: Mapping[
    str, tuple[Callable[[Mapping[str, Any]], str], Callable[[Mapping[str, Any]], str]]
] = {
    "attention": (lambda r: f"One pass with attention: {r['architecture']}", _attention),
    "precision": (lambda _r: "What the fast formats change", _precision),
    "inversion": (lambda _r: "Pictures of slices", _inversion),
    "spreading": (lambda _r: "Spreading answers", _spreading),
    "space": (lambda _r: "The attention space", _space),
    "pipeline": (lambda _r: "A whole run", _pipeline),
    "scaling": (lambda _r: "How cost grows", _scaling),
    "ray": (lambda _r: "Extraction on Ray", _ray),
    "site": (lambda _r: "A large project on the site", _site),
}
