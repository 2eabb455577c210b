#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <espeak-ng/speak_lib.h>
#include <unictype.h>
#include <unistr.h>

#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "kernels/base/suggest.h"
#include "stages/sound/sound.h"
#include "stages/sound/voice.h"

static const char DEFAULT_VOICE[] = "en-gb";
static const char LIBRARY[] = "libespeak-ng.so.1";
static const char OTHER_WAYS[] = "give the narration as a 'file', or name a program that speaks "
                                 "with sound's 'command'";

/* The library's functions, by its own names. */
#define FUNCTIONS(each)                                                                            \
    each(espeak_Initialize) each(espeak_SetSynthCallback) each(espeak_SetVoiceByName)              \
        each(espeak_ListVoices) each(espeak_SetParameter) each(espeak_Synth)                       \
            each(espeak_Terminate)

struct espeak {
    void *library;
    int rate; /* 0: not begun */
#define MEMBER(name) __typeof__(name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
};

static struct strbuf spoken; /* samples of 16 bits; guarded by the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int hear(short *samples, int count, espeak_EVENT *events)
{
    (void)events;
    if (samples && count > 0)
        strbuf_addn(&spoken, (const char *)samples, (size_t)count * sizeof *samples);
    return spoken.failed;
}

/* The folder that holds the library, where the voices' data lie beside it: in a bundle, and as
 * Debian has it. "": the library knows better. The caller frees it; NULL: out of memory. */
static char *data_folder(const struct espeak *x)
{
    Dl_info about;
    char *folder = NULL, *data = NULL;
    const char *slash;

    if (dladdr(*(void *const *)&x->espeak_Initialize, &about) && about.dli_fname &&
        (slash = strrchr(about.dli_fname, '/')) &&
        asprintf(&data, "%.*s/espeak-ng-data", (int)(slash - about.dli_fname), about.dli_fname) >
            0 &&
        path_exists(data))
        folder = strndup(about.dli_fname, (size_t)(slash - about.dli_fname));
    else
        folder = strdup("");
    free(data);
    return folder;
}

static int open_library(struct espeak *x, struct error *e)
{
    bool whole = true;
    char *folder;

    x->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!x->library)
        return error_set(e, ERROR_INPUT,
                         "the built-in voice is not installed (%s): install libespeak-ng1 and "
                         "espeak-ng-data, or %s",
                         LIBRARY, OTHER_WAYS);
        /* A function's address from dlsym(), as POSIX says to take it. */
#define FIND(name)                                                                                 \
    *(void **)&x->name = dlsym(x->library, #name);                                                 \
    whole &= x->name != NULL;
    FUNCTIONS(FIND)
#undef FIND
    if (!whole)
        return error_set(e, ERROR_INPUT, "%s is of another version: %s", LIBRARY, OTHER_WAYS);
    folder = data_folder(x);
    if (!folder)
        return error_memory(e);
    x->rate = x->espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, *folder ? folder : NULL,
                                   espeakINITIALIZE_DONT_EXIT);
    free(folder);
    if (x->rate <= 0) {
        x->rate = 0;
        return error_set(e, ERROR_INPUT,
                         "the built-in voice lacks its data: install espeak-ng-data, or %s",
                         OTHER_WAYS);
    }
    x->espeak_SetSynthCallback(hear);
    return 0;
}

static void close_library(struct espeak *x)
{
    if (x->rate)
        x->espeak_Terminate();
    if (x->library)
        dlclose(x->library);
}

/* Whether a voice goes by this name: its own, its file's, or one of its languages. */
static bool answers_to(const espeak_VOICE *v, const char *name, size_t length)
{
    const char *file = strrchr(v->identifier, '/');
    const char *const own[] = {v->name, v->identifier, file ? file + 1 : v->identifier};

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (strlen(own[i]) == length && strncasecmp(own[i], name, length) == 0)
            return true;
    for (const char *l = v->languages; *l; l += strlen(l) + 1) /* a byte of priority before each */
        if (strlen(l + 1) == length && strncasecmp(l + 1, name, length) == 0)
            return true;
    return false;
}

static const espeak_VOICE *find(const espeak_VOICE **voices, const char *name, size_t length)
{
    for (; *voices; voices++)
        if (answers_to(*voices, name, length))
            return *voices;
    return NULL;
}

static int no_voice(struct espeak *x, const char *name, struct error *e)
{
    struct suggestion near = {.word = name};
    const espeak_VOICE **voices = x->espeak_ListVoices(NULL);

    for (; *voices; voices++) {
        suggest_offer(&near, (*voices)->languages + 1);
        suggest_offer(&near, (*voices)->name);
    }
    return error_set(e, ERROR_INPUT,
                     "no voice here speaks '%.60s'%s%s%s; voices go by languages like en-gb, de or "
                     "pt-br (espeak-ng --voices lists them); or %s",
                     name, near.best ? ": did you mean '" : "", near.best ? near.best : "",
                     near.best ? "'?" : "", OTHER_WAYS);
}

/* "en-gb+f3": a voice and one of the library's variants of voices. A language of which there is no
 * such form is spoken in its common one: de-ch in de. */
static int choose(struct espeak *x, const char *asked, struct error *e)
{
    espeak_VOICE variants = {.languages = "variant"};
    const char *plus = strchr(asked, '+');
    size_t length = plus ? (size_t)(plus - asked) : strlen(asked);
    const espeak_VOICE *voice;
    char name[200];

    if (plus && !find(x->espeak_ListVoices(&variants), plus + 1, strlen(plus + 1)))
        return error_set(e, ERROR_INPUT,
                         "no variant of voices is called '%.60s'; m1 to m8 and f1 to f5 are "
                         "(espeak-ng --voices=variant lists all)",
                         plus + 1);
    while (!(voice = find(x->espeak_ListVoices(NULL), asked, length))) {
        while (length && asked[--length] != '-')
            ;
        if (!length)
            return no_voice(x, asked, e);
    }
    snprintf(name, sizeof name, "%s%s", voice->identifier, plus ? plus : "");
    if (x->espeak_SetVoiceByName(name) != EE_OK)
        return error_set(e, ERROR_INPUT, "the voice '%.60s' cannot be loaded; %s", asked,
                         OTHER_WAYS);
    return 0;
}

/* A script that most of the text's letters are of, when that is not Latin; else NULL. */
static const char *foreign_script(const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    const char *name = NULL;
    int latin = 0, other = 0;
    ucs4_t c;

    while ((s = u8_next(&c, s))) {
        const uc_script_t *script = uc_is_alpha(c) ? uc_script(c) : NULL;

        if (!script)
            continue;
        if (strcmp(script->name, "Latin") == 0 || strcmp(script->name, "Common") == 0) {
            latin++;
        } else {
            other++;
            name = name ? name : script->name;
        }
    }
    return other > latin ? name : NULL;
}

static const char *voice_of(const struct speech *s, struct error *e)
{
    const char *script;

    if (*s->voice)
        return s->voice;
    script = foreign_script(s->text);
    if (!script)
        return DEFAULT_VOICE;
    error_set(e, ERROR_INPUT,
              "the narration is in %s letters, which the voice that speaks unasked (%s) cannot "
              "read: say which does with 'voice' (espeak-ng --voices lists them), or %s",
              script, DEFAULT_VOICE, OTHER_WAYS);
    return NULL;
}

/* What was heard, as a file. */
static int keep(const struct espeak *x, const char *path, struct error *e)
{
    struct sound sound = {0};
    int rc = -1;

    if (spoken.failed)
        return error_memory(e);
    if (sound_of_mono((const int16_t *)(const void *)spoken.text,
                      (int64_t)(spoken.length / sizeof(int16_t)), x->rate, &sound, e) != 0)
        return -1;
    if (sound_is_silent(&sound))
        error_set(e, ERROR_INPUT, "the narration has nothing that can be spoken: write words");
    else
        rc = sound_write_file(path, &sound, &(struct sound_label){.description = ""}, e);
    sound_free(&sound);
    return rc;
}

/* The library never frees some of what it keeps of voices (2.6 KB), and once it is unloaded a leak
 * checker cannot tell by name whose that is. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#else
#define __lsan_disable() ((void)0)
#define __lsan_enable()  ((void)0)
#endif

static int speak(struct espeak *x, const struct speech *s, const char *path, struct error *e)
{
    const char *voice = voice_of(s, e);

    if (!voice || open_library(x, e) != 0 || choose(x, voice, e) != 0)
        return -1;
    x->espeak_SetParameter(espeakRATE, s->speed, 0);
    if (x->espeak_Synth(s->text, strlen(s->text) + 1, 0, POS_CHARACTER, 0, espeakCHARS_UTF8, NULL,
                        NULL) != EE_OK)
        return error_set(e, ERROR_MEDIA, "the built-in voice gave up on the narration");
    return keep(x, path, e);
}

int voice_espeak(const struct speech *s, const char *path, struct error *e)
{
    struct espeak x = {0};
    int rc;

    pthread_mutex_lock(&lock);
    __lsan_disable();
    rc = speak(&x, s, path, e);
    close_library(&x);
    __lsan_enable();
    strbuf_free(&spoken);
    pthread_mutex_unlock(&lock);
    return rc;
}
