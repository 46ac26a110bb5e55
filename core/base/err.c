/* See err.h. Fixed buffers on purpose: the failure path must not allocate. */
#include "core/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [ERR_NONE] = "none",
    [ERR_INVALID] = "invalid",
    [ERR_NOT_FOUND] = "not_found",
    [ERR_EXISTS] = "exists",
    [ERR_BUSY] = "busy",
    [ERR_AUTH] = "auth",
    [ERR_UNREACHABLE] = "unreachable",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CANCELLED] = "cancelled",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_NO_SPACE] = "no_space",
    [ERR_PROTOCOL] = "protocol",
    [ERR_REMOTE] = "remote",
    [ERR_SYSTEM] = "system",
    [ERR_BUG] = "bug",
};
_Static_assert(ARRAY_LEN(kind_names) == ERR_KIND_COUNT, "a name for each kind");

static const struct {
    int errnum;
    enum err_kind kind;
} errno_kinds[] = {
    {ENOENT, ERR_NOT_FOUND},
    {EEXIST, ERR_EXISTS},
    {EACCES, ERR_AUTH},
    {EPERM, ERR_AUTH},
    {ENOSPC, ERR_NO_SPACE},
    {EDQUOT, ERR_NO_SPACE},
    {ENOMEM, ERR_NO_SPACE},
    {EROFS, ERR_UNSUPPORTED},
    {ECONNREFUSED, ERR_UNREACHABLE},
    {ENETUNREACH, ERR_UNREACHABLE},
    {EHOSTUNREACH, ERR_UNREACHABLE},
    {ECONNRESET, ERR_UNREACHABLE},
    {EPIPE, ERR_UNREACHABLE},
    {ETIMEDOUT, ERR_TIMEOUT},
    {ECANCELED, ERR_CANCELLED},
    {EADDRINUSE, ERR_EXISTS},
    {EBUSY, ERR_BUSY},
    {EINVAL, ERR_INVALID},
};

/* A cut message says so, instead of ending in the middle of a word as if it were whole. */
static void mark_cut(char *text, size_t size, int wanted)
{
    if (wanted >= 0 && (size_t)wanted >= size)
        memcpy(text + size - 4, "...", 4);
}

static enum err_kind kind_of_errno(int errnum)
{
    for (size_t i = 0; i < ARRAY_LEN(errno_kinds); i++)
        if (errno_kinds[i].errnum == errnum)
            return errno_kinds[i].kind;
    return ERR_SYSTEM;
}

int err_vset(struct err *err, enum err_kind kind, const char *fmt, va_list ap)
{
    if (!err)
        return -1;

    /* The arguments may point into the error itself (err_set(e, ..., e->msg)). */
    char text[sizeof(err->msg)];
    mark_cut(text, sizeof(text), vsnprintf(text, sizeof(text), fmt, ap));
    *err = (struct err){.kind = kind};
    memcpy(err->msg, text, sizeof(text));
    return -1;
}

int err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, kind, fmt, ap);
    va_end(ap);
    return -1;
}

int err_sys(struct err *err, int errnum, const char *fmt, ...)
{
    if (!err)
        return -1;

    char what[sizeof(err->msg)];
    char why[128];
    va_list ap;
    va_start(ap, fmt);
    mark_cut(what, sizeof(what), vsnprintf(what, sizeof(what), fmt, ap));
    va_end(ap);
    err_set(err, kind_of_errno(errnum), "%s: %s", what, strerror_r(errnum, why, sizeof(why)));
    err->sys = errnum;
    return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    if (!err)
        return -1;

    char outer[sizeof(err->msg)];
    char inner[sizeof(err->msg)];
    va_list ap;
    va_start(ap, fmt);
    mark_cut(outer, sizeof(outer), vsnprintf(outer, sizeof(outer), fmt, ap));
    va_end(ap);
    memcpy(inner, err->msg, sizeof(inner));
    mark_cut(err->msg, sizeof(err->msg),
             snprintf(err->msg, sizeof(err->msg), "%s: %s", outer, inner));
    return -1;
}

int err_hint(struct err *err, const char *fmt, ...)
{
    if (!err)
        return -1;

    va_list ap;
    va_start(ap, fmt);
    mark_cut(err->hint, sizeof(err->hint), vsnprintf(err->hint, sizeof(err->hint), fmt, ap));
    va_end(ap);
    return -1;
}

const char *err_kind_name(enum err_kind kind)
{
    return (unsigned)kind < ERR_KIND_COUNT ? kind_names[kind] : "bug";
}

enum err_kind err_kind_parse(const char *name)
{
    for (size_t i = 0; name && i < ARRAY_LEN(kind_names); i++)
        if (strcmp(kind_names[i], name) == 0)
            return (enum err_kind)i;
    return ERR_SYSTEM;
}
