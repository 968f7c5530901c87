"""What each platform lets us do with its posts: data, read from ``collectors/policies.toml``."""

import tomllib
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field


class Policy(BaseModel):
    """One platform's terms, as far as they bind a program."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    may_train: bool = Field(description="Whether models may learn from its posts.")
    retain_days: int | None = Field(None, ge=1, description="How long texts may be kept.")
    recheck_days: float = Field(0, ge=0, description="How old posts are still looked at again.")
    recheck_hours: float = Field(24, gt=0, description="How often each of them is looked at.")


def policy(platform: str) -> Policy:
    """The policy of a platform (``Mention.source``); the default one for those not listed."""
    known = _policies()
    return known.get(platform, known["default"])


def platforms() -> list[str]:
    """The platforms that have a policy of their own."""
    return [name for name in _policies() if name != "default"]


@cache
def _policies() -> dict[str, Policy]:
    text = files("collectors").joinpath("policies.toml").read_text(encoding="utf-8")
    return {name: Policy.model_validate(told) for name, told in tomllib.loads(text).items()}
