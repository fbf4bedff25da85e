"""The parameters of estimators and the settings of ``config.toml`` that they are."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import _native


def _leaves(schema: dict[str, Any], prefix: str = "") -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, part in schema["properties"].items():
        if "properties" in part:
            found |= _leaves(part, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = part
    return found


#: Every setting of ``config.toml`` by its key, as its JSON schema describes it.
SETTINGS = _leaves(json.loads(_native.schema()))


#: The setting that each parameter is.
KEYS = {name: key for key in SETTINGS if (name := _native.parameter(key)) is not None}


def default(key: str) -> Any:
    """The program's default of a setting, as a parameter has it."""
    value = SETTINGS[key]["default"]
    return tuple(value) if isinstance(value, list) else value


def plain(value: Any) -> Any:
    """A value of a parameter without the types of NumPy, which grids are made of."""
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def of_configuration(configuration: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a run's configuration, defaults for what it does not say."""
    found = {}
    for name, key in KEYS.items():
        value: Any = configuration
        for part in key.split("."):
            value = value.get(part, {}) if isinstance(value, dict) else value
        absent = isinstance(value, dict)
        found[name] = default(key) if absent else tuple(value) if isinstance(value, list) else value
    return found
