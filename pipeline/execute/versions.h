/* Every delivery of a shot is a version: shots/ID/ID_v001.mp4, ID_v002.mp4 ... A version's files
 * are never overwritten and never removed, since an editor may have linked them; the stable names
 * (shots/ID/ID.mp4) are symbolic links to those of the current version, which is the newest
 * approved one, or where none is approved the newest that was not rejected. Where the file system
 * knows no such links there are no stable names.
 *
 * The journal's meta remembers them: "versions:ID" what was delivered, "review:ID" what reviews say
 * ({"2": "approved"}), "conform:ID" which version timelines use where that is not the current one.
 */
#ifndef AUTEUR_PIPELINE_EXECUTE_VERSIONS_H
#define AUTEUR_PIPELINE_EXECUTE_VERSIONS_H

#include "journal/journal.h"
#include "pipeline/execute/production.h"
#include "storyboards/board.h"

enum { VERSION_MOST = 999999 };
#define VERSION_SHEET "sheet.json" /* tells of times, so it is not among a version's files */
enum version_review { REVIEW_NONE, REVIEW_APPROVED, REVIEW_REJECTED };

struct version_file {
    const char *name; /* as the stage named it: "deliver.mp4" */
    const char *path; /* relative to the production */
    struct hash128 digest;
};
struct version {
    int number; /* from 1 */
    int turn;   /* rises with every delivery: what is asked for again is the newest again */
    enum version_review review;
    struct hash128 key; /* of the stage that made it */
    int frames;
    int64_t timecode; /* of its first frame, in frames from 00:00:00:00 */
    const struct version_file *files;
    size_t file_count;
};
struct versions {
    struct version *items; /* numbers rise */
    size_t count;
    int conformed; /* the number that timelines use; 0: that of the current one */
};

/* Strings in the arena, which must outlive *out. None: count 0. */
int versions_read(struct journal_view *view, const char *shot, struct arena *arena,
                  struct versions *out, struct error *e);
/* Adds one, or replaces the one of that number, as the newest, and puts them all into the journal.
 */
int versions_add(struct journal *journal, const char *shot, struct arena *arena, struct versions *v,
                 const struct version *fresh, struct error *e);
/* Puts which version timelines are to use; 0: the current one. */
int versions_conform(struct journal *journal, const char *shot, int number, struct error *e);

/* The number for a delivery of these files (paths are not looked at): that of the version with the
 * same key and content, when what stands of it is as it was left; else the next one that neither
 * the journal nor the shot's folder knows. 0: *e. */
int versions_number(const struct versions *v, const struct production *p, const char *shot,
                    struct hash128 key, const struct version_file *files, size_t count,
                    struct error *e);

/* NULL when there is none. */
const struct version *versions_current(const struct versions *v);
const struct version *versions_of(const struct versions *v, int number);
/* What timelines show: the one chosen, else the current one. */
const struct version *versions_shown(const struct versions *v);
/* NULL when it has none of that name. */
const struct version_file *version_file(const struct version *v, const char *name);

/* "shots/ID/ID_v001.mp4" for "deliver.mp4"; in the arena, NULL when out of memory. */
char *version_path(struct arena *arena, const char *shot, int number, const char *name);

/* Points the stable names of a shot to the current version's files, and takes away those that it
 * has none for. What is no symbolic link is left as it is. */
int versions_point(const struct production *p, const char *shot, const struct versions *v,
                   struct error *e);
/* The same of every shot of the board, by what the journal says now. */
int versions_point_all(const struct production *p, const struct board *b, struct journal *journal,
                       struct error *e);

#endif
