"""Credentials of sources: the settings name the environment variable that holds one."""

import os
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, SecretStr

from pipeline.errors import Misuse


def _not_ours(name: str) -> str:
    if name.startswith("GROUNDSWELL_"):
        raise ValueError("variables that begin with GROUNDSWELL_ are settings of their own")
    return name


#: A field of a source's settings: the variable's name.
Variable: TypeAlias = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$"), AfterValidator(_not_ours)]


def secret(source: str, setting: str, variable: str) -> SecretStr:
    """What the variable holds. Raises Misuse, which names it, when it is not set."""
    value = os.environ.get(variable, "").strip()
    if not value:
        raise Misuse(f"{source}: set the environment variable {variable}, which `{setting}` names")
    return SecretStr(value)
