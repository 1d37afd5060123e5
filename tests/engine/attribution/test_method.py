import pytest

from engine.attribution.grad_cam import GradCam
from engine.attribution.method import attribution_method
from engine.errors import UnknownOption


def test_methods_are_found_by_name():
    assert isinstance(attribution_method("grad_cam"), GradCam)


def test_an_unknown_method_is_refused():
    with pytest.raises(UnknownOption, match="unknown attribution method 'gradcam'; did you mean"):
        attribution_method("gradcam")
