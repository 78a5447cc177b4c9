"""Nine groups of the 85 attributes of Animals with Attributes (1 and 2)."""

from collections.abc import Sequence

# The list of attributes runs from colours to character, as Osherson et al. (1991) asked for them; published groupings
# cut that list where its subject changes. This is our cut: "smelly" stands between body parts and movement and goes
# with the body; hunting and grazing go with what is eaten.
_GROUPS = {
    "colour": "black white blue brown gray orange red yellow",
    "surface": "patches spots stripes furry hairless toughskin",
    "build": "big small bulbous lean",
    "body parts": "flippers hands hooves pads paws longleg longneck tail chewteeth meatteeth buckteeth strainteeth "
    "horns claws tusks smelly",
    "movement": "flys hops swims tunnels walks fast slow strong weak muscle bipedal quadrapedal agility",
    "activity": "active inactive nocturnal hibernate",
    "nutrition": "fish meat plankton vegetation insects forager grazer hunter scavenger skimmer stalker",
    "habitat": "newworld oldworld arctic coastal desert bush plains forest fields jungle mountains ocean ground water "
    "tree cave",
    "character": "fierce timid smart group solitary nestspot domestic",
}

GROUP_OF = {name: group for group, names in _GROUPS.items() for name in names.split()}
"""Group of every attribute."""


def awa_groups(attributes: Sequence[str]) -> tuple[str, ...] | None:
    """The group of each attribute; None where one is not of the 85, so that the table is another."""
    return tuple(GROUP_OF[name] for name in attributes) if GROUP_OF.keys() >= set(attributes) else None
