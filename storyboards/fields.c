#include "storyboards/fields.h"

#include <stddef.h>
#include <string.h>

const char *const tier_names[] = {"previs",  "validator", "workhorse", "experimental", "flagship",
                                  "picture", "still",     "footage",   "title",        NULL};
static const char *const style_names[] = {"title", "lower-third", "caption", "credit",
                                          "slate", "timecode",    NULL};
static const char *const position_names[] = {"auto",   "top-left",     "top",   "top-right",
                                             "left",   "center",       "right", "bottom-left",
                                             "bottom", "bottom-right", NULL};
static const char *const move_names[] = {"none",      "push-in", "pull-out",  "pan-left",
                                         "pan-right", "tilt-up", "tilt-down", NULL};
static const char *const transition_names[] = {"cut", "dissolve", "fade", "wipe", NULL};
static const char *const yes_names[] = {"no", "yes", NULL};
static const char *const fit_names[] = {"cover", "contain", NULL};
static const char *const rate_names[] = {"board", "repeat", "interpolate", NULL};
static const char *const text_names[] = {"overlay", "drop", "keep", NULL};
static const char *const addition_names[] = {"none", "camera", "light", "look", "all", NULL};
static const char *const codec_names[] = {"h264", "h265", "prores", "prores-4444", "dnxhr",
                                          "png",  "tiff", "exr",    NULL};
static const char *const layers_names[] = {"titles", "none", NULL};
static const char *const film_names[] = {"rough-cut", "none", NULL};
static const char *const proxy_names[] = {"none", "burn-in", "slate", NULL};
static const char *const upscale_names[] = {"learned", "lanczos", NULL};
static const char *const timeline_names[] = {"all",       "resolve", "premiere", "avid",
                                             "final-cut", "none",    NULL};
/* Those of stages/generate/sampler.h, which this room may not know; a test compares them. */
static const char *const samplers[] = {
    "euler", "euler_karras", "euler_ancestral", "euler_ancestral_karras",
    "ddim",  "flow_euler",   "unipc",           NULL};
/* Those of stages/generate/step_cache.h, likewise. */
static const char *const step_caches[] = {"off", "first-block", "timestep", NULL};
static const char *const kind_names[] = {"generated", "still", "footage", "title"};

/* clang-format off */
#define AT(object, member) .offset = offsetof(struct object, member)

static const struct field overlay_fields[] = {
    {"style", FIELD_CHOICE, AT(overlay_values, overlay.style), .choices = style_names,
     .fallback = "caption",
     .help = "how it looks and where it stands by itself; timecode is a running burn-in"},
    {"text", FIELD_TEXT, AT(overlay_values, overlay.text), .min = 1, .max = 2000,
     .without = "required, but for timecode", .help = "the words; line breaks are kept"},
    {"subtext", FIELD_TEXT, AT(overlay_values, overlay.subtext), .min = 0, .max = 2000,
     .fallback = "", .help = "a second, smaller line"},
    {"position", FIELD_CHOICE, AT(overlay_values, overlay.position), .choices = position_names,
     .fallback = "auto", .help = "where in the title-safe area; auto is the style's own place"},
    {"font", FIELD_PROSE, AT(overlay_values, overlay.font), .min = 1, .max = 200,
     .without = "the style's own", .help = "a font family that is installed"},
    {"color", FIELD_COLOR, AT(overlay_values, overlay.color),
     .without = "the style's own",
     .help = "of the words; needs its quotes, for # begins a comment"},
    {"size", FIELD_NUMBER, AT(overlay_values, overlay.size), .min = 0.01, .max = 0.5, .unset = 0,
     .without = "the style's own", .help = "height of the words as a fraction of the picture's"},
    {"in", FIELD_TIME, AT(overlay_values, overlay.in), .min = 0, .max = 86400,
     .fallback = "0", .help = "when it appears, from the shot's first frame; at 0 without a fade in the handle before "
             "that, too"},
    {"out", FIELD_TIME, AT(overlay_values, overlay.out), .min = 0, .max = 86400, .unset = -1,
     .without = "the shot's end", .help = "when it is gone; at the end without a fade behind the handle after that"},
    {"fade", FIELD_TIME, AT(overlay_values, fade), .min = 0, .max = 60, .unset = -1,
     .without = "no fade", .help = "both fade_in and fade_out"},
    {"fade_in", FIELD_TIME, AT(overlay_values, overlay.fade_in), .min = 0, .max = 60, .unset = -1,
     .without = "as fade", .help = "how long it takes to appear"},
    {"fade_out", FIELD_TIME, AT(overlay_values, overlay.fade_out), .min = 0, .max = 60, .unset = -1,
     .without = "as fade", .help = "how long it takes to go"},
};

static const struct field source_fields[] = {
    {"still", FIELD_PATH, AT(source_values, still), .without = "this or footage",
     .help = "a picture file"},
    {"footage", FIELD_PATH, AT(source_values, footage), .without = "this or still",
     .help = "a clip, conformed to the board's size and rate"},
    {"fit", FIELD_CHOICE, AT(source_values, source.fit), .choices = fit_names,
     .fallback = "cover", .help = "fill the frame and crop, or show all of it with bars"},
    {"move", FIELD_CHOICE, AT(source_values, source.move), .choices = move_names,
     .fallback = "none", .help = "how the camera moves over a still"},
    {"amount", FIELD_NUMBER, AT(source_values, source.amount), .min = 0, .max = 0.5,
     .fallback = "0.1", .help = "how far it moves: a fraction of the picture"},
    {"in", FIELD_TIME, AT(source_values, source.in), .min = 0, .max = 86400,
     .fallback = "0", .help = "where in a clip the shot begins"},
};

static const struct field card_fields[] = {
    {"background", FIELD_COLOR, AT(card, background), .fallback = "#101418",
     .help = "the colour behind the overlays; a text in place of the mapping becomes a title "
             "overlay"},
    {"to", FIELD_COLOR, AT(card, background_to),
     .without = "as background", .help = "the colour at the bottom, for a gradient"},
};

static const struct field transition_fields[] = {
    {"kind", FIELD_CHOICE, AT(transition_values, kind), .choices = transition_names,
     .fallback = "dissolve",
     .help = "dissolve mixes, fade goes down to black and up again, wipe moves an edge from left to "
             "right; a word in place of the mapping is this one"},
    {"duration", FIELD_TIME, AT(transition_values, duration), .min = 0, .max = 60,
     .fallback = "0.5", .help = "half of it before the cut, half behind"},
};

static const struct field narration_fields[] = {
    {"text", FIELD_TEXT, AT(narration, text), .min = 1, .max = 8000, .without = "this or file",
     .help = "what is spoken; a text in place of the mapping is this one"},
    {"file", FIELD_PATH, AT(narration, file), .without = "this or text",
     .help = "a sound file with what is spoken"},
    {"voice", FIELD_PROSE, AT(narration, voice), .min = 1, .max = 100,
     .without = "sound's", .help = "an eSpeak NG voice or a language like en-gb; quote no, which is false"},
    {"speed", FIELD_WHOLE, AT(narration, speed), .min = 80, .max = 450, .unset = 0,
     .without = "sound's", .help = "words a minute"},
    {"at", FIELD_TIME, AT(narration, at), .min = 0, .max = 86400, .fallback = "0",
     .help = "when it begins, from the shot's first frame; to the nearest frame"},
    {"stretch", FIELD_CHOICE, AT(narration, stretch), .choices = yes_names, .without = "sound's",
     .help = "whether the shot lasts at least as long as what is spoken and a quarter of a second"},
};

static const struct field sound_fields[] = {
    {"voice", FIELD_PROSE, AT(sound_values, sound.voice), .min = 1, .max = 100,
     .without = "en-gb, for Latin letters", .help = "of every narration that names none"},
    {"command", FIELD_TEXT, AT(sound_values, sound.command), .min = 1, .max = 2000,
     .without = "the built-in voice, eSpeak NG",
     .help = "a program that speaks instead: it reads the text and writes a sound file, see above"},
    {"speed", FIELD_WHOLE, AT(sound_values, sound.speed), .min = 80, .max = 450, .fallback = "165",
     .help = "words a minute, of every narration that says none"},
    {"stretch", FIELD_CHOICE, AT(sound_values, sound.stretch), .choices = yes_names, .fallback = "no",
     .help = "whether shots last at least as long as their narration, where they do not say"},
    {"music", FIELD_PATH, AT(sound_values, sound.music), .without = "none",
     .help = "a sound file under the whole film, at least as long"},
    {"music_volume", FIELD_NUMBER, AT(sound_values, sound.music_volume), .min = -60, .max = 20,
     .fallback = "-6", .help = "how much louder than the narration it is where nobody speaks, in LU"},
    {"duck", FIELD_NUMBER, AT(sound_values, sound.duck), .min = 0, .max = 60, .fallback = "12",
     .help = "by how many dB narration lowers the music"},
    {"fade_in", FIELD_TIME, AT(sound_values, sound.fade_in), .min = 0, .max = 60, .fallback = "0",
     .help = "of the music; at most half the film"},
    {"fade_out", FIELD_TIME, AT(sound_values, sound.fade_out), .min = 0, .max = 60, .fallback = "2",
     .help = "of the music; at most half the film"},
    {"loudness", FIELD_NUMBER, AT(sound_values, sound.loudness), .min = -40, .max = -8,
     .fallback = "-23", .help = "of the film, integrated, in LUFS: -23 after EBU R 128, -14 or -16 for the web"},
    {"peak", FIELD_NUMBER, AT(sound_values, sound.peak), .min = -20, .max = 0, .fallback = "-1",
     .help = "true peaks stay below it, in dBTP"},
};

static const struct field shot_fields[] = {
    {"id", FIELD_ID, AT(shot_values, shot.id), .min = 1, .max = 64,
     .flags = FIELD_REQUIRED | FIELD_NOT_DEFAULT,
     .help = "names the shot's folder; no two alike, whatever their case"},
    {"prompt", FIELD_PROSE, AT(shot_values, shot.prompt), .min = 1, .max = 8000,
     .without = "required, but with source or card", .flags = FIELD_MODEL_ONLY,
     .help = "what is to be seen"},
    {"tier", FIELD_WORD, AT(shot_values, shot.tier), .choices = tier_names, .fallback = "previs",
     .help = "the model that makes it; still, footage and title come with source and card and need "
             "not be written"},
    {"seed", FIELD_SEED, AT(shot_values, shot.seed), .min = 0, .max = 18446744073709551615.0,
     .without = "drawn from the id", .flags = FIELD_MODEL_ONLY,
     .help = "the same seed gives the same noise as PyTorch's CPU generator"},
    {"frames", FIELD_WHOLE, AT(shot_values, shot.frames), .min = 1, .max = 1000000,
     .fallback = "49", .help = "how long the shot is; this or duration"},
    {"duration", FIELD_TIME, AT(shot_values, duration), .min = 0, .max = 86400, .unset = -1,
     .without = "as frames", .help = "the same in time, rounded to the nearest frame"},
    {"steps", FIELD_WHOLE, AT(shot_values, shot.steps), .min = 1, .max = 1000, .unset = 0,
     .without = "the tier's own", .flags = FIELD_MODEL_ONLY, .help = "of the sampler"},
    {"guidance", FIELD_NUMBER, AT(shot_values, shot.guidance), .min = 0, .max = 50, .unset = -1,
     .without = "the tier's own", .flags = FIELD_MODEL_ONLY,
     .help = "guidance scale: how strictly the model follows the prompt"},
    {"guidance_2", FIELD_NUMBER, AT(shot_values, shot.guidance_2), .min = 0, .max = 50, .unset = -1,
     .without = "as guidance, or the tier's own", .flags = FIELD_MODEL_ONLY,
     .help = "the same for Wan's second expert, or for SVD's first frame"},
    {"sampler", FIELD_WORD, AT(shot_values, shot.sampler), .choices = samplers,
     .without = "the checkpoint's own", .flags = FIELD_MODEL_ONLY,
     .help = "how noise becomes a picture, step by step; not every model was trained for every one"},
    {"shift", FIELD_NUMBER, AT(shot_values, shot.shift), .min = 0.01, .max = 100, .unset = 0,
     .without = "the checkpoint's own", .flags = FIELD_MODEL_ONLY,
     .help = "of flow_euler and unipc: above 1, more of the steps go to the noisy part"},
    {"step_cache", FIELD_WORD, AT(shot_values, shot.step_cache), .choices = step_caches,
     .without = "off", .flags = FIELD_MODEL_ONLY,
     .help = "sampler steps that change little take what the model's blocks gave before: faster, "
             "and nearly the same picture"},
    {"step_cache_threshold", FIELD_NUMBER, AT(shot_values, shot.step_cache_threshold), .min = 0.001,
     .max = 10, .unset = 0, .without = "what suits it", .flags = FIELD_MODEL_ONLY,
     .help = "relative L1 distance from the last computed step below which a step is reused: more "
             "saves more"},
    {"motion", FIELD_WHOLE, AT(shot_values, shot.motion), .min = 1, .max = 255, .unset = 0,
     .without = "the tier's own", .flags = FIELD_MODEL_ONLY,
     .help = "motion bucket of SVD: more of it moves more"},
    {"noise", FIELD_NUMBER, AT(shot_values, shot.noise), .min = 0, .max = 1, .unset = -1,
     .without = "the tier's own", .flags = FIELD_MODEL_ONLY,
     .help = "strength of the noise that SVD lays on its picture: more of it departs further"},
    {"rate", FIELD_CHOICE, AT(shot_values, shot.rate), .choices = rate_names, .fallback = "board",
     .flags = FIELD_MODEL_ONLY,
     .help = "of a model trained at another rate than the board's (Wan 16, CogVideoX 8): take its "
             "frames for the board's, which changes the speed, show each as long as it lasts, or compute "
             "those between by motion"},
    {"keyframe", FIELD_PATH, AT(shot_values, shot.keyframe), .without = "made from the prompt",
     .flags = FIELD_MODEL_ONLY | FIELD_NOT_DEFAULT,
     .help = "a picture file that SVD sets in motion"},
    {"look", FIELD_PROSE, AT(shot_values, shot.look), .min = 0, .max = 2000,
     .without = "the board's", .flags = FIELD_MODEL_ONLY, .help = "film stock, palette, light"},
    {"camera", FIELD_PROSE, AT(shot_values, shot.camera), .min = 0, .max = 2000,
     .without = "the board's", .flags = FIELD_MODEL_ONLY, .help = "framing and movement"},
    {"negative", FIELD_PROSE, AT(shot_values, shot.negative), .min = 0, .max = 8000,
     .without = "the board's", .flags = FIELD_MODEL_ONLY,
     .help = "what must not be seen; read where guidance is above 1, but not by HunyuanVideo"},
    {"text", FIELD_CHOICE, AT(shot_values, shot.text), .choices = text_names,
     .fallback = "overlay", .flags = FIELD_MODEL_ONLY,
     .help = "words that the prompt asks to see as lettering: make overlays of them, drop them, or "
             "keep them in the prompt"},
    {"additions", FIELD_CHOICE, AT(shot_values, shot.additions), .choices = addition_names,
     .fallback = "none", .flags = FIELD_MODEL_ONLY,
     .help = "words of these kinds that follow from the prompt's own (at night: night-time "
             "lighting) may be added where it has none; none for previs"},
    {"overlays", FIELD_LIST, AT(shot_values, shot.overlays), .table = &overlay_table,
     .without = "none", .help = "words over the picture"},
    {"source", FIELD_OBJECT, AT(shot_values, shot.source), .table = &source_table,
     .without = "none", .flags = FIELD_SCALAR_TOO,
     .help = "a picture or clip instead of a model; a path alone tells by its ending which it is"},
    {"card", FIELD_OBJECT, AT(shot_values, shot.card), .table = &card_table,
     .without = "none", .flags = FIELD_SCALAR_TOO,
     .help = "a plain background under the overlays; a text alone is its title"},
    {"transition", FIELD_OBJECT, AT(shot_values, shot.transition), .table = &transition_table,
     .without = "a cut", .flags = FIELD_SCALAR_TOO,
     .help = "from the shot before it, or from black where the first shot has one of its own; takes "
             "what it needs from handles, then from both shots"},
    {"narration", FIELD_OBJECT, AT(shot_values, shot.narration), .table = &narration_table,
     .without = "none", .flags = FIELD_SCALAR_TOO | FIELD_NOT_DEFAULT,
     .help = "what is spoken over it; a text alone is spoken by the board's voice"},
};

static const struct field models_fields[GENERATED_TIERS] = {
    {"previs", FIELD_PATH, AT(models_values, path[0]),
     .without = "found by --models, or the one that ships",
     .help = "a checkpoint directory in the layout that diffusers publishes"},
    {"validator", FIELD_PATH, AT(models_values, path[1]), .without = "found by --models",
     .help = "SDXL keyframe, then SVD-XT"},
    {"workhorse", FIELD_PATH, AT(models_values, path[2]), .without = "found by --models",
     .help = "HunyuanVideo"},
    {"experimental", FIELD_PATH, AT(models_values, path[3]), .without = "found by --models",
     .help = "CogVideoX"},
    {"flagship", FIELD_PATH, AT(models_values, path[4]), .without = "found by --models",
     .help = "Wan 2.2 A14B"},
    {"picture", FIELD_PATH, AT(models_values, path[5]),
     .without = "found by --models, or the validator's keyframe model",
     .help = "SDXL"},
};

static const struct field deliver_fields[] = {
    {"codec", FIELD_CHOICES, AT(deliver_values, deliver.codecs), .choices = codec_names, .fallback = "h264",
     .help = "H.264 or H.265 (10 bits) in MP4, ProRes 422 HQ, ProRes 4444 or DNxHR HQX in QuickTime, or "
             "a picture a frame: PNG and TIFF of 16 bits, OpenEXR in linear light; several are each "
             "delivered, the first film is the one that timelines refer to"},
    {"quality", FIELD_WHOLE, AT(deliver_values, deliver.quality), .min = 1, .max = 100, .fallback = "80",
     .help = "1 is small, 100 visually lossless; 80 is CRF 14 of H.264"},
    {"layers", FIELD_CHOICE, AT(deliver_values, deliver.layers), .choices = layers_names, .fallback = "titles",
     .help = "beside the film of a shot with text, the film without it and its titles alone, with alpha"},
    {"proxy", FIELD_CHOICE, AT(deliver_values, deliver.proxy), .choices = proxy_names, .fallback = "none",
     .help = "a small H.264 film with the shot's id, tier, seed and timecode in the picture; slate puts a "
             "picture of them in front of it"},
    {"film", FIELD_CHOICE, AT(deliver_values, deliver.film), .choices = film_names, .fallback = "rough-cut",
     .help = "film.mp4, the whole board with its transitions and sound, made anew at the end of a run that "
             "changed it"},
    {"upscale", FIELD_CHOICE, AT(deliver_values, deliver.upscale), .choices = upscale_names, .fallback = "learned",
     .help = "how pictures smaller than the board are enlarged: by the upscaler that lies with the "
             "model, where there is one, or by a filter"},
    {"timeline", FIELD_CHOICE, AT(deliver_values, deliver.timeline), .choices = timeline_names,
     .fallback = "all",
     .help = "the editing program that timelines are written for: OpenTimelineIO, EDL, Final Cut Pro "
             "7 XML, FCPXML, or those of them that it reads best; by default those that can say the board's "
             "rate"},
    {"start", FIELD_TEXT, AT(deliver_values, start), .min = 11, .max = 11,
     .without = "01:00:00:00, drop-frame at 29.97 and 59.94",
     .help = "timecode of the film's first frame and of each shot's; a ';' before the frames counts "
             "drop-frame; needs its quotes"},
    {"handles", FIELD_WHOLE, AT(deliver_values, deliver.handles), .min = 0, .max = 240,
     .fallback = "0", .help = "frames that each shot has in front and behind beyond its length"},
};

static const struct field board_fields[] = {
    {"name", FIELD_ID, AT(board_values, name), .min = 1, .max = 64,
     .without = "the file's", .help = "names the production's folder"},
    {"fps", FIELD_RATE, AT(board_values, fps), .min = 1, .max = 240, .fallback = "24",
     .help = "frames per second: 24, 25, 23.976, 24000/1001"},
    {"size", FIELD_SIZE, AT(board_values, size), .min = 16, .max = 8192, .fallback = "416x240",
     .help = "of the delivered picture"},
    {"look", FIELD_PROSE, AT(board_values, look), .min = 0, .max = 2000, .fallback = "",
     .help = "for every shot that has none"},
    {"camera", FIELD_PROSE, AT(board_values, camera), .min = 0, .max = 2000, .fallback = "",
     .help = "for every shot that has none"},
    {"negative", FIELD_PROSE, AT(board_values, negative), .min = 0, .max = 8000, .fallback = "",
     .help = "for every shot that has none"},
    {"models", FIELD_OBJECT, .table = &models_table, .without = "none",
     .help = "where the tiers' checkpoints lie"},
    {"deliver", FIELD_OBJECT, .table = &deliver_table, .without = "its defaults",
     .help = "the form of the finished files"},
    {"sound", FIELD_OBJECT, .table = &sound_table, .without = "its defaults",
     .help = "voice, music and loudness"},
    {"defaults", FIELD_OBJECT, .table = &shot_table, .without = "none",
     .help = "fields of a shot, for every shot that does not say otherwise; all but id, "
             "keyframe and narration. What a shot's tier has no use for is left out of it"},
    {"shots", FIELD_LIST, .table = &shot_table, .flags = FIELD_REQUIRED,
     .help = "in the order of the film"},
};

#define TABLE(what, rows, object) \
    {what, rows, sizeof rows / sizeof rows[0], sizeof(struct object)}
const struct table board_table = TABLE("a storyboard", board_fields, board_values);
const struct table shot_table = TABLE("a shot", shot_fields, shot_values);
const struct table overlay_table = TABLE("an overlay", overlay_fields, overlay_values);
const struct table source_table = TABLE("a source", source_fields, source_values);
const struct table card_table = TABLE("a card", card_fields, card);
const struct table transition_table = TABLE("a transition", transition_fields, transition_values);
const struct table narration_table = TABLE("a narration", narration_fields, narration);
const struct table sound_table = TABLE("sound", sound_fields, sound_values);
const struct table deliver_table = TABLE("deliver", deliver_fields, deliver_values);
const struct table models_table = TABLE("models", models_fields, models_values);
/* clang-format on */

const struct table *const all_tables[] = {
    &board_table,     &shot_table,    &overlay_table, &source_table, &card_table, &transition_table,
    &narration_table, &deliver_table, &sound_table,   &models_table, NULL};

static void join_choices(const struct field *field, char *out, size_t room)
{
    size_t used = (size_t)snprintf(out, room, "one of ");

    for (size_t i = 0; field->choices[i] && used < room; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "", field->choices[i]);
}

void field_expects(const struct field *field, char *out, size_t room)
{
    switch (field->type) {
    case FIELD_ID:
        snprintf(out, room, "1 to %g letters, digits and . _ -, beginning with a letter or digit",
                 field->max);
        break;
    case FIELD_TEXT:
    case FIELD_PROSE:
        snprintf(out, room, "text of at most %g bytes", field->max);
        break;
    case FIELD_PATH:
        snprintf(out, room, "a path");
        break;
    case FIELD_WORD:
    case FIELD_CHOICE:
        join_choices(field, out, room);
        break;
    case FIELD_CHOICES:
        join_choices(field, out, room);
        snprintf(out + strlen(out), room - strlen(out), ", or a list of them");
        break;
    case FIELD_WHOLE:
        snprintf(out, room, "a whole number from %.0f to %.0f", field->min, field->max);
        break;
    case FIELD_SEED:
        snprintf(out, room, "a whole number from 0 to 18446744073709551615");
        break;
    case FIELD_NUMBER:
        snprintf(out, room, "a number from %g to %g", field->min, field->max);
        break;
    case FIELD_TIME:
        snprintf(out, room, "a time from %g to %.0f s: 2.5, 2.5s or \"00:00:02:12\"", field->min,
                 field->max);
        break;
    case FIELD_RATE:
        snprintf(out, room, "frames per second from 1 to 240: 24, 23.976 or 24000/1001");
        break;
    case FIELD_SIZE:
        snprintf(out, room, "a size like 416x240 or [416, 240], both even, %.0f to %.0f",
                 field->min, field->max);
        break;
    case FIELD_COLOR:
        snprintf(out, room, "a colour in quotes like \"#ffcc00\"");
        break;
    case FIELD_OBJECT:
        snprintf(out, room, "a mapping%s", field->flags & FIELD_SCALAR_TOO ? " or a text" : "");
        break;
    case FIELD_LIST:
        snprintf(out, room, "a list of %ss",
                 field->table->name + strcspn(field->table->name, " ") + 1);
        break;
    }
}

int table_find(const struct table *table, const char *name, size_t length)
{
    for (size_t i = 0; i < table->count; i++)
        if (strlen(table->fields[i].name) == length && !memcmp(table->fields[i].name, name, length))
            return (int)i;
    return -1;
}

const char *overlay_style_name(enum overlay_style style)
{
    return (unsigned)style < OVERLAY_STYLES ? style_names[style] : "unknown";
}

const char *overlay_position_name(enum overlay_position position)
{
    return (unsigned)position < POSITIONS ? position_names[position] : "unknown";
}

const char *still_move_name(enum still_move move)
{
    return (unsigned)move < STILL_MOVES ? move_names[move] : "unknown";
}

const char *transition_kind_name(enum transition_kind kind)
{
    return (unsigned)kind < TRANSITION_KINDS ? transition_names[kind] : "unknown";
}

const char *deliver_codec_name(enum deliver_codec codec)
{
    return (unsigned)codec < DELIVER_CODECS ? codec_names[codec] : "unknown";
}

int deliver_main(const struct deliver *d)
{
    for (int i = 0; i < d->codecs.count; i++)
        if (d->codecs.items[i] < DELIVER_PNG)
            return d->codecs.items[i];
    return -1;
}

const char *shot_kind_name(enum shot_kind kind)
{
    return (unsigned)kind <= SHOT_CARD ? kind_names[kind] : "unknown";
}
