#include "stages/encode/tiff_profile.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <lcms2.h>
#include <tiffio.h>

struct profile {
    unsigned char *bytes;
    cmsUInt32Number size;
};

/* The profile's header says when it was made (bytes 24 to 35, ICC.1 7.2.8): here, always midnight
 * of the first day of 2026, so that the same input gives the same bytes. */
static void set_date(unsigned char *header)
{
    static const unsigned char date[12] = {2026 >> 8, 2026 & 255, 0, 1, 0, 1};

    memcpy(header + 24, date, sizeof date);
}

static cmsHPROFILE make_profile(cmsContext lcms)
{
    static const cmsCIExyY white = {0.3127, 0.3290, 1};
    static const cmsCIExyYTRIPLE bt709 = {{0.64, 0.33, 1}, {0.30, 0.60, 1}, {0.15, 0.06, 1}};
    /* BT.709 read backwards: ((V + 0.099) / 1.099) ^ (1 / 0.45), from 0.081 on; below, V / 4.5. */
    static const double transfer[] = {1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081};
    cmsToneCurve *curve = cmsBuildParametricToneCurve(lcms, 4, transfer);
    cmsMLU *name = cmsMLUalloc(lcms, 1);
    cmsHPROFILE profile = NULL;

    if (curve && name && cmsMLUsetASCII(name, "en", "US", "Rec. ITU-R BT.709"))
        profile = cmsCreateRGBProfileTHR(lcms, &white, &bt709,
                                         (cmsToneCurve *const[]){curve, curve, curve});
    if (profile && !cmsWriteTag(profile, cmsSigProfileDescriptionTag, name)) {
        cmsCloseProfile(profile);
        profile = NULL;
    }
    cmsMLUfree(name);
    if (curve)
        cmsFreeToneCurve(curve);
    return profile;
}

/* The bytes are the caller's; NULL: out of memory, which is all that can go wrong. */
static struct profile profile_bytes(void)
{
    cmsContext lcms = cmsCreateContext(NULL, NULL);
    cmsHPROFILE profile = lcms ? make_profile(lcms) : NULL;
    struct profile out = {0};

    if (profile && cmsSaveProfileToMem(profile, NULL, &out.size))
        out.bytes = malloc(out.size);
    if (out.bytes && !cmsSaveProfileToMem(profile, out.bytes, &out.size)) {
        free(out.bytes);
        out.bytes = NULL;
    }
    if (out.bytes)
        set_date(out.bytes);
    if (profile)
        cmsCloseProfile(profile);
    if (lcms)
        cmsDeleteContext(lcms);
    return out;
}

/* libtiff speaks on stderr otherwise. */
static void hush(void)
{
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
}

int tiff_profile_add(const char *path, struct error *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct profile profile = profile_bytes();
    TIFF *file = NULL;
    int rc = -1;

    pthread_once(&once, hush);
    if (!profile.bytes)
        return error_memory(e);
    errno = 0;
    file = TIFFOpen(path, "r+");
    if (file && TIFFSetField(file, TIFFTAG_ICCPROFILE, profile.size, profile.bytes) &&
        TIFFRewriteDirectory(file))
        rc = 0;
    else if (errno)
        error_errno(e, errno, "write", path);
    else
        error_set(e, ERROR_MEDIA, "cannot write the colour profile into %s", path);
    if (file)
        TIFFClose(file);
    free(profile.bytes);
    return rc;
}
