"""What ``verbose=True`` shows while a model is fitted."""

from __future__ import annotations

import sys
from typing import Any


def _losses(epoch: dict[str, Any], has_test: bool) -> str:
    parts = [f"train {epoch['train']['loss']:.2f}"]
    if has_test:
        parts.append(f"test {epoch['test']['loss']:.2f}")
    if "validation" in epoch:
        parts.append(f"validation {epoch['validation']['loss']:.2f}")
    return ", ".join(parts)


class Progress:
    """A bar of tqdm where that is installed, else a line for each epoch."""

    def __init__(self, epochs: int, name: str, has_test: bool) -> None:
        self._epochs = epochs
        self._name = name
        self._has_test = has_test
        try:
            from tqdm.auto import tqdm
        except ImportError:
            self._bar = None
        else:
            self._bar = tqdm(total=epochs, desc=name, unit="epoch")

    def show(self, epoch: dict[str, Any]) -> None:
        """Shows that an epoch has ended."""
        losses = _losses(epoch, self._has_test)
        if self._bar is not None:
            self._bar.set_postfix_str(losses, refresh=False)
            self._bar.update()
            return
        line = (
            f"{self._name} epoch {epoch['epoch']}/{self._epochs}: {losses} nats a row "
            f"({epoch['seconds']:.1f} s)"
        )
        print(line, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leaves what is shown as it is."""
        if self._bar is not None:
            self._bar.close()
