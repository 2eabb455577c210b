#include "pipeline/execute/narration.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/base/hash.h"
#include "kernels/base/strbuf.h"
#include "stages/sound/voice.h"

static const int64_t LONGEST = (int64_t)3600 * SOUND_RATE;

/* ---- speaking */

static int key_of(const struct speech *s, char key[HASH_HEX_SIZE], struct error *e)
{
    struct strbuf text = {0};

    strbuf_addf(&text, "%d\n%d\n%s\n%s\n", VOICE_VERSION, s->speed, s->voice, s->command);
    strbuf_add(&text, s->text);
    if (!text.failed)
        hash_hex(hash_bytes(text.text, text.length), key);
    strbuf_free(&text);
    return text.failed ? error_memory(e) : 0;
}

static int read_audible(const char *path, const char *name, struct sound *out, struct error *e)
{
    if (sound_read_file(path, name, LONGEST, out, e) != 0)
        return -1;
    if (!sound_is_silent(out))
        return 0;
    sound_free(out);
    return error_set(e, ERROR_INPUT, "%s is silent", name);
}

/* Into a new file of its own first: two processes may speak the same. */
static int speak_into(const struct speech *s, const char *path, struct sound *out, struct error *e)
{
    char part[PATH_MAX];
    struct error ignored = {0};
    int rc = -1;

    if (snprintf(part, sizeof part, "%s.%d", path, (int)getpid()) >= (int)sizeof part)
        return error_set(e, ERROR_IO, "the path %s is too long", path);
    if (voice_speak(s, part, e) == 0 &&
        read_audible(part, *s->command ? "what sound's 'command' wrote" : "what was spoken", out,
                     e) == 0) {
        rc = file_publish(part, path, e);
        if (rc != 0)
            sound_free(out);
    }
    if (rc != 0)
        path_remove(part, &ignored);
    return rc;
}

/* For where nothing can be kept. */
static int speak_once(const struct speech *s, struct sound *out, struct error *e)
{
    char dir[] = "/tmp/auteur-voice-XXXXXX", path[sizeof dir + 16];
    struct error ignored = {0};
    int rc;

    if (!mkdtemp(dir))
        return error_set(e, ERROR_IO,
                         "there is nowhere to keep what is spoken: set AUTEUR_CACHE "
                         "to a folder that can be written");
    snprintf(path, sizeof path, "%s/spoken.wav", dir);
    rc = speak_into(s, path, out, e);
    path_remove(dir, &ignored);
    return rc;
}

int narration_load(const struct board *b, const struct shot *shot, struct sound *out,
                   struct error *e)
{
    const struct narration *n = &shot->narration;
    const struct speech s = {n->text, n->voice, n->speed, b->sound.command};
    char folder[PATH_MAX - 80], path[PATH_MAX], key[HASH_HEX_SIZE];
    struct error ignored = {0};

    if (*n->file)
        return read_audible(n->file, n->written, out, e);
    if (!cache_folder(folder, sizeof folder) || access(folder, W_OK) != 0)
        return speak_once(&s, out, e);
    if (key_of(&s, key, e) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/narration-%s.wav", folder, key);
    if (path_exists(path) && read_audible(path, path, out, &ignored) == 0)
        return 0;
    return speak_into(&s, path, out, e);
}

int64_t narration_begins(const struct board *b, const struct film_place *places, size_t shot)
{
    const struct film_place *p = &places[shot];

    return p->at - (p->in - b->deliver.handles) +
           seconds_to_frames(b->shots[shot].narration.at, b->fps);
}
