/* The one error type. It lives on the caller's stack, owns nothing and may be copied across
 * threads.
 *
 * Contract: the last parameter of a function that can fail is `struct err *err` (may be NULL).
 * Success does not touch it; failure sets it and leaves every ret_ parameter alone. Library code
 * returns errors; only an edge (RPC dispatch, job end, main) shows or logs them, once. */
#ifndef BERTH_BASE_ERR_H
#define BERTH_BASE_ERR_H

#include "core/base/attr.h"

#include <stdarg.h>

/* What the caller can do about it. The same values travel as JSON-RPC error codes: append only. */
enum err_kind {
    ERR_NONE,
    ERR_INVALID,     /* input is wrong: correct the named field */
    ERR_NOT_FOUND,   /* no such VM, module, device, file */
    ERR_EXISTS,      /* the name is taken */
    ERR_BUSY,        /* another job holds it: wait or cancel */
    ERR_AUTH,        /* credentials or rights do not suffice */
    ERR_UNREACHABLE, /* nobody answers there */
    ERR_TIMEOUT,     /* no answer in time */
    ERR_CANCELLED,   /* somebody asked for it to stop */
    ERR_UNSUPPORTED, /* this host or guest cannot do it */
    ERR_NO_SPACE,    /* disk or memory does not suffice */
    ERR_PROTOCOL,    /* the other side broke the protocol */
    ERR_REMOTE,      /* the other side (cloud, guest, libvirt) refused */
    ERR_SYSTEM,      /* a system call failed */
    ERR_BUG,         /* our own mistake */
    ERR_KIND_COUNT
};

struct err {
    enum err_kind kind;
    int sys;        /* errno where a system call failed, else 0 */
    char msg[480];  /* what happened, in the user's words; ends in "..." where cut */
    char hint[240]; /* the next step; empty where there is none */
};

/* Set kind and message; any hint is cleared. Always -1, so that it can be returned. */
int err_set(struct err *err, enum err_kind kind, const char *fmt, ...) ATTR_PRINTF(3, 4);
int err_vset(struct err *err, enum err_kind kind, const char *fmt, va_list ap) ATTR_PRINTF(3, 0);

/* The same for a failed system call: the kind comes from ERRNUM, whose text is appended. Always -1.
 */
int err_sys(struct err *err, int errnum, const char *fmt, ...) ATTR_PRINTF(3, 4);

/* Put "CONTEXT: " in front of the message; kind and hint stay. Always -1. */
int err_wrap(struct err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Say what to do next. Always -1. */
int err_hint(struct err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);

/* Lower-case word for a kind ("not_found") and back; an unknown word is ERR_SYSTEM. Static strings.
 */
const char *err_kind_name(enum err_kind kind);
enum err_kind err_kind_parse(const char *name);

#endif
