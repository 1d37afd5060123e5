import json

import pytest

from engine.benches.attention import AttentionBench, architecture_of, interleaved
from engine.errors import InvalidInput


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        ("resnet50", "torchvision/resnet50"),
        ("vit_b_16", "torchvision/vit_b_16"),
        ("vit_tiny_patch16_224", "timm/vit_tiny_patch16_224"),
        ("efficientnet_lite0", "timm/tf_efficientnet_lite0"),
        ("timm/resnet18", "timm/resnet18"),
        ("nothing", "nothing"),
    ],
)
def test_short_names_are_found(model, architecture):
    assert architecture_of(model) == architecture


def test_work_is_done_in_turns_and_the_first_turn_is_not_measured():
    done = []

    def work(name):
        done.append(name)

    speeds = interleaved({"a": lambda: work("a"), "b": lambda: (work("b"), 7.0)[1]}, 4, 5)

    assert done == ["a", "b"] * 6
    assert len(speeds["a"]) == 5
    assert speeds["b"] == [7.0] * 5


def test_fewer_rounds_are_refused():
    with pytest.raises(InvalidInput, match="rounds must be at least 5, got 4"):
        AttentionBench(rounds=4)


@pytest.mark.slow
def test_the_command_writes_every_figure(gazecheck, tmp_path):
    file = tmp_path / "new" / "attention.json"
    outcome = gazecheck(
        "bench", "attention", "--model", "small_cnn", "--size", "32", "--batch", "2",
        "--json", str(file),
    )  # fmt: skip

    assert outcome.code == 0, outcome.err
    found = json.loads(file.read_text())
    speeds = {"forward", "ours_fp32", "ours_bf16", "pytorch_grad_cam", "captum", "decode"}
    assert {*speeds, "end_to_end"} <= found["images_per_second"].keys()
    assert all(speed > 0 for speed in found["images_per_second"].values())
    for ratio in ("ratio_to_forward", "ratio_to_gradcam_fp32", "ratio_to_gradcam_bf16"):
        assert found[ratio] > 0
        assert ratio in outcome.out
    assert all(len(turns) == 5 for turns in found["per_round"].values())


def test_an_unknown_model_is_refused(gazecheck):
    outcome = gazecheck("bench", "attention", "--model", "resnet5000")

    assert outcome.code == 1
    assert "unknown architecture 'resnet5000'" in outcome.err
