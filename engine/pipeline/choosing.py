"""Which rule screens: each candidate curates a subset, and validation tells whose head does best.

Two kinds of data ask for opposite rules. Where the images that are looked at rightly are the ones
that do not show the misleading thing, keeping them alone teaches what SLIM hopes for. Where every
image of a class shows it, or where it is what surrounds the object, keeping them throws away what a
classifier must have seen, and balancing is what helps. Answers and scores look alike in both, so
the rule is a setting like the strength of the regularisation, and chosen as that is; among rules
that do about equally well, the first one named, which throws nothing away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from engine.artifacts import codecs
from engine.curation.screening import CHOSEN
from engine.data.manifest import Split
from engine.errors import NotEnoughLabels
from engine.pipeline.config import PipelineConfig
from engine.pipeline.curating import RULE_STAGE, RuleChoice, curate, reads_cues
from engine.pipeline.evidence import evidence_for
from engine.pipeline.pipeline import Inputs, Stage, loader
from engine.pipeline.routes import fit_route
from engine.progress import Progress, ignore_progress
from engine.training.retraining import Route


def rule_stages(config: PipelineConfig) -> list[Stage]:
    """Give the stage that chooses the rule; none where the settings name one.

    Args:
        config: All settings.

    Returns:
        At most one stage.
    """
    if config.screening.rule != CHOSEN:
        return []

    def compute(inputs: Inputs, progress: Progress) -> RuleChoice:
        return choose_rule(config, inputs, progress)

    return [
        Stage(
            name=RULE_STAGE,
            kind="screening_rule",
            version=1,
            inputs=(
                *("manifest", "space", "extraction", "labels"),
                evidence_for(config, Split.TRAIN).stage,
                *(("cues",) if reads_cues(config) else ()),
            ),
            config={
                "screening": codecs.to_json(config.screening),
                "disentangling": codecs.to_json(config.disentangling),
                "subset": codecs.to_json(config.subset),
                "allocation": codecs.to_json(config.allocation),
                "last_layer": codecs.to_json(config.last_layer),
            },
            seeded=True,
            compute=compute,
            load=loader(RuleChoice),
        )
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A candidate, and the plain average of its head on validation; None without such images."""

    rule: str
    accuracy: float | None


def choose_rule(config: PipelineConfig, inputs: Inputs, progress: Progress) -> RuleChoice:
    """Curate by each candidate, fit a head on frozen features, and compare their plain averages.

    Args:
        config: All settings; the first of `screening.candidates` is taken unless another is better by
            more than `screening.margin`.
        inputs: The loaded stages that curation reads.
        progress: Told after each candidate.

    Returns:
        The rule. Without validation images heads cannot be compared, as each would be judged on
        the images of its own subset: then the first candidate that can be followed.

    Raises:
        NotEnoughLabels: No candidate can be followed.
    """
    trials: list[_Trial] = []
    refusals: list[str] = []
    for done, rule in enumerate(config.screening.candidates, start=1):
        tried = replace(config, screening=replace(config.screening, rule=rule))
        try:
            trials.append(_try(tried, rule, inputs))
        except NotEnoughLabels as error:
            refusals.append(f"{rule}: {error}")
        progress(done, len(config.screening.candidates))
    if not trials:
        raise NotEnoughLabels("; ".join(refusals))
    compared = {t.rule: t.accuracy for t in trials if t.accuracy is not None}
    rule = first = trials[0].rule
    if compared:
        best = max(compared, key=lambda name: compared[name])
        rule = best if compared[best] > compared[first] + config.screening.margin else first
    return RuleChoice(
        rule=rule,
        candidates=tuple(compared),
        accuracies=tuple(compared.values()),
        notes=(_note(rule, compared), *refusals),
    )


def _try(config: PipelineConfig, rule: str, inputs: Inputs) -> _Trial:
    subset = curate(config, inputs)
    head = fit_route(config, Route.SLIM_TR, {**inputs, "subset": subset}, ignore_progress)
    rows = inputs["manifest"].rows_of(Split.VALIDATION)
    if not len(rows):
        return _Trial(rule=rule, accuracy=None)
    predicted = head.logits(np.asarray(inputs["extraction"].features)[rows]).argmax(axis=1)
    return _Trial(rule=rule, accuracy=float((predicted == inputs["manifest"].labels[rows]).mean()))


def _note(rule: str, compared: Mapping[str, float]) -> str:
    others = [f"{found:.1%} by {name}" for name, found in compared.items() if name != rule]
    if not others:
        return f"screened by the rule {rule}; there was nothing to compare it with"
    return (
        f"screened by the rule {rule}: {compared[rule]:.1%} of the validation images are "
        f"classified rightly then, and {' and '.join(others)}"
    )
