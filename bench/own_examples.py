"""Our own labelled posts (``config/examples``), multiplied: other brands, other places.

The base is written by hand; the copies keep its label and its group, so that no copy of a post can
stand on the other side of a split. They keep a model from learning that a brand's name is bad news.
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[1] / "config" / "examples"
# The invented brands of the examples as they are written there, longest first.
_OURS = (
    "Halden Bank|HaldenBank|Halden|Nordwind|नॉर्डविंड|نوردويند|FibreFox|Telvora|Paylo|SkyFerra|"
    "Metrolinea|Hoppla|Brixmart|Snackadoo|Emberfall|Stratocore|Murmo|مرمو|Lumaflix|Pulsewear|"
    "Eldergrid|AquaNorth|MyPermit|Kaufnest|Acme"
)
# More of them, as different in sound and length as real ones.
_OTHERS = """
    Arvello Bluntly Brightwell Calypta Cordova Dandelo Drumlin Elmsworth Fennix Fjordly Gantry
    Glimmer Hexagrid Hollow Inkwell Jadewire Juniper Kestrion Kumbo Larkspur Lumo Maravel Mintly
    Nimbuso Oakline Orbly Pebble Plinko Quillon Quokka Rivet Rookery Saffro Snapdash Tallow Tinkr
    Umbra Upland Velora Vexa Wickett Wombly Xylo Yarrow Yondr Zephyrus Zinnia
"""
_PLACES = """
    Leeds Bristol Camden Hull Derby Exeter Manchester Sheffield Bath Truro York Cardiff Kent Dundee
    Croydon Brighton Hove Lewes Dallas Tucson Phoenix Houston Austin Tampa Reading Ely Lisbon
    Gatwick Porto Oakdale Rathmore Fernhill Carlow Sweden Canada Sevilla Bogotá Málaga Lima Recife
    Lyon Nantes Lille Köln Leipzig Hamburg Milano Torino Napoli
"""
_BRAND = re.compile(_OURS, re.IGNORECASE)
_PLACE = re.compile(rf"\b(?:{'|'.join(_PLACES.split())})\b")
COPIES = 2


def own_examples(head: str) -> Iterator[dict[str, Any]]:
    """Every hand-written post that has this head, as a line of training data, copies included."""
    for path in sorted(EXAMPLES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            post = json.loads(line)
            if head in post:
                for text in expanded(post["text"]):
                    yield {
                        "text": text,
                        "label": post[head],
                        "group": f"own-{post['group']}",
                        "lang": post["lang"],
                    }


def expanded(text: str) -> list[str]:
    """The text itself and its copies with another brand and another place, each only once."""
    chance = random.Random(hashlib.blake2b(text.encode(), digest_size=8).digest())
    copies = [text]
    for _ in range(COPIES):
        brand, place = chance.choice(_OTHERS.split()), chance.choice(_PLACES.split())
        copies.append(_PLACE.sub(place, _BRAND.sub(partial(_written_like, brand), text)))
    return list(dict.fromkeys(copies))


def _written_like(name: str, found: re.Match[str]) -> str:
    return name.lower() if found[0].islower() else name
