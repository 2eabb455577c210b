"""The renderer from Python: clips as numbers in, pictures out, on a GPU or on the processor."""
import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
SETTINGS = ("sea", "harbour", "mountains", "desert", "forest", "river", "city_night", "street_day", "sky", "space", "snow", "interior")
SUBJECTS = ("nobody", "ship", "sailing_boat", "submarine", "car", "train", "aeroplane", "helicopter", "drone", "person", "birds",
            "balloon", "lighthouse", "rocket")

F = ctypes.c_float
V = F * 3


class Clip(ctypes.Structure):
    """struct clip of clip.cuh, in its order."""
    _fields_ = [(n, ctypes.c_int) for n in ("setting", "subject", "count", "seed")] + [
        ("sun", V), ("light", V), ("sky_top", V), ("sky_low", V), ("glow", V),
        ("ambient", F), ("disc", F), ("stars", F), ("cover", F), ("darkness", F),
        ("haze", F), ("haze_colour", V), ("rain", F), ("snowing", F), ("flash", F),
        ("wind", F), ("wave", F), ("snow", F), ("wet", F), ("lamps", F),
        ("ground", V), ("second", V), ("accent", V), ("relief", F), ("exposure", F),
        ("at", V), ("heading", F), ("speed", F), ("size", F), ("paint", V), ("spread", F), ("middle", F), ("plan", F * 4)]


class View(ctypes.Structure):
    _fields_ = [("at", V), ("right", V), ("up", V), ("forward", V), ("zoom", F), ("seconds", F)]


def library(gpu):
    """Compiled once for each state of the sources, beside what other programs keep for a while."""
    sources = sorted(f for f in os.listdir(HERE) if f.endswith((".cuh", ".cu")))
    digest = hashlib.sha256(b"".join(open(os.path.join(HERE, f), "rb").read() for f in sources)).hexdigest()[:16]
    path = os.path.join(tempfile.gettempdir(), f"previs-teacher-{'gpu' if gpu else 'cpu'}-{digest}.so")
    if not os.path.exists(path):
        nvcc = shutil.which("nvcc") or "/usr/local/cuda/bin/nvcc"
        part = path + f".{os.getpid()}"
        command = ([nvcc, "-O3", "-arch=native", "--use_fast_math", "-Xcompiler", "-fPIC", "-shared"] if gpu else
                   ["g++", "-O3", "-march=native", "-ffast-math", "-fopenmp", "-fPIC", "-shared", "-x", "c++"])
        subprocess.run([*command, os.path.join(HERE, "render.cu"), "-o", part], check=True)
        os.rename(part, path)
    lib = ctypes.CDLL(path)
    lib.ground.argtypes, lib.ground.restype = [ctypes.c_void_p, F, F], F
    lib.clearance.argtypes, lib.clearance.restype = [ctypes.c_void_p, F, F, F], F
    lib.unhidden.argtypes, lib.unhidden.restype = [ctypes.c_void_p, V, V], F
    lib.render.argtypes = [ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int] * 5 + [ctypes.c_void_p, ctypes.c_void_p]
    return lib


_libraries = {}


def loaded(gpu):
    if gpu not in _libraries:
        _libraries[gpu] = library(gpu)
    return _libraries[gpu]


def _any():
    return next(iter(_libraries.values()), None) or loaded(torch.cuda.is_available())


def ground(clip, x, z):
    """Metres: the height of what one stands on."""
    return _any().ground(ctypes.byref(clip), x, z)


def clearance(clip, p):
    """Metres from a point to what stands in the place, or less; negative inside."""
    return _any().clearance(ctypes.byref(clip), *p)


def unhidden(clip, a, b):
    """How far one sees from a to b before the place stands in the way, 0 to 1."""
    return _any().unhidden(ctypes.byref(clip), V(*a), V(*b))


def to_device(array, device):
    return torch.frombuffer(bytearray(bytes(array)), dtype=torch.uint8).to(device)


def render(clips, views, height, width, samples=4, device="cpu"):
    """clips: [n] of Clip; views: [n][frames] of View. uint8 [n, frames, height, width, 3]."""
    gpu = torch.device(device).type == "cuda"
    lib = loaded(gpu)
    n, frames = len(clips), len(views[0])
    told = to_device((Clip * n)(*clips), device)
    seen = to_device((View * (n * frames))(*[v for row in views for v in row]), device)
    out = torch.empty(n, frames, height, width, 3, dtype=torch.uint8, device=device)
    stream = torch.cuda.current_stream(device).cuda_stream if gpu else None
    status = lib.render(told.data_ptr(), seen.data_ptr(), n, frames, width, height, samples, out.data_ptr(), stream)
    if status:
        raise RuntimeError(f"the renderer failed: CUDA error {status}")
    return out
