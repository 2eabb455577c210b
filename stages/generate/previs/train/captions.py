"""From a spec to words. Each property has many ways to be said; a caption takes some of them, in some order.

The tables are the grammar: what stands here is what the model can be asked for (VOCABULARY.md lists it).
"""
import random
import re

PLACE = {
    "ocean": ["open sea", "the ocean", "grey Atlantic swell", "the open ocean", "a wide seascape", "rolling waves", "the sea", "Atlantic waters", "Pacific ocean"],
    "mountains": ["mountains", "a mountain range", "snow-capped peaks", "alpine mountains", "a rugged mountain landscape", "jagged peaks", "the Alps", "a mountain valley", "towering mountains"],
    "city": ["a city skyline", "a modern city", "skyscrapers", "downtown towers", "the city", "a metropolis", "a skyline of high-rise buildings", "an urban skyline"],
    "forest": ["a pine forest", "the forest", "deep woods", "a conifer forest", "tall pine trees", "woodland", "evergreen trees", "a forest of firs"],
    "desert": ["the desert", "sand dunes", "a vast desert", "rolling dunes", "the Sahara", "desert dunes", "an empty desert of golden sand"],
    "coast": ["a lighthouse on a rocky island", "a lighthouse on the coast", "a lone lighthouse", "a lighthouse by the sea", "an old lighthouse on the rocks", "a coast with a lighthouse"],
    "harbour": ["a harbour", "a harbor town", "a fishing port", "boats moored in the harbour", "a seaside town with a quay", "a marina", "a quiet port"],
    "snowfield": ["a snowy field", "a snow-covered plain", "a winter landscape", "frozen tundra", "snowfields", "an arctic landscape", "a snowy valley"],
    "country": ["green hills", "the countryside", "a wide meadow", "rolling farmland", "grassland", "open fields", "a green prairie", "fields and hills"],
    "street": ["a city street", "an urban street", "a street between tall buildings", "a downtown avenue", "a narrow street", "an empty road through the city", "a neon street"],
}
# a subject is a phrase with an optional verb; {p} is filled with the place
SUBJECT = {
    "ship": ["a frigate cuts through {p}", "a warship crosses {p}", "a navy ship sails on {p}", "a ship in {p}", "a grey frigate at sea, {p}", "a lone ship on {p}", "a destroyer steams across {p}", "a vessel on {p}", "a navy frigate underway, {p}"],
    "sailboat": ["a sailing boat on {p}", "a sailboat glides past, {p}", "a yacht sails on {p}", "a small boat with white sails, {p}", "a sailing yacht, {p}", "a boat under sail near {p}"],
    "birds": ["a flock of birds over {p}", "birds fly over {p}", "seagulls above {p}", "birds cross the sky, {p}", "a flock of birds in flight, {p}"],
    "drones": ["drones hover over {p}", "a swarm of drones above {p}", "drones fly over {p}", "3 drones above {p}", "quadcopter drones patrol {p}"],
    "walker": ["a lone figure walks through {p}", "a man walking across {p}", "a person walks in {p}", "a traveller crosses {p}", "a lonely walker in {p}", "a woman walks through {p}"],
    "caravan": ["a caravan of people crosses {p}", "a group of travellers walks across {p}", "a line of people walking over {p}", "figures in a row cross {p}"],
    "cabin": ["a small cabin in {p}", "a wooden house in {p}", "a cottage with smoke from its chimney, {p}", "a cabin with lit windows, {p}", "a lonely log cabin in {p}"],
    "train": ["a train passes through {p}", "a passenger train crosses {p}", "a fast train runs past {p}", "a railway train in {p}", "a train speeds across {p}"],
    "car": ["a car drives down {p}", "cars on {p}", "a car with glowing tail lights on {p}", "traffic on {p}", "an automobile drives along {p}"],
    None: ["{p}", "{p}", "a view of {p}", "a scene of {p}", "a landscape with {p}", "empty {p}", "beautiful {p}"],
}
TIME = {
    "day": ["by day", "at midday", "in bright daylight", "in the daytime", "at noon", "natural light", "a sunny day", "in the afternoon", "under a blue sky", "natural daylight"],
    "dawn": ["at dawn", "at sunrise", "in the early morning", "first light", "in soft pink morning light", "at daybreak", "sunrise", "pastel dawn sky"],
    "sunset": ["at sunset", "golden hour", "at golden hour", "in warm evening light", "under an orange sky", "as the sun goes down", "sunset", "the sun sets", "glowing sunset sky"],
    "dusk": ["at dusk", "at twilight", "blue hour", "at nightfall", "in the blue hour", "in the evening", "after sunset, dim light"],
    "night": ["at night", "by night", "under a starry night sky", "at midnight", "under the stars", "night", "in the dark of night", "stars in the sky", "a dark night"],
}
# said instead of a time where sun and weather make it untrue
TIME_VEILED = {"day": ["by day", "in daylight", "in the daytime", "at noon", "in the afternoon", "natural light", "grey daylight"],
               "dawn": ["at dawn", "in the early morning", "at daybreak"], "sunset": ["at sunset", "in the evening light", "golden hour", "at golden hour"],
               "night": ["at night", "by night", "at midnight", "night", "a dark night"]}
# "Sunset over mountains"
OVER = {"day": ["daylight over", "noon over", "blue sky over"], "dawn": ["sunrise over", "dawn over", "first light over"], "sunset": ["sunset over", "golden hour over", "golden hour in", "evening sun over"],
        "dusk": ["dusk over", "twilight over", "blue hour over"], "night": ["night over", "starry night over", "night sky over", "stars over"]}
MOON = ["under the moon", "moonlight", "a full moon", "moonlit", "the moon shines", "by moonlight"]
WEATHER = {
    "clear": ["clear sky", "clear weather", "cloudless sky", "clear air"],
    "cloudy": ["scattered clouds", "drifting clouds", "a cloudy sky", "clouds in the sky"],
    "overcast": ["overcast sky", "under grey clouds", "an overcast day", "heavy clouds", "dull grey sky"],
    "fog": ["in thick fog", "in the mist", "foggy", "morning mist", "shrouded in fog", "misty", "haze", "fog rolls in"],
    "rain": ["in the rain", "in heavy rain", "rainy", "rain falls", "a rainy day", "pouring rain", "it's raining"],
    "storm": ["in a storm", "stormy", "a thunderstorm with lightning", "in a violent storm", "storm clouds and rain"],
    "snow": ["snow is falling", "in falling snow", "snowfall", "in a snowstorm", "snowing", "winter snow", "in heavy snow"],
}
DUST = ["in a sandstorm", "dust in the air", "in thick haze", "a dusty haze"]
MOVE = {
    "static": ["static camera", "locked-off camera", "static shot", "the camera is still", "tripod shot", "fixed camera", "still camera"],
    "pan_left": ["camera pans left", "pan left", "{s} pan left", "the camera pans to the left", "{s} pan to the left", "panning left"],
    "pan_right": ["camera pans right", "pan right", "{s} pan right", "the camera pans to the right", "{s} pan to the right", "panning right"],
    "dolly_in": ["dolly in", "{s} dolly in", "camera moves forward", "{s} push in", "{s} dolly forward", "push in", "the camera moves in", "the camera pushes forward", "{s} zoom in", "tracking forward", "dolly forward"],
    "dolly_out": ["dolly out", "{s} dolly out", "pull back", "{s} pull back", "camera moves backward", "the camera pulls back", "{s} zoom out", "dolly back"],
    "tilt_up": ["tilt up", "camera tilts up", "{s} tilt up", "the camera tilts upward"],
    "tilt_down": ["tilt down", "camera tilts down", "{s} tilt down", "the camera tilts downward"],
    "truck_left": ["tracking shot to the left", "truck left", "camera tracks left", "{s} lateral tracking shot left", "the camera slides left"],
    "truck_right": ["tracking shot to the right", "truck right", "camera tracks right", "{s} lateral tracking shot right", "the camera slides right"],
    "crane_up": ["crane up", "crane shot rising", "camera rises", "{s} crane up", "the camera rises into the air", "rising aerial"],
    "handheld": ["handheld camera", "shaky handheld shot", "handheld"],
}
SPEED = {"slow": ["slow", "gentle", "smooth slow", "very slow"], "normal": ["", "steady", "smooth"], "fast": ["fast", "quick", "rapid"]}
SHOT = {"wide": ["wide shot", "extreme wide shot", "establishing shot", "wide angle", "long shot", "wide establishing shot"], "medium": ["medium shot", "eye level", "full shot"],
        "close": ["close shot", "close-up", "close up", "near view", "telephoto"], "aerial": ["aerial shot", "aerial view", "drone shot", "bird's eye view", "from above", "high angle"],
        "low": ["low angle", "low angle shot", "from the ground"]}
SEA = {"calm": ["calm water", "a calm sea", "still water", "glassy water"], "normal": ["gentle waves", "waves"], "rough": ["rough sea", "big waves", "heavy swell", "high waves", "choppy sea", "whitecaps"]}
LAND = {"ocean": ["islands on the horizon", "distant coast", "far islands"], "mountains": ["reflected in a lake", "a mountain lake", "beside a lake", "lake in the foreground"],
        "city": ["reflected in the river", "across the water", "by the river", "on the waterfront"]}
SIDE = {-1: ["on the left", "on the left side of the frame"], 0: ["in the centre", "centred"], 1: ["on the right", "on the right side of the frame"]}
LOOK = {"teal_orange": ["teal and orange", "teal and orange colour grade", "teal and orange grade"], "mono": ["black and white", "monochrome", "black and white film", "noir"]}
SHAFTS = ["volumetric light", "god rays", "light shafts through the trees", "sunbeams", "rays of light"]
# words that film people add and that must do no harm
HARMLESS = ["cinematic", "cinematic lighting", "35mm film", "35mm film grain", "shallow depth of field", "anamorphic", "highly detailed", "4k", "8k", "photorealistic", "high quality",
            "realistic", "film look", "natural colours", "masterpiece", "anamorphic lens flare", "epic", "atmospheric", "moody", "award-winning cinematography", "sharp focus", "beautiful light",
            "shot on film", "documentary style", "soft light", "dramatic", "volumetric light", "volumetric lighting", "movie still", "ultra wide lens", "24mm lens", "IMAX", "arthouse", "subtle film grain",
            "rich colours", "detailed", "cinematic composition", "smooth motion", "serene", "peaceful", "lonely", "majestic", "quiet mood", "professional", "colour graded", "cinematic wide shot framing"]
FAULT = {"blurry": ["blurry", "out of focus", "blurred"], "noisy": ["noisy", "grainy noise", "noise"], "flat": ["low contrast", "washed out", "flat, dull"],
         "blocky": ["low resolution", "pixelated", "jpeg artifacts", "compression artifacts"], "text": ["text", "watermark", "subtitles, text", "logo", "text, watermark", "caption text"],
         "flicker": ["flickering", "flicker", "unstable exposure"], "overexposed": ["overexposed", "blown out", "overexposed highlights"]}
FAULT_ALL = ["low quality", "worst quality", "bad quality", "ugly", "bad video"]


def caption(s, rng=random):
    """A caption for the spec: from two words to two lines."""
    pick = rng.choice
    if s["fault"]:
        # a spoilt clip often carries nothing but its faults, as negative prompts do
        words = [pick(FAULT[s["fault"]])] + ([pick(FAULT_ALL)] if rng.random() < .6 else [])
        if rng.random() < .4:
            words.append(pick(FAULT[rng.choice(list(FAULT))]))
        rng.shuffle(words)
        if rng.random() < .6:
            return ", ".join(words)
        return _clean(pick(SUBJECT[s["subject"]]).format(p=pick(PLACE[s["setting"]])) + ", " + ", ".join(words), rng)
    full = rng.random()
    keep = lambda p: rng.random() < p * (0.45 + 0.75 * full)
    head = pick(SUBJECT[s["subject"]]).format(p=pick(PLACE[s["setting"]]))
    head = re.sub(r"^(empty|beautiful) (the|a|an) ", r"\2 \1 ", head)
    if s["subject"] is None and rng.random() < .3:
        head = pick(PLACE[s["setting"]])
    veiled = s["weather"] in ("fog", "rain", "storm", "overcast", "snow")
    time = pick((TIME_VEILED if veiled and s["time"] in TIME_VEILED else TIME)[s["time"]])
    parts, early = [], []
    if s["subject"] is None and rng.random() < .2:
        head = pick(OVER[s["time"]]) + " " + re.sub(r"^(a|an|the) ", "", pick(PLACE[s["setting"]]))
    elif rng.random() < .92 or s["time"] == "night":
        (early if rng.random() < .6 else parts).append(time)
    if s["weather"] == "clear":
        keep(.15) and parts.append(pick(WEATHER["clear"]))
    elif rng.random() < .95:
        words = DUST if s["setting"] == "desert" and s["weather"] == "fog" and rng.random() < .6 else WEATHER[s["weather"]]
        (early if rng.random() < .35 else parts).append(pick(words))
    if s["moon"] and not veiled and keep(.7):
        parts.append(pick(MOON))
    if s["setting"] in ("ocean", "coast") and keep(.5 if s["sea"] != "normal" else .2):
        parts.append(pick(SEA[s["sea"]]))
    if s["setting"] in LAND and s["land"] and keep(.75):
        parts.append(pick(LAND[s["setting"]]))
    if s["subject"] and s["side"] and keep(.35):
        early.insert(0, pick(SIDE[s["side"]]))
    if s["shafts"] and s["setting"] == "forest" and keep(.7):
        parts.append(pick(SHAFTS))
    if s["look"]:
        parts.append(pick(LOOK[s["look"]]))
    move = " ".join(pick(MOVE[s["move"]]).format(s=pick(SPEED[s["speed"]])).split())
    said = rng.random() < (.55 if s["move"] in ("static", "handheld") else .95)
    shot = pick(SHOT[s["shot"]]) if keep({"aerial": 1.0, "close": .8, "low": .8, "wide": .5}.get(s["shot"], .12)) else None
    if said and shot == "aerial shot" and s["move"] == "dolly_in" and rng.random() < .5:
        move, shot = "slow aerial dolly forward" if s["speed"] == "slow" else "aerial dolly forward", None
    extra = rng.sample(HARMLESS, rng.choice((0, 0, 0, 1, 1, 2, 3, 4))) if full > .25 else []
    tail = parts + ([move] if said else []) + extra
    rng.shuffle(tail)
    lead = " ".join([head] + early) if rng.random() < .7 else ", ".join([head] + early)
    order = ([shot] if shot else [])
    if order and rng.random() < .5:
        text = shot + " of " + lead if rng.random() < .5 else shot + ", " + lead
        text = ", ".join([text] + tail)
    else:
        tail[rng.randint(0, len(tail)):0] = order
        if said and rng.random() < .15:
            tail.remove(move)
            lead = move + ", " + lead
        text = ", ".join([lead] + tail)
    return _clean(text, rng)


def _clean(text, rng):
    text = re.sub(r"\s+", " ", text).strip()
    r = rng.random()
    if r < .6:
        text = text[0].upper() + text[1:]
    elif r < .8:
        text = text.lower()
    return text + ("." if rng.random() < .25 else "")


def negative(rng=random):
    """The kind of negative prompt that people write."""
    bag = [w for v in FAULT.values() for w in v] + FAULT_ALL
    return ", ".join(rng.sample(bag, rng.randint(2, 6)))
