/* Weights of the next stage, brought into the page cache meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernels/base/file.h"
#include "kernels/prefetch.h"

#define FIXTURE "tests/fixtures/hunyuan-video"

static void weights_of_a_checkpoint_are_asked_for(void **state)
{
    (void)state;
    struct prefetch *one = prefetch_new(), *all = prefetch_new();
    struct file_stat st;
    struct error e = {0};
    prefetch_add(one, FIXTURE "/vae");
    prefetch_add(one, FIXTURE "/is-not-there");
    prefetch_start(one);
    prefetch_finish(one);
    assert_int_equal(file_stat(FIXTURE "/vae/diffusion_pytorch_model.safetensors", &st, &e), 0);
    assert_int_equal(prefetch_bytes(one), st.size);
    prefetch_add(all, FIXTURE);
    prefetch_start(all);
    prefetch_finish(all);
    assert_true(prefetch_bytes(all) > 2 * st.size);
    prefetch_free(one);
    prefetch_free(all);
}

static size_t resident(void *map, size_t pages)
{
    unsigned char *there = malloc(pages);
    size_t count = 0;
    assert_non_null(there);
    assert_int_equal(mincore(map, pages * (size_t)sysconf(_SC_PAGESIZE), there), 0);
    for (size_t i = 0; i < pages; i++)
        count += there[i] & 1;
    free(there);
    return count;
}

/* A file that is in no memory is afterwards; not on file systems that keep all in memory, or that
 * do not say. */
static void they_are_in_memory_afterwards(void **state)
{
    char folder[] = "/tmp/auteur-prefetch-XXXXXX", path[64];
    size_t size = 16 << 20, page = (size_t)sysconf(_SC_PAGESIZE);
    char *bytes = calloc(1, size);
    struct error e = {0};
    (void)state;
    assert_non_null(bytes);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    assert_int_equal(file_write_atomic(path, bytes, size, &e), 0);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    assert_true(map != MAP_FAILED);
    size_t before = resident(map, size / page), after = 0;
    struct prefetch *p = prefetch_new();
    prefetch_add(p, folder);
    prefetch_start(p);
    prefetch_finish(p);
    assert_int_equal(prefetch_bytes(p), size);
    for (int i = 0; i < 200 && after < size / page; i++) {
        after = resident(map, size / page);
        usleep(10000);
    }
    if (before < size / page / 2)
        assert_true(after > size / page / 2);
    prefetch_free(p);
    munmap(map, size);
    close(fd);
    free(bytes);
    assert_int_equal(path_remove(folder, &e), 0);
}

static void it_may_be_ended_at_any_time(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct prefetch *p = prefetch_new();
        prefetch_add(p, "tests/fixtures/wan2.2-t2v-a14b");
        prefetch_start(p);
        prefetch_free(p);
    }
    struct prefetch *never = prefetch_new();
    prefetch_start(never);
    prefetch_free(never);
    prefetch_add(NULL, FIXTURE);
    prefetch_start(NULL);
    prefetch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_of_a_checkpoint_are_asked_for),
        cmocka_unit_test(they_are_in_memory_afterwards),
        cmocka_unit_test(it_may_be_ended_at_any_time),
    };
    return cmocka_run_group_tests_name("prefetch", tests, NULL, NULL);
}
