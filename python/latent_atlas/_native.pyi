from collections.abc import Callable
from os import PathLike
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

__version__: str
revision: str
instruction_set: str

class Diverged(FloatingPointError): ...

_Rows: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]

def schema() -> str: ...
def parameter(key: str) -> str | None: ...
def check(settings: dict[str, Any]) -> None: ...
def measured_rows(rows: int) -> list[int]: ...
def row_shape(sizes: list[int], is_bytes: bool, asked: str | None) -> str: ...
def fit(
    settings: dict[str, Any],
    train: _Rows,
    test: _Rows | None,
    shape: str,
    labels: tuple[list[int], list[int]] | None,
    class_names: dict[int, str],
    threads: int | None,
    command: str,
    on_epoch: Callable[[str], object] | None,
) -> Run: ...
def fingerprint(
    train: _Rows,
    test: _Rows | None,
    shape: str,
    labels: tuple[list[int], list[int]] | None,
    class_names: dict[int, str],
) -> str: ...
@final
class Run:
    @staticmethod
    def from_files(files: dict[str, bytes]) -> Run: ...
    @staticmethod
    def load(path: str | PathLike[str]) -> Run: ...
    def save(
        self, path: str | PathLike[str], command: str, dataset: str | None = None
    ) -> None: ...
    @property
    def files(self) -> dict[str, bytes]: ...
    @property
    def configuration(self) -> str: ...
    @property
    def metrics(self) -> str: ...
    @property
    def result(self) -> str: ...
    @property
    def shape(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    def encode(
        self, rows: _Rows, threads: int | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]: ...
    def decode(
        self, codes: NDArray[np.float32], threads: int | None = None
    ) -> NDArray[np.float32]: ...
    def prior_codes(self, count: int, seed: int) -> NDArray[np.float32]: ...
    def losses(
        self, rows: _Rows, seed: int = 0, threads: int | None = None
    ) -> tuple[float, float | None]: ...
    def explore(
        self,
        rows: _Rows,
        labels: list[int] | None,
        class_names: dict[int, str],
        images: int,
        thumbnails: int,
        compact: bool,
        without_encoder: bool,
        threads: int | None = None,
    ) -> str: ...
