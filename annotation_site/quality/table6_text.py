"""Table 6 as CSV and as LaTeX: safe in a spreadsheet, safe in a document."""

import io
from collections.abc import Sequence

from annotation_site.quality.table6 import ArmColumn, Figure, SixNumbers, rows_of
from engine.data.csv_text import csv_writer, guarded

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
}
ARMS = {"attention": "Attention correctness", "spuriousness": "Spuriousness"}


def csv_of(tables: tuple[SixNumbers, ...]) -> str:
    """Write one row a number, with interval, method and what it rests on."""
    rows = list(rows_of(tables))
    text = io.StringIO()
    writer = csv_writer(text)
    writer.writerow(rows[0])
    writer.writerows([_safe(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _safe(value: str | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return guarded(str(value))


def latex_of(tables: tuple[SixNumbers, ...], *, title: str) -> str:
    """Write the table as the paper prints it, plus intervals and what they rest on.

    Args:
        tables: As collected, and after exclusion where there is one.
        title: Of the caption; anything may be in it.
    """
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{escaped(title)}. Mean $\pm$ standard deviation over images; 95\,\% intervals in brackets.}}",
        r"  \begin{tabular}{llrrrr}",
        r"    \hline",
        r"    Exclusion & Task & Images & Annotators & Time (s) & Consistency (\%) \\",
        r"    \hline",
    ]
    for table in tables:
        name = escaped(table.name)
        lines += [f"    {name} & {_arm(arm)} \\\\" for arm in table.arms]
        ratio = _number(table.ratio, 1.0, 2)
        difference = _number(table.difference, 100.0, 1)
        lines += [
            f"    {name} & Ratio; difference & & & {ratio} & {difference} \\\\",
            r"    \hline",
        ]
    lines += [r"  \end{tabular}", rf"  % intervals: {escaped(_methods(tables))}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _arm(arm: ArmColumn) -> str:
    cells = (
        escaped(ARMS.get(arm.arm, arm.arm)),
        str(arm.n_images),
        str(arm.n_people),
        _number(arm.time, 1.0, 1),
        _number(arm.consistency, 100.0, 1),
    )
    return " & ".join(cells)


def _number(figure: Figure, scale: float, digits: int) -> str:
    found = figure.found
    if found.value is None:
        return "--"
    text = f"${scale * found.value:.{digits}f}$"
    if figure.deviation is not None:
        text = f"${scale * found.value:.{digits}f} \\pm {scale * figure.deviation:.{digits}f}$"
    if found.interval is None:
        return text
    low, high = (scale * end for end in found.interval)
    return f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


def _methods(tables: Sequence[SixNumbers]) -> str:
    methods: dict[str, None] = {}
    for table in tables:
        for arm in table.arms:
            methods |= {f"time: {arm.time.found.method}": None}
            methods |= {f"consistency: {arm.consistency.found.method}": None}
        methods |= {f"ratio: {table.ratio.found.method}": None}
        methods |= {f"difference: {table.difference.found.method}": None}
    return "; ".join(method for method in methods if not method.endswith(": "))


def escaped(text: str) -> str:
    """Write text so that LaTeX prints it, on one line."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
