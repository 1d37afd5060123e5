"""Where a run's inputs come from: the data set, the classifier, the answers."""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch

from engine.artifacts import codecs
from engine.artifacts.recipe import canonical_json
from engine.artifacts.store import ArtifactStore
from engine.attention.extraction import ExtractionConfig
from engine.data.images import Preprocessing
from engine.data.layouts import read_celeba, read_folder_per_class, read_waterbirds
from engine.data.manifest import ImageManifest, Split, read_manifest, read_records, write_manifest
from engine.errors import InvalidInput, ManifestError
from engine.labeling.votes import VoteTable
from engine.models.checkpoints import classifier_from_weights
from engine.models.classifier import Classifier, head_of, make_classifier
from engine.models.devices import usable_device
from engine.models.pretrained import load_backbone, preprocessing_for
from engine.models.transplant import fold_head, with_head
from engine.pipeline.config import ClassifierConfig, DataConfig, PipelineConfig
from engine.pipeline.executors import Executor, LocalExecutor
from engine.pipeline.mapping import FeaturesWork, gathered
from engine.progress import Progress
from engine.randomness import integer_seed
from engine.training.last_layer import LastLayerConfig, fit_head
from engine.training.loop import fine_tune

MANIFEST_FILE = "manifest.parquet"
_CLASSES_FILE = "classes.json"


def manifest_path(data: DataConfig) -> Path:
    """Give the path of the manifest, or of the folder in a known layout.

    Raises:
        ManifestError: None is named, or it does not exist.
    """
    if not data.manifest:
        raise ManifestError("no data set is named; give --data NAME, or --manifest FILE")
    path = Path(data.manifest)
    if not path.exists():
        msg = f"no manifest at {path}; give the path of a CSV or Parquet file, or of a folder"
        raise ManifestError(msg)
    return path


def manifest_root(data: DataConfig) -> Path:
    """Give the folder that the manifest's paths start from."""
    path = manifest_path(data)
    return Path(data.root) if data.root else path if path.is_dir() else path.parent


def read_data(data: DataConfig, on_progress: Progress) -> ImageManifest:
    """Read and check the data set.

    Raises:
        ManifestError: A row, a picture or a column cannot be used.
    """
    path = manifest_path(data)
    if data.layout == "folders":
        return read_folder_per_class(path, on_progress=on_progress)
    if data.layout == "waterbirds":
        return read_waterbirds(path, on_progress=on_progress)
    if data.layout == "celeba":
        return read_celeba(path, on_progress=on_progress)
    return read_manifest(
        path,
        root=Path(data.root) if data.root else None,
        class_names=data.classes or None,
        on_progress=on_progress,
    )


def files_signature(data: DataConfig) -> str:
    """Sign the data set by names, sizes and times of its files, without opening them.

    Equal signatures mean that the files were not touched; the manifest's own digest, over content,
    is what every key depends on.
    """
    path, root = manifest_path(data), manifest_root(data)
    hasher = hashlib.sha256(canonical_json(codecs.to_json(data)).encode())
    names = [path] if path.is_file() else []
    folders = [root]
    while folders:
        with_entries = sorted(folders.pop().iterdir())
        folders += [entry for entry in with_entries if entry.is_dir() and not entry.is_symlink()]
        names += [entry for entry in with_entries if entry.is_file()]
    for name in names:
        facts = name.stat()
        hasher.update(f"{name}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return hasher.hexdigest()


def known_digest(store: ArtifactStore, data: DataConfig) -> str | None:
    """Give the content digest of a data set whose files have not been touched since it was read."""
    return store.get_ref(f"manifests/{files_signature(data)}")


def remember_digest(store: ArtifactStore, data: DataConfig, digest: str) -> None:
    """Remember the content digest of the data set as it now lies on disk."""
    store.set_ref(f"manifests/{files_signature(data)}", digest)


def save_manifest(manifest: ImageManifest, folder: Path) -> None:
    """Write a manifest into its artifact's folder; pictures stay where they are."""
    write_manifest(manifest, folder / MANIFEST_FILE)
    (folder / _CLASSES_FILE).write_text(canonical_json(list(manifest.class_names)) + "\n")


def load_manifest(folder: Path, *, root: Path, digest: str) -> ImageManifest:
    """Read a manifest back from its artifact's folder, without opening the pictures again."""
    names = tuple(json.loads((folder / _CLASSES_FILE).read_text()))
    records = read_records(folder / MANIFEST_FILE, names)
    return ImageManifest(root=root, records=records, class_names=names, digest=digest)


def weights_digest(path: Path) -> str:
    """Give the SHA-256 of a file of weights.

    Raises:
        InvalidInput: There is no such file.
    """
    if not path.is_file():
        msg = f"no weights at {path}; give a .safetensors file or a plain state dict"
        raise InvalidInput(msg)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def votes_digest(votes: VoteTable) -> str:
    """Give the SHA-256 of the answers, whatever order they came in."""
    return hashlib.sha256(
        canonical_json(
            sorted(
                [int(row), annotator, answer.value]
                for row, annotator, answer in zip(
                    votes.rows, votes.annotators, votes.answers, strict=True
                )
            )
        ).encode()
    ).hexdigest()


def backbone(config: ClassifierConfig, manifest: ImageManifest, seed: int) -> Classifier:
    """Give a pretrained network with a fresh head for the data set's classes."""
    source = config.pretrained
    module = load_backbone(
        config.architecture,
        len(manifest.class_names),
        source,
        seed=integer_seed(seed, "classifier"),
    )
    return make_classifier(
        module,
        architecture=config.architecture,
        preprocessing=_sized(preprocessing_for(config.architecture, source), config.image_size),
        class_names=manifest.class_names,
        target_layer=config.target_layer or None,
    )


def _sized(preprocessing: Preprocessing, size: int) -> Preprocessing:
    return Preprocessing(
        size=size,
        mean=preprocessing.mean,
        std=preprocessing.std,
        interpolation=preprocessing.interpolation,
    )


def make_reference(
    config: PipelineConfig,
    manifest: ImageManifest,
    on_progress: Progress,
    executor: Executor | None = None,
) -> Classifier:
    """Load or train the classifier under study.

    Args:
        config: All settings.
        manifest: The data set.
        on_progress: Told (done, in all); may raise `Cancelled`.
        executor: Where features for a head are computed; here if left out.

    Returns:
        The classifier.

    Raises:
        InvalidInput: This machine has no such device, or the network cannot be used as it is.
        ModelMismatch: The weights do not fit, or the network has no plain linear head to train.
        UnsafeCheckpoint: The weights are a pickled module.
        DataUnavailable: The pretrained weights cannot be had.
    """
    torch.manual_seed(integer_seed(config.seed, "classifier"))
    settings = config.classifier
    if settings.source == "file":
        return classifier_from_weights(
            Path(settings.weights),
            architecture=settings.architecture,
            class_names=manifest.class_names,
            preprocessing=_sized(
                preprocessing_for(settings.architecture, settings.pretrained),
                settings.image_size,
            ),
            target_layer=settings.target_layer or None,
        )
    if settings.source == "finetune":
        usable_device(config.device)  # with source head an executor computes, maybe elsewhere
    classifier = backbone(settings, manifest, config.seed)
    train = manifest.rows_of(Split.TRAIN)
    if settings.source == "finetune":
        tuned, _history = fine_tune(
            classifier,
            manifest,
            train,
            manifest.rows_of(Split.VALIDATION),
            config.fine_tuning,
            seed=integer_seed(config.seed, "classifier"),
            device=config.device,
            on_progress=on_progress,
        )
        return tuned
    return _with_fitted_head(
        config, classifier, manifest, train, on_progress, executor or LocalExecutor()
    )


def _with_fitted_head(
    config: PipelineConfig,
    classifier: Classifier,
    manifest: ImageManifest,
    train: np.ndarray,
    on_progress: Progress,
    executor: Executor,
) -> Classifier:
    linear = head_of(classifier)
    if linear is None:
        msg = (
            f"{classifier.architecture} does not end in one linear layer; "
            "set classifier.source to finetune, or give trained weights with source file"
        )
        raise InvalidInput(msg)
    extraction = ExtractionConfig(
        precision=config.extraction.precision, workers=config.extraction.workers
    )
    work = FeaturesWork(
        manifest=manifest,
        classifier=classifier,
        rows=train,
        config=extraction,
        device=config.device,
    )
    found = gathered(
        executor, work, len(train), extraction.batch_size, on_progress, device=config.device
    )
    head = fit_head(
        found["features"],
        manifest.labels[train],
        # the reference is a classifier as people train it: no weights for classes
        LastLayerConfig(class_balanced=False),
        config.classifier.c,
        class_names=manifest.class_names,
    )
    folded = fold_head(
        linear, coef=head.coef, intercept=head.intercept, mean=head.mean, std=head.std
    )
    return with_head(classifier, folded.weight.float(), folded.bias.float())
