"""How a tool's names become ours: its components to our tracks' components and to places."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.model import Component
from pipeline.tracks import folded


@dataclass(frozen=True, slots=True)
class Names:
    """The settings ``component_map`` and ``region_map`` of one source.

    A key is a component's id or name (any case); for places also a word within the name.
    """

    components: Mapping[str, str] = field(default_factory=dict)
    regions: Mapping[str, str] = field(default_factory=dict)

    def component(self, component: Component) -> Component:
        """The component under our name."""
        ours = _folded(self.components)
        name = ours.get(folded(component.id or "")) or ours.get(folded(component.name))
        return component if name is None else component.model_copy(update={"name": name})

    def places(self, component: Component) -> Iterator[str]:
        """The places that the component's own name or id speaks of."""
        words = f" {_words(component.name)} "
        for key, place in self.regions.items():
            if folded(key) == folded(component.id or "") or f" {_words(key)} " in words:
                yield place


def _folded(names: Mapping[str, str]) -> dict[str, str]:
    return {folded(key): value for key, value in names.items()}


def _words(text: str) -> str:
    """The letters and digits of a text with single spaces between."""
    return " ".join("".join(c if c.isalnum() else " " for c in folded(text)).split())
