/* An enrolment: which devices may register, and what becomes of them. Of one device, or of a group.
 * With its JSON. Pure; any thread. */
#ifndef BERTH_HUB_DPS_ENROLMENT_H
#define BERTH_HUB_DPS_ENROLMENT_H

#include "vm/guest/hub/dps_attestation.h"

#define DPS_HUBS_MAX 16 /* that one enrolment names */

enum dps_allocation { DPS_HASHED, DPS_GEO_LATENCY, DPS_STATIC };

struct dps_enrolment {
    bool group;
    char id[IDENTITY_ID_MAX];
    char etag[DPS_ETAG_MAX];
    uint64_t created_ms, updated_ms;
    struct dps_attestation attestation;
    char device[IDENTITY_ID_MAX]; /* "": its id; a group: the registration ids */
    bool disabled;
    bool iot_edge;
    enum dps_allocation allocation;
    char hub[HUB_NAME_MAX]; /* "": one of HUBS */
    char hubs[DPS_HUBS_MAX][HUB_NAME_MAX];
    size_t n_hubs; /* 0: all hubs */
    bool update_hub, migrate;
    char *twin;        /* {"tags":{},"properties":{"desired":{}}}, or NULL */
    char *information; /* JSON object, or NULL */
};

void dps_enrolment_done(struct dps_enrolment *e); /* wipes */
#define auto_dps_enrolment ATTR_CLEANUP(dps_enrolment_done)

/* Letters, digits and "-._:", 1 to 128 of them, the last a letter, a digit or "-". */
bool dps_id_valid(const char *id);

/* Reads what a service client wrote about the enrolment ID into RET (empty). HUBS: the names of the
 * sandbox's hubs, NULL-terminated. OLD as in dps_attestation_read(). ERR_INVALID names the path. */
int dps_enrolment_read(const cJSON *body, bool group, const char *id, const char *const *hubs,
                       const struct dps_enrolment *old, struct dps_enrolment *ret, struct err *err);
/* For the caller. */
cJSON *dps_enrolment_show(const struct dps_enrolment *e, enum dps_show what);

/* To and from the database. RET_ROW is for the caller; RET (empty) too. */
void dps_enrolment_pack(const struct dps_enrolment *e, struct enrolment_row *ret_row);
int dps_enrolment_unpack(const struct enrolment_row *row, struct dps_enrolment *ret,
                         struct err *err);

#endif
