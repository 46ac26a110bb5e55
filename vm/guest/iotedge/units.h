/* The guest's services through systemctl and their logs through journalctl, each call with a limit
 * in time and size. Blocking. */
#ifndef BERTH_IOTEDGE_UNITS_H
#define BERTH_IOTEDGE_UNITS_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* What systemd says of a unit; texts are sanitised. */
struct unit_state {
    char active[32]; /* "active", "failed", "inactive", ... */
    char sub[32];    /* "running", "listening", ... */
    char result[32]; /* of its last end: "success", "exit-code", ... */
    char status[16]; /* exit status of its last end */
    char restarts[16];
};

/* VERB: "restart", "stop", "reset-failed". ERR_UNSUPPORTED: this machine has no systemd. */
int unit_act(const char *verb, const char *unit, struct err *err);
int unit_show(const char *unit, struct unit_state *ret, struct err *err);
/* The value of one more property, cut to SIZE. */
int unit_property(const char *unit, const char *name, char *to, size_t size, struct err *err);

/* What of the journal is wanted. */
struct unit_log {
    const char *unit;          /* NULL: the kernel's messages */
    uint64_t since_s, until_s; /* since 1970; 0: no limit */
    unsigned lines;            /* at most the last so many; 0: all */
    size_t bytes;              /* and no more than so much */
};
int unit_log_read(const struct unit_log *q, struct buf *out, struct err *err);

#endif
