"""Extracts on a Ray of two workers of this machine, one of which is killed midway; a script.

    python on_ray.py FOLDER WORK

FOLDER holds a data set `shapes`; the artifacts' files go to its `local` and `ray`. WORK is `killed`
or `refused`. One JSON line tells what happened.
"""

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import engine.pipeline.mapping as mapping
from engine.attention.extraction import ExtractionConfig
from engine.attention.shards import shards_of
from engine.data.images import Preprocessing
from engine.data.manifest import read_manifest
from engine.errors import EngineError, ManifestError
from engine.models.architectures import build_module
from engine.models.classifier import make_classifier
from engine.pipeline.config import PipelineConfig
from engine.pipeline.executors import LocalExecutor, RayExecutor

KILLED_AT, REFUSED_AT = 3, 2


@dataclass(frozen=True)
class Disturbed:
    """Work whose process is killed the first time it comes to a shard, or that refuses one."""

    work: mapping.ExtractionWork
    notes: Path
    how: str

    def over(self, shards, progress):
        for shard in shards:
            flag = self.notes / "killed"
            if self.how == "killed" and shard.number == KILLED_AT and not flag.exists():
                flag.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "refused" and shard.number == REFUSED_AT:
                raise ManifestError("row 7: images/7.png cannot be decoded; replace it")
            with (self.notes / "done").open("a") as file:
                file.write(f"{shard.number} {os.getpid()}\n")
            yield from self.work.over([shard], progress)


class DisturbedRay:
    def __init__(self, notes, how):
        self.notes, self.how = notes, how

    def run(self, work, shards, progress, *, device):
        disturbed = Disturbed(work, self.notes, self.how)
        return RayExecutor(workers=2).run(disturbed, shards, progress, device=device)


def main():
    folder, how = Path(sys.argv[1]), sys.argv[2]
    manifest = read_manifest(folder / "shapes" / "manifest.csv")
    classifier = make_classifier(
        build_module("gazecheck/small_cnn", 2, seed=1).eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32),
        class_names=manifest.class_names,
    )
    inputs = {"manifest": manifest, "classifier": classifier}
    config = PipelineConfig(extraction=ExtractionConfig(batch_size=4))
    setattr(mapping, "shards_of", lambda n, batch: shards_of(n, batch, about=8))  # noqa: B010
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    told, refusal = [], ""
    for name, executor in (("local", LocalExecutor()), ("ray", DisturbedRay(folder, how))):
        (folder / name).mkdir(exist_ok=True)
        try:
            mapping.stream_extraction(
                config, executor, inputs, lambda done, total: told.append((done, total)),
                folder / name,
            )  # fmt: skip
        except EngineError as error:
            refusal = f"{type(error).__name__}: {error}"
    ray.shutdown()
    done = [line.split() for line in (folder / "done").read_text().splitlines()]
    facts = {
        "told": told[-1],
        "refusal": refusal,
        "done": [int(number) for number, _ in done],
        "processes": len({pid for _, pid in done}),
    }
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
