/* The whole program in a process of its own, as main() would run it. */
#ifndef AUTEUR_TESTS_PIPELINE_PROGRAM_H
#define AUTEUR_TESTS_PIPELINE_PROGRAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "pipeline/commands/command.h"

struct program {
    int status; /* of exit; -1: killed by `signal` */
    int signal;
    char *out, *err; /* what it printed; free with program_free() */
};

static inline int program_scratch(char out[64])
{
    const char *tmp = getenv("TMPDIR");

    snprintf(out, 64, "%s/auteur-test-XXXXXX", tmp && strlen(tmp) < 30 ? tmp : "/tmp");
    /* The source tree's data files: prompts/lexicon.yaml; the model is a fixture. */
    return mkdtemp(out) && setenv("AUTEUR_DATA", "prompts", 1) == 0 ? 0 : -1;
}

static inline char *program_slurp(FILE *f)
{
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    char *text = calloc(1, size > 0 ? (size_t)size + 1 : 1);

    rewind(f);
    if (text && size > 0 && fread(text, 1, (size_t)size, f) != (size_t)size)
        text[0] = '\0';
    fclose(f);
    return text;
}

/* Sends `signal_number` so many microseconds after the path `when` is there (NULL: after the
 * start); after_us 0: never. words end with NULL. */
static inline struct program program_run_when(int signal_number, const char *when,
                                              unsigned after_us, const char *const *words)
{
    struct program p = {.status = -1};
    FILE *out = tmpfile(), *err = tmpfile();
    char *argv[32] = {"auteur-pipe"}; /* and a NULL: no test has so many words */
    int argc = 1, status;
    pid_t pid;

    for (; argc < 31 && words[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL); /* a shell's background job inherits that it is ignored */
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        status = command_line(argc, argv);
        fflush(NULL);
        _exit(status);
    }
    for (int i = 0; pid > 0 && when && !path_exists(when) && i < 3000; i++)
        usleep(10000);
    if (pid > 0 && after_us) {
        usleep(after_us);
        kill(pid, signal_number);
    }
    if (pid > 0 && waitpid(pid, &status, 0) == pid) {
        if (WIFEXITED(status))
            p.status = WEXITSTATUS(status);
        else
            p.signal = WTERMSIG(status);
    }
    p.out = program_slurp(out);
    p.err = program_slurp(err);
    return p;
}
#define PROGRAM(...) program_run_when(0, NULL, 0, (const char *const[]){__VA_ARGS__, NULL})

static inline void program_free(struct program *p)
{
    free(p->out);
    free(p->err);
}

static inline void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* No line that it printed is wider. */
static inline void program_keeps_to(const struct program *p, int width)
{
    assert_non_null(strchr(p->out, '\n'));
    for (const char *at = p->out, *end; (end = strchr(at, '\n')); at = end + 1)
        if (end - at > width)
            fail_msg("%.*s", (int)(end - at), at);
}

#endif
