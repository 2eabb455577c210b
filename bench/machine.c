/* What `auteur-pipe verify` measures, without the rest of the program: for machines where FFmpeg
 * and the other packages are not installed. Arguments: [cpu|cuda|auto] [MODELS]. */
#include <stdio.h>
#include <string.h>

#include "kernels/machine/report.h"

static void print(void *ctx, const struct report_row *row)
{
    (void)ctx;
    printf("%s  %-28s %2d %-36s %-20s %s\n", report_status_name(row->status), row->title, row->gpu,
           row->value, row->wanted, row->note);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const char *device = argc > 1 ? argv[1] : "auto";
    const struct report_options o = {
        .device = {.kind = strcmp(device, "cpu") == 0 ? DEVICE_CPU : DEVICE_CUDA,
                   .or_cpu = strcmp(device, "cuda") != 0},
        .models = argc > 2 ? argv[2] : "",
        .scratch = "/tmp",
        .disk_most = (size_t)512 << 20,
        .row = print};
    int counts[REPORT_STATES];
    struct error e = {0};

    if (machine_report(&o, counts, &e) != 0) {
        fprintf(stderr, "machine: %s\n", e.text);
        return 1;
    }
    printf("%d PASS, %d FAIL, %d SKIP\n", counts[REPORT_PASS], counts[REPORT_FAIL],
           counts[REPORT_SKIP]);
    return counts[REPORT_FAIL] ? 3 : 0;
}
