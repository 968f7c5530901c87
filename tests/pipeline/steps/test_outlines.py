import numpy as np

from pipeline.steps.outlines import Outline, Said, outlines, place_words
from pipeline.steps.stems import stems
from pipeline.steps.text import prepare_texts


def outline(heading: str, more: str = "", *regions: str) -> Outline:
    return outlines([Said(heading, f"{heading} {more}", regions)])[0]


def weight(of: Outline, part: str, word: str) -> float:
    """What this part of the outline gives the stem of a word."""
    column = stems([word.lower()], within=False).columns[0]
    at = np.flatnonzero(of.columns == column)
    return float(getattr(of, part)[at[0]]) if at.size else 0.0


def test_names_of_places_are_told_from_what_happens() -> None:
    """Names of several words, written together or not, and adjectives of countries too."""
    words = prepare_texts(["#newzealand outage, Costa Rica, Canadian card readers"]).canonical
    assert place_words(words[0].split(), []) == {"newzealand", "costa", "rica", "canadian"}
    assert place_words(["west", "texas", "west"], []) == {"west", "texas"}
    assert place_words(["reading", "errors"], []) == set()


def test_towns_of_a_region_are_places_of_an_incident_there() -> None:
    """Whoever is hit names the town; the official word names the region."""
    there = outline("Tram power lost", "", "Bavaria")
    assert weight(there, "where", "Regensburg") > 0
    assert weight(there, "whole", "Regensburg") == 0
    assert weight(outline("Tram power lost"), "where", "Regensburg") == 0


def test_a_region_counts_by_its_proper_name() -> None:
    """Whatever short or foreign name the owner of the incident uses for it."""
    assert weight(outline("Cards declined", "", "Filipinas"), "where", "Philippines") > 0


def test_a_hashtag_is_looked_for_as_a_whole() -> None:
    """What stands inside of it is known, but only all of it is a phrase."""
    told = outline("Harbour closed", ". Follow. #helpbrackwater")
    inside = set(stems(["helpbrackwater"]).columns.tolist())
    assert len(inside & set(told.columns.tolist())) > 1
    assert any(set(phrase.tolist()) <= inside for phrase in told.phrases)


def test_the_kinds_of_event_are_known() -> None:
    """From all that the incident says."""
    assert outline("Lower town under water", "The flood is rising").kinds
    assert outline("Slow answers").kinds == 0
