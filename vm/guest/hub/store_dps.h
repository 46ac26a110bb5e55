/* What the Device Provisioning Service must not forget: enrolments, the registrations that came of
 * them, and what TPMs were challenged with. A part of the store; see store.h. Ids of this service
 * are the same in upper and lower case. */
#ifndef BERTH_HUB_STORE_DPS_H
#define BERTH_HUB_STORE_DPS_H

#include "vm/guest/hub/store.h"

#define DPS_ETAG_MAX      32
#define DPS_OPERATION_MAX 64

struct enrolment_row {
    bool group;
    char id[IDENTITY_ID_MAX];
    char type[16]; /* of its attestation, so that groups are found by it */
    char etag[DPS_ETAG_MAX];
    uint64_t created_ms, updated_ms;
    char *json; /* the rest of it, with keys */
};

/* The numbers are in the database. */
enum registration_status {
    REGISTRATION_ASSIGNED = 0,
    REGISTRATION_FAILED = 1,
    REGISTRATION_DISABLED = 2,
};
enum registration_substatus {
    SUBSTATUS_INITIAL = 0,
    SUBSTATUS_MIGRATED = 1,
    SUBSTATUS_RESET = 2,
    SUBSTATUS_AGAIN = 3,
};

struct registration_row {
    char id[IDENTITY_ID_MAX];    /* as its device spelled it first */
    char group[IDENTITY_ID_MAX]; /* "": enrolled individually */
    char operation[DPS_OPERATION_MAX];
    enum registration_status status;
    enum registration_substatus substatus;
    char device[IDENTITY_ID_MAX]; /* "": none was ever assigned */
    char hub[HUB_NAME_MAX];       /* as identity.hub */
    unsigned error_code;          /* 0: none */
    char error[480];
    char *payload; /* JSON that the device sent along, or NULL */
    char etag[DPS_ETAG_MAX];
    uint64_t created_ms, updated_ms;
};

void enrolment_row_done(struct enrolment_row *row); /* wipes */
#define auto_enrolment_row ATTR_CLEANUP(enrolment_row_done)
void registration_row_done(struct registration_row *row);
#define auto_registration_row ATTR_CLEANUP(registration_row_done)

/* ERR_NOT_FOUND where there is none. */
int store_enrolment_get(struct store *s, bool group, const char *id, struct enrolment_row *ret,
                        struct err *err);
int store_enrolment_put(struct store *s, const struct enrolment_row *row, struct err *err);
/* With its registrations. ERR_NOT_FOUND. */
int store_enrolment_delete(struct store *s, bool group, const char *id, struct err *err);
/* In order of their ids, at most MAX behind AFTER, of one TYPE unless it is NULL, until FN returns
 * false. */
int store_enrolment_each(struct store *s, bool group, const char *type, const char *after,
                         size_t max, bool (*fn)(void *arg, const struct enrolment_row *row),
                         void *arg, struct err *err);
int store_enrolment_count(struct store *s, bool group, uint64_t *ret, struct err *err);

int store_registration_get(struct store *s, const char *id, struct registration_row *ret,
                           struct err *err);
int store_registration_put(struct store *s, const struct registration_row *row, struct err *err);
int store_registration_delete(struct store *s, const char *id, struct err *err);
/* Of one group, as above. */
int store_registration_each(struct store *s, const char *group, const char *after, size_t max,
                            bool (*fn)(void *arg, const struct registration_row *row), void *arg,
                            struct err *err);

/* The last challenge for a registration: the base64 of the key in it, and of the storage root key
 * that it was wrapped for. */
int store_challenge_get(struct store *s, const char *id, struct secret *ret_key, char **ret_srk,
                        struct err *err);
int store_challenge_put(struct store *s, const char *id, const char *key, const char *srk,
                        struct err *err);

#endif
