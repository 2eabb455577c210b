#!/usr/bin/env python3
"""One sheet of a production: every shot's middle picture with its prompt beneath.

  contact_sheet.py OUTTREE SHEET.jpg [--columns N] [--most KIB]

OUTTREE is what `auteur-pipe run -o` filled; a shot that was not delivered stays grey. Needs Pillow and the ffmpeg command.
"""
import argparse
import io
import json
import os
import subprocess
import textwrap

from PIL import Image, ImageDraw, ImageFont

FONT = "DejaVuSans.ttf"  # fonts-dejavu-core, which .ci/packages.txt installs
EDGE, INK, PAPER, GREY = 8, (40, 40, 44), (250, 249, 246), (210, 209, 206)


def middle(film, width, height):
    """The film's middle picture."""
    frames = int(subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", film],
                                stdout=subprocess.PIPE, check=True).stdout.strip(b",\n"))
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-vf", f"select=eq(n\\,{frames // 2}),scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height}",
                          "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE, check=True).stdout
    return Image.frombytes("RGB", (width, height), raw)


def sheet(shots, columns, width, height):
    """shots: [(prompt, film or None)]."""
    font = ImageFont.truetype(FONT, 10)
    wide = int((width - 4) / font.getlength("abcdefghijklmnopqrstuvwxyz ") * 27)
    words = [textwrap.wrap(prompt, wide)[:3] for prompt, _ in shots]
    row = height + 3 * 13 + EDGE
    rows = (len(shots) + columns - 1) // columns
    out = Image.new("RGB", (columns * (width + EDGE) + EDGE, rows * row + EDGE), PAPER)
    draw = ImageDraw.Draw(out)
    for n, (_, film) in enumerate(shots):
        x, y = EDGE + n % columns * (width + EDGE), EDGE + n // columns * row
        out.paste(middle(film, width, height) if film else Image.new("RGB", (width, height), GREY), (x, y))
        for k, line in enumerate(words[n]):
            draw.text((x + 2, y + height + 2 + 13 * k), line, INK, font)
    return out


def shots_of(tree):
    """[(prompt, film or None)] in the order of the ids."""
    folder, out = os.path.join(tree, "shots"), []
    for name in sorted(os.listdir(folder)):
        shot = os.path.join(folder, name, name)
        film = next((shot + end for end in (".mp4", ".mov") if os.path.exists(shot + end)), None)
        asked = json.load(open(shot + ".json"))["asked"] if os.path.exists(shot + ".json") else {"prompt": name}
        out.append((", ".join(filter(None, map(asked.get, ("prompt", "camera", "look")))), film))
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tree", metavar="OUTTREE")
    p.add_argument("out", metavar="SHEET.jpg")
    p.add_argument("--columns", type=int, default=4)
    p.add_argument("--size", default="312x180", help="of a picture")
    p.add_argument("--most", type=int, default=700, help="KiB of the file")
    o = p.parse_args()
    picture = sheet(shots_of(o.tree), o.columns, *map(int, o.size.split("x")))
    for quality in range(92, 30, -4):
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality, optimize=True)
        if data.tell() < o.most << 10:
            break
    with open(o.out, "wb") as f:
        f.write(data.getvalue())
    print(f"{o.out}: {picture.width}x{picture.height}, {data.tell() >> 10} KiB")


if __name__ == "__main__":
    main()
