"""A rehearsal's report as a table that can be read in a terminal."""

from collections.abc import Mapping
from typing import Any

WIDTH = 26


def table(found: Mapping[str, Any]) -> str:
    """Give the report in words and columns."""
    lines = [
        *_people(found),
        *_money(found),
        *_quality(found),
        *_curve(found),
        *_server(found),
    ]
    return "\n".join(lines)


def _row(name: str, text: str) -> str:
    return f"{name:<{WIDTH}}{text}"


def _people(found: Mapping[str, Any]) -> list[str]:
    people, answers, finish = found["people"], found["answers"], found["finish"]
    others = ", ".join(
        f"{n} {name.replace('_', ' ')}" for name, n in people.items() if name != "arrived"
    )
    lines = [
        "Rehearsal: what to expect of this round",
        _row("people", f"{people['arrived']} arrived: {others}"),
        _row(
            "answers",
            f"{answers['counted']} of {answers['wanted']} wanted ({answers['share']:.1%}), "
            f"{answers['items_complete']} of {answers['items']} images complete",
        ),
    ]
    marks = [
        f"{share} % after {finish[f'hours_{share}']:.2f} h"
        for share in (50, 90, 100)
        if finish[f"hours_{share}"] is not None
    ]
    text = ", ".join(marks) or "not half of the answers came"
    if not finish["complete"]:
        text += f"; about {finish['more_people']} more people are needed"
    return [*lines, _row("finish time", text)]


def _money(found: Mapping[str, Any]) -> list[str]:
    cost = found["cost"]
    lines = [
        _row(
            "cost", f"{cost['total']:.2f} at {cost['reward']:.2f} a sitting, fee {cost['fee']:.1%}"
        )
    ]
    if cost["per_usable_answer"] is not None:
        lines.append(_row("", f"{cost['per_usable_answer']:.4f} for each usable answer"))
    if cost["hourly_median"] is not None:
        lines.append(
            _row(
                "hourly pay",
                f"median {cost['hourly_median']:.2f}, slowest tenth {cost['hourly_p10']:.2f} "
                f"(a sitting takes {cost['median_minutes']:.1f} min)",
            )
        )
    return lines


def _quality(found: Mapping[str, Any]) -> list[str]:
    agreement, unusable = found["agreement"], found["unusable"]
    right = found["labels_right"]
    chance = agreement.get("consistency_by_chance")
    reasons = ", ".join(
        f"{name.replace('_', ' ')} {share:.1%}" for name, share in unusable["by_reason"].items()
    )
    flagged = ", ".join(
        f"{tally['flagged']} of {tally['people']} {kind.replace('_', ' ')}"
        for kind, tally in found["flagged"].items()
    )
    posterior = right["posterior"]
    return [
        _row(
            "consistency",
            _interval(agreement, "consistency")
            + (f", coin flips would give {chance:.3f}" if chance is not None else ""),
        ),
        _row("Krippendorff's alpha", _interval(agreement, "alpha")),
        _row(
            "labels right",
            f"majority {right['majority']:.1%}"
            + (f", annotators weighed {posterior:.1%}" if posterior is not None else ""),
        ),
        _row("unusable answers", f"{unusable['share']:.1%}: {reasons}"),
        _row("flagged as guessing", flagged or "nobody was judged"),
    ]


def _interval(agreement: Mapping[str, Any], name: str) -> str:
    value, interval = agreement[name], agreement[f"{name}_interval"]
    if value is None:
        return f"undefined: {agreement['reason']}"
    if interval is None:
        return f"{value:.3f}, no interval with so few annotators"
    return (
        f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}], width {interval[1] - interval[0]:.3f}"
    )


def _curve(found: Mapping[str, Any]) -> list[str]:
    bend = found["elbow"]
    if not bend:
        return []
    lines = [
        _row(
            "elbow",
            f"{bend['answers']:.0f} answers ({bend['per_item']:.1f} an image, {bend['hours']:.2f} h, "
            f"{bend['cost']:.2f}): {bend['right']:.1%} of all labels right, "
            f"{bend['right_after']:+.1%} after that",
        ),
        "",
        f"{'answers':>9}{'an image':>10}{'hours':>8}{'cost':>10}{'consistency':>13}{'width':>8}"
        f"{'alpha':>8}{'width':>8}{'right':>8}",
    ]
    for point in found["curve"]:
        mark = "  <- elbow" if point["answers"] == bend["answers"] else ""
        lines.append(
            f"{point['answers']:>9}{point['per_item']:>10.2f}{point['hours']:>8.2f}"
            f"{point['cost']:>10.2f}{_number(point['consistency']):>13}"
            f"{_number(point['consistency_width']):>8}{_number(point['alpha']):>8}"
            f"{_number(point['alpha_width']):>8}{point['right']:>8.1%}{mark}"
        )
    return [*lines, ""]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _server(found: Mapping[str, Any]) -> list[str]:
    server, behaviour = found["server"], found["behaviour"]
    faults = ", ".join(f"{n} {name}" for name, n in server["faults"].items())
    return [
        _row(
            "played",
            f"{server['acknowledged']} answers over HTTP in {server['seconds']:.0f} s, "
            f"{behaviour['reloads']} reloads, "
            f"{behaviour['answers_in_an_older_tab']} answers in an older tab",
        ),
        _row("the site", faults),
        *server["first_errors"],
    ]
