"""What a page does while somebody waits brings none of torch's company."""

import subprocess
import sys

SCRIPT = """
import sys
import engine.slicing.confusion, engine.slicing.even_layout, engine.slicing.geometry
import engine.slicing.marks, engine.slicing.metrics, engine.slicing.polygons
import engine.slicing.propagation, engine.slicing.slice_set
heavy = {"torch", "sklearn", "umap", "pandas", "numba", "timm", "captum", "threadpoolctl"}
print(sorted(heavy & set(sys.modules)))
"""


def test_changing_drawing_and_marking_slices_is_light():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
