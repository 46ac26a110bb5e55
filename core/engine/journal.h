/* What a job has done so far, on disk: one JSON object a line, on disk (fsync) before the job goes
 * on. An engine that was killed anywhere reads it at its next start and knows which steps were
 * begun, which ended, and whether the job was being undone.
 *
 * Steps are named, not numbered, so that a newer Berth with another table still understands an old
 * journal. Never a secret in it. */
#ifndef BERTH_ENGINE_JOURNAL_H
#define BERTH_ENGINE_JOURNAL_H

#include "core/base/err.h"
#include "core/base/model.h"

#include <cjson/cJSON.h>
#include <stdbool.h>

#define JOURNAL_MAX (1U << 20) /* bytes; a job writes a few KiB */

enum journal_mark {
    JOURNAL_BEGIN,  /* a step: about to be applied */
    JOURNAL_END,    /* a step: applied */
    JOURNAL_UNDONE, /* a step: taken back */
    JOURNAL_RESUME, /* an engine took the job up again */
    JOURNAL_FAIL,   /* it will be undone because of an error */
    JOURNAL_CLOSE,  /* it is over; state says how */
    JOURNAL_MARK_COUNT
};

/* The first line: what the job is. */
struct journal_head {
    char id[16];
    char kind[32];
    char title[96];
    char vm[MODEL_NAME_MAX];
    char by[MODEL_NAME_MAX];
    uint64_t started_ms;
    cJSON *params; /* what the kind needs to begin again */
};

/* One of the lines behind it. */
struct journal_entry {
    enum journal_mark mark;
    const char *step;     /* BEGIN, END, UNDONE; borrowed */
    uint64_t took_ms;     /* END */
    enum job_state state; /* CLOSE; FAIL: what the job will end as */
    struct err error;     /* FAIL, CLOSE: ERR_NONE where there is none */
    uint64_t at_ms;
};

/* A journal being written. */
struct journal {
    int fd;
};

/* Creates PATH (0600; it must not exist) with its first line. Blocking. */
int journal_create(struct journal *j, const char *path, const struct journal_head *head,
                   struct err *err);
/* Opens PATH to go on; a last line that a crash cut off is removed. Blocking. */
int journal_reopen(struct journal *j, const char *path, struct err *err);
/* Writes one line and waits until it is on disk. Blocking. */
int journal_append(struct journal *j, const struct journal_entry *entry, struct err *err);
void journal_close(struct journal *j);

enum journal_progress {
    JOURNAL_STEP_NONE,
    JOURNAL_STEP_BEGUN,
    JOURNAL_STEP_ENDED,
    JOURNAL_STEP_UNDONE
};

/* What a journal says, taken together. */
struct journal_replay {
    struct journal_head head;
    struct {
        char name[sizeof(((struct job_step *)0)->name)];
        enum journal_progress progress;
        uint64_t took_ms;
    } steps[MODEL_STEPS_MAX];
    size_t n_steps;
    unsigned resumes;
    bool failing; /* it was being undone */
    bool closed;
    enum job_state state; /* of FAIL or CLOSE */
    struct err error;
    uint64_t ended_ms;
};

/* Takes any bytes; a last line without its end is ignored. ERR_PROTOCOL where the first line is not
 * a journal's. Pure. */
int journal_parse(const char *data, size_t len, struct journal_replay *ret, struct err *err);
int journal_read(const char *path, struct journal_replay *ret, struct err *err);
void journal_replay_done(struct journal_replay *r);
#define auto_replay ATTR_CLEANUP(journal_replay_done)

/* How far step NAME came. */
enum journal_progress journal_progress_of(const struct journal_replay *r, const char *name,
                                          uint64_t *ret_took_ms);

#endif
