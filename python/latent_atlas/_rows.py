"""Arrays as training takes them."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from . import _native


class Data:
    """Arrays as training takes them."""

    def __init__(self, train, test, sizes, shape, labels, class_names) -> None:
        self.train = train
        self.test = test
        self.sizes = sizes
        self.shape = shape
        self.labels = labels
        self.class_names = class_names

    def arrays(self) -> dict[str, Any]:
        """What the program reads as the same data set."""
        test = self.test
        if test is None:
            test = self.train[_native.measured_rows(len(self.train))]
        arrays = {"x_train": self.train, "x_test": test}
        if sizes := of_images(self.shape):
            arrays = {name: rows.reshape(len(rows), *sizes) for name, rows in arrays.items()}
        if self.labels is not None:
            for name, labels in zip(("y_train", "y_test"), self.labels):
                names = self.class_names
                arrays[name] = np.array([names[label] for label in labels] if names else labels)
        return arrays


def listed(X: Any, name: str) -> Any:
    """Lists of numbers, and images of other libraries, as an array; all else as it is.

    Raises
    ------
    ValueError
        Values that are masked: what is under a mask is no data, and would be trained on.
        Types that are no numbers, which NumPy would take for some: times and records.
    """
    if isinstance(X, np.ndarray) and X.dtype.kind in "mMV":
        raise ValueError(f"Input {name} has the dtype {X.dtype}; expected numbers")
    if isinstance(X, np.ma.MaskedArray) and (masked := int(np.ma.count_masked(X))):
        raise ValueError(
            f"Input {name} is a masked array, of which {masked} values are masked; expected "
            "none, so fill them or leave their rows out"
        )
    has_sides = hasattr(X, "__array__") and getattr(X, "ndim", 2) in (3, 4)
    if isinstance(X, (list, tuple)) or (has_sides and not isinstance(X, np.ndarray)):
        return np.asarray(X)
    return X


def listed_rows(X: Any, name: str) -> Any:
    """As ``listed``, of rows.

    Raises
    ------
    ValueError
        As of ``listed``, and rows of more sides than an image has.
    """
    X = listed(X, name)
    if (sides := getattr(X, "ndim", 2)) > 4:
        raise ValueError(
            f"Found array with dim {sides} in {name}; expected rows of the shape (n, d), grey "
            "images (n, h, w) or images (n, h, w, c) of 1 or 3 channels, so reshape it to one "
            "of these"
        )
    return X


def aligned(rows: np.ndarray) -> np.ndarray:
    """The same values where a processor can read them, copied if they are not there."""
    return np.require(rows, requirements=["ALIGNED", "C_CONTIGUOUS"])


def is_images(X: Any) -> bool:
    """Whether rows have more than one side."""
    return isinstance(X, np.ndarray) and X.ndim in (3, 4)


def of_images(shape: str) -> tuple[int, ...] | None:
    """The sizes of an image of this shape; nothing for a vector."""
    sizes = tuple(int(size) for size in shape.split("x"))
    return sizes if len(sizes) > 1 else None


def labels_of(*parts: Any) -> tuple[tuple[list[int], ...], dict[int, str]]:
    """Labels as whole numbers, with what they are called where they are texts.

    Raises
    ------
    ValueError
        Labels that are neither, not one for each row, or of both kinds: 1 and "1" would be
        one class.
    """
    arrays = [np.asarray(part) for part in parts]
    for array in arrays:
        if array.ndim != 1:
            raise ValueError(f"y has the shape {array.shape}; expected one label for each row")
    if both := _of_both_kinds(parts, arrays):
        number, text = both
        raise ValueError(
            f"y holds the number {number} and the text {text!r}; expected labels of one kind, "
            "so give all as whole numbers or all as texts"
        )
    if all(array.dtype.kind in "iub" for array in arrays):
        found = tuple([int(label) for label in array] for array in arrays)
        largest = max((label for labels in found for label in labels), default=0)
        if largest >= 2**63:
            raise ValueError(f"y holds {largest}; expected labels below 2**63")
        return found, {}
    if any(array.dtype.kind not in "UO" for array in arrays):
        kinds = ", ".join(str(array.dtype) for array in arrays)
        raise ValueError(f"y holds {kinds}; expected labels: whole numbers or texts")
    for label in (label for array in arrays for label in array):
        if not isinstance(label, (str, Integral)):
            raise ValueError(f"y holds {label!r}; expected labels: whole numbers or texts")
    texts = [[str(label) for label in array] for array in arrays]
    names = sorted(set().union(*texts))
    numbers = {name: number for number, name in enumerate(names)}
    labels = tuple([numbers[text] for text in part] for part in texts)
    return labels, dict(enumerate(names))


def _of_both_kinds(parts: tuple[Any, ...], arrays: list[np.ndarray]) -> tuple[Any, str] | None:
    """A number and a text, where labels are of both kinds."""
    number, text = None, None
    for part, array in zip(parts, arrays):
        # Of a list with both NumPy makes texts alone.
        items = part if isinstance(part, (list, tuple)) else array
        if array.dtype.kind in "iub" or (array.dtype.kind == "U" and items is array):
            items = array[:1]
        for label in items:
            if isinstance(label, str):
                text = label if text is None else text
            elif isinstance(label, (Integral, np.bool_)) and number is None:
                number = label
    return None if number is None or text is None else (number, str(text))
