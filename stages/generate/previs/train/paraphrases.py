"""How each thing a clip can show is said: words for training and, after the bar, words kept for evaluation alone.

SLOTS[slot][concept] = (phrases for training, phrases held out). The concepts' names are those of the teacher's
specs. A held-out phrase has a word in it that no training phrase of its slot has; run this file to check that.
ROOTS names WordNet senses whose lemmas and hyponyms say the concept, too; what is held out is taken out of those.
"""
import functools
import re


def table(text):
    """Lines "concept: phrase; phrase | held out; held out"."""
    out = {}
    for line in text.strip().splitlines():
        name, _, rest = line.partition(": ")
        seen, _, held = rest.partition("|")
        out[name.strip()] = tuple([p.strip() for p in part.split(";") if p.strip()] for part in (seen, held))
    return out


SLOTS = {
    "setting": table("""
sea: the sea; the ocean; open sea; the open ocean; grey Atlantic swell; rolling waves; a wide seascape; Pacific waters; salt water; the waves; blue sea; a seascape; the Atlantic; the Mediterranean; a bay; ocean waves; the North Sea; tidal water; surf; the briny deep; the high main; open brine; whitecapped surf; the Baltic; offshore breakers | maritime expanse
harbour: a harbour; a harbor town; a fishing port; a marina; a quay; a seaside town; the docks; a quiet port; boats moored at a pier; a harbour basin; a dock; a pier; a port with cranes; the waterside; a ferry terminal; a naval base; a jetty; a boatyard; a haven for fishing boats; a waterfront with berths; a wharf; moorings | an anchorage
mountains: mountains; a mountain range; snow-capped peaks; the Alps; jagged peaks; a mountain valley; rocky summits; highlands; alpine landscape; cliffs and ridges; a mountain pass; a volcano; hills; a canyon; high plateaus; rock faces; a mountain lake; the Rockies; an Andean massif; a steep escarpment; foothills and pinnacles; the Himalayas; lofty crags | a sierra
desert: the desert; sand dunes; the Sahara; rolling dunes; a vast desert; dry sand; an arid plain; golden sand; a sandy waste; a salt flat; the Kalahari; a dry canyon; wasteland; cactus country; a sandy desert; parched wilderness; the Mojave; barren badlands; a sun-baked outback | the Gobi
forest: a forest; a pine forest; the woods; deep woods; tall pine trees; woodland; evergreen trees; a birch grove; fir trees; a jungle; a wood; bushland; a bamboo grove; redwoods; an orchard; trees everywhere; mossy trees; a copse of oaks; a rainforest; a spruce stand; undergrowth and trunks; the taiga; timberland | a thicket
river: a river; a stream between green banks; a winding river; a river valley; the river bank; a creek; running water; a canal; a riverside; a waterfall; a flowing stream; the Rhine; a river bend; a torrent; a riverbed; the Danube; an estuary; a tributary; a rivulet through meadows; river rapids; a meandering waterway | a brook
city_night: a city skyline; city lights; skyscrapers; downtown towers; a metropolis; lit windows of high-rise buildings; neon streets; an illuminated city; a skyline of glowing windows; a city of lights; New York; Hong Kong; a big city; a town full of lights; downtown; high-rises; a city centre; lit-up office blocks; an urban sprawl of lamps; Tokyo; the glow of tower blocks; Manhattan; a glittering megacity | a luminous cityscape
street_day: a street; a city street; a town street; an avenue; a road between houses; a busy street; a suburban road; pavement and shop fronts; a narrow street; a road; a motorway; a town square; a residential street; a highway; a lane; a pavement with shops; a cobbled lane; a mews; a roadway lined with storefronts; a crossroads in town; a boulevard; an alley | a thoroughfare
sky: the sky; high in the sky; above the clouds; the open sky; among the clouds; up in the air; a sky of clouds; a sea of clouds; over a cloud layer; blue sky; the air; mid-air; open air high above; cloud tops; the upper air; aloft; the firmament; the airspace; cumulus tops; the heavens; high altitude | the stratosphere
space: outer space; space; among the stars; the stars and a planet; a galaxy; deep space; orbit round a planet; the Milky Way; a nebula; the solar system; a planet; Mars; the moon and the earth from space; a black sky of stars; a comet; the moon's orbit; a cosmic vacuum; Saturn and its rings; an asteroid belt; the universe; interstellar void | the cosmos
snow: a snowy field; a snow-covered plain; the tundra; a winter landscape; snowfields; an arctic landscape; an ice field; a snowy valley; frozen land; a white winter plain; Greenland; an ice sheet; a ski slope; Lapland; a frozen lake; the North Pole; deep snow; the polar wastes; snowdrifts; Siberia; an icy steppe; Antarctica; a wintry expanse | a glacier
interior: a room; an interior; a living room; indoors; inside a house; a hall; an office; a kitchen; a room with a window; a bedroom; a corridor; a dining room; a library; a basement; a hotel lobby; a workshop; a cosy room with a fireplace; a study with shelves; a chamber; a flat with a sofa; the inside of a cabin; a lounge; inside an apartment | a parlour
"""),
    "subject": table("""
ship: ship; frigate; warship; navy ship; destroyer; freighter; cargo ship; ocean liner; steamer; tanker; grey ship; big ship; cruiser; aircraft carrier; barge; fishing boat; motor ship; steamship; patrol boat; icebreaker; boat; bulk carrier; battleship; cruise liner; container carrier; trawler; corvette; merchantman; vessel; vessel on the water; ferry | dreadnought
sailing_boat: sailing boat; sailboat; yacht; sailing yacht; small boat with white sails; boat under sail; dinghy with a sail; schooner; sailing ship; tall ship; clipper; three-masted ship; brig; junk with sails; boat with a white sail; racing yacht; windjammer; cutter under canvas; racing skiff; dhow; regatta boat; galleon; sloop; catamaran | ketch
submarine: submarine; surfaced submarine; nuclear submarine; navy submarine; attack submarine; diving boat of the navy; diving submarine; submarine at the surface; midget submarine; bathyscaphe; underwater boat; sub; periscope and conning tower; submersible; undersea craft | U-boat
car: car; automobile; red sports car; sedan; taxi; jeep; motor car; station wagon; racing car; parked car; vehicle; pickup truck; van; lorry; sports car; police car; race car; truck; motor vehicle; bus; cab; coupe; roadster; SUV; old jalopy; minivan; convertible; limousine | hatchback
train: train; passenger train; railway train; freight train; express train; steam train; fast train; tram; goods train; railroad train; tram car; streetcar; railway carriages; high-speed train; rail engine; commuter rail carriages; subway; diesel engine on rails; monorail; locomotive; bullet train | railcar
aeroplane: aeroplane; airplane; plane; jet; airliner; passenger jet; propeller plane; jet plane; small aircraft with wings; airbus; propeller aircraft; fixed-wing aircraft; light aircraft; stealth jet; cargo plane; monoplane; aircraft; Boeing; fighter aircraft; bomber; turboprop; glider; jumbo jet; seaplane | biplane
helicopter: helicopter; rescue helicopter; military helicopter; black helicopter; small helicopter; helicopter with spinning rotor; transport helicopter; police helicopter; ambulance helicopter; autogiro; whirlybird; gunship; chopper; copter | rotorcraft
drone: drone; quadcopter; camera drone; small drone; flying drone; quadcopter drone; unmanned aircraft; unmanned aerial vehicle; remote-controlled drone; toy drone; surveillance drone; robot aircraft; remote-controlled flyer; octocopter; unpiloted aerial robot; UAV; hexacopter | multirotor
person: person; man; woman; lone figure; walker; traveller; hiker; person walking; pedestrian; girl; boy; man in a coat; child; old man; tourist; sailor; worker; somebody; someone; runner; monk; guy; pilgrim; adventurer; people; lady; fellow strolling; human being; backpacker; youth; soldier; passer-by; stranger; gentleman | wanderer
birds: bird; seagull; gull; flying bird; goose; white bird; crow; swallow; bird in flight; duck; swan; hawk; sparrow; parrot; owl; migrating bird; flock of birds; sea bird; fowl; vulture; stork; raven; tern; eagle; winged creature; pigeon; pelican; albatross | heron
balloon: balloon; hot air balloon; striped balloon; balloon with a basket; coloured balloon; big round balloon; aerial balloon; gas balloon; weather balloon; observation balloon; inflated balloon; passenger balloon; montgolfiere; dirigible; aerostat; gondola under an envelope of hot gas; airship; zeppelin | blimp
lighthouse: lighthouse; old lighthouse; white lighthouse; lighthouse tower; lone lighthouse; lighthouse with a red lantern; lighthouse on a rock; stone lighthouse; harbour light; lamp tower; striped lighthouse; pharos; lightkeeper's tower; beacon; signal tower | coastal signal light
rocket: rocket; space rocket; rocket on its launch pad; spaceship; rocket lifting off; spacecraft; launching rocket; moon rocket; rocket ship; ballistic rocket; space vehicle; space capsule; rising rocket; lunar lander; starship; missile; Saturn five; orbiter; space shuttle; launcher | booster
nobody: |
"""),
    "time": table("""
dawn: at dawn; when the sun rises; as the sun climbs over the horizon; the first rays of morning; the sky grows light; the sun just above the horizon in the morning; a new morning; at sunrise; in the early morning; first light; at daybreak; sunrise; pastel dawn sky; in pink morning light; early in the morning; at first light; the sun rises; morning; dawn light; the rising sun; early hours of the morning; at cockcrow; when the day begins; at the break of day; as the sun comes up | sunup
day: by day; under the bright sun; under a hot sun; in bright sunshine; the sun high in the sky; the sun overhead; sunny; a sunny afternoon; late morning; in full light; the middle of the day; at midday; in bright daylight; at noon; in the daytime; in the afternoon; under a blue sky; a sunny day; natural daylight; in the sunshine; daytime; daylight; noon; midday; morning sun high above; afternoon sun; a bright day; at the meridian; midafternoon; in broad sunlight; at twelve o'clock; under the blazing sun; sunlit | at lunchtime
dusk: at dusk; as evening falls; as the sun sinks; the last light of the day; nearly dark; late evening; the sun low in the west; an evening sky; when the day is almost gone; the close of the day; at sunset; golden hour; at twilight; blue hour; in the evening; in warm evening light; as the sun goes down; the sun sets; under an orange sunset sky; sunset; dusk; twilight; evening; the setting sun; evening glow; half-light of the sunset; end of the day; in the gloaming; at eventide; late in the eve; as daylight fades; the dying light | at sundown
night: at night; as night falls; at nightfall; when it is dark; in the dark; the dead of night; deep in the night; moonlit; under the moon; a starlit night; in the night-time dark; a moonless night; by night; under a starry night sky; at midnight; under the stars; in the dark of night; night; moonlight; by moonlight; a dark night; late at night; midnight; nocturne; in the night; darkness; black night; starlight; stars up above; in the small hours; nocturnal; in pitch darkness; under a full moon; nighttime | after dark
"""),
    "weather": table("""
clear: clear sky; no clouds; without a cloud; a clear day; clear night; bright weather; dry weather; clear weather; cloudless sky; clear air; clean dry air; fine weather; blue sky without clouds; bright and clear; a spotless sky; good visibility; sunny and dry; crisp visibility; serene blue heavens; unclouded; not a cloud in sight | fair weather
cloudy: scattered clouds; drifting clouds; a cloudy sky; clouds in the sky; partly cloudy; white clouds; broken clouds; some clouds; a few clouds; billowing clouds; mackerel sky; clouds sail past; cottony puffs overhead; fleecy patches; clouded over in parts; wispy cirrus | puffy cumulus
overcast: overcast sky; under thick clouds; a dark cloudy sky; a dull day; no sun; a lowering sky; clouded over; under grey clouds; an overcast day; heavy clouds; dull grey sky; a grey day; a blanket of cloud; cloud-covered; grey and cloudy; low grey clouds; sombre sky; under a heavy sky; sunless; murky ceiling of stratus; drab weather; gloomy; dreary and dim | a leaden sky
fog: in thick fog; a foggy day; mist lies over everything; lost in the mist; dense fog; fog hangs over it; drifting mist; smoky haze; in the mist; foggy; morning mist; shrouded in fog; misty; haze; fog rolls in; hazy air; a bank of fog; low visibility in fog; steamy air; sea mist; fog-bound; dim in the haze; in dense brume; pea-souper; veiled and blurred by damp; mist-wreathed; smog; vapour hangs low | murk
rain: in the rain; in pouring rain; rain pours down; a wet day; rain showers; raining heavily; steady rain; a cloudburst; in heavy rain; rainy; rain falls; a rainy day; pouring rain; it's raining; light rain; a shower of rain; rainstorm; wet weather; a rain shower; rain-swept; soaking rain; it pours; rainwater streams; in a deluge; drenched by a cloudburst; wet and dripping; raindrops; downpour; sprinkling showers | drizzle
snow: snow is falling; snow comes down; thick snowfall; heavy snowfall; a snow squall; flakes in the air; a snow shower; it snows; falling snowflakes; snowy weather; in falling snow; snowfall; in a snowstorm; snowing; in heavy snow; light snow; snowflakes; sleet and ice crystals; drifting flakes; powdery snowfall from above; blizzard; whiteout | flurries
storm: in a storm; a raging storm; storm winds; wild weather; heavy weather; a thundercloud and lightning; in a thunderstorm; in high wind; stormy; a thunderstorm with lightning; in a violent storm; storm clouds; lightning; thunder; stormy weather; strong wind and storm; a thundery storm; a cyclonic storm; storm-swept; violent winds; lightning bolts; a wild windstorm; monsoon storm; squall; rough weather; a raging typhoon; tempestuous; cyclone; in a gale; hurricane | tempest
"""),
    "colour": table("""
red: red; crimson; scarlet; bright red; dark red; blood-red; burgundy; wine-red; brick-red; rose-red; fire-engine red; reddish; vermilion; cherry; carmine; maroon | ruby
orange: orange; bright orange; deep orange; orange-coloured; copper; carrot; burnt orange; peach-coloured; orangey; apricot; rust-coloured; pumpkin; amber | tangerine
yellow: yellow; golden yellow; lemon yellow; bright yellow; pale yellow; gold; golden; butter-yellow; straw-coloured; yellowish; saffron; lemon-coloured; blond; canary | mustard
green: green; dark green; bright green; emerald; olive green; leaf-green; mint; pea-green; forest green; bottle-green; sea-green; greenish; moss-coloured; viridian; verdant; lime | jade
blue: blue; dark blue; navy blue; light blue; sky-blue; deep blue; turquoise; teal; cyan; royal blue; aquamarine; bluish; ultramarine; indigo; sapphire; cerulean; azure | cobalt
purple: purple; violet; dark purple; light purple; amethyst; grape; aubergine; purplish; plum; lilac; magenta; lavender | mauve
pink: pink; rose-pink; hot pink; pale pink; light pink; bubblegum pink; flamingo; candy pink; peachy pink; pinkish; rosy; blush; coral; salmon; fuchsia |
white: white; pure white; snow-white; off-white; pale white; cream; bleached; whitewashed; cotton-white; whitish; milky; chalk-coloured; pearl; alabaster | ivory
black: black; jet-black; deep black; pitch-black; raven-black; tar-black; dark as coal; soot-black; blackened; sable; inky; coal-coloured; onyx | ebony
grey: grey; gray; dark grey; light gray; steel-grey; silver-grey; silver; pewter; iron-grey; stone-grey; lead-coloured; greyish; ashen; gunmetal; smoky; charcoal | slate
"""),
    "count": table("""
1: a; one; a single; 1; a lone; only one; one solitary; exactly one; just one isolated | a sole
2: two; a pair of; 2; two of the; both; twin; dual; paired; a couple of | a duo of
3: three; 3; a group of three; three of the; a set of three; triple; triplet; a trio of | a threesome of
"""),
    "move": table("""
static: static camera; locked-off camera; static shot; the camera is still; tripod shot; fixed camera; still camera; no camera movement; the camera does not move; the frame holds steady; the camera stays put; motionless camera; stationary viewpoint | unmoving lens
pan_left: camera pans left; pan left; slow pan left; the camera pans to the left; panning left; camera turns left; pan to the left; leftward pan; the camera turns to the left; the lens swivels left; whip round to the left; swing to the left; the view rotates left | sweep leftwards
pan_right: camera pans right; pan right; slow pan right; the camera pans to the right; panning right; camera turns right; pan to the right; rightward pan; the camera turns to the right; the lens swivels right; whip round to the right; swing to the right; the view rotates right | sweep rightwards
tilt_up: tilt up; camera tilts up; slow tilt up; the camera tilts upward; tilting up; the camera looks up; upward tilt; the lens rises toward the sky; angle goes upwards; head raised skyward; the gaze lifts up | the view climbs up
tilt_down: tilt down; camera tilts down; slow tilt down; the camera tilts downward; tilting down; the camera looks down; downward tilt; the lens drops toward the ground; angle goes downwards; head bowed earthward; the gaze lowers down | the view sinks down
dolly_in: dolly in; slow dolly in; camera moves forward; push in; dolly forward; the camera moves in; the camera pushes forward; zoom in; slow push in; the camera moves closer; approach; the view glides ahead; close in on it; the lens creeps nearer; travel inward | advance toward it
dolly_out: dolly out; slow dolly out; camera moves backward; pull back; dolly back; the camera moves out; the camera pulls back; zoom out; slow pull back; the camera moves away; retreat; the view glides backwards; withdraw from it; the lens creeps off; travel outward | recede from it
orbit: orbit; orbit shot; the camera orbits; the camera circles around; circling camera; 360 degree orbit; the camera moves around it in a circle; arc shot; the lens goes round it; encircling view; a rotating ring path; loops around the subject | revolve about it
aerial: aerial shot; aerial view; drone shot; bird's eye view; flying over; from above; high angle from the air; aerial flyover; helicopter shot; seen from an aircraft; top view in flight; high fly-past; overhead flight; soaring above | airborne viewpoint
tracking: tracking shot; the camera follows; tracking the subject; following shot; the camera tracks alongside; the camera moves along with it; side tracking shot; the lens accompanies it; a chase view; keeping pace with it; trailing behind it | pursuing it
"""),
    "style": table("""
photo: photo-like; photorealistic; realistic; a photograph; cinematic photo; natural photographic look; live action; 35mm film; photographic; a realistic photo; high-resolution photograph; like a real film; a snapshot; true to life; naturalistic; shot on celluloid; documentary footage | lifelike
ink: ink drawing; ink; pen and ink; black ink sketch; ink wash; line drawing in ink; inked line art; ink on paper; black and white ink; Chinese ink painting; comic-book ink; brush and sumi; hatched engraving; calligraphic strokes; etching | quill sketch
watercolour: watercolour; watercolor painting; painted in watercolour; soft watercolour; aquarelle; wet paint on paper; a painting in watercolours; water-based paint; a loose watercolour sketch; tinted paper painting; washes of pigment; pastel brushwork on paper; translucent tinted washes | gouache
neon: neon; neon style; neon glow; glowing neon colours; cyberpunk neon; neon lights look; neon lit; bright neon tubes; glowing in neon; ultraviolet neon light; laser colours; vaporwave; electric luminous hues; retrowave glow; synthwave | fluorescent
"""),
}
ABSENT = "unsaid"

# how a subject stands in a setting
PREPOSITIONS = {"sea": "on in across", "harbour": "in at near", "mountains": "in over near", "desert": "in across through", "forest": "in through near", "river": "on along near",
                "city_night": "in above through", "street_day": "on in along", "sky": "in across against", "space": "in through", "snow": "in across over", "interior": "in inside"}
VERBS = {"ship": "cuts through;sails on;crosses;is underway in;steams across", "sailing_boat": "glides over;sails on;leans in the wind on", "submarine": "surfaces in;moves through",
         "car": "drives through;drives along;races across;parked in", "train": "passes through;runs past;speeds across", "aeroplane": "flies over;crosses;climbs over",
         "helicopter": "hovers over;flies above;circles", "drone": "hovers over;flies above;patrols", "person": "walks through;stands in;walks across;runs along", "birds": "flies over;soars above;crosses",
         "balloon": "floats over;drifts across;rises above", "lighthouse": "stands by;shines over", "rocket": "climbs over;flies through;stands in"}
# how else a subject's colour is told than before its name
WORN = "in a {} coat; in a {} jacket; in a {} dress; in a {} cloak; in a {} raincoat; wearing {}; dressed in {}; in {}; in {} clothes".split("; ")
COLOURED = {"person": WORN, "sailing_boat": "with {} sails; with a {} hull; under {} sails; in {}".split("; "), "ship": "with a {} hull; painted {}; in {}".split("; ")}
OTHERWISE = "painted {}; in {}; of {} colour; with {} paint; all {}".split("; ")
EMPTY = ("nothing but {};just {};only {};{}, nobody there;{}, nobody around;{}, no one in sight;{}, not a soul to be seen;{} without people;{}, no people;{}, deserted;{}, empty;{} with nothing in it;"
         "an empty scene: {};an empty shot of {};{}, silence").split(";")
SHOWN = "a shot of; a view of; a scene of; a picture of; an image of; footage of; a video of; we see; there is; scene :; shot :; a close view of; a wide view of; a film of".split("; ")
PLURALS = {"man": "men", "woman": "women", "person": "people", "goose": "geese", "person walking": "people walking", "bird in flight": "birds in flight", "passer-by": "passers-by", "lady": "ladies",
           "ferry": "ferries", "lorry": "lorries", "people": "people", "child": "children", "old man": "old men", "somebody": "people", "someone": "people", "aircraft": "aircraft", "small aircraft with wings": "small aircraft with wings", "man in a coat": "men in coats", "fellow strolling": "fellows strolling"}
# any verb of motion with one of these says the camera's move, if it is not a verb that has a way of its own
WAYS = {"pan_left": "left; to the left; leftward; towards the left", "pan_right": "right; to the right; rightward; towards the right", "tilt_up": "up; upward; to the top", "tilt_down": "down; downward; to the bottom",
        "dolly_in": "in; forward; closer; near to it; into the scene; toward the subject", "dolly_out": "out; back; backward; away; farther off; away from the subject", "orbit": "around it; in a circle; all the way around the subject",
        "tracking": "along with the subject; beside it; after it; behind the subject"}
LENSES = "the camera; camera; the lens; the view; the shot; the frame".split("; ")

HARMLESS = ("cinematic; cinematic lighting; 35mm film grain; shallow depth of field; highly detailed; 4k; 8k; high quality; film look; epic; atmospheric; moody; dramatic; soft light; sharp focus; "
            "wide shot; establishing shot; medium shot; long shot; beautiful; volumetric light; smooth motion; serene; peaceful; on the left side of the frame; on the right; in the centre").split("; ")

# WordNet 3.0 senses: lemma, number of the sense as a noun, how deep the hyponyms go
ROOTS = {
    "setting": {"sea": [("sea", 1, 0), ("ocean", 1, 1), ("bay", 1, 1), ("wave", 1, 2)], "harbour": [("seaport", 1, 0), ("dock", 1, 2), ("marina", 1, 0)], "mountains": [("mountain", 1, 1), ("peak", 4, 1), ("ridge", 1, 1), ("range", 4, 0)],
                "desert": [("desert", 1, 1), ("dune", 1, 1), ("sand", 1, 0)], "forest": [("forest", 1, 2), ("forest", 2, 2), ("conifer", 1, 2)], "river": [("stream", 1, 2), ("canal", 3, 1)],
                "city_night": [("skyscraper", 1, 0), ("city", 1, 1)], "street_day": [("street", 1, 2), ("road", 1, 2)], "sky": [("sky", 1, 1), ("cloud", 2, 1)], "space": [("outer space", 1, 1), ("galaxy", 3, 1), ("planet", 1, 1), ("star", 1, 2), ("nebula", 3, 1)],
                "snow": [("snow", 2, 1), ("tundra", 1, 0), ("glacier", 1, 1), ("snowfield", 1, 0)], "interior": [("room", 1, 2)]},
    "subject": {"ship": [("ship", 1, 3)], "sailing_boat": [("sailing vessel", 1, 3)], "submarine": [("submarine", 1, 2)], "car": [("car", 1, 2), ("truck", 1, 1)], "train": [("train", 1, 1), ("locomotive", 1, 2)],
                "aeroplane": [("airplane", 1, 2)], "helicopter": [("helicopter", 1, 1)], "drone": [("drone", 4, 1)], "person": [("traveler", 1, 2), ("pedestrian", 1, 2), ("worker", 1, 1), ("male", 2, 2), ("female", 2, 2)],
                "birds": [("seabird", 1, 3), ("bird of prey", 1, 3), ("wading bird", 1, 2), ("duck", 1, 1), ("passerine", 1, 3)], "balloon": [("balloon", 1, 1), ("airship", 1, 1)], "lighthouse": [("lighthouse", 1, 0)], "rocket": [("rocket", 1, 1), ("spacecraft", 1, 2)]},
    "time": {"dawn": [("dawn", 1, 0)], "day": [("day", 4, 0), ("noon", 1, 0)], "dusk": [("dusk", 1, 0), ("sunset", 1, 0), ("evening", 1, 1)], "night": [("night", 1, 1), ("midnight", 1, 0)]},
    "weather": {"fog": [("fog", 1, 1), ("haze", 1, 1)], "rain": [("rain", 1, 2)], "snow": [("snow", 1, 1), ("snowstorm", 1, 0)], "storm": [("storm", 1, 2), ("gale", 1, 1)], "overcast": [("overcast", 1, 0)], "cloudy": [("cumulus", 1, 0)]},
    "colour": {"red": [("red", 1, 1)], "orange": [("orange", 2, 1)], "yellow": [("yellow", 1, 1)], "green": [("green", 1, 1)], "blue": [("blue", 1, 1)], "purple": [("purple", 1, 1)], "pink": [("pink", 1, 1)],
               "white": [("white", 2, 1)], "black": [("black", 1, 1)], "grey": [("gray", 1, 1)]},
}

# names of places, and kinds of buildings: senses, ways of saying them, whether the instances are meant
NAMED = {
    "mountains": ([("peak", 4), ("mountain", 1), ("range", 4)], "{}; the slopes of {}; {} and its ridges; high on {}; the flanks of {}; below {}; the peak of {}", True),
    "desert": ([("desert", 1)], "the {}; in the {}; the sands of the {}; across the {}", True),
    "river": ([("river", 1), ("stream", 1)], "the {}; the {} river; the banks of the {}; up the {}; a bend of the {}; down the {}", True),
    "sea": ([("sea", 1), ("ocean", 1), ("gulf", 1), ("bay", 1)], "the {}; the waves of the {}; out on the {}; the open {}", True),
    "harbour": ([("city", 1)], "the port of {}; {} harbour; the docks at {}; the quays of {}; the {} waterside; a marina in {}; the ferry port of {}", True),
    "city_night": ([("city", 1)], "downtown {}; the skyline of {}; the lights of {}; {} with its windows lit; the {} skyline; the towers of {}; central {}; over the lights of {}", True),
    "street_day": ([("city", 1)], "a street in {}; the streets of {}; a {} street; a road in {}; a lane in {}; a corner in {}; a crossroads in {}; a shopping street in {}; a suburb of {}", True),
    "space": ([("planet", 1), ("star", 1), ("galaxy", 3), ("satellite", 3)], "{}; the orbit of {}; past {}; near {}", True),
    "interior": ([("building", 1, 2), ("shop", 1, 1), ("room", 1, 1)], "inside a {}; the inside of a {}; inside the {}; indoors, a {}; within a {}; in a {} with a window; the interior of a {}", False),
}


def plural(noun):
    if noun in PLURALS:
        return PLURALS[noun]
    if noun.endswith("aircraft"):
        return noun
    head, at, rest = noun.partition(" with ")
    for joint in (" under ", " on ", " of ", " and "):
        if joint in head:
            head, at, rest = head.partition(joint)[0], joint, head.partition(joint)[2] + at + rest
            break
    end = "es" if head.endswith(("s", "x", "ch", "sh")) else "s"
    return head + end + at + rest


def words(phrases):
    return {w.strip(".,'").lower() for p in phrases for w in p.split()}


def stem(word):
    return re.sub(r"(ings?|ed|ies|es|s|ly|e|y)$", "", word) if len(word) > 3 else word


def stems(all_words):
    return {stem(w) for whole in all_words for w in whole.split("-")}


@functools.cache
def held_stems():
    """What words kept for evaluation begin with, and no word of the training phrases does."""
    return stems(held_words()) - stems(words(p for slot in SLOTS.values() for pair in slot.values() for p in pair[0]))


@functools.cache
def held_phrases():
    return [p for slot in SLOTS.values() for _, held in slot.values() for p in held]


def held_back(phrase, held):
    return any(stem(w) in held for w in re.split(r"[ -]", phrase.lower())) or " " in phrase and any(phrase in p for p in held_phrases())


def held_words():
    """Words that only evaluation may use: those of held-out phrases that no training phrase of any slot has."""
    seen = words(p for slot in SLOTS.values() for pair in slot.values() for p in pair[0]) | words(HARMLESS)
    return words(p for slot in SLOTS.values() for pair in slot.values() for p in pair[1]) - seen


ADJECTIVES = {"storm": (["stormy", "storm-lashed", "thundery", "rough", "turbulent"], ["tempestuous"]), "fog": (["foggy", "misty", "hazy"], ["murky"]),
              "rain": (["rainy", "rain-soaked", "drenched"], ["drizzly"]), "cloudy": (["cloudy"], []), "overcast": (["overcast", "grey-clouded", "gloomy"], ["leaden"])}
CHANCE = {"setting": .96, "subject": .8, "time": .75, "weather": .6, "move": .7, "style": .3, "colour": .45, "count": 1.0}   # how often a caption says it


def draw_meaning(rng):
    """{slot: concept} of what a caption will say; any combination."""
    m = {slot: rng.choice(list(SLOTS[slot])) for slot in SLOTS if rng.random() < CHANCE[slot]}
    if m.get("subject", "nobody") == "nobody":
        for slot in ("subject", "count", "colour"):
            m.pop(slot, None)
    elif m["count"] != "1" and rng.random() < .3:
        m["count"] = "1"
    return m if len(m) > 1 else draw_meaning(rng)


def twist(m, rng):
    """The same but for one thing, mostly one that sentence encoders tell badly: a direction, a count, a colour."""
    slot = rng.choice([s for s in m if s in ("move", "count", "colour")] * 3 + [s for s in m if s != "count"])
    opposite = {"left": "right", "right": "left", "up": "down", "down": "up", "in": "out", "out": "in"}
    stem, _, way = m[slot].rpartition("_")
    others = [c for c in SLOTS[slot] if c not in (m[slot], "nobody")]
    new = f"{stem}_{opposite[way]}" if slot == "move" and way in opposite and rng.random() < .7 else rng.choice(others)
    return {**m, slot: new}


def spoken(text):
    """Words that say nothing of what is asked, as parts."""
    return [(w, None, None) for w in text.split()]


def base(verb):
    """"sail on" of "sails on"."""
    first, at, rest = verb.partition(" ")
    return "are" + at + rest if first == "is" else (first[:-3] + "y" if first.endswith("ies") else first[:-2] if first.endswith(("sses", "shes", "ches")) else first[:-1] if first.endswith("s") else first) + at + rest


def gerund(verb):
    """"sailing on" of "sails on"."""
    first, at, rest = base(verb).partition(" ")
    if first in ("are", "parked"):
        return verb.removeprefix("is ")
    return (first + first[-1] if first in ("cut", "run", "patrol") else first.removesuffix("e")) + "ing" + at + rest


class Wording:
    """Says meanings in words. held: with held-out phrases wherever there are; more: {(slot, concept): further phrases};
    open_words: things of any kind that now and then stand for a subject that is no concept."""

    def __init__(self, rng, held=False, more=None, open_words=()):
        self.rng, self.held, self.more, self.open_words = rng, held, more or {}, open_words

    def phrase(self, slot, concept):
        seen, held = SLOTS[slot][concept]
        if self.held and held:
            return self.rng.choice(held)
        more = self.more.get((slot, concept))
        return self.rng.choice(more if more and self.rng.random() < .5 else seen)

    def beside(self, kind, *joints):
        """Now and then a word that says nothing of what is asked: most that people write is not in any table."""
        words = self.more.get(("open", kind))
        return [(w, None, None) for w in (self.rng.choice(joints or ("",)) + self.rng.choice(words)).split()] if words and self.rng.random() < .2 else []

    def part(self, m, slot, text=None):
        return [(text or self.phrase(slot, m[slot]), slot, m[slot])] if slot in m else []

    def setting(self, m):
        """The place, sometimes with the weather as its adjective: then that needs no words of its own."""
        pair = ADJECTIVES.get(m.get("weather"))
        text = self.phrase("setting", m["setting"])
        choice = pair and pair[1 if self.held else 0]
        if not choice or self.rng.random() > .3:
            return [(text, "setting", m["setting"])], False
        article, _, rest = text.partition(" ")
        if article not in ("a", "an", "the"):
            article, rest = "", text
        elif article != "the":
            article = "a"
        return [(article, None, None)] * bool(article) + [(self.rng.choice(choice), "weather", m["weather"]), (rest, "setting", m["setting"])], True

    def subject(self, m):
        rng = self.rng
        noun = self.phrase("subject", m["subject"])
        concept = m["subject"]
        if self.open_words and rng.random() < .12:
            noun, concept = rng.choice(self.open_words), None
        many = m["count"] != "1"
        named = self.beside("adjective") + [(plural(noun) if many else noun, "subject", concept)] + self.beside("thing", " with a ", " beside a ", " and its ", " near a ")
        colour = self.part(m, "colour")
        count = self.phrase("count", m["count"]) if self.held or many or rng.random() < .35 else "a"
        body = colour + named
        if colour and rng.random() < .35:
            before, after = rng.choice(COLOURED.get(m["subject"], OTHERWISE)).split("{}")
            body = named + spoken(before) + colour + spoken(after)
        if count == "a" and body[0][0][0] in "aeiou":
            count = "an"
        return [(count, "count", m["count"])] + body

    def head(self, m):
        rng, done = self.rng, False
        place, done = self.setting(m) if "setting" in m else ([], False)
        if "subject" not in m:
            before, after = rng.choice(EMPTY).split("{}") if rng.random() < .3 else (rng.choice(SHOWN) if rng.random() < .5 else "", "")
            return spoken(before) + place + spoken(after) if place else [], done
        body = self.subject(m)
        if not place:
            return body, done
        r, preposition = rng.random(), rng.choice(PREPOSITIONS[m["setting"]].split())
        if r < .12:
            return place + [("with", None, None)] + body, done
        if r < .22:
            return body + [(",", None, None)] + place, done
        if r < .34:
            return spoken(preposition) + place + [(",", None, None)] + body, done
        body = (spoken(rng.choice(SHOWN)) if rng.random() < .15 else []) + body
        verb = rng.choice(VERBS[m["subject"]].split(";"))
        if r < .5:
            verb = gerund(verb)
        elif m["count"] != "1":
            verb = base(verb)
        return body + [(verb if not self.held and r < .75 else preposition, None, None)] + place, done

    def parts(self, m):
        """[(words, slot or None, concept or None)] in the order of the caption."""
        rng = self.rng
        lead, weathered = self.head(m)
        tails = [self.part(m, s) for s in ("time", "weather", "move") if s in m and not (s == "weather" and weathered)]
        if "style" in m:
            tails.append(self.part(m, "style") + [("style", None, None)] * (rng.random() < .3))
        tails += [[(x, None, None)] for x in rng.sample(HARMLESS, rng.choice((0, 0, 0, 1, 2)))]
        rng.shuffle(tails)
        comma = [(rng.choice((",", ",", ",", ",", ".", ";")), None, None)]
        if tails and lead and tails[0][0][1] == "time" and rng.random() < .7:
            lead = lead + tails.pop(0)
        moving = next((t for t in tails if t[0][1] == "move"), None)
        if moving and lead and rng.random() < .12:       # the camera first
            tails.remove(moving)
            lead = moving + spoken(rng.choice((":", "on", "; we see", "over", "-", "across", "."))) + lead
        groups = [g for g in [lead] + tails if g]
        if rng.random() < .15:
            rng.shuffle(groups)
        out = groups[0]
        for g in groups[1:]:
            out = out + comma + g
        return out


def said_of(spec, rng):
    """{slot: concept} of what a caption tells of a clip: nearly all that shows, less of what goes without saying."""
    usual = {"weather": "clear", "move": "static", "style": "photo", "time": "day"}
    m = {slot: str(spec[slot]) for slot in SLOTS if spec.get(slot) is not None and rng.random() < (.5 if spec[slot] == usual.get(slot) else .7 if slot == "colour" else .97)}
    m["setting"], m["count"] = spec["setting"], str(spec["count"])
    if spec["subject"] == "nobody":
        for slot in ("subject", "count", "colour"):
            m.pop(slot, None)
    return m if "subject" in m or "count" not in m else {k: v for k, v in m.items() if k not in ("count", "colour")}


def caption(spec, rng, more=None):
    """A caption for a clip of the teacher's spec, in training words. more: phrases.json, that text_encoder.py leaves."""
    return joined(Wording(rng, more=more and {tuple(k.split()): v for k, v in more.items()}).parts(said_of(spec, rng)))


def joined(parts):
    return re.sub(r" ([,.;:])", r"\1", " ".join(p[0] for p in parts))



def check():
    for name, slot in SLOTS.items():
        seen = words(p for pair in slot.values() for p in pair[0])
        for concept, (_, held) in slot.items():
            for p in held:
                if words([p]) <= seen:
                    print(f"{name} {concept}: every word of the held-out {p!r} is in a training phrase")


if __name__ == "__main__":
    import random
    check()
    for held in (False, True):
        rng = random.Random(3)
        for _ in range(8):
            print("held-out " if held else "training ", joined(Wording(rng, held).parts(draw_meaning(rng))))
    print({k: (len(v), sum(len(p[0]) for p in v.values()), sum(len(p[1]) for p in v.values())) for k, v in SLOTS.items()}, len(held_words()), "held-out words")
