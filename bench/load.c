/* How long a model takes to load, against the time that reading its files takes.
 *
 *   bench/load DIR [FOLDER]      FOLDER: of the denoiser, "transformer" where not given ("unet")
 *
 * The files are read by 16 threads at once, whole, then the model is opened on the GPU: the first
 * time with everything that a process does once. Run it twice: the second time they come from the
 * page cache. */
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stages/generate/family.h"

enum { FILES_MAX = 64, THREADS = 16 };
static const size_t PIECE = (size_t)1 << 20;

static struct {
    int fd;
    size_t size;
} files[FILES_MAX];
static int file_count;
static atomic_size_t next_piece;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *read_pieces(void *failed)
{
    char *bytes = malloc(PIECE);

    for (;;) {
        size_t n = atomic_fetch_add(&next_piece, 1), pieces;
        int i = 0;
        for (; i < file_count && n >= (pieces = (files[i].size + PIECE - 1) / PIECE); i++)
            n -= pieces;
        if (i == file_count)
            break;
        if (!bytes || pread(files[i].fd, bytes, PIECE, (off_t)(n * PIECE)) <= 0)
            *(atomic_bool *)failed = true;
    }
    free(bytes);
    return NULL;
}

static double read_files(const char *pattern, size_t *total)
{
    glob_t found;
    pthread_t thread[THREADS];
    atomic_bool failed = false;
    struct stat st;
    double start = now();

    *total = 0;
    file_count = 0;
    atomic_store(&next_piece, 0);
    if (glob(pattern, 0, NULL, &found))
        return -1;
    for (size_t i = 0; i < found.gl_pathc && i < FILES_MAX; i++) {
        int fd = open(found.gl_pathv[i], O_RDONLY);
        if (fd < 0 || fstat(fd, &st))
            return -1;
        files[file_count].fd = fd;
        files[file_count++].size = (size_t)st.st_size;
        *total += (size_t)st.st_size;
    }
    globfree(&found);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, read_pieces, &failed))
            return -1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < file_count; i++)
        close(files[i].fd);
    return failed ? -1 : now() - start;
}

static int open_model(const struct family *f, const char *dir, enum memory_mode mode,
                      const char *name, double reading, size_t total, struct error *e)
{
    struct device_options o = {.kind = DEVICE_CUDA, .activations = f->gpu.model, .memory = mode};
    struct device *d;
    void *model = NULL;
    double start = now(), opened;

    if (device_open(&o, &d, e))
        return -1;
    opened = now();
    int rc = f->model_open(dir, d, &model, e);
    if (rc == 0)
        rc = device_status(d, e);
    double loaded = now();
    if (rc == 0)
        printf("%-8s device %5.2f s, model %6.3f s, %5.1f GB/s, %.2f of reading\n", name,
               opened - start, loaded - opened, (double)total / (loaded - opened) / 1e9,
               (loaded - opened) / reading);
    f->model_close(model);
    device_close(d);
    return rc;
}

int main(int argc, char **argv)
{
    const struct family *f;
    struct error e = {0};
    char pattern[4096];
    size_t total;

    if (argc < 2) {
        fprintf(stderr, "usage: bench/load DIR [FOLDER]\n");
        return 1;
    }
    snprintf(pattern, sizeof pattern, "%s/%s/*.safetensors", argv[1],
             argc > 2 ? argv[2] : "transformer");
    for (int i = 0; i < 2; i++) {
        double reading = read_files(pattern, &total);
        if (reading <= 0) {
            fprintf(stderr, "bench/load: %s cannot be read\n", pattern);
            return 1;
        }
        printf("reading  %.1f GB in %6.3f s, %5.1f GB/s\n", (double)total / 1e9, reading,
               (double)total / reading / 1e9);
        if (i == 0)
            continue;
        if (family_of_checkpoint(argv[1], &f, &e) ||
            open_model(f, argv[1], MEMORY_SPEED, "speed", reading, total, &e) ||
            open_model(f, argv[1], MEMORY_SPEED, "speed", reading, total, &e) ||
            open_model(f, argv[1], MEMORY_SAFE, "safe", reading, total, &e)) {
            fprintf(stderr, "bench/load: %s\n", e.text);
            return 1;
        }
    }
    return 0;
}
