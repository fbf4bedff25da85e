"""What a run did to its rows when it read them, which is not done to arrays."""

from __future__ import annotations

import shlex
from typing import Any

from . import _settings

#: The settings that change values or the shape of a row. A declared shape does neither:
#: flat rows are taken for what they are, and images of another shape are refused.
_CHANGES = ("background", "colour", "transposed", "resize", "maximum", "invert")


def done_by_reading(configuration: dict[str, Any]) -> tuple[str, str] | None:
    """The program's options by which a run changed its rows, and what to do with arrays
    for it; nothing where it took them as they came."""
    reading = configuration["data"].get("reading", {})
    usual = {name: _settings.SETTINGS[f"data.reading.{name}"]["default"] for name in _CHANGES}
    done = {name: reading[name] for name in usual if reading.get(name, usual[name]) != usual[name]}
    if not done:
        return None
    options = [
        f"--{name}" if value is True else f"--{name} {shlex.quote(_written(value))}"
        for name, value in done.items()
    ]
    return " ".join(options), _advice(done)


def _advice(done: dict[str, Any]) -> str:
    scaled = f"X / {_written(done['maximum'])}" if "maximum" in done else "X"
    if done.keys() - {"maximum", "invert"}:
        return "do the same to rows before you give them"
    if "invert" not in done:
        return f"give it {scaled} for rows X"
    if "maximum" in done:
        return f"give it 1 - {scaled} for rows X"
    # 1 - X of bytes would be no inverse, and wrap.
    return "give it 255 - X for rows X of uint8, and 1 - X for others"


def _written(value: Any) -> str:
    """A value as the program is given it: 16 rather than 16.0."""
    is_whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if is_whole else value)
