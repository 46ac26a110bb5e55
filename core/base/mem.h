/* Allocation that does not fail: out of memory aborts. Sizes that come from a peer are bounded by
 * the caller first. */
#ifndef BERTH_BASE_MEM_H
#define BERTH_BASE_MEM_H

#include "core/base/attr.h"

#include <stddef.h>

void *xmalloc(size_t size) ATTR_MALLOC;
void *xcalloc(size_t count, size_t size) ATTR_MALLOC;
void *xreallocarray(void *p, size_t count, size_t size) ATTR_USE_RESULT;
char *xstrdup(const char *s) ATTR_MALLOC;
char *xstrndup(const char *s, size_t max) ATTR_MALLOC;
char *xasprintf(const char *fmt, ...) ATTR_PRINTF(1, 2) ATTR_MALLOC;

#endif
