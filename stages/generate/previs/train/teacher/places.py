"""Where in a setting the subject is, and where the camera stands: one function a setting."""
import places_land
import places_open
import places_room
import places_town
import places_woods

# name: function(spec, clip, rng) -> where the camera stands, what it looks at, zoom. It sets clip.at and
# clip.heading, and may change the clip's other numbers.
PLACES = {**places_open.PLACES, **places_land.PLACES, **places_woods.PLACES, **places_town.PLACES, **places_room.PLACES}
