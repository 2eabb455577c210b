/* How long a model takes to load, against the time that reading its files takes, and what its parts
 * take each by itself.
 *
 *   bench/load DIR [FOLDER]      FOLDER: of the denoiser, "transformer" where not given ("unet")
 *
 * The files are read by 16 threads at once, whole, then the model is opened on the GPU: from the
 * disk, where the page cache lets go of them, then from the page cache. Without a GPU it loads on
 * the CPU, whose weights stay where they are mapped. */
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernels/device_impl.h"
#include "kernels/safetensors.h"
#include "stages/generate/family.h"

enum { FILES_MAX = 64, THREADS = 16, PAGE = 4096 };
static const size_t PIECE = (size_t)1 << 20;
static const size_t BLOCK = (size_t)512 << 20; /* of pinned memory, about as a model has them */

static struct {
    int fd;
    const unsigned char *map; /* NULL: pieces are read, not touched */
    size_t size;
} files[FILES_MAX];
static int file_count;
static atomic_size_t next_piece;
static atomic_bool failed;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool read_piece(int file, size_t at, char *bytes)
{
    size_t left = files[file].size - at;

    if (!files[file].map)
        return bytes && pread(files[file].fd, bytes, PIECE, (off_t)at) > 0;
    for (size_t i = 0; i < (left < PIECE ? left : PIECE); i += PAGE)
        bytes[0] = (char)(bytes[0] + files[file].map[at + i]);
    return true;
}

static void *read_pieces(void *unused)
{
    char *bytes = malloc(PIECE);

    (void)unused;
    while (bytes) {
        size_t n = atomic_fetch_add(&next_piece, 1), pieces;
        int i = 0;
        for (; i < file_count && n >= (pieces = (files[i].size + PIECE - 1) / PIECE); i++)
            n -= pieces;
        if (i == file_count)
            break;
        if (!read_piece(i, n * PIECE, bytes))
            atomic_store(&failed, true);
    }
    if (!bytes)
        atomic_store(&failed, true);
    free(bytes);
    return NULL;
}

static int open_files(const char *pattern, size_t *total)
{
    glob_t found;
    struct stat st;
    int rc = 0;

    *total = 0;
    if (glob(pattern, 0, NULL, &found))
        return -1;
    for (size_t i = 0; rc == 0 && i < found.gl_pathc && i < FILES_MAX; i++) {
        int fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
        rc = fd < 0 || fstat(fd, &st) || st.st_size == 0 ? -1 : 0;
        if (rc)
            break;
        files[file_count].fd = fd;
        files[file_count++].size = (size_t)st.st_size;
        *total += (size_t)st.st_size;
    }
    globfree(&found);
    return rc;
}

/* Seconds that all threads need for all pieces; negative: they could not be read. */
static double read_all(void)
{
    pthread_t thread[THREADS];
    double start = now();

    atomic_store(&next_piece, 0);
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, read_pieces, NULL))
            return -1;
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    return atomic_load(&failed) ? -1 : now() - start;
}

/* Whether a page in 256 of a file, or more, is in the page cache. */
static bool is_cached(int file)
{
    size_t pages = (files[file].size + PAGE - 1) / PAGE, there = 0;
    unsigned char *in = malloc(pages);
    void *p = mmap(NULL, files[file].size, PROT_READ, MAP_PRIVATE, files[file].fd, 0);

    if (!in || p == MAP_FAILED || mincore(p, files[file].size, in) != 0)
        there = pages; /* not known: as if it were */
    for (size_t i = 0; i < pages && there < pages; i++)
        there += in[i] & 1;
    if (p != MAP_FAILED)
        munmap(p, files[file].size);
    free(in);
    return there > pages / 256;
}

/* False: the page cache keeps them. What was not written yet cannot be let go of. */
static bool forget_files(void)
{
    bool gone = true;

    for (int i = 0; i < file_count; i++) {
        gone = fsync(files[i].fd) == 0 &&
               posix_fadvise(files[i].fd, 0, 0, POSIX_FADV_DONTNEED) == 0 && !is_cached(i) && gone;
    }
    return gone;
}

/* ---- the table: what a part takes by itself, against reading */

static double reading;

static void row(const char *what, double seconds)
{
    printf("  %-52s %7.3f s  %5.2f of reading\n", what, seconds, seconds / reading);
}

/* What it would cost to read mapped files where they are: their pages, found and given up. */
static int map_files(void)
{
    double start, found;

    for (int i = 0; i < file_count; i++) {
        void *p = mmap(NULL, files[i].size, PROT_READ, MAP_PRIVATE, files[i].fd, 0);
        if (p == MAP_FAILED)
            return -1;
        files[i].map = p;
    }
    found = read_all();
    if (found < 0)
        return -1;
    row("finding the pages of the mapped files, 16 threads", found);
    start = now();
    for (int i = 0; i < file_count; i++) {
        munmap((void *)(uintptr_t)files[i].map, files[i].size);
        files[i].map = NULL;
    }
    row("giving the mappings up", now() - start);
    return 0;
}

/* Memory of the device for all tensors, one by one or as one; clearing it included. */
static int take_memory(struct device *d, const struct safetensors *s, bool whole, struct error *e)
{
    struct arena a = device_arena(d);
    double start = now(), taken;
    size_t all = 0;
    bool had = true;

    for (size_t i = 0; i < safetensors_count(s); i++) {
        const struct tensor *t = safetensors_find(s, safetensors_name(s, i));
        size_t size = (size_t)tensor_count(t) * dtype_size(t->dtype);
        all += size;
        had = had && (whole || arena_alloc(&a, size));
    }
    had = had && (!whole || arena_alloc(&a, all));
    int rc = device_status(d, e);
    taken = now();
    arena_free(&a);
    if (rc == 0 && had) {
        row(whole ? "device memory for all tensors at once" : "device memory, tensor by tensor",
            taken - start);
        row("  given back", now() - taken);
    }
    return rc == 0 && !had ? error_memory(e) : rc;
}

/* Some host memory as --memory safe has it; the times that all weights would take. */
static void pin_memory(struct device *d, size_t total)
{
    enum { BLOCKS = 8 };
    void *block[BLOCKS];
    bool pinned[BLOCKS];
    double start = now(), taken, times = 0;
    int count = 0;

    for (bool good = true; good && count < BLOCKS && (size_t)count * BLOCK < total;) {
        pinned[count] = true;
        block[count] = d->mover->take(d, BLOCK, &pinned[count]);
        good = block[count] && pinned[count];
        count += block[count] != NULL;
    }
    taken = now();
    if (count > 0)
        times = (double)total / (double)((size_t)count * BLOCK);
    if (count > 0)
        row(pinned[count - 1] ? "host memory for --memory safe, touched and pinned"
                              : "host memory for --memory safe, which cannot be pinned",
            (taken - start) * times);
    for (int i = 0; i < count; i++)
        d->mover->give(d, block[i], BLOCK, pinned[i]);
    if (count > 0)
        row("  given back", (now() - taken) * times);
}

static void copy_alone(struct device *d, size_t total)
{
    char why[256];
    double rate;

    if (d->probe && d->probe(d, PROBE_UPLOAD, 0, &rate, why, sizeof why) == 0 && rate > 0)
        row("copying as much from pinned memory, nothing else", (double)total / rate);
}

static int show_parts(const char *folder, struct device *d, size_t total, struct error *e)
{
    struct safetensors *s;
    double start = now();
    int rc;

    if (safetensors_open(folder, &s, e))
        return -1;
    row("headers", now() - start);
    rc = map_files() ? error_set(e, ERROR_IO, "%s cannot be mapped", folder) : 0;
    if (rc == 0 && d->source)
        rc = take_memory(d, s, false, e);
    if (rc == 0 && d->source)
        rc = take_memory(d, s, true, e);
    safetensors_close(s);
    if (rc)
        return -1;
    copy_alone(d, total);
    if (d->mover)
        pin_memory(d, total);
    return device_status(d, e);
}

/* ---- the whole */

static int open_model(const struct family *f, const char *dir, enum memory_mode mode,
                      const char *name, size_t total, struct error *e)
{
    struct device_options o = {
        .kind = DEVICE_CUDA, .activations = f->gpu.model, .memory = mode, .or_cpu = true};
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
    f->model_close(model);
    if (rc == 0) {
        printf("%s, %.1f GB/s:\n", name, (double)total / (loaded - opened) / 1e9);
        row("device: driver and libraries", opened - start);
        row("model", loaded - opened);
        row("  closed", now() - loaded);
    }
    device_close(d);
    return rc;
}

static int parts(const char *folder, size_t total, struct error *e)
{
    struct device_options o = {.kind = DEVICE_CUDA, .or_cpu = true};
    struct device *d;
    int rc;

    if (device_open(&o, &d, e))
        return -1;
    printf("each by itself:\n");
    rc = show_parts(folder, d, total, e);
    device_close(d);
    return rc;
}

static int read_files(const char *from, size_t total, struct error *e)
{
    reading = read_all();
    if (reading <= 0)
        return error_set(e, ERROR_IO, "the files cannot be read");
    printf("reading %.1f GB from %s, 16 threads: %.3f s, %.1f GB/s\n", (double)total / 1e9, from,
           reading, (double)total / reading / 1e9);
    return 0;
}

/* What loading is measured by: the disk's own time for the same files. */
static int from_disk(const struct family *f, const char *dir, size_t total, struct error *e)
{
    if (forget_files()) {
        if (read_files("the disk", total, e))
            return -1;
        if (forget_files())
            return open_model(f, dir, MEMORY_SPEED, "speed, from the disk, the first", total, e);
    }
    printf("not from the disk: the page cache keeps the files\n");
    return read_all() <= 0 ? error_set(e, ERROR_IO, "the files cannot be read") : 0;
}

int main(int argc, char **argv)
{
    const struct family *f;
    struct error e = {0};
    char folder[4000], pattern[4096];
    size_t total;

    if (argc < 2) {
        fprintf(stderr, "usage: bench/load DIR [FOLDER]\n");
        return 1;
    }
    snprintf(folder, sizeof folder, "%s/%s", argv[1], argc > 2 ? argv[2] : "transformer");
    snprintf(pattern, sizeof pattern, "%s/*.safetensors", folder);
    if (open_files(pattern, &total)) {
        fprintf(stderr, "bench/load: there are no files %s\n", pattern);
        return 1;
    }
    if (family_of_checkpoint(argv[1], &f, &e) || from_disk(f, argv[1], total, &e) ||
        read_files("the page cache", total, &e) ||
        open_model(f, argv[1], MEMORY_SPEED, "speed", total, &e) ||
        open_model(f, argv[1], MEMORY_SAFE, "safe", total, &e) || parts(folder, total, &e)) {
        fprintf(stderr, "bench/load: %s\n", e.text);
        return 1;
    }
    return 0;
}
