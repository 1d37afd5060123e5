"""A device that is not there is refused before anything is computed."""

import pytest
import torch

from engine.data.manifest import ImageManifest
from engine.errors import InvalidInput
from engine.pipeline.config import PipelineConfig
from engine.pipeline.sources import make_reference
from engine.progress import ignore_progress
from tests.small import CLASSIFIER


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1", "mps"])
def test_kinds_of_devices_are_settings_on_any_machine(device):
    assert PipelineConfig(device=device).device == device


@pytest.mark.parametrize("device", ["gpu", "", "CUDA", "cuda:", "cuda:first", "0"])
def test_a_device_of_no_known_kind_is_refused(device):
    with pytest.raises(InvalidInput, match=f"device '{device}' cannot be used .*cpu, cuda or"):
        PipelineConfig.from_mapping({"device": device})


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_fine_tuning_starts_on_no_device_that_is_not_there(tmp_path):
    config = PipelineConfig.from_mapping(
        {
            "device": "cuda",
            "classifier": CLASSIFIER,
        }
    )
    manifest = ImageManifest(root=tmp_path, records=(), class_names=("a", "b"), digest="0")

    with pytest.raises(InvalidInput, match="device 'cuda' cannot be used"):
        make_reference(config, manifest, ignore_progress)
