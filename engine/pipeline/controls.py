"""The stage of control heat: a few training images under a classifier with random weights."""

import numpy as np

from engine.artifacts import codecs
from engine.attention.controls import ControlHeat, control_heat
from engine.data.manifest import Split
from engine.pipeline.config import PipelineConfig
from engine.pipeline.pipeline import Inputs, Stage, loader
from engine.progress import Progress
from engine.randomness import generator, integer_seed

N_IMAGES = 24
NAME = "control_heat"


def control_stage(config: PipelineConfig) -> Stage:
    """Give the stage; it depends on no round, so that a project computes it once."""
    settings = codecs.to_json(config.extraction)
    del settings["batch_size"], settings["workers"], settings["precision"]

    def compute(inputs: Inputs, progress: Progress) -> ControlHeat:
        manifest = inputs["manifest"]
        alive = ~np.asarray(inputs["extraction"].dead_true)
        usable = np.flatnonzero(alive & (manifest.splits == Split.TRAIN.value))
        rng = generator(config.seed, NAME)
        rows = np.sort(rng.choice(usable, min(N_IMAGES, len(usable)), replace=False))
        if len(rows) == 0:  # no image has heat of its own, so none needs a control
            none = np.zeros((0, *inputs["extraction"].maps_true.shape[1:]), dtype=np.float32)
            return ControlHeat(rows=rows, head=none, network=none)
        return control_heat(
            manifest,
            inputs["classifier"],
            config.extraction,
            rows.astype(np.int64),
            seed=integer_seed(config.seed, NAME),
            device=config.device,
            on_progress=progress,
        )

    return Stage(
        name=NAME,
        kind=NAME,
        version=1,
        inputs=("manifest", "classifier", "extraction"),
        config={**settings, "images": N_IMAGES},
        seeded=True,
        compute=compute,
        load=loader(ControlHeat),
    )
