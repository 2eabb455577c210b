#include "pipeline/exit_code.h"

enum exit_code exit_code_for(enum error_code code)
{
    switch (code) {
    case ERROR_NONE:
        return EXIT_DELIVERED;
    case ERROR_INPUT:
        return EXIT_BOARD;
    case ERROR_JOURNAL:
    case ERROR_BUSY:
        return EXIT_JOURNAL;
    case ERROR_SPACE:
    case ERROR_MEDIA:
    case ERROR_MODEL:
    case ERROR_ABSENT:
    case ERROR_MEMORY:
        return EXIT_SHOTS;
    case ERROR_CANCELLED:
        return EXIT_INTERRUPTED;
    case ERROR_USAGE:
    case ERROR_IO:
    case ERROR_INTERNAL:
        return EXIT_USAGE;
    }
    return EXIT_USAGE;
}
