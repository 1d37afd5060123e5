"""P6: relative core sensitivity, and AttributionScanner's Tables II and III from whole images.

The printed baselines fail the paper's own formula: two digits are misprinted. Every accuracy is a
whole number of images over the size of an official validation split, and with the numbers below
the printed RCS come out (methods.md, A14).
"""

import pytest

from engine.evaluation.sensitivity import core_sensitivity, relative_core_sensitivity

CELEBA, WATERBIRDS = 19_867, 1_199
TABLES = {
    # name: (split, clean, core, spurious, clean %, core %, spurious %, RCS as printed)
    "II baseline": (CELEBA, 19475, 19454, 19394, 98.02688, None, 97.61917, 0.067720),
    "II annotation": (CELEBA, 19475, 19474, 19257, 98.02688, 98.02185, 96.92958, 0.216351),
    "II propagation": (CELEBA, 19486, 19502, 19076, 98.08225, 98.16278, 96.01852, 0.368512),
    "III baseline": (WATERBIRDS, 1028, 995, 993, 85.73812, 82.98582, None, 0.004878),
    "III annotation": (WATERBIRDS, 1074, 1036, 957, 89.57465, 86.40534, 79.81651, 0.195062),
    "III propagation": (WATERBIRDS, 1084, 1048, 934, 90.40867, 87.40617, 77.89825, 0.274038),
}


@pytest.mark.parametrize(
    ("core", "spurious", "expected"),
    [
        (0.9, 0.6, 0.6),
        (0.6, 0.9, -0.6),
        (0.7, 0.3, 0.4),
        (1.0, 0.0, 1.0),
        (0.5, 0.5, 0.0),
        (1.0, 1.0, 0.0),
        (0.0, 0.0, 0.0),
    ],
)
def test_P06_rcs(core, spurious, expected):
    assert relative_core_sensitivity(core, spurious) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", TABLES)
def test_P06_tables_from_whole_images(name):
    n, clean, core, spurious, *printed, rcs = TABLES[name]

    for images, percent in zip((clean, core, spurious), printed, strict=True):
        if percent is not None:
            assert 100 * images / n == pytest.approx(percent, abs=5.1e-6)
    assert relative_core_sensitivity(core / n, spurious / n) == pytest.approx(rcs, abs=5.1e-7)


@pytest.mark.parametrize(
    ("core", "spurious", "rcs"),
    [(0.9721170, 0.9761917, 0.067720), (0.8298582, 0.8282901, 0.004878)],
)
def test_P06_the_printed_baselines_fail_the_formula(core, spurious, rcs):
    assert relative_core_sensitivity(core, spurious) != pytest.approx(rcs, abs=5e-5)


@pytest.mark.parametrize("name", TABLES)
def test_P06_the_same_from_predictions(name):
    import numpy as np

    n, clean, core, spurious, *_, rcs = TABLES[name]

    def with_right(count):
        return (np.arange(n) >= count).astype(np.int64)

    found = core_sensitivity(
        np.zeros(n, dtype=np.int64), with_right(clean), [with_right(core)], [with_right(spurious)]
    )

    assert found.clean == clean / n
    assert found.rcs == pytest.approx(rcs, abs=5.1e-7)
