"""Rules by which answers and annotators may be left out: settled before the round opens.

A rule finds subjects with evidence; it excludes nobody by itself. All rules judge the answers as
collected, so what they find does not depend on what was left out before, nor on the order in
which they are applied. None of them has to do with pay.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from annotation_site.quality.columns import GOLD, Answers
from annotation_site.quality.memory import MOST_ROUNDS, Memory
from annotation_site.web.refusals import Refused
from engine.labeling.agreement import informedness
from engine.labeling.intervals import wilson_interval
from engine.labeling.timings import group_medians, log_fences

_Z95 = 1.959963984540054
_found = Memory(MOST_ROUNDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The limits of the rules; a limit of 0 switches its rule off.

    Attributes:
        least_seconds: An answer with less active time is implausible.
        most_seconds: An answer with more active time, and above the round's upper fence, is idle.
        fence: Width of Tukey's fences on log time, in distances of the quartiles.
        people_time: 1 to find annotators whose median time lies outside the fences of all medians.
        informedness: An annotator whose informedness is surely at most this.
        interrupted: Share of answers with timing quality B or C above which an annotator is found.
        gold: An annotator whose gold accuracy is surely at most this.
        least_answers: An annotator with fewer answers is not judged.
    """

    least_seconds: float = 0.35
    most_seconds: float = 60.0
    fence: float = 3.0
    people_time: int = 1
    informedness: float = 0.2
    interrupted: float = 0.3
    gold: float = 0.5
    least_answers: int = 10

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Rules":
        """Read limits, refusing what is unknown, not a number, or out of range.

        Raises:
            Refused: A limit cannot be; the text names it.
        """
        unknown = set(said) - {field.name for field in fields(cls)}
        if unknown:
            raise Refused(f"There is no rule called {min(unknown)}.")
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = said.get(field.name, field.default)
            low, high = LIMITS[field.name]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise Refused(f"{WORDS[field.name]} must be a number.")
            if not (math.isfinite(value) and low <= value <= high):
                raise Refused(f"{WORDS[field.name]} must be between {low:g} and {high:g}.")
            values[field.name] = int(value) if field.type is int else float(value)
        return cls(**values)

    def as_json(self) -> dict[str, Any]:
        """Give the limits as they are stored."""
        return asdict(self)


LIMITS: Mapping[str, tuple[float, float]] = {
    "least_seconds": (0, 10),
    "most_seconds": (0, 3600),
    "fence": (0.5, 10),
    "people_time": (0, 1),
    "informedness": (0, 1),
    "interrupted": (0, 1),
    "gold": (0, 1),
    "least_answers": (1, 1000),
}
WORDS: Mapping[str, str] = {
    "least_seconds": "Shortest plausible answer, in seconds",
    "most_seconds": "Longest active answer, in seconds",
    "fence": "Width of the fences on log time, in distances of the quartiles",
    "people_time": "Annotators with unusual median time (1 on, 0 off)",
    "informedness": "Least informedness of an annotator",
    "interrupted": "Largest share of interrupted answers",
    "gold": "Least accuracy on gold",
    "least_answers": "Answers before an annotator is judged",
}

ANSWER_RULES = ("too_fast", "too_slow", "implausible")
PERSON_RULES = ("person_time", "person_informedness", "person_interrupted", "person_gold")
TITLES: Mapping[str, str] = {
    "too_fast": "Answers too fast to have looked",
    "too_slow": "Answers that waited",
    "implausible": "Times that cannot be",
    "person_time": "Annotators of unusual speed",
    "person_informedness": "Annotators whose answers tell little",
    "person_interrupted": "Annotators often interrupted",
    "person_gold": "Annotators wrong on gold",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finding:
    """What a rule found.

    Attributes:
        rule: One of `ANSWER_RULES` or `PERSON_RULES`.
        how: The rule in a sentence, with its limits.
        subjects: Keys of responses or of sittings, by the kind of rule.
        evidence: For each subject, what the rule rests on.
    """

    rule: str
    how: str
    subjects: tuple[int, ...]
    evidence: tuple[dict[str, Any], ...]

    @property
    def of_people(self) -> bool:
        """Whether the subjects are annotators."""
        return self.rule in PERSON_RULES

    @property
    def title(self) -> str:
        """What is found, in words."""
        return TITLES[self.rule]


def findings(collected: Answers, rules: Rules) -> tuple[Finding, ...]:
    """Let all rules look at the answers as collected, or recall what they found.

    Args:
        collected: With nothing left out.
        rules: The limits.

    Returns:
        One finding for each rule that is on, also where it finds nothing.
    """
    return _found.recall((collected.stamp, rules), lambda: _findings(collected, rules))


def _findings(collected: Answers, rules: Rules) -> tuple[Finding, ...]:
    asked = collected.queries()
    found = [*_of_answers(asked, rules), *_of_people(asked, collected, rules)]
    order = (*ANSWER_RULES, *PERSON_RULES)
    return tuple(sorted(found, key=lambda finding: order.index(finding.rule)))


def _of_answers(asked: Answers, rules: Rules) -> list[Finding]:
    seconds, found = asked.seconds, []
    if rules.least_seconds > 0:
        how = f"Active time under {rules.least_seconds:g} s: nobody has looked."
        found.append(_answers("too_fast", how, asked, seconds < rules.least_seconds))
    if rules.most_seconds > 0:
        fences = log_fences(seconds, rules.fence)
        limit = max(rules.most_seconds, fences[1] if fences else 0.0)
        how = (
            f"Active time above {limit:.1f} s: the larger of {rules.most_seconds:g} s and the upper "
            f"fence (quartile + {rules.fence:g} distances on log time)."
        )
        found.append(_answers("too_slow", how, asked, seconds > limit))
    how = "Measured, but impossible: longer than the server saw, or no browser says so (quality C)."
    odd = (asked.timing == 2) & ~np.isnan(seconds) & ~(seconds < rules.least_seconds)
    found.append(_answers("implausible", how, asked, odd))
    return found


def _answers(rule: str, how: str, asked: Answers, hit: Bool[np.ndarray, " r"]) -> Finding:
    return Finding(
        rule=rule,
        how=how,
        subjects=tuple(asked.response[hit].tolist()),
        evidence=tuple({"seconds": round(value, 3)} for value in asked.seconds[hit].tolist()),
    )


def _of_people(asked: Answers, collected: Answers, rules: Rules) -> list[Finding]:
    n = np.bincount(asked.person, minlength=len(asked.people))
    judged = n >= rules.least_answers
    found = []
    if rules.people_time:
        found.append(_unusual_times(asked, judged, rules))
    if rules.informedness > 0 and len(asked.categories) == 2:
        found.append(_uninformed(asked, judged, rules))
    if rules.interrupted > 0:
        found.append(_interrupted(asked, judged, n, rules))
    if rules.gold > 0:
        found.append(_wrong_on_gold(collected, rules))
    return found


def _people(
    rule: str, how: str, answers: Answers, evidence: Mapping[int, dict[str, Any]]
) -> Finding:
    return Finding(
        rule=rule,
        how=how,
        subjects=tuple(answers.people[person].sitting_id for person in evidence),
        evidence=tuple(evidence.values()),
    )


def _unusual_times(asked: Answers, judged: Bool[np.ndarray, " a"], rules: Rules) -> Finding:
    medians = group_medians(asked.seconds, asked.person, len(asked.people))
    medians = np.where(judged, medians, np.nan)
    fences = log_fences(medians, rules.fence)
    how = (
        f"Median time outside the fences of all annotators' medians (quartiles ∓ {rules.fence:g} "
        "distances on log time)"
    )
    if fences is None:
        return _people("person_time", f"{how}; too few annotators to tell.", asked, {})
    low, high = fences
    outside = np.flatnonzero((medians < low * (1 - 1e-9)) | (medians > high * (1 + 1e-9)))
    evidence = {
        person: {
            "median_seconds": round(float(medians[person]), 3),
            "usual_seconds": [round(low, 3), round(high, 3)],
        }
        for person in outside.tolist()
    }
    return _people("person_time", f"{how}: {low:.1f} to {high:.1f} s.", asked, evidence)


def _uninformed(asked: Answers, judged: Bool[np.ndarray, " a"], rules: Rules) -> Finding:
    how = (
        f"Informedness (sensitivity + specificity less 1, against the others' answers) is at most "
        f"{rules.informedness:g} even at the upper end of its 95 % interval; 0 is guessing."
    )
    evidence = {}
    for told in informedness(asked.ratings()):
        person = int(str(told.annotator))
        if told.value is None or told.error is None or not judged[person]:
            continue
        upper = told.value + _Z95 * told.error
        if upper <= rules.informedness:
            evidence[person] = {
                "informedness": round(told.value, 3),
                "upper": round(upper, 3),
                "answers": told.n,
            }
    return _people("person_informedness", how, asked, evidence)


def _interrupted(
    asked: Answers, judged: Bool[np.ndarray, " a"], n: Int[np.ndarray, " a"], rules: Rules
) -> Finding:
    how = (
        f"More than {100 * rules.interrupted:g} % of answers with the page hidden, reloaded, or "
        "without a believable time (quality B or C); also somebody without scripts."
    )
    cut = np.bincount(asked.person[asked.timing != 0], minlength=len(asked.people))
    share: Float[np.ndarray, " a"] = cut / np.maximum(n, 1)
    evidence = {
        person: {"interrupted": int(cut[person]), "answers": int(n[person])}
        for person in np.flatnonzero(judged & (share > rules.interrupted)).tolist()
    }
    return _people("person_interrupted", how, asked, evidence)


def _wrong_on_gold(collected: Answers, rules: Rules) -> Finding:
    how = (
        f"Accuracy on gold is at most {100 * rules.gold:g} % even at the upper end of its 95 % "
        "interval (Wilson)."
    )
    right, n = gold_of(collected)
    evidence = {}
    for person in np.flatnonzero(n).tolist():
        upper = wilson_interval(int(right[person]), int(n[person]))[1]
        if upper <= rules.gold:
            evidence[person] = {
                "right": int(right[person]),
                "gold": int(n[person]),
                "upper": round(upper, 3),
            }
    return _people("person_gold", how, collected, evidence)


def gold_of(
    answers: Answers, role: int = GOLD
) -> tuple[Int[np.ndarray, " a"], Int[np.ndarray, " a"]]:
    """Count right answers and answers of each annotator to tasks whose answer is known."""
    asked = answers.take(answers.roles == role)
    expected = np.array(
        [answers.said.index(t.expected) if t.expected in answers.said else -1 for t in asked.tasks],
        dtype=np.int64,
    )
    known = expected[asked.task] >= 0
    right = known & (expected[asked.task] == asked.answer)
    size = len(answers.people)
    return (
        np.bincount(asked.person[right], minlength=size),
        np.bincount(asked.person[known], minlength=size),
    )


def forget() -> None:
    """Forget what is remembered; tests need it, whose rows' keys come back."""
    _found.clear()
