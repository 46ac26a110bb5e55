/* Reading and changing the twins of the store, and telling the clients. JSON at its edges. Loop
 * thread only. */
#ifndef BERTH_HUB_TWINS_H
#define BERTH_HUB_TWINS_H

#include "core/base/json.h"
#include "vm/guest/hub/hub.h"

/* What a device gets: {"desired":{...,"$version":n},"reported":{...,"$version":n}}, appended. */
int twins_read(struct hub *hub, const char *device, const char *module, struct buf *out,
               struct err *err);

/* A device's report. BASE: the version it must be based on, or NULL. ERR_INVALID: not acceptable;
 * ERR_BUSY: based on another version. */
int twins_report(struct hub *hub, const char *device, const char *module, const char *patch,
                 size_t len, const uint64_t *base, uint64_t *ret_version, struct err *err);

/* The twin as the service API shows it, for the caller. */
int twins_show(struct hub *hub, const char *device, const char *module, cJSON **ret,
               struct err *err);
/* The same of what was read already, with only the PARTS of enum twin_part. */
int twins_document(struct hub *hub, const struct identity *id, const struct twin_row *t,
                   unsigned parts, cJSON **ret, struct err *err);
/* The desired section alone, as it is stored. */
int twins_desired(struct hub *hub, const char *device, const char *module, cJSON **ret,
                  struct err *err);

/* {"tags":{},"properties":{"desired":{}}}, each optional: merged, or with REPLACE put in place of
 * what is there. ETAG: what the twin must still be, or NULL. ERR_INVALID, ERR_BUSY (another etag),
 * ERR_NOT_FOUND. */
int twins_change(struct hub *hub, const char *device, const char *module, const cJSON *body,
                 bool replace, const char *etag, struct err *err);

/* DESIRED in place of what is there; one notification, with nulls for what is gone. */
int twins_deploy(struct hub *hub, const char *device, const char *module, const cJSON *desired,
                 struct err *err);

/* "AAAAAAAAAAE=" for 1. TO holds 16 bytes. */
void twins_etag(uint64_t version, char *to, size_t size);

#endif
