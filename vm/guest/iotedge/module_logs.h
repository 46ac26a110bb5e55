/* The log of a module as the management API is asked for it. */
#ifndef BERTH_IOTEDGE_MODULE_LOGS_H
#define BERTH_IOTEDGE_MODULE_LOGS_H

#include "vm/guest/iotedge/ask.h"

/* Texts as people and the API write them. */
struct module_logs {
    const char *module;
    const char *tail;  /* "all" or a number */
    const char *since; /* "1 day", RFC 3339, seconds since 1970 */
    const char *until; /* the same, or NULL */
    bool follow;
};

/* ERR_INVALID names the option. */
int module_logs_check(const struct module_logs *q, struct err *err);
/* Appends the target of the request. */
void module_logs_target(const struct module_logs *q, struct buf *out);

#endif
