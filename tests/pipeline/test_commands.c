/* The program as its user meets it: exit codes, messages, what is written and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <sys/stat.h>

#include "tests/pipeline/program.h"
#include "tests/pipeline/tree.h"

static char scratch[64], board[128], dir[128];

static int set_up(void **state)
{
    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    snprintf(dir, sizeof dir, "%s/out", scratch);
    return 0;
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

static void write_cards(const char *second_title)
{
    char text[800];

    snprintf(text, sizeof text,
             "name: cards\nsize: 64x36\nfps: 12\nshots:\n"
             "  - {id: one, card: {background: \"#203040\"}, frames: 6, overlays: [{style: title, "
             "text: One, "
             "out: 0.4}]}\n"
             "  - {id: two, card: {background: \"#402030\"}, frames: 6, overlays: [{style: title, "
             "text: %s, "
             "out: 0.4}]}\n",
             second_title);
    write_file(board, text);
}

/* Runs the program and checks its status and that its streams hold these words. */
static void expect(struct program p, int status, const char *in_out, const char *in_err)
{
    if (p.status != status || !strstr(p.out, in_out) || !strstr(p.err, in_err)) {
        printf("status %d, expected %d\nout: %s\nerr: %s\n", p.status, status, p.out, p.err);
        fail();
    }
    program_free(&p);
}

static void the_command_line_is_answered(void **state)
{
    (void)state;
    expect(PROGRAM("ruin"), 1, "", "no command 'ruin': did you mean run?");
    expect(PROGRAM("xyzzy"), 1, "", "see auteur-pipe help");
    expect(PROGRAM("run"), 1, "", "something is missing: auteur-pipe run BOARD.yaml");
    expect(PROGRAM("run", "a", "b"), 1, "", "too many words");
    expect(PROGRAM("run", "--jbos", "3", "a"), 1, "", "did you mean --jobs?");
    expect(PROGRAM("parity"), 1, "", "a checkpoint's golden tensors");
    expect(PROGRAM("parity", scratch), 1, "", "has no golden.json: parity wants the directory of");
    expect(PROGRAM("journal", "dmup"), 1, "", "did you mean dump");
    expect(PROGRAM("prompt"), 1, "", "--text");
    expect(PROGRAM("help", "run"), 0, "--only GLOB", "");
    expect(PROGRAM("run", "--help"), 0, "--only GLOB", "");
    expect(PROGRAM("help", "storyboard"), 0, "overlay", "");
    expect(PROGRAM("version"), 0, "auteur-pipe ", "");
    expect(PROGRAM("--version"), 0, "auteur-pipe ", "");
    expect(PROGRAM("--man"), 0, ".SH EXIT STATUS", "");
    expect(PROGRAM("--completion", "bash"), 0, "complete -o filenames", "");
    expect(PROGRAM("--completion", "zsh"), 0, "#compdef auteur-pipe", "");
    expect(PROGRAM("--completion", "fish"), 0, "complete -c auteur-pipe", "");
    expect(PROGRAM("--completion", "tcsh"), 1, "", "bash, zsh, fish");
}

static void help_keeps_to_eighty_columns(void **state)
{
    (void)state;
    assert_int_equal(unsetenv("COLUMNS"), 0);
    for (size_t i = 0; i <= commands_count; i++) {
        struct program p =
            i < commands_count ? PROGRAM("help", commands_all[i].name) : PROGRAM("help");

        assert_int_equal(p.status, 0);
        program_keeps_to(&p, 80);
        program_free(&p);
    }
}

static void every_option_is_in_the_help_the_manual_and_the_completions(void **state)
{
    static const char *const pages[][2] = {{"--man", NULL},
                                           {"--completion", "bash"},
                                           {"--completion", "zsh"},
                                           {"--completion", "fish"}};

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct program p = pages[k][1] ? PROGRAM(pages[k][0], pages[k][1]) : PROGRAM(pages[k][0]);

        for (size_t i = 0; i < options_count; i++) {
            /* The manual writes hyphens as "\-"; zsh completes what follows a command only. */
            if (k == 2 && options_all[i].commands && !options_all[i].commands[0])
                continue;
            if (!strstr(p.out, options_all[i].name))
                fail_msg("%s is not in %s %s", options_all[i].name, pages[k][0],
                         pages[k][1] ? pages[k][1] : "");
        }
        for (size_t i = 0; i < commands_count; i++)
            assert_non_null(strstr(p.out, commands_all[i].name));
        program_free(&p);
    }
}

/* What bash offers for the words of a line, the last being the one that is typed. */
static void expect_offer(const char *words, const char *offer)
{
    char command[700], got[400] = "";
    FILE *f;

    snprintf(command, sizeof command,
             "bash -c '. %s/completion; COMP_WORDS=(auteur-pipe %s); "
             "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _auteur_pipe; echo \"${COMPREPLY[*]}\"'",
             scratch, words);
    f = popen(command, "r");
    assert_non_null(f);
    assert_non_null(fgets(got, sizeof got, f));
    assert_int_equal(pclose(f), 0);
    got[strcspn(got, "\n")] = '\0';
    assert_string_equal(got, offer);
}

static void bash_completes_words_and_choices(void **state)
{
    struct program p = PROGRAM("--completion", "bash");
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/completion", scratch);
    write_file(path, p.out);
    program_free(&p);
    if (system("command -v bash >/dev/null") != 0)
        skip();
    expect_offer("journal \"\"", "dump check salvage");
    expect_offer("journal s", "salvage");
    expect_offer("help st", "status storyboard");
    expect_offer("run --tier = f", "flagship"); /* bash's three words for --tier=f */
    expect_offer("run --tier =", "previs validator workhorse experimental flagship picture");
    expect_offer("run --tier f", "flagship");
    expect_offer("run --out", "--output");
    expect_offer("run --precision \"\"", "f32 bf16 f16 fp8");
    expect_offer("parity --precision b", "bf16");
    expect_offer("run -o /us", "/usr");
    expect_offer("bench v", "vae");
    expect_offer("plan --gpu h2", "h200");
}

static void a_bad_storyboard_is_told_with_its_places(void **state)
{
    (void)state;
    write_file(board, "name: x\nshots:\n  - {id: a, promt: hills}\n  - {id: ../b, prompt: y}\n");
    expect(PROGRAM("check", board), 2, "", "board.yaml:3:");
    expect(PROGRAM("run", board, "-o", dir), 2, "", "board.yaml:4:");
    assert_false(path_exists(dir));
    snprintf(board, sizeof board, "%s/nothing.yaml", scratch);
    expect(PROGRAM("run", board, "-o", dir), 2, "", "nothing.yaml");
}

/* What a model will not read of a prompt is told before anything is made. */
static void unread_words_are_told(void **state)
{
    char *model = realpath("stages/generate/previs/checkpoint", NULL);
    char *text = malloc(1 << 13), *at = text;

    (void)state;
    assert_true(model && text);
    at += sprintf(at,
                  "models: {previs: %s}\nname: x\nshots:\n  - {id: a, prompt: \"a caf\u00e9, "
                  "\u591c\u306e\u6d77\"}\n"
                  "  - id: b\n    prompt:",
                  model);
    for (int i = 0; i < 300; i++)
        at += sprintf(at, " a ship at sea");
    write_file(board, text);
    free(text);
    free(model);
    expect(PROGRAM("check", board), 0, "2 shots, no problems",
           "board.yaml:4: shot a: warning: the model cannot read \"\u591c\u306e\u6d77\"\n");
    expect(PROGRAM("check", board), 0, "",
           "board.yaml:5: shot b: warning: the prompt is too long for the model's 128 tokens");
}

static void a_missing_source_fails_its_shot_alone(void **state)
{
    struct program p;

    (void)state;
    write_file(board, "name: x\nsize: 64x36\nfps: 12\nshots:\n"
                      "  - {id: a, card: {background: \"#203040\"}, frames: 6}\n"
                      "  - {id: b, source: gone.mov, frames: 6}\n");
    expect(PROGRAM("check", board), 2, "", "gone.mov");
    expect(PROGRAM("run", board, "-o", dir), 3, "1 of 2 shots delivered, 1 failed", "gone.mov");
    expect(PROGRAM("status", dir), 3, "FAILED b decode: cannot open", ""); /* the stage once */
    p = PROGRAM("why", "b", dir);
    assert_non_null(strstr(p.out, "cannot be made: decode: cannot open"));
    assert_non_null(strstr(p.out, "never made"));
    assert_null(strstr(p.out, "was nothing"));
    program_free(&p);
}

static void a_shot_that_failed_is_not_explained_by_what_it_never_was(void **state)
{
    struct program p;

    (void)state;
    write_file(board, "name: x\nsize: 64x36\nfps: 12\nshots:\n"
                      "  - {id: a, card: {background: \"#203040\"}, frames: 6}\n"
                      "  - {id: b, card: {background: \"#203040\"}, frames: 6, overlays: "
                      "[{style: title, text: \"\U0010FFFD\"}]}\n");
    p = PROGRAM("run", board, "-o", dir);
    assert_int_equal(p.status, 3);
    assert_null(strstr(p.err, "composite: composite"));
    program_free(&p);
    p = PROGRAM("why", "b", dir);
    assert_null(strstr(p.out, "was nothing"));
    assert_non_null(strstr(p.out, "overlay in line 6"));
    program_free(&p);
    p = PROGRAM("status", dir);
    assert_null(strstr(p.out, "composite: composite"));
    program_free(&p);
}

static void cards_are_made_once_and_told_about(void **state)
{
    json_t *status, *shot;
    struct program p;
    struct error e = {0};
    char sheet[192], *text;
    size_t size;

    (void)state;
    write_cards("Two");
    expect(PROGRAM("check", board), 0, "2 shots, no problems", "");
    expect(PROGRAM("prompt", board), 0, "no prompts: no shot is generated", "");
    expect(PROGRAM("run", board, "-o", dir), 0, "2 of 2 shots delivered", "");
    snprintf(sheet, sizeof sheet, "%s/shots/one/one.json", dir);
    assert_int_equal(file_read(sheet, 1 << 20, &text, &size, &e), 0);
    assert_true(size > 2 && text[size - 2] == '}' && text[size - 1] == '\n');
    free(text);
    expect(PROGRAM("journal", "salvage", dir), 0, "sound, nothing to do", "");
    expect(PROGRAM("run", board, "-o", dir), 0, "nothing to do: 2 shots are up to date", "");
    expect(PROGRAM("resume", dir), 0, "nothing to do", "");
    expect(PROGRAM("status", dir), 0, "2 of 2 shots delivered", "");
    expect(PROGRAM("why", "one", dir), 0, "one is up to date", "");
    expect(PROGRAM("journal", "check", dir), 0, "sound", "");
    expect(PROGRAM("journal", "dump", dir), 0, "shot=\"two\" stage=\"encode\"", "");
    write_cards("Twice");
    expect(PROGRAM("why", "two", dir), 0, "was \"Two\", is \"Twice\"", "");
    expect(PROGRAM("why", "three", dir), 1, "", "no shot 'three'");
    expect(PROGRAM("run", board, "-o", dir, "--only", "one"), 0, "nothing to do: 1 shot is", "");
    p = PROGRAM("run", board, "-o", dir, "--json");
    assert_int_equal(p.status, 0);
    assert_non_null(strstr(p.out, "\"made\":2"));
    assert_null(strstr(p.out, "\"decode\",\"attempt\""));
    program_free(&p);
    p = PROGRAM("status", dir, "--json");
    status = json_loads(p.out, 0, NULL);
    assert_non_null(status);
    shot = json_array_get(json_object_get(status, "list"), 1);
    assert_string_equal(json_string_value(json_object_get(shot, "id")), "two");
    assert_true(json_is_true(json_object_get(shot, "delivered")));
    json_decref(status);
    program_free(&p);
}

static void a_request_that_is_refused_changes_nothing(void **state)
{
    (void)state;
    write_cards("Two");
    expect(PROGRAM("run", board, "-o", dir, "--only", "zzz"), 1, "", "no shot of cards has such");
    assert_false(path_exists(dir));
    expect(PROGRAM("run", board, "-o", dir), 0, "2 of 2 shots delivered", "");
    expect(PROGRAM("run", board, "-o", dir, "--only", "zzz"), 1, "", "no shot of cards has such");
    expect(PROGRAM("status", dir), 0, "2 of 2 shots delivered", "");
    expect(PROGRAM("why", "one", dir), 0, "one is up to date", "");
    expect(PROGRAM("resume", dir), 0, "nothing to do: 2 shots are up to date", "");
}

static void a_run_of_some_shots_hides_none_of_the_board(void **state)
{
    struct program p;
    json_t *status;

    (void)state;
    write_cards("Two");
    expect(PROGRAM("run", board, "-o", dir, "--only", "two"), 0, "1 of 1 shot delivered", "");
    expect(PROGRAM("status", dir), 0, "1 of 2 shots delivered\nthe last run was for --only 'two'",
           "");
    expect(PROGRAM("why", "one", dir), 0, "never made", "");
    p = PROGRAM("status", dir, "--json");
    status = json_loads(p.out, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(status, "shots")), 2);
    assert_int_equal(json_array_size(json_object_get(status, "list")), 2);
    assert_string_equal(json_string_value(json_object_get(status, "only")), "two");
    json_decref(status);
    program_free(&p);
    expect(PROGRAM("resume", dir), 0, "nothing to do: 1 shot is up to date", "");
    write_file(board, "name: cards\nsize: 64x36\nshots:\n"
                      "  - {id: one, card: {background: \"#203040\"}}\n");
    expect(PROGRAM("resume", dir), 1, "", "the last run was for --only 'two', and no shot");
    expect(PROGRAM("status", dir), 0, "1 of 2 shots delivered", "");
}

/* Standard output on a full disk: not memory that has run out. main() tells of it. */
static void json_that_cannot_be_written_is_no_lack_of_memory(void **state)
{
    static const char *const words[][3] = {
        {"status", dir, "--json"}, {"plan", board, "--json"}, {"models", "--json"}};

    (void)state;
    write_cards("Two");
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    for (size_t i = 0; i < 3; i++) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            char *argv[] = {"auteur-pipe", (char *)(uintptr_t)words[i][0],
                            (char *)(uintptr_t)words[i][1], (char *)(uintptr_t)words[i][2], NULL};

            if (!freopen("/dev/full", "w", stdout) || setvbuf(stdout, NULL, _IONBF, 0) != 0)
                _exit(99);
            status = command_line(words[i][2] ? 4 : 3, argv);
            _exit(ferror(stdout) ? status : 98);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

static void status_names_what_the_board_has_no_longer(void **state)
{
    struct program p;
    json_t *status;

    (void)state;
    write_cards("Two");
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    p = PROGRAM("status", dir);
    assert_null(strstr(p.out, "no longer in the board"));
    program_free(&p);
    write_file(board, "name: cards\nsize: 64x36\nshots:\n"
                      "  - {id: new, card: {background: \"#203040\"}}\n");
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    expect(PROGRAM("status", dir), 0, "10 delivered files of shots that are no longer in the board",
           "");
    p = PROGRAM("status", dir, "--json");
    status = json_loads(p.out, 0, NULL);
    assert_int_equal(json_integer_value(json_object_get(status, "orphans")), 10);
    json_decref(status);
    program_free(&p);
}

static void a_production_belongs_to_one_storyboard(void **state)
{
    (void)state;
    write_cards("Two");
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    write_file(board,
               "name: other\nsize: 64x36\nshots:\n  - {id: a, card: {background: \"#203040\"}}\n");
    expect(PROGRAM("run", board, "-o", dir), 1, "", "is the production of the storyboard 'cards'");
    assert_int_equal(unlink(board), 0);
    expect(PROGRAM("resume", dir), 2, "", "is gone: put it back");
    expect(PROGRAM("status", dir), 0, "2 of 2", ""); /* from the copy */
    expect(PROGRAM("resume", scratch), 1, "", "is not a production");
}

/* `run | head -1`: what is made does not hang on who looks. */
static void a_run_that_nobody_looks_at_goes_on(void **state)
{
    FILE *errors = tmpfile();
    int ends[2], status;
    char *said;
    pid_t pid;

    (void)state;
    write_cards("Two");
    assert_non_null(errors);
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL);
        dup2(ends[1], STDOUT_FILENO);
        dup2(fileno(errors), STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        status = command_line(5, (char *[]){"auteur-pipe", "run", board, "-o", dir, NULL});
        _exit(fflush(stdout) == 0 && !ferror(stdout) ? status : 99);
    }
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    said = program_slurp(errors);
    assert_non_null(strstr(said, "nobody reads what is printed any more; the run goes on"));
    free(said);
    expect(PROGRAM("status", dir), 0, "2 of 2 shots delivered", "");
}

static void a_second_run_is_told_who_runs(void **state)
{
    struct program p;
    char text[6000] = "name: busy\nsize: 64x36\nfps: 12\nshots:\n";
    pid_t first;
    int status;

    (void)state;
    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "  - {id: c%02d, card: {background: \"#2030%02x\"}, frames: 24}\n", i, i + 16);
    write_file(board, text);
    fflush(NULL);
    first = fork();
    assert_true(first >= 0);
    if (first == 0) {
        signal(SIGINT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        _exit(command_line(5, (char *[]){"auteur-pipe", "run", board, "-o", dir, NULL}));
    }
    for (int i = 0; i < 400; i++) {
        char shots[160];

        snprintf(shots, sizeof shots, "%s/shots/c00", dir);
        if (path_exists(shots))
            break;
        usleep(10000);
    }
    expect(PROGRAM("status", dir), 0, "a run goes on: process", "");
    p = PROGRAM("run", board, "-o", dir);
    assert_int_equal(p.status, 4);
    assert_non_null(strstr(p.err, "in use by process"));
    program_free(&p);
    kill(first, SIGINT);
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    expect(PROGRAM("resume", dir), 0, "40 of 40 shots delivered", "");
    p = PROGRAM("journal", "dump", dir);
    assert_null(strstr(p.out, "status=\"running\""));
    program_free(&p);
}

static void a_damaged_journal_is_refused(void **state)
{
    char data[192];
    FILE *f;

    (void)state;
    write_cards("Two");
    expect(PROGRAM("run", board, "-o", dir), 0, "", "");
    snprintf(data, sizeof data, "%s/.auteur/journal/data.mdb", dir);
    f = fopen(data, "r+");
    assert_non_null(f);
    assert_int_equal(fwrite("this is no journal at all, of no version", 1, 40, f), 40);
    assert_int_equal(fclose(f), 0);
    expect(PROGRAM("run", board, "-o", dir), 4, "", "salvage");
    expect(PROGRAM("status", dir), 4, "", "salvage");
}

static void an_output_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    write_cards("Two");
    write_file(dir, "a file in the way");
    expect(PROGRAM("run", board, "-o", dir), 1, "", "out");
    assert_int_equal(unlink(dir), 0);
    if (geteuid() == 0) /* root writes everywhere */
        return;
    assert_int_equal(mkdir(dir, 0555), 0);
    expect(PROGRAM("run", board, "-o", dir), 1, "", "Permission denied");
}

static void a_model_makes_shots_through_all_five_stages(void **state)
{
    char *model = realpath("tests/fixtures/wan2.2-t2v-a14b", NULL), text[900];

    (void)state;
    assert_non_null(model);
    snprintf(text, sizeof text,
             "name: model\nsize: 64x48\nfps: 8\nmodels: {flagship: \"%s\"}\nshots:\n"
             "  - {id: g1, tier: flagship, prompt: a boat with the title \"Hello\", frames: 5, "
             "steps: 4, seed: 3}\n"
             "  - {id: g2, tier: flagship, prompt: a hill at night, frames: 5, steps: 4}\n",
             model);
    free(model);
    write_file(board, text);
    expect(PROGRAM("check", board), 0, "no problems", "");
    expect(PROGRAM("prompt", board), 0, "title: \"Hello\"", "");
    expect(PROGRAM("prompt", board, "--json"), 0, "\"prompt_tokens\"", "");
    expect(PROGRAM("run", board, "-o", dir), 0, "load   flagship for generate, 2 shots", "");
    expect(PROGRAM("run", board, "-o", dir), 0, "nothing to do", "");
}

/* Two shots of the tiny model; the first one's prompt is the test's. */
static void write_lettered(const char *prompt)
{
    char *model = realpath("tests/fixtures/wan2.2-t2v-a14b", NULL), text[900];

    assert_non_null(model);
    snprintf(text, sizeof text,
             "name: letters\nsize: 64x48\nfps: 8\nmodels: {flagship: \"%s\"}\nshots:\n"
             "  - {id: g1, tier: flagship, prompt: %s, frames: 5, steps: 4, seed: 3}\n"
             "  - {id: g2, tier: flagship, prompt: a hill at night, frames: 5, steps: 4}\n",
             model, prompt);
    free(model);
    write_file(board, text);
}

/* How many lines of the event stream have this event and stage. */
static int events_of(const char *stream, const char *event, const char *stage)
{
    const char *end;
    int n = 0;

    for (; (end = strchr(stream, '\n')); stream = end + 1) {
        json_t *line = json_loadb(stream, (size_t)(end - stream), 0, NULL);
        const char *kind = json_string_value(json_object_get(line, "event"));
        const char *at = json_string_value(json_object_get(line, "stage"));

        n += kind && strcmp(kind, event) == 0 && (!stage || (at && strcmp(at, stage) == 0));
        json_decref(line);
    }
    return n;
}

static void an_edit_of_the_lettering_in_a_prompt_does_not_generate(void **state)
{
    struct program p;

    (void)state;
    write_lettered("a boat at dawn with the title \"Midnight\"");
    expect(PROGRAM("run", board, "-o", dir), 0, "2 of 2 shots delivered", "");
    write_lettered("a boat at dawn with the title \"Noon\"");
    expect(PROGRAM("why", "g1", dir), 0, "generate   only if an earlier stage makes something else",
           "");
    expect(PROGRAM("why", "g1", dir), 0, "at most about", "");
    p = PROGRAM("run", board, "-o", dir, "--json");
    assert_int_equal(p.status, 0);
    assert_int_equal(events_of(p.out, "start", NULL), 3);
    assert_int_equal(events_of(p.out, "start", "enhance"), 1);
    assert_int_equal(events_of(p.out, "start", "composite"), 1);
    assert_int_equal(events_of(p.out, "start", "encode"), 1);
    assert_int_equal(events_of(p.out, "open", "generate"), 0);
    assert_int_equal(events_of(p.out, "fresh", "generate"), 1);
    assert_int_equal(events_of(p.out, "fresh", "decode"), 1);
    assert_int_equal(events_of(p.out, "delivered", NULL), 1);
    assert_non_null(strstr(p.out, "\"delivered\":2,\"failed\":0,\"remaining\":0,\"made\":3"));
    program_free(&p);
    expect(PROGRAM("run", board, "-o", dir), 0, "nothing to do", "");
    write_lettered("a ship at dawn with the title \"Noon\"");
    p = PROGRAM("run", board, "-o", dir, "--json");
    assert_int_equal(p.status, 0);
    assert_int_equal(events_of(p.out, "finish", "generate"), 1);
    assert_int_equal(events_of(p.out, "start", "composite"), 0);
    program_free(&p);
    expect(PROGRAM("status", dir), 0, "2 of 2 shots delivered", "");
}

/* Interrupted while it samples, the program keeps the latents; the film is the same in the end. */
static void an_interrupted_sampler_goes_on_from_its_checkpoint(void **state)
{
    char *model = realpath("tests/fixtures/wan2.2-t2v-a14b", NULL);
    char text[600], whole[128], ours[160], theirs[160], generate[160];
    struct program p;

    (void)state;
    assert_non_null(model);
    snprintf(
        text, sizeof text,
        "name: long\nsize: 64x48\nfps: 8\nmodels: {flagship: \"%s\"}\nshots:\n"
        "  - {id: g, tier: flagship, prompt: a boat at dawn, frames: 33, steps: 1000, seed: 3}\n",
        model);
    free(model);
    write_file(board, text);
    snprintf(whole, sizeof whole, "%s/whole", scratch);
    expect(PROGRAM("run", board, "-o", whole), 0, "1 of 1", "");
    snprintf(generate, sizeof generate, "%s/.auteur/tmp/g.generate", dir);
    p = program_run_when(SIGINT, generate, 60000,
                         (const char *const[]){"run", board, "-o", dir, NULL});
    assert_int_equal(p.status, 130);
    assert_non_null(strstr(p.err, "interrupted: finishing the step in hand"));
    program_free(&p);
    expect(PROGRAM("journal", "dump", dir), 0, "checkpoint", "");
    expect(PROGRAM("status", dir), 0, "0 of 1 shot delivered", "");
    expect(PROGRAM("why", "g", dir), 0, "interrupted before", "");
    expect(PROGRAM("resume", dir), 0, "1 of 1 shot delivered", "");
    snprintf(ours, sizeof ours, "%s/shots", dir);
    snprintf(theirs, sizeof theirs, "%s/shots", whole);
    assert_true(tree_within(ours, theirs, NULL) == 6);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(the_command_line_is_answered),
        ONE(help_keeps_to_eighty_columns),
        ONE(every_option_is_in_the_help_the_manual_and_the_completions),
        ONE(bash_completes_words_and_choices),
        ONE(a_bad_storyboard_is_told_with_its_places),
        ONE(unread_words_are_told),
        ONE(a_missing_source_fails_its_shot_alone),
        ONE(a_shot_that_failed_is_not_explained_by_what_it_never_was),
        ONE(cards_are_made_once_and_told_about),
        ONE(a_request_that_is_refused_changes_nothing),
        ONE(a_run_of_some_shots_hides_none_of_the_board),
        ONE(json_that_cannot_be_written_is_no_lack_of_memory),
        ONE(status_names_what_the_board_has_no_longer),
        ONE(a_production_belongs_to_one_storyboard),
        ONE(a_run_that_nobody_looks_at_goes_on),
        ONE(a_second_run_is_told_who_runs),
        ONE(a_damaged_journal_is_refused),
        ONE(an_output_that_cannot_be_written_is_told),
        ONE(a_model_makes_shots_through_all_five_stages),
        ONE(an_edit_of_the_lettering_in_a_prompt_does_not_generate),
        ONE(an_interrupted_sampler_goes_on_from_its_checkpoint),
    };

    return cmocka_run_group_tests_name("commands", tests, NULL, NULL);
}
