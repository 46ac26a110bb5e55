/* Who may do what: tokens of devices, modules and services. Loop thread only. */
#ifndef BERTH_HUB_AUTH_H
#define BERTH_HUB_AUTH_H

#include "core/base/err.h"
#include "vm/guest/hub/store.h"

#include <stddef.h>
#include <stdint.h>

enum auth_right {
    RIGHT_REGISTRY_READ = 1,
    RIGHT_REGISTRY_WRITE = 2,
    RIGHT_SERVICE = 4,
    RIGHT_DEVICE = 8, /* connect as any device */
    RIGHT_OWN = 16,   /* a device's own token: its own modules */
    /* of the provisioning service */
    RIGHT_ENROLMENT_READ = 32,
    RIGHT_ENROLMENT_WRITE = 64,
    RIGHT_REGISTRATION_READ = 128,
    RIGHT_REGISTRATION_WRITE = 256,
};

struct auth {
    struct store *store;
    const char *const *names; /* host names that a token may name, NULL-terminated */
};

/* Makes the shared access policies' keys where the sandbox is new. */
int auth_prepare(struct store *store, struct err *err);
/* The key of policy NAME ("iothubowner"). */
int auth_policy_key(struct store *store, const char *name, struct secret *ret, struct err *err);
/* A new random key: base64 of 32 bytes, into TO. */
void auth_make_key(char *to, size_t size);

/* What a client shows to prove who it is: a token, or the certificate of its TLS connection. */
struct auth_proof {
    const char *token; /* NULL: none */
    size_t len;
    const struct tls *tls; /* NULL: none */
};

/* Whether PROOF is good for a connection as DEVICE[/MODULE] (MODULE "") of hub HUB. RET_EXPIRY_S:
 * when it ends; UINT64_MAX for a certificate. ERR_AUTH says why not, for the hub's own log. */
int auth_client(const struct auth *a, const struct auth_proof *proof, const char *hub,
                const char *device, const char *module, uint64_t *ret_expiry_s, struct err *err);

/* The authorities that sign device certificates, as one PEM text for the caller: each was added
 * with `berth sandbox ca add`. */
int auth_authorities(struct store *store, struct buf *ret, struct err *err);

/* A REST call's Authorization header for TARGET ("/devices/d1", decoded). Service policies give
 * their rights; a device's own token gives RIGHT_OWN on its part of the registry. ERR_AUTH
 * otherwise. */
int auth_service(const struct auth *a, const char *token, const char *target, unsigned *ret_rights,
                 struct err *err);

#endif
