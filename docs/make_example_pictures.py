"""Draw the pictures of `examples/refs/`: run once; the pictures are in git.

    python docs/make_example_pictures.py [FOLDER]

Everything is drawn with Pillow, in twice the size and then reduced, so that edges are smooth. The two frames
of SC03 show the same coast, and the two references of SC04 the same lamp and its room.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Picture = Image.Image

FOLDER = Path(__file__).parents[1] / "examples" / "refs"
HD = (1280, 720)
UHD = (3840, 2160)
SCALE = 2


def sky(size: tuple[int, int], stops: Sequence[tuple[float, Colour]]) -> Picture:
    """A vertical gradient through the colours of `stops`, (share of the height, colour)."""
    column = Image.new("RGB", (1, size[1]))
    for y in range(size[1]):
        share = y / (size[1] - 1)
        above = max(stop for stop in stops if stop[0] <= share)
        below = min(stop for stop in stops if stop[0] >= share)
        span = below[0] - above[0]
        part = (share - above[0]) / span if span else 0.0
        mixed = tuple(round(a + (b - a) * part) for a, b in zip(above[1], below[1], strict=True))
        column.putpixel((0, y), mixed)
    return column.resize(size)


def ridge(picture: Picture, level: float, height: float, colour: Colour, seed: int) -> None:
    """A mountain ridge: everything below a smooth random line is filled."""
    width, tall = picture.size
    chance = random.Random(seed)
    waves = [(chance.uniform(0.6, 1.4) * 2**n, chance.uniform(0, math.tau), 0.55**n) for n in range(6)]
    line = []
    for x in range(0, width + 4, 4):
        offset = sum(math.sin(x / width * math.tau * rate + phase) * weight for rate, phase, weight in waves)
        line.append((x, (level - offset * height / 2) * tall))
    ImageDraw.Draw(picture).polygon([(0, tall), *line, (width, tall)], fill=colour)


def glow(picture: Picture, centre: tuple[float, float], radius: float, colour: Colour, strength: int = 255) -> None:
    """Light added around a point; `centre` and `radius` in shares of width and width."""
    width, tall = picture.size
    small = (width // 8, tall // 8)  # the blur is costly, and nothing is lost by it
    mask = Image.new("L", small)
    x, y, r = centre[0] * small[0], centre[1] * small[1], radius * small[0]
    ImageDraw.Draw(mask).ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=strength)
    mask = mask.filter(ImageFilter.GaussianBlur(r / 2)).resize(picture.size, Image.Resampling.BICUBIC)
    light = Image.composite(Image.new("RGB", picture.size, colour), Image.new("RGB", picture.size), mask)
    picture.paste(ImageChops.screen(picture, light))


def disc(picture: Picture, centre: tuple[float, float], radius: float, colour: Colour) -> None:
    """A filled circle; shares of the width for the radius, of width and height for the centre."""
    width, tall = picture.size
    x, y, r = centre[0] * width, centre[1] * tall, radius * width
    ImageDraw.Draw(picture).ellipse((x - r, y - r, x + r, y + r), fill=colour)


def shape(picture: Picture, points: Sequence[tuple[float, float]], colour: Colour) -> None:
    """A filled polygon in shares of width and height."""
    width, tall = picture.size
    ImageDraw.Draw(picture).polygon([(x * width, y * tall) for x, y in points], fill=colour)


def ripples(picture: Picture, top: float, colour: Colour, seed: int, *, column: float | None = None) -> None:
    """Short horizontal strokes on water below `top`, gathered around a column of light if there is one."""
    width, tall = picture.size
    chance = random.Random(seed)
    draw = ImageDraw.Draw(picture)
    for _ in range(150):
        depth = chance.random() ** 1.6
        y = (top + 0.01 + depth * (0.98 - top)) * tall
        middle = chance.gauss(column, 0.012 + 0.05 * depth) if column is not None else chance.random()
        half = chance.uniform(0.004, 0.012) * (1 + 2.5 * depth)
        thick = (0.0012 + 0.0022 * depth) * tall
        draw.rounded_rectangle(((middle - half) * width, y, (middle + half) * width, y + thick), 3, fill=colour)


def coast(*, night: bool) -> Picture:
    """SC03: a lighthouse on a cliff, in the last light or at night with its lamp lit."""
    size = (HD[0] * SCALE, HD[1] * SCALE)
    day = [(0.0, (46, 74, 120)), (0.35, (201, 122, 110)), (0.62, (255, 206, 140)), (1.0, (255, 226, 176))]
    dark = [(0.0, (7, 11, 30)), (0.4, (16, 28, 62)), (0.62, (38, 56, 98)), (1.0, (46, 66, 108))]
    picture = sky(size, dark if night else day)
    if night:
        chance = random.Random(5)
        for _ in range(170):
            disc(picture, (chance.random(), chance.random() * 0.55), chance.uniform(0.0004, 0.0012), (206, 216, 240))
        disc(picture, (0.22, 0.2), 0.03, (232, 234, 222))
        disc(picture, (0.232, 0.19), 0.028, (11, 18, 44))
    else:
        glow(picture, (0.3, 0.6), 0.22, (255, 190, 110), 210)
        disc(picture, (0.3, 0.6), 0.034, (255, 244, 214))
    ridge(picture, 0.6, 0.05, (58, 70, 112) if night else (196, 132, 128), 3)
    water = Image.new("RGB", (size[0], int(size[1] * 0.36)), (20, 34, 70) if night else (214, 146, 118))
    picture.paste(water, (0, int(size[1] * 0.64)))
    ripples(picture, 0.645, (74, 98, 150) if night else (255, 220, 168), 9, column=0.22 if night else 0.3)
    ripples(picture, 0.66, (30, 48, 92) if night else (190, 122, 108), 10)
    rock = (6, 10, 24) if night else (74, 50, 66)
    edge = [(0.5, 1.0), (0.545, 0.86), (0.575, 0.83), (0.6, 0.7), (0.66, 0.655), (0.7, 0.6), (0.82, 0.575)]
    shape(picture, [*edge, (0.9, 0.59), (1.0, 0.54), (1.0, 1.0)], rock)
    if night:
        for tip, strength in (((-0.05, 0.16), (58, 60, 78)), ((-0.05, 0.26), (40, 46, 74))):
            beam = Image.new("RGB", size)
            shape(beam, [(0.772, 0.245), tip, (tip[0], tip[1] + 0.17), (0.772, 0.262)], strength)
            picture.paste(ImageChops.screen(picture, beam.filter(ImageFilter.GaussianBlur(14))))
    lighthouse(picture, night=night)
    return picture.resize(HD, Image.Resampling.LANCZOS)


def lighthouse(picture: Picture, *, night: bool) -> None:
    """The tower of SC03."""
    white, red = ((92, 98, 124), (88, 34, 48)) if night else ((250, 236, 220), (196, 62, 58))

    def at(level: float, side: int) -> tuple[float, float]:
        return (0.772 + side * (0.0165 + 0.0115 * level), 0.285 + 0.3 * level)

    for band in range(5):
        low, high = band / 5, (band + 1) / 5
        shape(picture, [at(low, -1), at(low, 1), at(high, 1), at(high, -1)], white if band % 2 == 0 else red)
    shape(picture, [(0.749, 0.285), (0.795, 0.285), (0.795, 0.274), (0.749, 0.274)], (34, 32, 44))
    shape(picture, [(0.76, 0.274), (0.784, 0.274), (0.784, 0.23), (0.76, 0.23)], (255, 238, 190))
    shape(picture, [(0.755, 0.23), (0.789, 0.23), (0.772, 0.19)], red)
    shape(picture, [(0.82, 0.58), (0.9, 0.6), (0.9, 0.53), (0.86, 0.5), (0.82, 0.53)], white)
    shape(picture, [(0.812, 0.535), (0.908, 0.535), (0.86, 0.485)], red)
    if night:
        shape(picture, [(0.85, 0.57), (0.866, 0.57), (0.866, 0.545), (0.85, 0.545)], (255, 214, 130))
        glow(picture, (0.772, 0.252), 0.05, (255, 226, 160))


def boat() -> Picture:
    """SC02: a rowing boat on a still lake at dawn."""
    size = (HD[0] * SCALE, HD[1] * SCALE)
    picture = sky(
        size, [(0.0, (98, 142, 170)), (0.45, (236, 206, 190)), (0.6, (250, 226, 200)), (1.0, (120, 160, 178))]
    )
    glow(picture, (0.68, 0.5), 0.16, (255, 226, 180), 200)
    disc(picture, (0.68, 0.46), 0.026, (255, 250, 232))
    for level, height, colour, seed in ((0.5, 0.14, (168, 182, 196), 21), (0.55, 0.1, (120, 146, 166), 8)):
        ridge(picture, level, height, colour, seed)
    ridge(picture, 0.585, 0.045, (66, 96, 116), 13)
    half = int(size[1] * 0.62)
    mirrored = picture.crop((0, half - (size[1] - half), size[0], half)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    tinted = Image.blend(
        mirrored.filter(ImageFilter.GaussianBlur(6)), Image.new("RGB", mirrored.size, (96, 136, 158)), 0.3
    )
    picture.paste(tinted, (0, half))
    ripples(picture, 0.63, (255, 240, 214), 4, column=0.68)
    ripples(picture, 0.64, (142, 172, 186), 6)
    shape(
        picture, [(0.3, 0.775), (0.33, 0.835), (0.47, 0.835), (0.515, 0.765), (0.47, 0.785), (0.34, 0.79)], (60, 38, 34)
    )
    shape(
        picture,
        [(0.305, 0.779), (0.34, 0.797), (0.47, 0.792), (0.51, 0.772), (0.47, 0.785), (0.34, 0.79)],
        (198, 84, 58),
    )
    shape(picture, [(0.33, 0.838), (0.47, 0.838), (0.45, 0.862), (0.36, 0.862)], (70, 92, 104))
    shape(picture, [(0.39, 0.785), (0.398, 0.7), (0.41, 0.68), (0.424, 0.7), (0.432, 0.785)], (38, 46, 62))
    disc(picture, (0.411, 0.665), 0.0115, (222, 176, 148))
    shape(picture, [(0.396, 0.655), (0.428, 0.655), (0.422, 0.63), (0.402, 0.63)], (210, 166, 74))
    shape(picture, [(0.424, 0.72), (0.558, 0.838), (0.562, 0.832), (0.427, 0.712)], (122, 86, 58))
    return picture.resize(HD, Image.Resampling.LANCZOS)


def lamp() -> Picture:
    """SC04: the product on a plain ground."""
    size = (HD[0] * SCALE, HD[1] * SCALE)
    picture = sky(
        size, [(0.0, (226, 218, 206)), (0.72, (242, 236, 226)), (0.721, (208, 196, 180)), (1.0, (222, 212, 198))]
    )
    shadow = Image.new("RGB", size, (255, 255, 255))
    ImageDraw.Draw(shadow).ellipse(
        (0.36 * size[0], 0.79 * size[1], 0.68 * size[0], 0.87 * size[1]), fill=(170, 156, 140)
    )
    picture.paste(ImageChops.multiply(picture, shadow.filter(ImageFilter.GaussianBlur(30))))
    lantern(picture, 0.5, 0.83, 1.0)
    return picture.resize(HD, Image.Resampling.LANCZOS)


def lantern(picture: Picture, x: float, foot: float, scale: float) -> None:
    """The brass storm lantern of SC04, standing at `foot`."""
    brass, dark, light = (190, 138, 62), (120, 80, 36), (238, 200, 126)

    def part(left: float, right: float, top: float, bottom: float, colour: Colour, slope: float = 0.0) -> None:
        points = [(left + slope, top), (right - slope, top), (right, bottom), (left, bottom)]
        shape(picture, [(x + px * scale, foot + py * scale) for px, py in points], colour)

    part(-0.075, 0.075, -0.05, 0.0, brass, 0.008)
    part(-0.075, 0.075, -0.012, 0.0, dark)
    part(-0.055, 0.055, -0.11, -0.05, brass, 0.01)
    part(-0.042, 0.042, -0.4, -0.11, (255, 232, 178))
    part(-0.03, -0.02, -0.38, -0.13, (255, 246, 220))
    for left in (-0.05, 0.042):
        part(left, left + 0.008, -0.42, -0.1, dark)
    part(-0.06, 0.06, -0.44, -0.4, brass, 0.02)
    part(-0.03, 0.03, -0.52, -0.44, brass, 0.012)
    part(-0.06, -0.05, -0.05, 0.0, light)
    flame = [(0.0, -0.31), (0.017, -0.23), (0.012, -0.17), (0.0, -0.15), (-0.012, -0.17), (-0.017, -0.23)]
    shape(picture, [(x + px * scale, foot + py * scale) for px, py in flame], (255, 150, 44))
    width, tall = picture.size
    box = (
        (x - 0.045 * scale) * width,
        (foot - 0.61 * scale) * tall,
        (x + 0.045 * scale) * width,
        (foot - 0.27 * scale) * tall,
    )
    ImageDraw.Draw(picture).arc(box, 173, 367, fill=dark, width=int(width * 0.0035 * scale))
    glow(picture, (x, foot - 0.23 * scale), 0.09 * scale, (255, 190, 100), 170)


def room() -> Picture:
    """SC04: where the product stands, a wooden table below a window at night."""
    size = (HD[0] * SCALE, HD[1] * SCALE)
    picture = sky(size, [(0.0, (38, 40, 54)), (0.66, (54, 50, 58)), (0.661, (92, 60, 42)), (1.0, (66, 40, 30))])
    window = sky((int(size[0] * 0.34), int(size[1] * 0.46)), [(0.0, (14, 22, 50)), (1.0, (56, 76, 122))])
    picture.paste(window, (int(size[0] * 0.12), int(size[1] * 0.1)))
    chance = random.Random(2)
    for _ in range(40):
        disc(picture, (chance.uniform(0.125, 0.455), chance.uniform(0.11, 0.45)), 0.0009, (200, 212, 240))
    frame = (28, 24, 28)
    for left, top, right, bottom in (
        (0.112, 0.085, 0.468, 0.1),
        (0.112, 0.555, 0.468, 0.575),
        (0.112, 0.085, 0.12, 0.575),
        (0.46, 0.085, 0.468, 0.575),
        (0.287, 0.085, 0.293, 0.575),
        (0.112, 0.32, 0.468, 0.33),
    ):
        shape(picture, [(left, top), (right, top), (right, bottom), (left, bottom)], frame)
    for line in range(7):
        y = 0.69 + line * line * 0.0075
        shape(picture, [(0, y), (1, y), (1, y + 0.003), (0, y + 0.003)], (58, 36, 26))
    for x, tall_, colour in ((0.62, 0.19, (112, 52, 48)), (0.652, 0.22, (52, 82, 84)), (0.684, 0.17, (160, 128, 82))):
        shape(picture, [(x, 0.72), (x + 0.03, 0.72), (x + 0.03, 0.72 - tall_), (x, 0.72 - tall_)], colour)
    shape(picture, [(0.74, 0.735), (0.93, 0.735), (0.96, 0.78), (0.73, 0.78)], (214, 200, 172))
    glow(picture, (0.8, 0.7), 0.3, (255, 176, 88), 130)
    return picture.resize(HD, Image.Resampling.LANCZOS)


def valley() -> Picture:
    """SC05: mountain ranges in the morning, in 4K."""
    picture = sky(UHD, [(0.0, (62, 98, 146)), (0.4, (236, 190, 160)), (0.55, (254, 226, 186)), (1.0, (254, 226, 186))])
    glow(picture, (0.62, 0.4), 0.2, (255, 222, 160), 220)
    disc(picture, (0.62, 0.37), 0.024, (255, 250, 228))
    far, near = (214, 176, 168), (22, 40, 52)
    for layer in range(7):
        part = layer / 6
        colour = tuple(round(a + (b - a) * part) for a, b in zip(far, near, strict=True))
        ridge(picture, 0.45 + 0.085 * layer, 0.17 - 0.012 * layer, (colour[0], colour[1], colour[2]), 40 + layer * 3)
        if layer < 6:
            veil = sky(UHD, [(0.0, (0, 0, 0)), (0.42 + 0.085 * layer, (0, 0, 0)), (1.0, (34, 26, 22))])
            picture.paste(ImageChops.screen(picture, veil))
    chance = random.Random(77)
    for _ in range(46):
        x, height = chance.uniform(0, 1), chance.uniform(0.05, 0.1)
        if 0.38 < x < 0.72:
            continue
        for step in range(4):
            base, half = 1.0 - step * height * 0.42 + 0.02, height * (0.24 - 0.05 * step)
            shape(picture, [(x - half, base), (x + half, base), (x, base - height * 0.75)], (12, 24, 32))
    return picture


def main(folder: Path) -> None:
    """Write all pictures to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in (("coast-dusk", coast(night=False)), ("coast-night", coast(night=True))):
        picture.save(folder / f"{name}.png", optimize=True)
    boat().save(folder / "boat.jpg", quality=85, optimize=True)
    lamp().save(folder / "lamp.png", optimize=True)
    room().save(folder / "room.jpg", quality=85, optimize=True)
    valley().save(folder / "valley-4k.jpg", quality=74, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
