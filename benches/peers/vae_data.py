"""The training images of an IDX folder, as the peers read them."""

import gzip
import math
import pathlib
import struct

import numpy

TRAINING_IMAGES = "train-images-idx3-ubyte"
IMAGE_MAGIC = 0x0803


class DataError(Exception):
    """The folder does not hold the images; the message is one sentence."""


def training_images(folder):
    """The images of `folder` (raw or .gz) as uint8 [n, rows·columns]."""
    folder = pathlib.Path(folder)
    raw, packed = folder / TRAINING_IMAGES, folder / f"{TRAINING_IMAGES}.gz"
    path = raw if raw.exists() else packed
    try:
        content = path.read_bytes()
        if path == packed:
            content = gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise DataError(
            f"cannot read {path} ({error}); --data expects a folder "
            f"with {TRAINING_IMAGES} or {TRAINING_IMAGES}.gz"
        ) from error
    if len(content) < 16:
        raise DataError(f"{path} has {len(content)} bytes, fewer than an IDX image header's 16")
    magic, *shape = struct.unpack(">4I", content[:16])
    if magic != IMAGE_MAGIC:
        raise DataError(f"{path} starts with {magic:#010x}, not with an IDX image file's 0x00000803")
    if len(content) - 16 != math.prod(shape):
        raise DataError(
            f"{path} holds {len(content) - 16} pixels where its header says {math.prod(shape)}"
        )
    return numpy.frombuffer(content, numpy.uint8, offset=16).reshape(shape[0], -1).copy()
