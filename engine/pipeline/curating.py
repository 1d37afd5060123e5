"""The stages from scores to a weighted subset and its core masks, of training and validation images."""

from dataclasses import dataclass, replace

import numpy as np

from engine.artifacts import codecs
from engine.curation.core_masks import CoreMasks, make_core_masks
from engine.curation.cues import Cues, find_cues
from engine.curation.disentangling import FeatureGroups, disentangle
from engine.curation.screening import CHOSEN, Screening, screen
from engine.curation.subset import Subset, draw_subset, needs_scores
from engine.data.manifest import Split
from engine.pipeline.config import PipelineConfig
from engine.pipeline.evidence import evidence_for
from engine.pipeline.pipeline import Inputs, Stage, loader
from engine.pipeline.pools import POOLS, pool_of
from engine.progress import Progress, ignore_progress
from engine.randomness import generator, integer_seed

RULE_STAGE = "screening_rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChoice:
    """Which rule screens, where the settings leave it to the validation images.

    Attributes:
        rule: The rule taken.
        candidates: The rules that were compared.
        accuracies: Share of the validation images that each one's head classifies rightly.
        notes: What was found, in sentences.
    """

    rule: str
    candidates: tuple[str, ...] = ()
    accuracies: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()


def curate(config: PipelineConfig, inputs: Inputs) -> Subset:
    """Curate the training images by a rule that the settings name, in memory.

    Args:
        config: All settings.
        inputs: The loaded stages that curation reads.

    Returns:
        The subset that the stages would draw.
    """
    known = dict(inputs)
    for make in (_screening, _feature_groups, _subset):
        stage = make(config, Split.TRAIN)
        known[stage.name] = stage.compute(known, ignore_progress)
    subset: Subset = known["subset"]
    return subset


def reads_cues(config: PipelineConfig) -> bool:
    """Say whether screening asks for cues, by its rule or by a candidate."""
    rule = config.screening.rule
    return rule == "cues" or (rule == CHOSEN and "cues" in config.screening.candidates)


def curation_stages(config: PipelineConfig) -> list[Stage]:
    """Give the stages that curate both pools, and the core masks of the training subset.

    Args:
        config: All settings.

    Returns:
        The stages in order.
    """
    stages = []
    for pool in POOLS:
        stages += [_cues(config, pool)] if reads_cues(config) else []
        stages += [_screening(config, pool), _feature_groups(config, pool), _subset(config, pool)]
    return [*stages, _core_masks()]


def _cues(config: PipelineConfig, pool: Split) -> Stage:
    """Find cues among the images that were asked about, and where the split's images show them.

    Validation images that nobody was asked about are judged by what the training images taught.
    """
    evidence = evidence_for(config, pool)
    own = config.validation.budget > 0 or pool is Split.TRAIN

    def compute(inputs: Inputs, _progress: Progress) -> Cues:
        manifest, rows = inputs["manifest"], np.asarray(inputs["space"].rows)
        splits = manifest.splits[rows]
        taught = splits == (pool.value if own else Split.TRAIN.value)
        wanted = splits == pool.value
        part = np.flatnonzero(taught | wanted)
        spread = np.full(len(rows), np.nan)
        spread[wanted] = evidence.scores(inputs)
        if not own:
            spread[taught] = evidence_for(config, Split.TRAIN).scores(inputs)
        found = find_cues(
            np.asarray(inputs["extraction"].features)[rows[part]],
            manifest.labels[rows[part]],
            spread[part],
            np.asarray(inputs["labels"].labels)[rows[part]],
            config.screening.cues,
            seed=integer_seed(config.seed, f"cues of {pool}"),
            class_names=manifest.class_names,
        )
        return replace(found, shown=found.shown[wanted[part]])

    return Stage(
        name=f"cues{POOLS[pool]}",
        kind="cues",
        version=1,
        inputs=("manifest", "space", "extraction", "labels", evidence.stage),
        config={**codecs.to_json(config.screening.cues), "own": own, "pool": pool.value},
        seeded=True,
        compute=compute,
        load=loader(Cues),
    )


def _screening(config: PipelineConfig, pool: Split) -> Stage:
    evidence, rule = evidence_for(config, pool), config.screening.rule
    cues = f"cues{POOLS[pool]}"

    def compute(inputs: Inputs, _progress: Progress) -> Screening:
        space = pool_of(inputs["space"], inputs["manifest"], pool)
        choice = inputs[RULE_STAGE] if rule == CHOSEN else RuleChoice(rule=rule)
        found = screen(
            evidence.scores(inputs),
            inputs["manifest"].labels[space.rows],
            replace(config.screening, rule=choice.rule),
            cues=inputs[cues] if choice.rule == "cues" else None,
            class_names=inputs["manifest"].class_names,
        )
        return replace(found, warnings=(*choice.notes, *found.warnings))

    return Stage(
        name=f"screening{POOLS[pool]}",
        kind="screening",
        version=4,
        inputs=(
            *("manifest", "space", evidence.stage),
            *((cues,) if reads_cues(config) else ()),
            *((RULE_STAGE,) if rule == CHOSEN else ()),
        ),
        config={**codecs.to_json(config.screening), "pool": pool.value},
        compute=compute,
        load=loader(Screening),
    )


def _feature_groups(config: PipelineConfig, pool: Split) -> Stage:
    screening = f"screening{POOLS[pool]}"

    def compute(inputs: Inputs, _progress: Progress) -> FeatureGroups:
        space = pool_of(inputs["space"], inputs["manifest"], pool)
        return disentangle(
            space,
            inputs["manifest"].labels[space.rows],
            np.asarray(inputs[screening].kept),
            config.disentangling,
            seed=integer_seed(config.seed, f"feature groups of {pool}"),
            shown=np.asarray(inputs[screening].shown),
        )

    return Stage(
        name=f"feature_groups{POOLS[pool]}",
        kind="feature_groups",
        version=2,
        inputs=("manifest", "space", screening),
        config={**codecs.to_json(config.disentangling), "pool": pool.value},
        seeded=True,
        compute=compute,
        load=loader(FeatureGroups),
    )


def _subset(config: PipelineConfig, pool: Split) -> Stage:
    groups = f"feature_groups{POOLS[pool]}"
    wanted = config.subset
    if pool is Split.VALIDATION:
        wanted = replace(config.subset, fraction=config.validation.fraction, size=0)
    evidence, by_score = evidence_for(config, pool), needs_scores(wanted, config.allocation)
    settings = {
        "subset": codecs.to_json(wanted),
        "allocation": codecs.to_json(config.allocation),
        "pool": pool.value,
    }

    def compute(inputs: Inputs, _progress: Progress) -> Subset:
        space = pool_of(inputs["space"], inputs["manifest"], pool)
        return draw_subset(
            inputs[groups],
            inputs["manifest"].labels[space.rows],
            space,
            wanted,
            generator(config.seed, f"subset of {pool}"),
            allocation=config.allocation,
            scores=evidence.scores(inputs) if by_score else None,
        )

    return Stage(
        name=f"subset{POOLS[pool]}",
        kind="subset",
        version=2,
        inputs=("manifest", "space", groups, *((evidence.stage,) if by_score else ())),
        config=settings,
        seeded=True,
        compute=compute,
        load=loader(Subset),
    )


def _core_masks() -> Stage:
    def compute(inputs: Inputs, _progress: Progress) -> CoreMasks:
        rows = np.unique(np.asarray(inputs["subset"].rows))
        maps = np.asarray(inputs["extraction"].maps_true)[rows]
        return make_core_masks(maps, rows)

    return Stage(
        name="core_masks",
        kind="core_masks",
        version=1,
        inputs=("extraction", "subset"),
        config={},
        compute=compute,
        load=loader(CoreMasks),
    )
