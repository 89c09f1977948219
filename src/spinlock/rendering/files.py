"""A picture or a film becomes a file, by its suffix: the same bytes for the same values."""

import importlib
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from types import ModuleType

from PIL import Image

from spinlock.artifacts import replacing
from spinlock.plots import files
from spinlock.refusals import Refusal
from spinlock.rendering.film import film
from spinlock.rendering.palette import palette
from spinlock.rendering.scene import Scene
from spinlock.rendering.strip import strip

FASTEST = 50  # frames per second: the shortest time that a GIF can say is 1/100 s
QUALITY = "16"  # constant rate factor of H.264: 0 is lossless, 23 the usual


def check(out: Path, rate: int) -> None:
    """Refuse a name that says of no format, before any work is done.

    Raises:
        Refusal: another suffix, a folder, an impossible rate, or PyAV is wanted and missing.
    """
    if out.suffix not in WRITERS:
        raise Refusal(f"{out}: expected a name that ends in {', '.join(WRITERS)}")
    if out.is_dir():
        raise Refusal(f"{out}: a folder; expected the name of a file")
    if not 1 <= rate <= FASTEST:
        raise Refusal(f"--rate: expected 1 … {FASTEST} frames a second, got {rate}")
    if out.suffix == ".mp4":
        _library()


def save(scene: Scene, steps: Sequence[int], out: Path, rate: int) -> None:
    """Write some steps of a scene.

    Args:
        scene: what to draw.
        steps: some of 0 … T, ascending.
        out: where to; its suffix is that of a format.
        rate: frames per second of a film.
    """
    check(out, rate)
    WRITERS[out.suffix](scene, steps, out, rate)


def _png(scene: Scene, steps: Sequence[int], out: Path, rate: int) -> None:
    files.save(strip(scene, steps), out)


def _gif(scene: Scene, steps: Sequence[int], out: Path, rate: int) -> None:
    table = Image.new("P", (1, 1))
    table.putpalette(palette(scene, steps).tobytes())
    images = (
        Image.fromarray(frame).quantize(palette=table, dither=Image.Dither.NONE)
        for frame in film(scene, steps)
    )
    with replacing(out) as beside:
        next(images).save(
            beside,
            format="GIF",
            save_all=True,
            append_images=images,
            duration=round(1000 / rate),
            loop=0,
        )


def _mp4(scene: Scene, steps: Sequence[int], out: Path, rate: int) -> None:
    """H.264 that every player knows, on one thread: the bytes depend on the number of threads."""
    av, frames = _library(), film(scene, steps)
    first = next(frames)
    plain = {"fflags": "+bitexact"}  # no version of the program in the file
    with replacing(out) as beside, av.open(beside, "w", format="mp4", options=plain) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": QUALITY})
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in chain([first], frames):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _library() -> ModuleType:
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise Refusal(
            "an .mp4 needs PyAV; install it with pip install 'spinlock[video]', or say .gif"
        ) from error


WRITERS: dict[str, Callable[[Scene, Sequence[int], Path, int], None]] = {
    ".png": _png,
    ".gif": _gif,
    ".mp4": _mp4,
}
