/* A secret in memory: it has no formatter, is wiped when freed, and never travels through printf,
 * argv or the environment. */
#ifndef BERTH_BASE_SECRET_H
#define BERTH_BASE_SECRET_H

#include "core/base/attr.h"

#include <stddef.h>

struct secret {
    char *data; /* NUL-terminated for convenience; NULL when empty */
    size_t len;
};

void secret_set(struct secret *s, const void *data,
                size_t len);        /* copies; the old value is wiped */
void secret_wipe(struct secret *s); /* s becomes empty */
#define auto_secret ATTR_CLEANUP(secret_wipe)

/* Wipes and frees a heap string; NULL is fine. */
void secret_free(char *text);

#endif
