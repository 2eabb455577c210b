#include "kernels/base/suggest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum { LONGEST = 63 };

static int letter(char c)
{
    return c == '_' || c == ' ' ? '-' : tolower((unsigned char)c);
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned suggest_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned rows[3][LONGEST + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];

    if (n > LONGEST || m > LONGEST)
        return UINT_MAX;
    for (size_t j = 0; j <= m; j++)
        above[j] = (unsigned)j;
    memcpy(row, above, sizeof rows[0]);
    for (size_t i = 1; i <= n; i++) {
        unsigned *oldest = before;

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned change = above[j - 1] + (letter(a[i - 1]) != letter(b[j - 1]));

            row[j] = least(change, least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && letter(a[i - 1]) == letter(b[j - 2]) &&
                letter(a[i - 2]) == letter(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        before = above, above = row, row = oldest;
    }
    return above[m];
}

void suggest_offer(struct suggestion *s, const char *candidate)
{
    unsigned distance = suggest_distance(s->word, candidate);
    size_t length = strlen(s->word);

    /* One letter in three may be wrong, and one of a short word; a beginning is near its whole. */
    if (length > 0 && strncmp(candidate, s->word, length) == 0)
        distance = 1;
    if (distance > (length < 6 ? 1 : length / 3) || distance >= strlen(candidate))
        return;
    if (!s->best || distance < s->distance) {
        s->best = candidate;
        s->distance = distance;
    }
}
