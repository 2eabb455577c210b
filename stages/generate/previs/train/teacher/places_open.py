"""Where things are: sea, sky, space."""
from places_air import in_the_sky
from places_sea import at_sea
from places_space import in_space

PLACES = {"sea": at_sea, "sky": in_the_sky, "space": in_space}
