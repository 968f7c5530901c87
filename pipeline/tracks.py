"""Tracks: what we listen for, and which of them a text matches."""

from pydantic import Field

from pipeline.model import Word, Words


class TrackComponent(Word):
    """A part of the service, under the name the status page uses, and what people call it."""

    name: str = Field(min_length=1)
    aliases: Words = ()


class Track(Word):
    """One name to listen for. Any of terms, handles and hashtags matches; ``exclude`` vetoes.

    ``own`` are our official accounts (handles or ids), ``regions`` the places it serves.
    """

    name: str = Field(min_length=1)
    terms: Words = ()
    handles: Words = ()
    hashtags: Words = ()
    exclude: Words = ()
    own: Words = ()
    regions: Words = ()
    component: tuple[TrackComponent, ...] = ()
