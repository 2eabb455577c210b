/* The review page: what a run writes, what notes take in and refuse, what `watch` serves and to
 * whom. Where there are Chromium and Python with websocket-client, tests/pipeline/review_page.py
 * drives the page, from disk and live. */
#include "tests/pipeline/program.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "pipeline/review/preview.h"
#include "storyboards/board.h"

static char scratch[64], board[96], dir[96], page[128], export[96];

static void write_board(const char *more)
{
    char text[1200];

    snprintf(
        text, sizeof text,
        "name: page\nsize: 320x180\nfps: 29.97\ndefaults: {frames: 60}\nshots:\n"
        "  - {id: one, card: {background: \"#102040\", to: \"#406080\"}, overlays: [{style: title, "
        "text: \"</script><b>One\"}]}\n"
        "  - {id: two, card: {background: \"#204010\"}, overlays: [{style: title, text: The "
        "Harbour}]}\n"
        "  - {id: three, card: {background: \"#402030\"}, overlays: [{style: title, text: "
        "Three}]}\n%s",
        more);
    write_file(board, text);
}

static void expect(struct program p, int status, const char *in_out, const char *in_err)
{
    if (p.status != status || !strstr(p.out, in_out) || !strstr(p.err, in_err)) {
        printf("status %d, expected %d\nout: %s\nerr: %s\n", p.status, status, p.out, p.err);
        fail();
    }
    program_free(&p);
}

static char *read_text(const char *path)
{
    struct error e = {0};
    char *text;
    size_t size;

    if (file_read(path, 1u << 26, &text, &size, &e) != 0)
        fail_msg("%s", e.text);
    return text;
}

static int set_up(void **state)
{
    (void)state;
    if (program_scratch(scratch) != 0)
        return -1;
    snprintf(board, sizeof board, "%s/board.yaml", scratch);
    snprintf(dir, sizeof dir, "%s/out", scratch);
    snprintf(page, sizeof page, "%s/index.html", dir);
    snprintf(export, sizeof export, "%s/page-notes.json", scratch);
    write_board("");
    expect(PROGRAM("run", board, "-o", dir), 0, "3 of 3", "");
    return 0;
}

static int tear_down(void **state)
{
    struct error e;

    (void)state;
    return path_remove(scratch, &e);
}

/* The data that stands in the page. */
static json_t *page_data(void)
{
    static const char open[] = "id=\"production\">";
    char *text = read_text(page), *at = strstr(text, open), *end;
    json_t *data;

    assert_non_null(at);
    at += sizeof open - 1;
    end = strstr(at, "</script>");
    assert_non_null(end);
    data = json_loadb(at, (size_t)(end - at), 0, NULL);
    assert_non_null(data);
    free(text);
    return data;
}

static const json_t *page_shot(const json_t *data, size_t i)
{
    return json_array_get(json_object_get(data, "shots"), i);
}

static void a_run_leaves_a_page(void **state)
{
    json_t *data = page_data();
    const json_t *one = page_shot(data, 0);
    const json_t *v = json_array_get(json_object_get(one, "versions"), 0);
    struct stat before, after;

    (void)state;
    assert_string_equal(json_string_value(json_object_get(one, "state")), "delivered");
    assert_string_equal(json_string_value(json_object_get(v, "film")), "shots/one/one_v001.mp4");
    assert_string_equal(json_string_value(json_object_get(v, "poster")),
                        "shots/one/one_v001.poster.png");
    assert_true(json_is_true(json_object_get(data, "drop")));
    assert_int_equal(json_integer_value(json_object_get(page_shot(data, 2), "at")), 120);
    json_decref(data);
    /* It is not written again while it says the same. */
    assert_int_equal(stat(page, &before), 0);
    expect(PROGRAM("run", board, "-o", dir), 0, "nothing to do", "");
    assert_int_equal(stat(page, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    /* One that is gone comes back. */
    assert_int_equal(unlink(page), 0);
    expect(PROGRAM("run", board, "-o", dir), 0, "nothing to do", "");
    assert_int_equal(stat(page, &after), 0);
}

/* ---- notes */

#define NOTE(id, shot, text)                                                                       \
    "{\"id\":\"" id "\",\"shot\":\"" shot "\",\"version\":1,\"frame\":12,\"timecode\":"            \
    "\"01:00:00;12\",\"text\":\"" text "\",\"author\":\"Ana\",\"created\":\"2026\"}"
#define FILE_OF(board, notes, reviews)                                                             \
    "{\"format\":\"auteur-pipe notes\",\"version\":1,\"production\":\"out\",\"board\":\"" board    \
    "\",\"exported\":\"2026\",\"notes\":[" notes "],\"reviews\":[" reviews "]}"

static void import(const char *text, int status, const char *in_out, const char *in_err)
{
    char path[128];

    snprintf(path, sizeof path, "%s/notes.json", scratch);
    write_file(path, text);
    expect(PROGRAM("notes", "import", path, dir), status, in_out, in_err);
}

static void notes_are_taken_in_once(void **state)
{
    static const char verdict[] = "{\"shot\":\"two\",\"version\":1,\"state\":\"approved\"}";
    json_t *data;
    const json_t *two, *v;
    char text[1000];

    (void)state;
    snprintf(text, sizeof text, FILE_OF("page", NOTE("a", "two", "higher"), "%s"), verdict);
    import(text, 0, "1 note taken, 0 changed, 0 known before; 1 verdict", "");
    import(text, 0, "0 notes taken, 0 changed, 1 known before; 0 verdicts", "");
    import(FILE_OF("page", NOTE("a", "two", "lower") "," NOTE("b", "two", "and slower"), ""), 0,
           "1 note taken, 1 changed", "");
    expect(PROGRAM("notes", dir), 0, "v001 01:00:00;12  lower (Ana)", "");
    expect(PROGRAM("notes", "--json", dir), 0, "\"1\": \"approved\"", "");
    data = page_data();
    two = page_shot(data, 1);
    v = json_array_get(json_object_get(two, "versions"), 0);
    assert_int_equal(json_array_size(json_object_get(two, "notes")), 2);
    assert_string_equal(json_string_value(json_object_get(v, "verdict")), "approved");
    json_decref(data);
    import(FILE_OF("page", "", "{\"shot\":\"two\",\"version\":1,\"state\":\"open\"}"), 0,
           "1 verdict", "");
    data = page_data();
    v = json_array_get(json_object_get(page_shot(data, 1), "versions"), 0);
    assert_string_equal(json_string_value(json_object_get(v, "verdict")), "");
    json_decref(data);
}

static void what_is_no_export_is_refused(void **state)
{
    (void)state;
    import("shots: [", 2, "", "notes.json:1:5: this is no JSON");
    import("[]", 2, "", "is no notes of a review page");
    import("{\"format\":\"auteur-pipe notes\",\"version\":7}", 2, "", "take a newer auteur-pipe");
    import(FILE_OF("other", "", ""), 2, "", "is of the board 'other', not of 'page'");
    import(FILE_OF("page", NOTE("x", "one", "fine") "," NOTE("y", "tow", "?"), ""), 2, "",
           "notes[1]: the board page has no shot 'tow' (did you mean two?)");
    import(FILE_OF("page", "{\"shot\":\"one\"}", ""), 2, "", "notes[0].id is not a text");
    import(FILE_OF("page", NOTE("", "one", "x"), ""), 2, "", "notes[0].id is empty");
    import(FILE_OF("page", "", "{\"shot\":\"one\",\"version\":0,\"state\":\"open\"}"), 2, "",
           "reviews[0].version is not a whole number from 1");
    import(FILE_OF("page", "", "{\"shot\":\"one\",\"version\":77,\"state\":\"approved\"}"), 2, "",
           "reviews[0]: shot 'one' has no version 77: take it out of the file");
    import(FILE_OF("page", "", "{\"shot\":\"one\",\"version\":1,\"state\":\"meh\"}"), 2, "",
           "reviews[0].state is none of approved");
    expect(PROGRAM("notes", "import", "/nowhere.json", dir), 2, "", "/nowhere.json");
    expect(PROGRAM("notes", "import"), 1, "", "Name the file");
    expect(PROGRAM("notes", "improt", dir), 1, "", "did you mean import?");
    expect(PROGRAM("notes", "import", export, scratch), 1, "", "is not a production");
    /* The good one of a file that was refused was not taken. */
    expect(PROGRAM("notes", dir), 0, "no notes yet", "");
}

/* ---- versions */

static void copy(const char *shot, const char *suffix, const char *as)
{
    char from[200], to[200];
    struct error e = {0};
    char *bytes;
    size_t size;

    snprintf(from, sizeof from, "%s/shots/%s/%s%s", dir, shot, shot, suffix);
    snprintf(to, sizeof to, "%s/shots/%s/%s%s%s", dir, shot, shot, as, suffix);
    assert_int_equal(file_read(from, 1u << 26, &bytes, &size, &e), 0);
    assert_int_equal(file_write_atomic(to, bytes, size, &e), 0);
    free(bytes);
}

/* The shot's one delivery as two, the stable name a link to the first. */
static void make_versions(const char *shot)
{
    static const char *const suffixes[] = {".json", ".mp4", ".poster.png"};
    char film[200], target[100];

    for (size_t i = 0; i < 3; i++) {
        copy(shot, suffixes[i], "_v001");
        copy(shot, suffixes[i], "_v002");
    }
    snprintf(film, sizeof film, "%s/shots/%s/%s.mp4", dir, shot, shot);
    snprintf(target, sizeof target, "%s_v001.mp4", shot);
    assert_int_equal(unlink(film), 0);
    assert_int_equal(symlink(target, film), 0);
}

static void versions_are_found(void **state)
{
    json_t *data;
    const json_t *versions, *v;
    char film[200];

    (void)state;
    make_versions("three");
    copy("three", ".mp4", "_v001.h264"); /* as where ProRes comes first: a browser plays this */
    import(FILE_OF("page", "", "{\"shot\":\"three\",\"version\":2,\"state\":\"rejected\"}"), 0, "",
           "");
    data = page_data();
    versions = json_object_get(page_shot(data, 2), "versions");
    assert_int_equal(json_array_size(versions), 2);
    v = json_array_get(versions, 1);
    assert_string_equal(json_string_value(json_object_get(v, "film")),
                        "shots/three/three_v002.mp4");
    assert_string_equal(json_string_value(json_object_get(json_array_get(versions, 0), "film")),
                        "shots/three/three_v001.h264.mp4");
    assert_string_equal(json_string_value(json_object_get(v, "verdict")), "rejected");
    assert_false(json_is_true(json_object_get(v, "current")));
    assert_true(json_is_true(json_object_get(json_array_get(versions, 0), "current")));
    json_decref(data);
    snprintf(film, sizeof film, "%s/shots/three/three_v001.h264.mp4", dir);
    assert_int_equal(unlink(film), 0);
    import(FILE_OF("page", "", ""), 0, "", ""); /* the page is written anew */
}

/* ---- previews */

static void latents_have_a_picture(void **state)
{
    static float data[2 * 16 * 8 * 8];
    struct tensor t = {.dtype = DTYPE_F32, .rank = 4, .shape = {16, 2, 8, 8}, .data = data};
    struct preview p = {0};
    struct error e = {0};

    (void)state;
    for (int c = 0; c < 16; c++)
        for (int i = 0; i < 64; i++)
            data[c * 2 * 64 + i] = data[(c * 2 + 1) * 64 + i] =
                (i % 8 < 4 ? 1.0f : -1.0f) * (c == 3 ? 2.0f : 0.1f);
    assert_int_equal(preview_make(&t, false, "flagship", &p, &e), 0);
    assert_int_equal(p.width, 8);
    assert_int_equal(p.height, 8);
    /* Two halves, each of one colour, apart from one another. */
    for (int i = 0; i < 64; i++)
        assert_memory_equal(p.rgb + 3 * i, p.rgb + (i % 8 < 4 ? 0 : 12), 3);
    assert_true(abs(p.rgb[0] - p.rgb[12]) > 60);
    free(p.rgb);
    memset(data, 0, sizeof data); /* nothing to see is no trouble */
    assert_int_equal(preview_make(&t, true, "workhorse", &p, &e), 0);
    assert_int_equal(p.rgb[0], 128);
    free(p.rgb);
}

/* ---- watch */

struct watch {
    pid_t pid;
    int port;
    char url[200], token[40], out[96];
};

static struct watch watch_begin(const char *listen)
{
    struct watch w = {0};
    char *at;

    snprintf(w.out, sizeof w.out, "%s/watch.log", scratch);
    unlink(w.out);
    fflush(NULL);
    w.pid = fork();
    if (w.pid == 0) {
        char *argv[] = {
            "auteur-pipe", "watch", dir, listen ? "--listen" : NULL, (char *)(uintptr_t)listen,
            NULL};
        int status;

        signal(SIGINT, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails must not leave it behind */
        status = freopen(w.out, "w", stdout) ? command_line(listen ? 5 : 3, argv) : 9;
        fflush(NULL);
        _exit(status);
    }
    for (int i = 0; i < 1000 && w.port == 0; i++) {
        char *text = path_exists(w.out) ? read_text(w.out) : NULL;

        at = text ? strstr(text, "http://") : NULL;
        if (at && strchr(at, '\n')) {
            snprintf(w.url, sizeof w.url, "%.*s", (int)strcspn(at, "\n"), at);
            w.port = atoi(strchr(w.url + 7, ':') + 1);
            at = strstr(w.url, "token=");
            snprintf(w.token, sizeof w.token, "%s", at ? at + 6 : "");
        }
        free(text);
        usleep(10000);
    }
    assert_true(w.port > 0);
    return w;
}

static void watch_end(struct watch *w)
{
    int status = -1;

    kill(w->pid, SIGINT);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The status, and the whole answer in a static buffer. */
static char answer[1 << 20];
static int ask(const struct watch *w, const char *path, const char *headers)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)w->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char request[2000];
    size_t have = 0;
    ssize_t n;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nConnection: close\r\n%s\r\n", path,
             headers);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    while (have + 1 < sizeof answer && (n = read(fd, answer + have, sizeof answer - 1 - have)) > 0)
        have += (size_t)n;
    answer[have] = '\0';
    close(fd);
    return have > 12 ? atoi(answer + 9) : 0;
}
#define HOST "Host: localhost:7780\r\n"

static void only_the_pages_own_files_are_served(void **state)
{
    static const char *const others[] = {"/../board.yaml",
                                         "/shots/../../board.yaml",
                                         "/%2e%2e/board.yaml",
                                         "/shots/%2e%2e/%2e%2e/board.yaml",
                                         "/..%2fboard.yaml",
                                         "/shots/one/one_v001.json",
                                         "/.auteur/board.yaml",
                                         "/.auteur/journal/data.mdb",
                                         "//etc/passwd",
                                         "/etc/passwd",
                                         "/shots/one/one_v001.mp4/"};
    struct watch w = watch_begin(NULL);
    char link[160];

    (void)state;
    assert_int_equal(ask(&w, "/", HOST), 200);
    assert_non_null(strstr(answer, "Content-Security-Policy: default-src 'none'"));
    assert_int_equal(ask(&w, "/state.json", HOST), 200);
    assert_int_equal(ask(&w, "/shots/one/one_v001.mp4", HOST), 200);
    assert_non_null(strstr(answer, "Content-Type: video/mp4"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ask(&w, others[i], HOST) == 200 || strstr(answer, "name: page"))
            fail_msg("%s was served", others[i]);
    /* A link within the production is followed, one that leads out is not. */
    assert_int_equal(ask(&w, "/shots/three/three_v001.mp4", HOST), 200);
    snprintf(link, sizeof link, "%s/shots/two/two_v001.poster.png", dir);
    assert_int_equal(ask(&w, "/shots/two/two_v001.poster.png", HOST), 200);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink(board, link), 0);
    assert_int_equal(ask(&w, "/shots/two/two_v001.poster.png", HOST), 404);
    assert_int_equal(unlink(link), 0);
    watch_end(&w);
    expect(PROGRAM("run", board, "-o", dir), 0, "delivered", ""); /* the poster comes back */
}

static void bytes_are_served_in_ranges(void **state)
{
    struct watch w = watch_begin(NULL);
    const char film[] = "/shots/one/one_v001.mp4";

    (void)state;
    assert_int_equal(ask(&w, film, HOST "Range: bytes=4-7\r\n"), 206);
    assert_non_null(strstr(answer, "Content-Range: bytes 4-7/"));
    assert_string_equal(strstr(answer, "\r\n\r\n") + 4, "ftyp");
    assert_int_equal(ask(&w, film, HOST "Range: bytes=-9\r\n"), 206);
    assert_non_null(strstr(answer, "Content-Length: 9\r\n"));
    assert_int_equal(ask(&w, film, HOST "Range: bytes=8-\r\n"), 206);
    assert_int_equal(ask(&w, film, HOST "Range: bytes=99999999-\r\n"), 416);
    assert_int_equal(ask(&w, film, HOST "Range: bytes=-0\r\n"), 416);
    assert_int_equal(ask(&w, film, HOST "Range: bytes=7-4\r\n"), 200);
    assert_int_equal(ask(&w, film, HOST "Range: bytes=0-1,4-5\r\n"), 200);
    assert_int_equal(ask(&w, film, HOST "Range: frames=1-2\r\n"), 200);
    watch_end(&w);
}

static void strangers_are_refused(void **state)
{
    struct watch w = watch_begin(NULL);
    char line[200];

    (void)state;
    assert_int_equal(ask(&w, "/", "Host: 127.0.0.1\r\n"), 200);
    assert_int_equal(ask(&w, "/", "Host: [::1]:80\r\n"), 200);
    assert_int_equal(ask(&w, "/", "Host: evil.example\r\n"), 403);
    assert_int_equal(ask(&w, "/state.json", "Host: localhost.evil.example\r\n"), 403);
    assert_int_equal(ask(&w, "/", "Host: 127.0.0.1:x\r\n"), 403);
    watch_end(&w);
    w = watch_begin("0.0.0.0");
    assert_int_equal(strlen(w.token), 32);
    assert_int_equal(ask(&w, "/", HOST), 403);
    assert_int_equal(ask(&w, "/state.json?token=", HOST), 403);
    snprintf(line, sizeof line, "/?token=%.31s%c", w.token, w.token[31] == '0' ? '1' : '0');
    assert_int_equal(ask(&w, line, HOST), 403);
    snprintf(line, sizeof line, "/?token=%s", w.token);
    assert_int_equal(ask(&w, line, "Host: anyone.example\r\n"), 200);
    assert_non_null(strstr(answer, "Set-Cookie: auteur_watch_"));
    snprintf(line, sizeof line, HOST "Cookie: auteur_watch_%d=%s\r\n", w.port, w.token);
    assert_int_equal(ask(&w, "/shots/one/one_v001.mp4", line), 200);
    watch_end(&w);
    expect(PROGRAM("watch", dir, "--listen", "nowhere"), 1, "", "--listen takes an address");
    expect(PROGRAM("watch", scratch), 1, "", "is not a production");
}

/* ---- in a browser */

static const char *python(void)
{
    const char *given = getenv("PYTHON");

    return given ? given : "python3";
}

static void need_browser(void)
{
    char command[300];

    snprintf(command, sizeof command, "%s tests/pipeline/review_page.py check", python());
    if (system(command) == 0)
        return;
    printf("skipped: there is no Chromium here, or no Python with websocket-client\n");
    skip();
}

/* What the C makes of frames, for the page to compare. */
static void write_timecodes(void)
{
    static const struct rational rates[] = {{24, 1},       {25, 1}, {30, 1},       {24000, 1001},
                                            {30000, 1001}, {60, 1}, {60000, 1001}, {50, 1}};
    static const int64_t frames[] = {0,    1,     29,    1799,  1800,   1801,   3597,
                                     3598, 17981, 17982, 17983, 107892, 215784, 2589407};
    char path[128], text[TIMECODE_SIZE];
    json_t *rows = json_array();

    for (size_t r = 0; r < 8; r++)
        for (size_t f = 0; f < 14; f++)
            for (int drop = 0; drop < 2; drop++) {
                timecode_format(frames[f], rates[r], drop, text);
                json_array_append_new(rows, json_pack("[Iiibs]", (json_int_t)frames[f],
                                                      rates[r].num, rates[r].den, drop, text));
            }
    snprintf(path, sizeof path, "%s/timecodes.json", scratch);
    assert_int_equal(json_dump_file(rows, path, 0), 0);
    json_decref(rows);
}

static void an_editor_works_with_it(void **state)
{
    char command[600];

    (void)state;
    need_browser();
    write_timecodes();
    snprintf(command, sizeof command, "%s tests/pipeline/review_page.py page file://%s %s",
             python(), page, scratch);
    assert_int_equal(system(command), 0);
    expect(PROGRAM("notes", "import", export, dir), 0, "1 note taken", "");
    expect(PROGRAM("notes", dir), 0, "the horizon </script> wobbles (Ana)", "");
}

static void a_run_is_watched(void **state)
{
    char command[600], ready[128];
    struct watch w;
    int status = -1;
    pid_t pid;

    (void)state;
    need_browser();
    w = watch_begin(NULL);
    snprintf(command, sizeof command, "%s tests/pipeline/review_page.py live %s %s", python(),
             w.url, scratch);
    snprintf(ready, sizeof ready, "%s/ready", scratch);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        _exit(system(command) == 0 ? 0 : 1);
    for (int i = 0; i < 6000 && !path_exists(ready); i++)
        usleep(10000);
    write_board("  - {id: four, card: {background: \"#303030\"}}\n");
    expect(PROGRAM("run", board, "-o", dir), 0, "4 of 4", "");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 0);
    watch_end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_leaves_a_page),
        cmocka_unit_test(latents_have_a_picture),
        cmocka_unit_test(what_is_no_export_is_refused),
        cmocka_unit_test(versions_are_found),
        cmocka_unit_test(an_editor_works_with_it),
        cmocka_unit_test(notes_are_taken_in_once),
        cmocka_unit_test(only_the_pages_own_files_are_served),
        cmocka_unit_test(bytes_are_served_in_ranges),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(a_run_is_watched),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
