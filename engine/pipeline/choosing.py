"""Which rule screens: each candidate curates a subset, and validation tells whose head does best.

Two kinds of data ask for opposite rules. Where the images that are looked at rightly are the ones
that do not show the misleading thing, keeping them alone teaches what SLIM hopes for. Where every
image of a class shows it, or where it is what surrounds the object, keeping them throws away what a
classifier must have seen, and balancing is what helps. Answers and scores look alike in both, so
the rule is a setting like the strength of the regularisation, and chosen as that is. Validation
images are few, so the first one named, which throws nothing away, gives way only to a rule that is
better by more than chance would make it: noise in the answers would otherwise change the rule too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

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
            version=2,
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
    """A candidate, and which validation images its head classifies rightly; None without images."""

    rule: str
    hits: Bool[np.ndarray, " v"] | None


def choose_rule(config: PipelineConfig, inputs: Inputs, progress: Progress) -> RuleChoice:
    """Curate by each candidate, fit a head on frozen features, and compare their plain averages.

    Args:
        config: All settings; the first of `screening.candidates` is taken unless another is better by
            more than `screening.errors` standard errors of the difference.
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
    hits = {trial.rule: trial.hits for trial in trials if trial.hits is not None}
    rule = preferred(hits, config.screening.errors) if hits else trials[0].rule
    compared = {name: float(found.mean()) for name, found in hits.items()}
    return RuleChoice(
        rule=rule,
        candidates=tuple(compared),
        accuracies=tuple(compared.values()),
        notes=(_note(rule, compared), *refusals),
    )


def preferred(hits: Mapping[str, Bool[np.ndarray, " v"]], errors: float) -> str:
    """Give the first name, or the best of those that are clearly better.

    Args:
        hits: Name to which images were classified rightly, of the same images; at least one name.
        errors: Better by more than so many standard errors of the mean paired difference is
            clearly better. With 0 the best one is taken.

    Returns:
        One of the names; of equally good ones the first.
    """
    names = list(hits)
    first = np.asarray(hits[names[0]], dtype=np.float64)
    gains = {name: np.asarray(hits[name], dtype=np.float64) - first for name in names}
    clear = [
        name
        for name, gain in gains.items()
        if gain.mean() > errors * gain.std() / np.sqrt(len(gain))
    ]
    return max(clear, key=lambda name: float(gains[name].mean()), default=names[0])


def _try(config: PipelineConfig, rule: str, inputs: Inputs) -> _Trial:
    subset = curate(config, inputs)
    head = fit_route(config, Route.SLIM_TR, {**inputs, "subset": subset}, ignore_progress)
    rows = inputs["manifest"].rows_of(Split.VALIDATION)
    if not len(rows):
        return _Trial(rule=rule, hits=None)
    predicted = head.logits(np.asarray(inputs["extraction"].features)[rows]).argmax(axis=1)
    return _Trial(rule=rule, hits=predicted == inputs["manifest"].labels[rows])


def _note(rule: str, compared: Mapping[str, float]) -> str:
    others = [f"{found:.1%} by {name}" for name, found in compared.items() if name != rule]
    if not others:
        return f"screened by the rule {rule}; there was nothing to compare it with"
    return (
        f"screened by the rule {rule}: {compared[rule]:.1%} of the validation images are "
        f"classified rightly then, and {' and '.join(others)}"
    )
