"""What made an artifact: recorded beside it, never part of its key."""

import importlib.metadata
import platform
from functools import cache

import engine

_RECORDED = (
    "numpy",
    "scipy",
    "scikit-learn",
    "umap-learn",
    "torch",
    "torchvision",
    "timm",
    "pillow",
)


@cache
def provenance() -> dict[str, str]:
    """Give the versions of Gazecheck, Python, the libraries that compute, and the platform."""
    versions = {"gazecheck": engine.__version__, "python": platform.python_version()}
    for name in _RECORDED:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "not installed"
    versions["platform"] = platform.platform()
    return versions
