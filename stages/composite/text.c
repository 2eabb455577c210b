#include "stages/composite/text.h"

#include <string.h>

#include <unictype.h>
#include <unistr.h>

uint32_t text_next(const char **s)
{
    ucs4_t c;

    if (!**s)
        return 0;
    *s += u8_mbtouc(&c, (const uint8_t *)*s, strnlen(*s, 4));
    return c;
}

int text_head(const char *text, int most)
{
    const char *s = text, *next = text;

    while (text_next(&next) != 0 && next - text <= most)
        s = next;
    return (int)(s - text);
}

bool text_right_to_left(const char *text)
{
    uint32_t c;

    while ((c = text_next(&text)) != 0) {
        int category = uc_bidi_category(c);

        if (category == UC_BIDI_R || category == UC_BIDI_AL)
            return true;
        if (category == UC_BIDI_L)
            return false;
    }
    return false;
}
