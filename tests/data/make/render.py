"""The pictures: small scenes computed from fixed seeds, nothing photographed or downloaded.

Every scene is a function of its size; `vectors()`, `demo()` and `test_card()` are what the other scripts use.
Coordinates: the height of the picture is 1, x grows to the right and y downwards.
"""

import numpy as np
from PIL import Image, ImageDraw, ImageFont


# ---- brushes

def grid(w, h):
    y, x = np.mgrid[0:h, 0:w]
    return (x + 0.5) / h, (y + 0.5) / h


def smooth(edge0, edge1, v):
    t = np.clip((v - edge0) / (edge1 - edge0), 0, 1)
    return t * t * (3 - 2 * t)


def noise(x, y, seed, octaves=4):
    """Fractal value noise in 0..1; x and y in cells of the coarsest octave."""
    table = np.random.Generator(np.random.PCG64(seed)).random((64, 64))
    total, weight = 0, 0
    for octave in range(octaves):
        u, v = x * 2**octave + 7.3 * octave, y * 2**octave + 3.1 * octave
        i, j = np.floor(u).astype(int), np.floor(v).astype(int)
        fu, fv = smooth(0, 1, u - i), smooth(0, 1, v - j)
        at = lambda di, dj: table[(j + dj) % 64, (i + di) % 64]
        row = lambda dj: at(0, dj) * (1 - fu) + at(1, dj) * fu
        total = total + (row(0) * (1 - fv) + row(1) * fv) / 2**octave
        weight += 1 / 2**octave
    return total / weight


def colour(*rgb):
    return np.array(rgb, float).reshape(1, 1, 3)


def blend(under, over, mask):
    m = np.asarray(mask)[..., None]
    return under * (1 - m) + over * m


def ramp(t, *stops):
    """A colour ramp; stops are (position, (r, g, b))."""
    at = [s[0] for s in stops]
    return np.stack([np.interp(t, at, [s[1][c] for s in stops]) for c in range(3)], -1)


def picture(pixels):
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8), "RGB")


def few_colours(image, n=48):
    """The same picture in at most n colours, so that it compresses well."""
    return image.quantize(n, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")


# ---- scenes

def mountains(w, h, seed=1):
    x, y = grid(w, h)
    p = ramp(y, (0, (58, 104, 170)), (0.45, (236, 190, 150)), (0.6, (250, 214, 160)))
    sun = np.hypot(x - 0.95, y - 0.19)
    p = p + colour(110, 80, 30) * np.exp(-sun * 6)[..., None]
    p = blend(p, colour(255, 250, 225), smooth(0.075, 0.065, sun))
    clouds = noise(x * 2.2 + 3, y * 7, seed + 50)
    p = blend(p, colour(250, 240, 238), 0.8 * smooth(0.52, 0.72, clouds) * smooth(0.5, 0.1, y))
    for k in range(4):
        crags = 1 - np.abs(2 * noise(x * (1.5 + 0.6 * k) + 5 * k, 0 * x, seed + k, 6) - 1)
        ridge = 0.86 + 0.1 * k - (0.62 - 0.13 * k) * crags
        rock = noise(x * 9 + k, y * 9 + (y - ridge) * 5, seed + 20 + k)
        tone = ramp(rock, (0.2, (120 - 30 * k, 122 - 22 * k, 150 - 36 * k)), (0.8, (196 - 40 * k, 186 - 32 * k, 190 - 46 * k)))
        if k < 2:
            tone = blend(tone, colour(244, 244, 250), smooth(0.12, 0.04, y - ridge + 0.3 * (rock - 0.5)))
        p = blend(p, tone, smooth(-0.002, 0.002, y - ridge))
    return picture(p)


def spheres(w, h):
    x, y = grid(w, h)
    p = ramp(y + 0.3 * x, (0, (70, 62, 80)), (0.8, (150, 128, 120)))
    cloth = (np.floor((x - 0.4) / (y - 0.2) * 6) + np.floor(1.6 / (y - 0.2))) % 2
    p = blend(p, ramp(cloth, (0, (120, 40, 44)), (1, (226, 214, 190))), smooth(0.5, 0.503, y))
    for cx, cy, r, rgb in [(0.24, 0.5, 0.17, (205, 62, 48)), (0.56, 0.45, 0.12, (236, 180, 60)),
                           (0.5, 0.67, 0.14, (84, 140, 72)), (0.15, 0.75, 0.09, (90, 96, 170)), (0.62, 0.85, 0.07, (230, 226, 220))]:
        p = p * (1 - 0.6 * smooth(1, 0.3, np.hypot((x - cx - 0.5 * r) / (1.3 * r), (y - cy - 0.95 * r) / (0.4 * r))))[..., None]
        dx, dy = (x - cx) / r, (y - cy) / r
        dz = np.sqrt(np.clip(1 - dx * dx - dy * dy, 0, 1))
        light = np.clip(-0.55 * dx - 0.6 * dy + 0.58 * dz, 0, 1)
        ball = colour(*rgb) * (0.22 + 0.85 * light)[..., None] + 210 * (light**24)[..., None]
        p = blend(p, ball, smooth(1.01, 0.99, np.hypot(dx, dy)))
    return picture(p)


def skyline(w, h):
    x, y = grid(w, h)
    p = ramp(y, (0, (28, 30, 74)), (0.4, (140, 72, 110)), (0.68, (250, 160, 90)))
    p = blend(p, colour(250, 240, 214), smooth(0.061, 0.055, np.hypot(x - 0.3, y - 0.2)))
    p = p + 26 * (smooth(0.5, 0.7, noise(x * 2, y * 9, 9)) * smooth(0.6, 0.2, y))[..., None]
    rng = np.random.Generator(np.random.PCG64(12))
    for depth, shade in enumerate([(96, 62, 92), (46, 36, 64), (18, 16, 34)]):
        left = -0.02
        while left < w / h:
            wide, tall = 0.06 + 0.09 * rng.random(), 0.1 + (0.42 - 0.09 * depth) * rng.random() ** 1.3
            body = (x >= left) & (x < left + wide) & (y > 0.76 - tall + 0.02 * depth) & (y < 0.8)
            p = blend(p, colour(*shade), body)
            u, v = np.floor((x - left) / 0.014), np.floor(y / 0.02)
            lit = np.sin(u * 12.9 + v * 78.2 + left * 37) > 0.55 - 0.2 * depth
            pane = ((x - left) / 0.014 % 1 > 0.35) & (y / 0.02 % 1 > 0.4)
            p = blend(p, colour(250, 206, 110), 0.9 * (body & lit & pane & (depth > 0)))
            left += wide + 0.03 * rng.random()
    river = y > 0.8
    mirror = np.clip((h * (1.6 - y) + 5 * np.sin(y * 260 + 2 * np.sin(x * 9))).astype(int), 0, h - 1)
    p = np.where(river[..., None], p[mirror, np.arange(w)[None, :].repeat(h, 0)] * 0.62 + colour(6, 10, 26), p)
    return picture(p)


def flower(w, h):
    x, y = grid(w, h)
    leaf = noise(x * 4, y * 4, 31) + 0.12 * np.sin(24 * x + 9 * y)
    p = ramp(leaf, (0.2, (14, 44, 26)), (0.55, (52, 106, 48)), (0.9, (150, 180, 84)))
    for cx, cy, size, petals, tilt, inner, outer in [
            (1.13, 0.67, 0.3, 8, 0.5, (252, 214, 90), (214, 110, 40)), (0.56, 0.42, 0.42, 11, 0.1, (250, 226, 236), (190, 60, 130))]:
        dx, dy = x - cx, (y - cy) * 1.12
        r, a = np.hypot(dx, dy), np.arctan2(dy, dx) + tilt
        for ring in (1.0, 0.68):
            wave = np.abs(np.cos(a * petals / 2 + ring * 5))
            edge = size * ring * (0.62 + 0.38 * wave**0.6)
            tone = ramp(r / edge, (0.2, outer), (0.9, inner)) * (0.62 + 0.38 * wave + 0.1 * np.sin(a))[..., None]
            p = blend(p * (1 - 0.4 * smooth(edge + 0.05, edge - 0.02, r))[..., None], tone, smooth(edge + 0.003, edge - 0.003, r))
        heart = ramp(np.sin(r * 240) * np.sin(a * 14), (-1, (96, 58, 20)), (1, (240, 190, 60)))
        p = blend(p, heart, smooth(size * 0.2 + 0.004, size * 0.2, r))
    return picture(p)


def waves(w, h):
    x, y = grid(w, h)
    p = ramp(y, (0, (120, 170, 214)), (0.36, (222, 232, 236)))
    p = blend(p, colour(255, 255, 255), smooth(0.5, 0.75, noise(x * 3, y * 8, 77)) * smooth(0.36, 0.1, y))
    far = 1 / np.maximum(y - 0.3, 0.02)
    swell = np.sin(far * 5 + 2.2 * np.sin(x * far * 0.35 + 1) + 3 * noise(x * 3, y * 3, 5)) + 0.5 * np.sin(far * 11 + x * far * 1.3)
    sea = ramp(swell, (-1.5, (8, 46, 84)), (0.3, (26, 110, 140)), (1.1, (110, 190, 190)), (1.5, (240, 250, 248)))
    p = blend(p, sea, smooth(0.36, 0.362, y))
    sail = (y > 0.12) & (y < 0.4) & (x > 0.98 - 0.5 * (y - 0.12)) & (x < 0.98)
    jib = (y > 0.16) & (y < 0.4) & (x < 0.995 + 0.4 * (y - 0.16)) & (x > 0.995)
    hull = (y > 0.41) & (y < 0.46) & (np.abs(x - 0.98) < 0.16 - (y - 0.41))
    for mask, rgb in [(sail, (250, 246, 236)), (jib, (206, 66, 50)), (hull, (70, 40, 30))]:
        p = blend(p, colour(*rgb), mask)
    return picture(p)


def poster(w, h):
    image = Image.new("RGB", (w, h), (240, 228, 200))
    d, u = ImageDraw.Draw(image), h / 100
    d.rectangle([0, 0, w, 30 * u], fill=(188, 52, 40))
    d.ellipse([w * 0.55, 12 * u, w * 1.1, 60 * u], fill=(238, 170, 52))
    d.polygon([(0, 72 * u), (w * 0.45, 40 * u), (w * 0.8, 78 * u), (w, 66 * u), (w, h), (0, h)], fill=(34, 70, 92))
    d.line([(6 * u, 66 * u), (w * 0.5, 50 * u)], fill=(20, 20, 20), width=int(2 * u))
    for at, size, text, fill in [((5, 3), 15, "SUMMER", (255, 250, 236)), ((5, 17), 9, "concert", (255, 220, 150)),
                                 ((5, 34), 6, "brass, strings\nand one accordion", (40, 30, 30)), ((5, 78), 8, "21 JUNE", (250, 240, 210)),
                                 ((5, 88), 5, "old harbour, eight o'clock", (190, 214, 220))]:
        d.text((at[0] * u, at[1] * u), text, fill=fill, font=ImageFont.load_default(size=int(size * u)))
    return image


def trees(w, h):
    x, y = grid(w, h)
    fog = noise(x * 2, y * 5, 41)
    p = ramp(y + 0.3 * (fog - 0.5), (0, (196, 206, 206)), (0.6, (232, 214, 176)), (0.75, (150, 104, 54)), (1, (84, 54, 30)))
    image = picture(p)
    d, rng = ImageDraw.Draw(image), np.random.Generator(np.random.PCG64(6))

    def branch(px, py, angle, length, thick, tone):
        qx, qy = px + length * np.cos(angle), py - length * np.sin(angle)
        d.line([(px * h, py * h), (qx * h, qy * h)], fill=tone, width=max(1, int(thick * h)))
        if length < 0.035:
            r = (0.014 + 0.02 * rng.random()) * h
            leaf = (200 + int(50 * rng.random()), 90 + int(90 * rng.random()), 30)
            d.ellipse([qx * h - r, qy * h - r, qx * h + r, qy * h + r], fill=leaf)
            return
        for turn in (-0.5, 0.42):
            branch(qx, qy, angle + turn + 0.3 * (rng.random() - 0.5), length * (0.66 + 0.14 * rng.random()), thick * 0.62, tone)

    for px, py, size in [(0.22, 0.76, 0.16), (0.92, 0.82, 0.24), (0.55, 0.94, 0.2)]:
        branch(px, py, 1.6, size, size * 0.16, (62, 44, 36))
    return image


def planet(w, h):
    x, y = grid(w, h)
    mist = noise(x * 2, y * 2, 88, 5)
    p = ramp(mist + 0.25 * (x - y), (0.3, (8, 8, 20)), (0.7, (70, 30, 90)), (1, (200, 110, 130)))
    rng = np.random.Generator(np.random.PCG64(3))
    for _ in range(60):
        cx, cy, r = rng.random() * w / h, rng.random(), 0.003 + 0.006 * rng.random() ** 3
        p = blend(p, colour(255, 250, 240), smooth(r, r * 0.4, np.hypot(x - cx, y - cy)))
    dx, dy, r = x - 0.5, y - 0.6, 0.28
    u, v = dx * 0.94 + dy * 0.34, dy * 0.94 - dx * 0.34
    z = np.sqrt(np.clip(1 - (dx * dx + dy * dy) / r**2, 0, 1))
    bands = noise(v * 14 + 40, u * 2 + 40, 17) + 0.25 * np.sin(v * 60)
    globe = ramp(bands, (0.2, (150, 92, 60)), (0.5, (222, 178, 128)), (0.8, (246, 226, 190)))
    globe = globe * np.clip(0.08 + z * 0.6 - (dx + dy) * 1.4, 0.03, 1.1)[..., None]
    ring = np.hypot(u, v * 4)
    band = smooth(0.36, 0.38, ring) * smooth(0.56, 0.54, ring) * (0.55 + 0.45 * np.sin(ring * 130))
    p = blend(p, colour(226, 206, 170), 0.9 * band * (v < 0))
    p = blend(p, globe, smooth(1.01, 0.99, np.hypot(dx, dy) / r))
    return picture(blend(p, colour(226, 206, 170), 0.9 * band * (v >= 0)))


def cobbles(w, h):
    x, y = grid(w, h)
    rng = np.random.Generator(np.random.PCG64(15))
    sites = np.concatenate([np.column_stack([rng.random(90) * w / h, rng.random(90)]), [[0.35, 0.5], [0.95, 0.75]]])
    near = np.sort(np.stack([np.hypot(x - sx, (y - sy) * 1.2) for sx, sy in sites]), 0)[:2]
    which = np.argmin(np.stack([np.hypot(x - sx, (y - sy) * 1.2) for sx, sy in sites]), 0)
    tone = rng.random(len(sites))[which]
    p = ramp(tone, (0, (70, 74, 84)), (0.5, (146, 132, 120)), (1, (206, 190, 166)))
    p = p * (0.75 + 0.5 * noise(x * 10, y * 10, 8))[..., None] * (1.15 - 3 * near[0])[..., None]
    return picture(blend(p, colour(34, 30, 28), smooth(0.014, 0.004, near[1] - near[0])))


def dunes(w, h):
    x, y = grid(w, h)
    p = ramp(y, (0, (60, 130, 190)), (0.4, (206, 224, 226)))
    for k in range(5):
        crest = 0.3 + 0.13 * k + 0.1 * np.sin(x * (2.4 + 0.7 * k) + 2.1 * k) + 0.05 * noise(x * 3, 0 * x, 60 + k)
        depth = y - crest
        side = np.sin(x * (2.4 + 0.7 * k) + 2.1 * k + 1.2 + 3 * depth)
        ripple = 0.12 * np.sin(depth * 190 + 5 * np.sin(x * 7) + 8 * noise(x * 3, y * 3, k))
        tone = ramp(side + ripple, (-0.6, (128, 74, 40)), (0, (206, 144, 84)), (0.8, (246, 208, 146)))
        p = blend(p, tone, smooth(-0.002, 0.002, depth))
    return picture(p)


def tiles(w, h, seed=4):
    """For the tiny pictures: soft coloured patches."""
    y, x = np.mgrid[0:h, 0:w]
    return picture(np.stack([255 * smooth(0.25, 0.75, noise(x / 9 + 5 * c, y / 9, seed + c, 3)) for c in range(3)], -1))


def gradient(w, h):
    """Soft enough that its PDQ quality is between 1 and 49."""
    x, y = grid(w, h)
    return picture(ramp(x * h / w, (0, (70, 84, 120)), (1, (150, 140, 124))) + 22 * np.sin(y * 9 + x * 4)[..., None])


# ---- the demonstration list's pictures

def balloons(w, h):
    x, y = grid(w, h)
    p = ramp(y, (0, (70, 140, 210)), (0.7, (236, 226, 206)))
    p = blend(p, colour(255, 255, 255), 0.8 * smooth(0.5, 0.7, noise(x * 3, y * 6, 101)) * smooth(0.7, 0.3, y))
    hill = 0.8 + 0.07 * np.sin(x * 4 + 1) - 0.16 * smooth(0.9, 1.4, x)
    p = blend(p, ramp(noise(x * 8, y * 12, 102), (0.2, (40, 84, 40)), (0.8, (150, 168, 76))), smooth(-0.002, 0.002, y - hill))
    for cx, cy, r, n, one, two in [(0.33, 0.33, 0.24, 7, (206, 44, 50), (250, 210, 70)), (0.98, 0.2, 0.14, 5, (60, 70, 150), (236, 236, 240)),
                                   (0.78, 0.57, 0.1, 6, (230, 120, 40), (70, 40, 90)), (1.2, 0.5, 0.055, 4, (30, 130, 110), (250, 240, 180))]:
        dx, dy = (x - cx) / r, (y - cy) / r
        wide = np.where(dy > 0, 1 - 0.35 * dy * dy, 1) * np.sqrt(np.clip(1.02 - (np.maximum(dy, -1) * np.where(dy > 0, 0.78, 1)) ** 2, 0.0004, 1))
        u = np.clip(dx / wide, -1, 1)
        stripe = np.floor(np.arcsin(u) * n / 3.1416 + 40) % 2
        skin = ramp(stripe, (0, one), (1, two)) * np.clip(0.95 - 0.35 * u - 0.25 * dy, 0.3, 1.15)[..., None]
        p = blend(p, skin, (np.abs(dx) < wide) & (dy > -1) & (dy < 1.2))
        p = blend(p, colour(90, 60, 34), (np.abs(dx) < 0.16) & (dy > 1.36) & (dy < 1.6))
        p = blend(p, colour(60, 50, 40), (np.abs(np.abs(dx) - 0.15) < 0.02) & (dy >= 1.1) & (dy < 1.4))
    return picture(p)


def lighthouse(w, h):
    x, y = grid(w, h)
    p = ramp(y + 0.25 * x, (0, (40, 54, 96)), (0.5, (120, 110, 140)), (0.8, (240, 170, 120)))
    p = blend(p, colour(236, 206, 196), 0.75 * smooth(0.48, 0.7, noise(x * 2.4, y * 6, 111, 5)) * smooth(0.62, 0.3, y))
    beam = np.abs((y - 0.17) + 0.28 * (x - 0.27)) / np.maximum(x - 0.27, 0.01)
    p = p + colour(120, 116, 80) * (smooth(0.16, 0.02, beam) * (x > 0.27))[..., None]
    sea = ramp(np.sin(110 * np.maximum(y - 0.6, 0) ** 0.8 + 4 * noise(x * 5, y * 14, 112)), (-1, (26, 52, 82)), (1, (120, 140, 160)))
    p = blend(p, sea, smooth(0.62, 0.622, y))
    rock = 0.93 - 0.36 * smooth(0.62, 0.1, x) + 0.16 * (noise(x * 7, 0 * x, 113) - 0.5)
    p = blend(p, ramp(noise(x * 8, y * 8, 114), (0.25, (32, 26, 28)), (0.8, (140, 120, 104))), smooth(-0.002, 0.002, y - rock))
    half = 0.045 + 0.06 * (y - 0.2)
    tower = (y > 0.22) & (y < 0.72) & (np.abs(x - 0.27) < half)
    bands = ramp(np.floor((y - 0.22) / 0.084) % 2, (0, (236, 230, 220)), (1, (186, 40, 38)))
    p = blend(p, bands * (0.78 - 4 * (x - 0.27))[..., None], tower)
    p = blend(p, colour(255, 244, 190), (np.abs(x - 0.27) < 0.032) & (y > 0.14) & (y <= 0.21))
    p = blend(p, colour(30, 26, 34), ((np.abs(x - 0.27) < 0.06) & (np.abs(y - 0.215) < 0.008)) | ((y > 0.08) & (y < 0.14) & (np.abs(x - 0.27) < (y - 0.08))))
    return picture(p)


def aquarium(w, h):
    x, y = grid(w, h)
    light = np.sin(9 * x - 3 * y + 3 * noise(x * 3, y * 2, 121)) * smooth(0.9, 0.1, y)
    p = ramp(y - 0.1 * light, (0, (120, 206, 214)), (0.5, (24, 110, 150)), (1, (8, 44, 84)))
    floor = 0.86 + 0.05 * np.sin(x * 5)
    p = blend(p, ramp(noise(x * 16, y * 22, 122), (0.2, (150, 120, 76)), (0.8, (226, 204, 150))), smooth(0, 0.004, y - floor))
    for px, top, rgb in [(0.1, 0.3, (36, 110, 50)), (0.2, 0.5, (90, 150, 50)), (0.84, 0.55, (150, 50, 70)), (1.22, 0.24, (40, 120, 70)), (1.12, 0.46, (120, 160, 60))]:
        p = blend(p, colour(*rgb), (np.abs(x - px - 0.025 * np.sin(y * 22 + px * 30)) < 0.024 * smooth(top, top + 0.2, y)) & (y > top) & (y < 0.93))
    for cx, cy, r, way, one, two in [(0.46, 0.34, 0.19, 1, (240, 130, 40), (250, 240, 230)), (0.98, 0.64, 0.15, -1, (240, 220, 70), (40, 40, 60)),
                                     (0.42, 0.7, 0.1, -1, (210, 60, 80), (240, 180, 190)), (0.95, 0.2, 0.09, 1, (120, 90, 190), (220, 220, 250))]:
        u, v = way * (x - cx) / r, (y - cy) / r
        body = (u / 1.1) ** 2 + (v / 0.62) ** 2 < 1
        fins = ((u < -0.8) & (u > -1.6) & (np.abs(v) < -0.7 * (u + 0.75))) | ((np.abs(u) < 0.4) & (v < -0.4) & (v > -0.95 + u))
        skin = ramp(np.sin(u * 7 + 1), (-0.1, one), (0.1, two)) * np.clip(0.95 - 0.5 * v, 0.4, 1.2)[..., None]
        p = blend(blend(p, colour(*one) * 0.8, fins), skin, body)
        p = blend(blend(p, colour(255, 255, 255), np.hypot(u - 0.7, v + 0.12) < 0.13), colour(10, 10, 10), np.hypot(u - 0.73, v + 0.12) < 0.07)
    return picture(p)


def test_card(seed=42):
    """The picture everybody may flag: 512x512, asymmetric on purpose so that none of its eight orientations resembles another."""
    s = 1024
    image = Image.new("RGB", (s, s), (236, 234, 226))
    d, rng = ImageDraw.Draw(image), np.random.Generator(np.random.PCG64(seed))
    inks = [(20, 24, 40), (196, 44, 44), (30, 90, 160), (240, 190, 50), (236, 234, 226), (40, 130, 90), (120, 120, 124)]
    cell = 64
    for row in range(5, 13):
        for col in range(16):
            x, y, ink, shape = col * cell, row * cell, inks[rng.integers(7)], rng.integers(5)
            d.rectangle([x, y, x + cell, y + cell], fill=inks[rng.integers(7)])
            box = [x, y, x + cell, y + cell]
            if shape == 0:
                d.rectangle(box, fill=ink)
            elif shape == 1:
                d.ellipse(box, fill=ink)
            elif shape == 2:
                d.polygon([(x, y), (x + cell, y), (x, y + cell)], fill=ink)
            elif shape == 3:
                d.polygon([(x + cell, y), (x + cell, y + cell), (x, y + cell)], fill=ink)
            else:
                d.rectangle([x, y, x + cell // 2, y + cell], fill=ink)
    d.rectangle([0, 0, s, 320], fill=inks[2])
    d.rectangle([0, 832, s, s], fill=inks[3])
    d.text((36, 4), "presend", fill=inks[4], font=ImageFont.load_default(size=150))
    d.text((36, 164), "TEST PICTURE", fill=inks[3], font=ImageFont.load_default(size=132))
    d.text((36, 880), "harmless: made to be flagged", fill=inks[0], font=ImageFont.load_default(size=70))
    return image.resize((512, 512), Image.Resampling.BOX).quantize(32, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def vectors():
    """name -> RGB picture; the PNG files of vectors/."""
    scenes = {"mountains": mountains(640, 480), "spheres": spheres(480, 640), "skyline": skyline(500, 333), "flower": flower(641, 427),
              "waves": waves(640, 480), "poster": poster(300, 420), "trees": trees(512, 384), "planet": planet(400, 399),
              "cobbles": cobbles(320, 240), "dunes": dunes(600, 257)}
    small = {"tiny-1x1": tiles(1, 1), "tiny-7x5": tiles(7, 5), "tiny-64x64": tiles(64, 64, 21), "tiny-63x200": tiles(63, 200, 33),
             "tiny-128x128": tiles(128, 128, 55), "flat": Image.new("RGB", (96, 80), (120, 90, 60)), "gradient": gradient(200, 150)}
    return {name: few_colours(image) for name, image in scenes.items()} | small


def demo():
    """name -> picture; what the demonstration list holds besides the test picture."""
    return {"balloons": balloons(512, 384), "lighthouse": lighthouse(384, 512), "aquarium": aquarium(500, 375)}
