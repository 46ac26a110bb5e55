/* What goes into a support bundle. */
#ifndef BERTH_IOTEDGE_SUPPORT_H
#define BERTH_IOTEDGE_SUPPORT_H

#include "vm/guest/iotedge/iotedge.h"
#include "vm/guest/iotedge/zip_file.h"

#include <stdbool.h>
#include <stdint.h>

struct support_options {
    const char *since, *until;      /* as people write times; UNTIL may be NULL */
    uint64_t since_s, until_s;      /* the same, since 1970; until 0: now */
    const char *hub;                /* for the checks; NULL: as configured */
    bool runtime_only;              /* edgeAgent and edgeHub, no other module */
    bool as_root;                   /* this is not root: the guest's helper collects it */
    void (*tell)(const char *what); /* progress for people */
};

/* Fills Z. What cannot be had becomes an entry NAME_err that says why, as in Microsoft's bundle;
 * only a Z that cannot be written is an error. */
int support_collect(const struct iotedge *o, const struct support_options *options,
                    struct zip_file *z, struct err *err);

/* "logs/NAME_log.txt" from what others called NAME: nothing in it leads out of the folder. */
void support_entry(const char *folder, const char *name, const char *end, char *to, size_t size);

#endif
