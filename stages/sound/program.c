#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kernels/base/arena.h"
#include "kernels/base/file.h"
#include "kernels/base/strbuf.h"
#include "stages/sound/voice.h"

extern char **environ;

enum { WORDS_LIMIT = 64, COMPLAINT_SIZE = 200 };
static const long NARRATION_SIZE_LIMIT = 1L << 30; /* an hour and more of 48 kHz in 16 bits */

/* A program's streams are files: nothing to pump, and no pipe to block on or to break. */
struct program {
    struct arena arena;
    char *words[WORDS_LIMIT + 1];
    size_t count;
    const char *path, *text_path, *complaint_path;
    bool own_file; /* it was told {file}, and its standard output is not what it says */
    pid_t pid;
};

static int no_command(struct error *e, const char *why)
{
    return error_set(e, ERROR_INPUT, "sound's 'command' %s", why);
}

/* The next word of *s, quotes taken off, as a new string; NULL and *e: none. */
static int next_word(struct program *p, const char **s, char **word, struct error *e)
{
    struct strbuf text = {0};
    char quote = 0;

    for (; **s && (quote || **s != ' '); (*s)++) {
        if (!quote && (**s == '\'' || **s == '"'))
            quote = **s;
        else if (quote && **s == quote)
            quote = 0;
        else
            strbuf_addn(&text, *s, 1);
    }
    *word = text.failed ? NULL : arena_strdup(&p->arena, text.text ? text.text : "");
    strbuf_free(&text);
    if (quote)
        return no_command(e, "has a quote that is not closed");
    return *word ? 0 : error_memory(e);
}

/* {file}, {voice} and {speed} in a word. */
static char *fill_in(struct program *p, const struct speech *s, const char *word)
{
    struct strbuf text = {0};
    char speed[16], *out;

    snprintf(speed, sizeof speed, "%d", s->speed);
    while (*word) {
        if (strncmp(word, "{file}", 6) == 0) {
            strbuf_add(&text, p->path);
            p->own_file = true;
            word += 6;
        } else if (strncmp(word, "{voice}", 7) == 0) {
            strbuf_add(&text, s->voice);
            word += 7;
        } else if (strncmp(word, "{speed}", 7) == 0) {
            strbuf_add(&text, speed);
            word += 7;
        } else {
            strbuf_addn(&text, word++, 1);
        }
    }
    out = text.failed ? NULL : arena_strdup(&p->arena, text.text ? text.text : "");
    strbuf_free(&text);
    return out;
}

static int split(struct program *p, const struct speech *s, struct error *e)
{
    const char *c = s->command;

    while (*(c += strspn(c, " "))) {
        char *word;

        if (next_word(p, &c, &word, e) != 0)
            return -1;
        if (p->count == WORDS_LIMIT)
            return no_command(e, "has more than 64 words");
        p->words[p->count] = fill_in(p, s, word);
        if (!p->words[p->count++])
            return error_memory(e);
    }
    return p->count ? 0 : no_command(e, "names no program");
}

static int start(struct program *p, struct error *e)
{
    const int creates = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    const char *out = p->own_file ? "/dev/null" : p->path;
    int status;

    if (posix_spawn_file_actions_init(&files) != 0)
        return error_memory(e);
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return error_memory(e);
    }
    status = posix_spawn_file_actions_addopen(&files, 0, p->text_path, O_RDONLY, 0);
    if (status == 0)
        status = posix_spawn_file_actions_addopen(&files, 1, out, creates, 0666);
    if (status == 0)
        status = posix_spawn_file_actions_addopen(&files, 2, p->complaint_path, creates, 0666);
    if (status == 0) /* a group of its own: what it starts ends with it */
        status = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    if (status == 0)
        status = posix_spawnp(&p->pid, p->words[0], &files, &attributes, p->words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (status != 0)
        return error_set(e, ERROR_INPUT,
                         "sound's 'command': %s cannot be started: %s; install it, or write where "
                         "it lies",
                         p->words[0], strerror(status));
    return 0;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool too_large(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size > NARRATION_SIZE_LIMIT;
}

/* 0: it has ended, *status says how. */
static int wait_for(struct program *p, double limit, int *status, struct error *e)
{
    double end = now() + limit;
    const struct timespec nap = {.tv_nsec = 2000000};
    pid_t ended;

    while ((ended = waitpid(p->pid, status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        bool late = now() > end;

        if (late || too_large(p->path)) {
            kill(-p->pid, SIGKILL);
            waitpid(p->pid, status, 0);
            return late ? error_set(e, ERROR_INPUT,
                                    "sound's 'command': %s was still at work after %g s and was "
                                    "stopped: try it by hand",
                                    p->words[0], limit)
                        : error_set(e, ERROR_INPUT,
                                    "sound's 'command': %s wrote more than a gigabyte and was "
                                    "stopped: it should write one sound file",
                                    p->words[0]);
        }
        nanosleep(&nap, NULL);
    }
    kill(-p->pid, SIGKILL); /* what it left behind */
    return ended < 0 ? error_errno(e, errno, "wait for", p->words[0]) : 0;
}

/* The last line that it printed on its standard error, or "". */
static void read_complaint(const struct program *p, char out[COMPLAINT_SIZE])
{
    FILE *f = fopen(p->complaint_path, "re");
    char line[COMPLAINT_SIZE];

    out[0] = '\0';
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0])
            memcpy(out, line, sizeof line);
    }
    if (f)
        fclose(f);
}

static int judge(const struct program *p, int status, struct error *e)
{
    char said[COMPLAINT_SIZE];
    struct stat st;

    read_complaint(p, said);
    if (WIFSIGNALED(status))
        return error_set(e, ERROR_INPUT, "sound's 'command': %s died of signal %d%s%s", p->words[0],
                         WTERMSIG(status), said[0] ? ": " : "", said);
    if (WEXITSTATUS(status) != 0)
        return error_set(e, ERROR_INPUT, "sound's 'command': %s failed with exit status %d%s%s",
                         p->words[0], WEXITSTATUS(status), said[0] ? ": " : "", said);
    if (stat(p->path, &st) != 0 || st.st_size == 0)
        return error_set(e, ERROR_INPUT,
                         "sound's 'command': %s wrote no sound: it should write a sound file to "
                         "its standard output, or to the {file} that it is told",
                         p->words[0]);
    return 0;
}

int voice_program(const struct speech *s, const char *path, double limit, struct error *e)
{
    struct program p = {.path = path};
    struct error ignored = {0};
    int status, rc = -1;

    p.text_path = arena_printf(&p.arena, "%s.text", path);
    p.complaint_path = arena_printf(&p.arena, "%s.said", path);
    if (!p.text_path || !p.complaint_path) {
        error_memory(e);
        goto done;
    }
    if (split(&p, s, e) != 0 || path_remove(path, e) != 0 ||
        file_write_atomic(p.text_path, s->text, strlen(s->text), e) != 0 || start(&p, e) != 0 ||
        wait_for(&p, limit, &status, e) != 0)
        goto done;
    rc = judge(&p, status, e);
done:
    if (p.text_path)
        path_remove(p.text_path, &ignored);
    if (p.complaint_path)
        path_remove(p.complaint_path, &ignored);
    arena_free(&p.arena);
    return rc;
}

static const double PROGRAM_LIMIT = 120; /* seconds: a large model may have to be loaded first */

int voice_speak(const struct speech *s, const char *path, struct error *e)
{
    return *s->command ? voice_program(s, path, PROGRAM_LIMIT, e) : voice_espeak(s, path, e);
}
