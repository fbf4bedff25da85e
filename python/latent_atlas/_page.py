"""The explorer of a model, as a notebook shows it."""

from __future__ import annotations

import html
import os
import secrets
from numbers import Integral
from pathlib import Path


class ExplorerPage:
    """One self-contained page in which a model decodes under the pointer.

    A notebook shows it where it is the value of a cell; :meth:`save` writes it as a file
    that any browser opens.

    Attributes
    ----------
    html : str
        The page.
    height : int
        Its height in a notebook, in pixels.
    """

    def __init__(self, page: str, *, height: int = 1200) -> None:
        if isinstance(height, bool) or not isinstance(height, Integral) or height < 1:
            raise ValueError(f"height is {height!r}; expected a whole number of at least 1")
        self.html = page
        self.height = int(height)

    def _repr_html_(self) -> str:
        # In a frame of its own: its style and script are not those of the notebook.
        return (
            f'<iframe srcdoc="{html.escape(self.html, quote=True)}" '
            f'style="width: 100%; height: {self.height}px; border: 0"></iframe>'
        )

    def __repr__(self) -> str:
        return f"ExplorerPage({len(self.html) / 1e6:.2f} MB of HTML)"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the page into a file, whole or not at all."""
        write_whole(Path(path), lambda file: file.write(self.html.encode()))


def write_whole(path: Path, write) -> None:
    """Has ``write`` fill a file beside ``path`` that then takes its place."""
    unfinished = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    # Not `tempfile`, which lets nobody else read: a new file has what is usual here, which
    # the system knows; to ask for it would change it, for all threads, for a moment.
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    handle = os.open(unfinished, flags, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
