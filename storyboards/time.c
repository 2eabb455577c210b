#include <math.h>
#include <string.h>

#include "storyboards/board.h"
#include "storyboards/values.h"

static int64_t gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static bool reduce(int64_t num, int64_t den, struct rational *out)
{
    int64_t common;

    if (num <= 0 || den <= 0 || num < den || num > 240 * den)
        return false;
    common = gcd(num, den);
    if (num / common > INT32_MAX)
        return false;
    *out = (struct rational){(int32_t)(num / common), (int32_t)(den / common)};
    return true;
}

/* 23.976 and 23.98 mean 24000/1001: a written rate within half a hundredth of n*1000/1001, where
 * n is one of the rates that NTSC slowed down. */
static bool ntsc(double rate, struct rational *out)
{
    static const int slowed[] = {24, 30, 48, 60, 72, 96, 120, 240};

    for (size_t i = 0; i < sizeof slowed / sizeof slowed[0]; i++)
        if (fabs(rate - slowed[i] * 1000 / 1001.0) < 0.0051)
            return reduce(slowed[i] * (int64_t)1000, 1001, out);
    return false;
}

bool rational_parse(const char *s, struct rational *out)
{
    const char *slash = strchr(s, '/');
    uint64_t num, den = 1;
    double rate;

    if (slash) {
        char left[16];
        size_t n = (size_t)(slash - s);

        while (n && s[n - 1] == ' ')
            n--;
        if (n >= sizeof left)
            return false;
        memcpy(left, s, n);
        left[n] = '\0';
        slash++;
        slash += strspn(slash, " ");
        return parse_whole(left, &num) && parse_whole(slash, &den) && num <= 1000000000 &&
               den <= 1000000000 && reduce((int64_t)num, (int64_t)den, out);
    }
    if (!parse_number(s, &rate) || rate < 1 || rate > 240)
        return false;
    return ntsc(rate, out) || reduce(llround(rate * 1000), 1000, out);
}

static int nominal_rate(struct rational fps)
{
    return (fps.num + fps.den - 1) / fps.den;
}

/* Frame numbers that drop-frame timecode skips a minute (SMPTE ST 12-1: 2 at 29.97, 4 at 59.94, in
 * every minute but each tenth); 0 for other rates. */
static int dropped_a_minute(struct rational fps)
{
    if (fps.den != 1001 || (fps.num != 30000 && fps.num != 60000))
        return 0;
    return fps.num / 15000;
}

bool timecode_has_rate(struct rational fps)
{
    static const struct rational rates[] = {{24000, 1001}, {24, 1},       {25, 1},
                                            {30000, 1001}, {30, 1},       {48, 1},
                                            {50, 1},       {60000, 1001}, {60, 1}};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        if (fps.num == rates[i].num && fps.den == rates[i].den)
            return true;
    return false;
}

int64_t timecode_day(struct rational fps, bool drop)
{
    int dropped = drop ? dropped_a_minute(fps) : 0;

    return (int64_t)24 * 3600 * nominal_rate(fps) - (int64_t)24 * 54 * dropped;
}

bool timecode_can_drop(struct rational fps)
{
    return dropped_a_minute(fps) > 0;
}

bool timecode_parse(const char *s, struct rational fps, int64_t *frame)
{
    int64_t part[4] = {0}, minutes;
    int i = 0, digits = 0, rate = nominal_rate(fps), drop = 0;

    for (; *s; s++) {
        if (*s >= '0' && *s <= '9' && digits < 3) {
            part[i] = part[i] * 10 + (*s - '0');
            digits++;
        } else if ((*s == ':' || (*s == ';' && i == 2)) && digits && i < 3) {
            drop = *s == ';' ? dropped_a_minute(fps) : 0;
            if (*s == ';' && !drop)
                return false;
            digits = 0;
            i++;
        } else {
            return false;
        }
    }
    if (i != 3 || !digits || part[0] > 23 || part[1] > 59 || part[2] > 59 || part[3] >= rate)
        return false;
    if (drop && part[1] % 10 && part[2] == 0 && part[3] < drop)
        return false; /* a number that drop-frame skips */
    minutes = part[0] * 60 + part[1];
    *frame = (minutes * 60 + part[2]) * rate + part[3] - drop * (minutes - minutes / 10);
    return true;
}

bool time_parse(const char *s, struct rational fps, double *seconds)
{
    size_t n = strlen(s);
    char number[32];
    double scale = 1;
    int64_t frame;

    if (strchr(s, ':')) {
        if (!timecode_parse(s, fps, &frame))
            return false;
        *seconds = frames_to_seconds(frame, fps);
        return true;
    }
    if (n > 2 && !strcmp(s + n - 2, "ms")) {
        scale = 1000;
        n -= 2;
    } else if (n > 1 && s[n - 1] == 's') {
        n--;
    }
    while (n && s[n - 1] == ' ')
        n--;
    if (n >= sizeof number)
        return false;
    memcpy(number, s, n);
    number[n] = '\0';
    if (!parse_number(number, seconds))
        return false;
    *seconds /= scale;
    return true;
}

double frames_to_seconds(int64_t frames, struct rational fps)
{
    return (double)frames * fps.den / fps.num;
}

int64_t seconds_to_frames(double seconds, struct rational fps)
{
    /* A time written in decimals may fall a hair short of the half frame that it means. */
    return (int64_t)floor(seconds * fps.num / fps.den + 0.5 + 1e-6);
}

void timecode_format(int64_t frame, struct rational fps, bool counted, char out[TIMECODE_SIZE])
{
    int rate = nominal_rate(fps), drop = counted ? dropped_a_minute(fps) : 0;
    int64_t number = frame < 0 ? 0 : frame, seconds;

    if (drop) {
        int64_t ten = (int64_t)rate * 600 - 9 * drop, minute = (int64_t)rate * 60 - drop;
        int64_t tens = number / ten, rest = number % ten;

        number += 9 * drop * tens;
        if (rest >= drop)
            number += drop * ((rest - drop) / minute);
    }
    seconds = number / rate;
    snprintf(out, TIMECODE_SIZE, "%02u:%02u:%02u%c%02u", (unsigned)(seconds / 3600 % 24),
             (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), drop ? ';' : ':',
             (unsigned)(number % rate) % 1000);
}
