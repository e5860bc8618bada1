"""make.py — writes images/ and expected.json: valid oddities, and the RGB that Pillow makes of each.

    pip install Pillow==11.3.0 numpy simplejpeg==1.9.0
    python make.py

expected.json holds the size and the SHA-256 of Pillow's convert("RGB"), tightly packed, and under `formula` the
SHA-256 of Pillow's bicubic resize of a picture given by `formula`, for many pairs of sizes. The bytes of the
pictures may change with other versions of the encoders; the recorded ones are what the tests read.
"""
import hashlib
import io
import json
import os
import struct
import zlib

import numpy as np
import PIL
import simplejpeg
from PIL import Image, ImageCms, features

HERE = os.path.dirname(os.path.abspath(__file__))
W, H = 37, 23


def picture(w=W, h=H, channels=3, top=255, seed=1):
    """Smooth ramps with a block of noise: every channel differs, hard and soft edges."""
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    planes = [top * (0.5 + 0.5 * np.sin((c + 2) * x / 9 + (c + 1) * y / 7 + c)) for c in range(channels)]
    out = np.stack(planes, -1)
    out[3:9, 4:16] = np.random.default_rng(seed).integers(0, top + 1, (6, 12, channels))
    return out.round().astype(np.uint16 if top > 255 else np.uint8)


# ---- PNG by hand: Pillow writes neither 16-bit colour, nor interlacing, nor most ancillary chunks

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def scanlines(pixels, depth):
    """Filter 0 rows of [h, w, channels]."""
    out = b""
    for row in pixels:
        flat = row.reshape(-1)
        if depth == 16:
            data = flat.astype(">u2").tobytes()
        elif depth == 8:
            data = flat.astype(np.uint8).tobytes()
        else:
            bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
            data = np.packbits(bits.reshape(-1)).tobytes()
        out += b"\0" + data
    return out


def png(pixels, depth, colour_type, before=(), interlaced=False):
    h, w, _ = pixels.shape
    if interlaced:
        passes = [pixels[y0::dy, x0::dx] for x0, y0, dx, dy in ADAM7]
        data = b"".join(scanlines(p, depth) for p in passes if p.size)
    else:
        data = scanlines(pixels, depth)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour_type, 0, 0, int(interlaced)))
    for kind, payload in before:
        out += chunk(kind, payload)
    return out + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def profile(swap):
    """An sRGB profile whose red and green primaries change places: applied by mistake, it shows in every pixel."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data[24:36] = bytes(12)  # creation date
    tags = {bytes(data[132 + 12 * i:136 + 12 * i]): 132 + 12 * i for i in range(struct.unpack(">I", data[128:132])[0])}
    if swap:
        red, green = tags[b"rXYZ"], tags[b"gXYZ"]
        data[red + 4:red + 12], data[green + 4:green + 12] = data[green + 4:green + 12], data[red + 4:red + 12]
    return bytes(data)


def pngs():
    rgb8, rgb16 = picture(), picture(top=65535)
    rgba16 = picture(channels=4, top=65535)
    rgba16[: H // 2, :, 3] = 0
    grey8, grey16 = picture(channels=1), picture(channels=1, top=65535)
    grey16[10:16] //= 257  # also values below 256, which Pillow keeps where it clips the others
    palette = np.random.default_rng(2).integers(0, 256, (16, 3), dtype=np.uint8)
    plte = (b"PLTE", palette.tobytes())
    yield "rgb16.png", png(rgb16, 16, 2)
    yield "rgba16.png", png(rgba16, 16, 6)
    yield "grey-alpha16.png", png(np.dstack([grey16, rgba16[..., 3:]]), 16, 4)
    yield "grey16-transparent-level.png", png(grey16, 16, 0, [(b"tRNS", struct.pack(">H", int(grey16[0, 0, 0])))])
    yield "grey16-interlaced.png", png(grey16, 16, 0, interlaced=True)
    yield "rgb16-transparent-colour.png", png(rgb16, 16, 2, [(b"tRNS", rgb16[0, 0].astype(">u2").tobytes())])
    yield "rgb8-transparent-colour.png", png(rgb8, 8, 2, [(b"tRNS", rgb8[0, 0].astype(">u2").tobytes())])
    yield "grey8-transparent-level.png", png(grey8, 8, 0, [(b"tRNS", struct.pack(">H", int(grey8[0, 0, 0])))])
    yield "grey1.png", png(grey8 >> 7, 1, 0)
    yield "grey2.png", png(grey8 >> 6, 2, 0)
    yield "grey4.png", png(grey8 >> 4, 4, 0)
    yield "grey4-transparent-level.png", png(grey8 >> 4, 4, 0, [(b"tRNS", struct.pack(">H", 7))])
    yield "palette1.png", png(grey8 >> 7, 1, 3, [(b"PLTE", palette[:2].tobytes())])
    yield "palette2-transparent.png", png(grey8 >> 6, 2, 3, [(b"PLTE", palette[:4].tobytes()), (b"tRNS", b"\0\x80")])
    yield "palette4-interlaced.png", png(grey8 >> 4, 4, 3, [plte], interlaced=True)
    yield "rgb8-interlaced.png", png(rgb8, 8, 2, interlaced=True)
    yield "rgba8-interlaced.png", png(picture(channels=4), 8, 6, interlaced=True)
    yield "gamma.png", png(rgb8, 8, 2, [(b"gAMA", struct.pack(">I", 100000))])
    yield "chromaticities.png", png(rgb8, 8, 2, [(b"cHRM", struct.pack(">8I", 31270, 32900, 30000, 60000, 64000, 33000, 15000, 6000))])
    yield "significant-bits.png", png(rgb8, 8, 2, [(b"sBIT", b"\5\6\5")])
    yield "background.png", png(picture(channels=4), 8, 6, [(b"bKGD", struct.pack(">3H", 255, 0, 0))])
    yield "icc-swapped.png", png(rgb8, 8, 2, [(b"iCCP", b"swapped\0\0" + zlib.compress(profile(True), 9))])
    yield "icc-swapped-grey16.png", png(grey16, 16, 0, [(b"iCCP", b"swapped\0\0" + zlib.compress(profile(True), 9))])


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def animated():
    frames = [Image.fromarray(picture(seed=s)) for s in (1, 2, 3)]
    alpha = [Image.fromarray(picture(channels=4, seed=s)) for s in (1, 2)]
    yield "animated.png", saved(frames[0], format="PNG", save_all=True, append_images=frames[1:], duration=100)
    yield "animated-other-default.png", saved(
        frames[0], format="PNG", save_all=True, append_images=frames[1:], duration=100, default_image=True)
    yield "animated.webp", saved(frames[0], format="WEBP", save_all=True, append_images=frames[1:], duration=100, quality=80)
    webp = saved(alpha[0], format="WEBP", save_all=True, append_images=alpha[1:], duration=100, lossless=True, exact=True)
    yield "animated-alpha.webp", webp
    # The first frame covers only part of a larger canvas, over an opaque background colour.
    moved = bytearray(webp)
    vp8x, anim, anmf = webp.index(b"VP8X"), webp.index(b"ANIM"), webp.index(b"ANMF")
    moved[vp8x + 12:vp8x + 18] = struct.pack("<I", W + 20 - 1)[:3] + struct.pack("<I", H + 11 - 1)[:3]
    moved[anim + 8:anim + 12] = bytes([10, 200, 90, 255])
    moved[anmf + 8:anmf + 14] = struct.pack("<I", 5)[:3] + struct.pack("<I", 3)[:3]
    yield "animated-offset.webp", bytes(moved)


def webps():
    rgb, rgba = Image.fromarray(picture()), Image.fromarray(picture(channels=4))
    hidden = picture(channels=4)
    hidden[:, : W // 2, 3] = 0
    yield "lossless.webp", saved(rgb, format="WEBP", lossless=True)
    yield "lossy-alpha.webp", saved(rgba, format="WEBP", quality=75)
    yield "lossy-hidden.webp", saved(Image.fromarray(hidden), format="WEBP", quality=75, exact=True)
    yield "lossless-hidden.webp", saved(Image.fromarray(hidden), format="WEBP", lossless=True, exact=True)
    yield "icc-swapped.webp", saved(rgb, format="WEBP", quality=90, icc_profile=profile(True))
    yield "lossy-odd.webp", saved(Image.fromarray(picture(31, 17)), format="WEBP", quality=60)
    yield "one-pixel.webp", saved(Image.fromarray(np.full((1, 1, 3), 77, np.uint8)), format="WEBP")


def jpegs():
    rgb = picture(61, 45)
    image = Image.fromarray(rgb)
    for name in ("444", "422", "420", "440", "411"):
        yield f"chroma{name}.jpg", simplejpeg.encode_jpeg(rgb, quality=80, colorsubsampling=name)
    yield "grey.jpg", saved(image.convert("L"), format="JPEG", quality=70, progressive=True)
    yield "progressive420.jpg", saved(image, format="JPEG", quality=60, progressive=True)
    yield "quality5.jpg", saved(image, format="JPEG", quality=5)
    yield "restart.jpg", saved(image, format="JPEG", quality=80, restart_marker_blocks=3)
    yield "adobe-rgb.jpg", saved(image, format="JPEG", quality=90, keep_rgb=True)
    yield "icc-swapped.jpg", saved(image, format="JPEG", quality=90, icc_profile=profile(True))
    yield "one-pixel.jpg", saved(Image.fromarray(np.full((1, 1, 3), 77, np.uint8)), format="JPEG")
    yield "tall.jpg", saved(Image.fromarray(picture(20, 300)), format="JPEG", quality=80)
    cmyk = saved(Image.frombytes("CMYK", (61, 45), picture(61, 45, channels=4).tobytes()), format="JPEG", quality=85)
    yield "cmyk.jpg", cmyk
    adobe = cmyk.index(b"\xff\xee")
    assert cmyk[adobe + 4:adobe + 9] == b"Adobe" and cmyk[adobe + 15] == 0
    yield "ycck.jpg", cmyk[:adobe + 15] + b"\2" + cmyk[adobe + 16:]  # the same samples declared as YCCK
    yield "cmyk-without-adobe.jpg", cmyk[:adobe] + cmyk[adobe + 2 + struct.unpack(">H", cmyk[adobe + 2:adobe + 4])[0]:]
    yield "cmyk-icc.jpg", saved(
        Image.frombytes("CMYK", (61, 45), picture(61, 45, channels=4).tobytes()), format="JPEG", quality=85, icc_profile=profile(False))
    frames = [Image.fromarray(picture(40, 30, seed=s)) for s in (1, 2)]
    yield "two-pictures.mpo.jpg", saved(frames[0], format="MPO", save_all=True, append_images=frames[1:])


def formula(w, h):
    """A picture that a test can make again: red, green and blue at (x, y)."""
    y, x = np.mgrid[0:h, 0:w]
    return np.stack([(x * 7 + y * 13) % 256, (x * y) % 251, ((x ^ y) * 29) % 256], -1).astype(np.uint8)


def resizes():
    """Extreme shapes, scales next to 1, and random sizes."""
    pairs = [((1, 20000), (14, 384)), ((20000, 1), (384, 14)), ((4001, 7), (96, 14)), ((383, 385), (384, 383)),
             ((385, 383), (382, 384)), ((384, 1), (384, 384)), ((2, 2), (384, 384)), ((3, 1), (384, 128))]
    random = np.random.default_rng(3)
    for _ in range(40):
        w, h, nw, nh = (int(v) for v in np.exp(random.uniform(0, np.log(300), 4)).round())
        pairs.append(((w, h), (nw, nh)))
    for source, size in pairs:
        resized = Image.fromarray(formula(*source)).resize(size, Image.BICUBIC)
        yield {"source": source, "size": size, "sha256": hashlib.sha256(resized.tobytes()).hexdigest()}


def main():
    os.makedirs(os.path.join(HERE, "images"), exist_ok=True)
    entries = []
    for family in (pngs, animated, webps, jpegs):
        for name, data in family():
            with open(os.path.join(HERE, "images", name), "wb") as f:
                f.write(data)
            raw = Image.open(io.BytesIO(data))
            rgb = raw.convert("RGB")
            entries.append({"file": "images/" + name, "format": raw.format, "mode": raw.mode, "size": list(rgb.size),
                            "rgb_sha256": hashlib.sha256(rgb.tobytes()).hexdigest()})
    with open(os.path.join(HERE, "expected.json"), "w") as f:
        json.dump({"pillow": PIL.__version__, "libjpeg_turbo": features.version("libjpeg_turbo"),
                   "webp": features.version("webp"), "pictures": entries, "formula": list(resizes())}, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
