"""The file of one trained head: weights as data, never code.

``NAME.safetensors`` holds two tensors and, in its metadata, a ``Card`` as JSON:

- ``rows``: n × uint32, the hash buckets that carry weight, ascending;
- ``weights``: (n + 1) × c float16, a row for each of these buckets and the intercepts as the last.
  c is the number of labels, or 1 for two labels (the column of the second; the first has 0).

A head is one file, so that it is replaced as a whole or not at all.
"""

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.errors import GiveUp, Misuse
from pipeline.steps.grams import matrix

FORMAT = 2
HEAD_NAME = r"[a-z][a-z0-9_-]{0,63}"
SUFFIX = ".safetensors"
#: A threshold no probability reaches: nothing held out showed this label to be right often enough.
NEVER = 2.0

# Letters, digits, signs, an emoji, an address, a user name, a negation, other scripts.
_PROBE = [
    "Probe @user: it's not UP, DOWN again!! https://a.example/1 😡 #x 42",
    "Ça va? проба 試験 اختبار",
]

Floats = NDArray[np.float32]


class Features(BaseModel):
    """How texts become numbers: the arguments of ``pipeline.steps.grams.matrix``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bits: int = Field(default=19, ge=8, le=22)
    chars: tuple[int, int] | None = (3, 5)


class Card(BaseModel):
    """What a head says about itself. ``training`` is the summary of how it was made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int
    head: str = Field(pattern=f"^{HEAD_NAME}$")
    version: str = Field(min_length=1)
    #: Grows by one with each promotion, so that a newer model of a team sorts after its older one.
    revision: int = Field(default=0, ge=0)
    labels: Annotated[tuple[str, ...], Field(min_length=2)]
    #: From which probability on a label is right in nine of ten cases on held-out texts.
    thresholds: tuple[float, ...]
    #: Divides the scores before the softmax, fitted on held-out texts.
    temperature: float = Field(default=1.0, gt=0)
    features: Features = Features()
    #: Of the hashing it was trained with: other hashing puts weights on other words.
    fingerprint: str
    training: dict[str, Any] = {}


@dataclass(frozen=True)
class Head:
    """A head in memory. ``digest`` names its content, whoever wrote it and when."""

    card: Card
    rows: NDArray[np.uint32]
    weights: NDArray[np.float16]
    digest: str

    @property
    def columns(self) -> int:
        """How many columns of weights it has: one for two labels, otherwise one a label."""
        return int(self.weights.shape[1])

    def probabilities(self, scores: Floats) -> Floats:
        """The calibrated probabilities, n × labels, for n × ``columns`` scores."""
        logits = scores / np.float32(self.card.temperature)
        if self.columns == 1:
            logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return logits


def fingerprint(features: Features) -> str:
    """Names how this program reads texts with these features, to notice when it changes."""
    probe: Any = matrix(_PROBE, bits=features.bits, chars=features.chars)
    return xxhash.xxh64_hexdigest(probe.indices.tobytes() + probe.data.round(4).tobytes())


def make_head(card: Card, rows: NDArray[np.uint32], weights: NDArray[np.float16]) -> Head:
    """A head of these parts, with its digest."""
    content = rows.tobytes() + weights.tobytes() + "\n".join(card.labels).encode()
    return Head(card, rows, weights, xxhash.xxh64_hexdigest(content)[:8])


def write_head(head: Head, directory: Path) -> Path:
    """Writes ``NAME.safetensors`` into ``directory`` in one step and returns its path.

    Raises Misuse when it cannot be written there.
    """
    make_room(directory)
    path = directory / f"{head.card.head}{SUFFIX}"
    # A fixed order of keys: the same training writes the same bytes.
    about = {"groundswell": json.dumps(head.card.model_dump(mode="json"), sort_keys=True)}
    data = save({"rows": head.rows, "weights": head.weights}, metadata=about)
    fresh = path.with_suffix(".part")
    try:
        fresh.write_bytes(data)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise _unwritable(path, error.strerror or "it failed") from error
    return path


def make_room(directory: Path) -> None:
    """Makes the folder of models if there is none. Raises Misuse when none can be written there."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise _unwritable(directory, "a file stands where a folder should be") from error
    except OSError as error:
        raise _unwritable(directory, error.strerror or "it failed") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise _unwritable(directory, os.strerror(errno.EACCES))


def _unwritable(path: Path, why: str) -> Misuse:
    return Misuse(f"no model can be written to {path}: {why}; name another folder")


def read_head(path: Path) -> Head:
    """Reads one file. Raises GiveUp that names it when it is not a sound head of this format."""
    mend = "train it again with `groundswell train`, or remove it"
    try:
        with safe_open(path, framework="numpy") as file:
            about = (file.metadata() or {}).get("groundswell", "{}")
            stated = json.loads(about)
            if isinstance(stated, dict) and stated.get("format", FORMAT) != FORMAT:
                other = f"model of format {stated['format']}, this program reads {FORMAT}"
                raise GiveUp(f"{path}: {other}: {mend}")
            card = Card.model_validate(stated)
            head = make_head(card, file.get_tensor("rows"), file.get_tensor("weights"))
    except (OSError, SafetensorError, ValueError, ValidationError) as error:
        raise GiveUp(f"{path}: not a readable model: {mend}") from error
    wrong = _fault(head)
    if wrong or card.head != path.stem:
        raise GiveUp(f"{path}: not a sound model ({wrong or 'named otherwise inside'}): {mend}")
    return head


def _fault(head: Head) -> str | None:
    """What does not fit together inside, or None."""
    card, rows, weights = head.card, head.rows, head.weights
    columns = 1 if len(card.labels) == 2 else len(card.labels)
    if rows.dtype != np.uint32 or weights.dtype != np.float16:
        return "types of numbers"
    if rows.ndim != 1 or weights.shape != (len(rows) + 1, columns):
        return "shapes"
    if len(card.thresholds) != len(card.labels) or len(set(card.labels)) != len(card.labels):
        return "labels and thresholds"
    if len(rows) and (int(rows.max()) >= 1 << card.features.bits or np.any(np.diff(rows) <= 0)):
        return "buckets"
    if card.fingerprint != fingerprint(card.features):
        return "made for another way of hashing words"
    if not np.isfinite(weights).all():
        return "a weight that is no number"
    return None
