import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from engine.data import pictures
from engine.data.inspection import Fault, inspect_files
from engine.data.pictures import box_region, encode_webp, load_region, open_picture
from engine.errors import InvalidInput, ManifestError


def noise(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_picture_comes_back_as_it_was(tmp_path):
    pixels = noise(6, 9)
    Image.fromarray(pixels).save(tmp_path / "a.png")

    picture = open_picture(tmp_path / "a.png")

    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), pixels)


def test_a_picture_is_turned_upright(tmp_path):
    image = Image.fromarray(noise(6, 9))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned: 90 degrees clockwise makes it upright
    image.save(tmp_path / "a.png", exif=exif)

    picture = open_picture(tmp_path / "a.png")

    assert picture.size == (6, 9)
    assert np.array_equal(np.asarray(picture), np.rot90(noise(6, 9), k=-1))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 4), 128 * 256, dtype=np.uint16))
    else:
        image = Image.new("RGB", (4, 4), (128, 128, 128))
        image = image.quantize(2) if mode == "P" else image.convert(mode)
    name = "a.tif" if mode == "CMYK" else "a.png"
    image.save(tmp_path / name)

    picture = open_picture(tmp_path / name)

    assert picture.mode == "RGB"
    if mode != "1":  # dithered
        assert np.all(np.abs(np.asarray(picture).astype(int) - 128) <= 2)


def grey_of(path):
    """The first row of a picture, which must be grey."""
    pixels = np.asarray(open_picture(path))
    assert (pixels == pixels[:, :, :1]).all()
    return pixels[0, :, 0].tolist()


@pytest.mark.parametrize(
    ("depth", "values", "expected"),
    [
        (65535, [0, 255, 32768, 65535], [0, 0, 128, 255]),
        (4095, [0, 16, 2048, 4095], [0, 1, 128, 255]),
        (65535, [0, 1, 2, 255], [0, 0, 0, 0]),  # dark, and 16 bit all the same
    ],
)
def test_a_pgm_of_more_than_8_bits_is_scaled(tmp_path, depth, values, expected):
    header = f"P5\n{len(values)} 1\n{depth}\n".encode()
    (tmp_path / "a.pgm").write_bytes(header + np.array(values, dtype=">u2").tobytes())

    assert grey_of(tmp_path / "a.pgm") == expected


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("int32", [0, 100, 255], [0, 100, 255]),
        ("int32", [0, 256, 65535], [0, 1, 255]),
        ("uint16", [0, 4095, 65535], [0, 15, 255]),
        ("float32", [0, 0.5, 1], [0, 128, 255]),
        ("float32", [0, 1, 254.6], [0, 1, 255]),
    ],
)
def test_a_tiff_of_more_than_8_bits_is_brought_to_8(tmp_path, dtype, values, expected):
    Image.fromarray(np.array([values], dtype=dtype)).save(tmp_path / "a.tif")

    assert grey_of(tmp_path / "a.tif") == expected


def test_grey_of_many_bits_is_turned_upright_too(tmp_path):
    image = Image.fromarray(np.array([[0, 256, 65535]], dtype=np.int32))
    image.save(tmp_path / "a.tif", tiffinfo={0x0112: 3})

    assert grey_of(tmp_path / "a.tif") == [255, 1, 0]


@pytest.mark.parametrize(
    ("dtype", "values", "message"),
    [
        ("int32", [0, 65536], "from 0 to 65536, outside of 0 to 65535; save as 8 or 16 bit"),
        ("int32", [-1, 100], "from -1 to 100"),
        ("float32", [0, 300], "from 0 to 300, outside of 0 to 255; save as 8 or 16 bit"),
        ("float32", [-0.5, 1], "from -0.5 to 1"),
        ("float32", [0, np.nan], "from nan to nan"),
    ],
)
def test_values_that_are_no_grey_are_refused(tmp_path, dtype, values, message):
    Image.fromarray(np.array([values, values], dtype=dtype)).save(tmp_path / "a.tif")

    with pytest.raises(ManifestError, match=rf"a\.tif: the picture's values go {message}"):
        open_picture(tmp_path / "a.tif")
    (found,) = inspect_files(tmp_path, ["a.tif"])
    assert found.fault is Fault.BROKEN
    assert message in found.detail


def test_a_palette_with_transparency_gives_no_warning(tmp_path):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(tmp_path / "a.png", transparency=b"\x00\x80")

    assert open_picture(tmp_path / "a.png").getpixel((0, 0)) == (10, 20, 30)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"no picture at .*gone\.png; correct the path"):
        open_picture(tmp_path / "gone.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif"])
def test_a_truncated_picture_is_refused(tmp_path, name):
    buffer = io.BytesIO()
    Image.fromarray(noise(64, 64)).save(buffer, format=name[2:].replace("jpg", "jpeg"))
    (tmp_path / name).write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])

    with pytest.raises(ManifestError, match=r"cannot be decoded"):
        open_picture(tmp_path / name)


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("hello")

    with pytest.raises(ManifestError, match=r"a\.png cannot be decoded \(not a picture\)"):
        open_picture(tmp_path / "a.png")


def test_a_picture_of_too_many_pixels_is_refused_before_decoding(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 99)
    Image.new("RGB", (10, 10)).save(tmp_path / "a.png")

    with pytest.raises(ManifestError, match="10x10 pixels"):
        open_picture(tmp_path / "a.png")


@pytest.mark.parametrize(("longest", "size"), [(10, (10, 5)), (40, (40, 20)), (100, (40, 20))])
def test_pictures_for_the_browser_are_scaled_down_and_never_up(longest, size):
    image = Image.fromarray(noise(20, 40))

    encoded = encode_webp(image, longest)

    assert encoded == encode_webp(image, longest)
    assert image.size == (40, 20)
    with Image.open(io.BytesIO(encoded)) as decoded:
        assert decoded.format == "WEBP"
        assert decoded.size == size


def test_a_side_below_one_pixel_is_refused():
    with pytest.raises(InvalidInput, match="at least 1 pixel, got 0"):
        encode_webp(Image.new("RGB", (2, 2)), 0)


def test_a_region_keeps_rows_as_y(tmp_path):
    inside = np.zeros((4, 6), dtype=bool)
    inside[1, 4] = True
    Image.fromarray(inside.astype(np.uint8) * 255).save(tmp_path / "m.png")

    assert np.array_equal(load_region(tmp_path / "m.png", (4, 6)), inside)


def test_a_one_bit_region_is_read(tmp_path):
    Image.new("1", (4, 4), 1).save(tmp_path / "m.png")

    assert load_region(tmp_path / "m.png", (4, 4)).all()


def test_a_cell_is_inside_where_half_of_its_area_is(tmp_path):
    inside = np.zeros((4, 4), dtype=np.uint8)
    inside[:, 0] = 255  # half of the left cells
    inside[0, 2] = 255  # a quarter of the upper right cell
    Image.fromarray(inside).save(tmp_path / "m.png")

    assert load_region(tmp_path / "m.png", (2, 2)).tolist() == [[True, False], [True, False]]


def test_a_broken_or_missing_mask_is_refused(tmp_path):
    (tmp_path / "m.png").write_text("hello")

    with pytest.raises(ManifestError, match="no mask at"):
        load_region(tmp_path / "gone.png", (2, 2))
    with pytest.raises(ManifestError, match=r"m\.png cannot be decoded"):
        load_region(tmp_path / "m.png", (2, 2))


def test_a_box_is_drawn_with_x_as_columns():
    assert box_region((1, 0, 3, 2), (3, 4)).astype(int).tolist() == [
        [0, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 0],
    ]


@given(st.tuples(*[st.integers(-5, 15)] * 4), st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_a_box_holds_the_pixels_between_its_corners(box, size):
    x0, y0, x1, y1 = box
    region = box_region(box, size)

    ys, xs = np.mgrid[: size[0], : size[1]]
    assert np.array_equal(region, (xs >= x0) & (xs < x1) & (ys >= y0) & (ys < y1))
