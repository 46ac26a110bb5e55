/* What the hub must not forget, in SQLite: identities, their twins, the subscriptions of persistent
 * sessions, the authorities of device certificates, and the sandbox's own keys. The messages that
 * wait for devices have a header of their own, store_c2d.h.
 *
 * Writes gather in one transaction until store_commit(), which the servers call before they send
 * what promises them (see net_server.h). With synchronous=FULL it is on the disk then. Loop thread
 * only; a call takes microseconds. */
#ifndef BERTH_HUB_STORE_H
#define BERTH_HUB_STORE_H

#include "core/base/err.h"
#include "core/base/secret.h"
#include "vm/guest/hub/topic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

#define STORE_KEY_MAX 92 /* base64 of 64 bytes and its end */

#define STORE_THUMBPRINT_MAX 65 /* hex of SHA-256 and its end */

/* How an identity proves who it is. The numbers are in the database. */
enum identity_auth {
    IDENTITY_SAS = 0,
    IDENTITY_SELF_SIGNED = 1, /* X.509 by thumbprint */
    IDENTITY_CA = 2,          /* X.509 by a registered authority */
    IDENTITY_NONE = 3,        /* cannot connect */
};

struct identity {
    char device[IDENTITY_ID_MAX];
    char module[IDENTITY_ID_MAX]; /* "": the device itself */
    char generation[24];
    char managed_by[64];
    char status_reason[130];
    char hub[HUB_NAME_MAX]; /* a device: the name of its hub where the sandbox has several; "": the
                               first */
    enum identity_auth auth;
    char primary_key[STORE_KEY_MAX], secondary_key[STORE_KEY_MAX];
    char primary_thumbprint[STORE_THUMBPRINT_MAX], secondary_thumbprint[STORE_THUMBPRINT_MAX];
    char parents[256]; /* a device: the scope of its parent; an edge device's own is made of its
                          name and generation; "": none */
    uint64_t version;  /* counts changes; the etag is made of it */
    bool disabled;
    bool iot_edge;
    uint64_t created_ms;
    uint64_t status_ms;
};

struct twin_row {
    uint64_t version; /* counts changes of the whole; the etag is made of it */
    char *tags;       /* JSON texts */
    char *desired, *desired_meta;
    char *reported, *reported_meta;
    uint64_t desired_version, reported_version;
};

void identity_wipe(struct identity *id);
#define auto_identity ATTR_CLEANUP(identity_wipe)
void twin_row_done(struct twin_row *t);
#define auto_twin_row ATTR_CLEANUP(twin_row_done)

/* PATH is made 0600 where it does not exist. */
int store_open(const char *path, struct store **ret, struct err *err);
void store_close(struct store *s); /* commits */
/* Makes all writes since the last call durable. Nothing to do is fine. -1: none of them happened.
 */
int store_commit(struct store *s, struct err *err);

/* ERR_NOT_FOUND where there is none. MODULE "" is the device. */
int store_identity_get(struct store *s, const char *device, const char *module,
                       struct identity *ret, struct err *err);
/* Creates or replaces; a new one gets an empty twin. */
int store_identity_put(struct store *s, const struct identity *id, struct err *err);
/* With its twin and session; a device with all of its modules and the messages for it. */
int store_identity_delete(struct store *s, const char *device, const char *module, struct err *err);
/* Devices (DEVICE NULL) or the modules of one, in order of their names, at most MAX behind AFTER.
 */
int store_identity_each(struct store *s, const char *device, const char *after, size_t max,
                        void (*fn)(void *arg, const struct identity *id), void *arg,
                        struct err *err);
/* Number of devices (DEVICE NULL) or of modules of one. */
int store_identity_count(struct store *s, const char *device, bool disabled_only, uint64_t *ret,
                         struct err *err);

int store_twin_get(struct store *s, const char *device, const char *module, struct twin_row *ret,
                   struct err *err);
int store_twin_put(struct store *s, const char *device, const char *module,
                   const struct twin_row *t, struct err *err);

/* Subscriptions of a client that asked to be remembered; SUBS 0 forgets. get: false where none are
 * kept. */
int store_session_put(struct store *s, const char *device, const char *module, bool keep,
                      unsigned subs, struct err *err);
bool store_session_get(struct store *s, const char *device, const char *module, unsigned *ret_subs);

/* Certificates of authorities, PEM, by their thumbprints. count: all but BUT. */
int store_authority_put(struct store *s, const char *thumbprint, const char *pem, struct err *err);
int store_authority_delete(struct store *s, const char *thumbprint,
                           struct err *err); /* ERR_NOT_FOUND */
int store_authority_each(struct store *s, void (*fn)(void *arg, const char *pem), void *arg,
                         struct err *err);
int store_authority_count(struct store *s, const char *but, uint64_t *ret, struct err *err);

/* Keys of the sandbox itself. ERR_NOT_FOUND where NAME was never set. */
int store_secret_get(struct store *s, const char *name, struct secret *ret, struct err *err);
int store_secret_put(struct store *s, const char *name, const char *value, struct err *err);

#endif
