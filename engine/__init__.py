"""Gazecheck's engine: from one pass over the images to a classifier that looks at the right thing.

Read from the bottom up the packages are the pipeline; a layer imports only what is below it:

    cli           one command per stage, `run` for all of them, `data`, `store`
    pipeline      the settings, the stages in order, running and resuming them
    training      refit a head, fine-tune all layers, the retraining routes
    simulation    the annotator of the benchmarks, who knows the true regions
    slicing       slices without metadata, marks on them and how these spread
    inversion     a picture of what a slice's attention rests on
    evaluation    accuracy by group, attention against true regions, core sensitivity
    curation      screening, disentangling, allocation, the balanced subset, core masks
    attention     extraction in one pass, pooling, the attention space
    labeling      queries, votes, attention labels, spreading them to every image
    attribution   where a classifier looks: GradCAM and its kin, by name
    models        architectures, classifiers, checkpoints
    data          manifests, pictures, layouts people have, the benchmark sets
    artifacts     what is on disk: content-keyed, whole or absent
    randomness    one independent generator per stage
    progress      how long work reports and is cancelled
    errors        the exception tree
    waiting       how threads wait for one another

Importing this package imports nothing heavy. What a web process may import is listed in the
import contracts of pyproject.toml; torch, scikit-learn and umap never enter one.
"""

from engine.waiting import wait_asleep

wait_asleep()

__version__ = "0.1.0"
