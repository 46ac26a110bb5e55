/* Who may do what: tokens and certificates of devices, modules and services. Loop thread only. */
#ifndef BERTH_HUB_AUTH_H
#define BERTH_HUB_AUTH_H

#include "core/base/err.h"
#include "core/io/tls.h"
#include "vm/guest/hub/store.h"

#include <stddef.h>
#include <stdint.h>

enum auth_right {
    RIGHT_REGISTRY_READ = 1,
    RIGHT_REGISTRY_WRITE = 2,
    RIGHT_SERVICE = 4,
    RIGHT_DEVICE = 8, /* connect as any device */
    RIGHT_OWN = 16,   /* a device's own token or certificate: its own modules */
    /* of the provisioning service */
    RIGHT_ENROLMENT_READ = 32,
    RIGHT_ENROLMENT_WRITE = 64,
    RIGHT_REGISTRATION_READ = 128,
    RIGHT_REGISTRATION_WRITE = 256,
};

struct auth {
    struct store *store;
    const char *const *hubs;  /* the names of the hubs, NULL-terminated */
    const char *const *names; /* other names and addresses that clients may use; each stands for
                                 whichever hub a device is on */
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
    const char *chain;     /* NULL or "": the client is here itself; else an edge hub shows its own
                              token for it: "DEVICE[/MODULE][;DEVICE];EDGE" */
};

/* What a client gets that proved who it is. */
struct auth_grant {
    uint64_t expiry_s;   /* its connection ends then; UINT64_MAX: never */
    const char *method;  /* how it proved that, as IoT Hub writes it on its messages; static */
    char generation[24]; /* of its identity */
    char via[IDENTITY_ID_MAX]; /* the IoT Edge device whose hub speaks for it; "": nobody */
};

/* Whether PROOF is good for a connection to HUB (from the user name, with or without a port) as
 * DEVICE[/MODULE] (MODULE ""). What is asked for is the identity's own way of authentication.
 * ERR_AUTH says why not, for the hub's own log. */
int auth_client(const struct auth *a, const struct auth_proof *proof, const char *hub,
                const char *device, const char *module, struct auth_grant *ret, struct err *err);

struct auth_caller {
    unsigned rights;        /* enum auth_right */
    char hub[HUB_NAME_MAX]; /* that the token names, or the device is on; "" where it names none in
                               particular */
};

/* A REST call for TARGET ("/devices/d1", decoded). Service policies give their rights; a device's
 * own token or, without a token, its certificate gives RIGHT_OWN on its part of the registry.
 * ERR_AUTH otherwise. */
int auth_service(const struct auth *a, const struct auth_proof *proof, const char *target,
                 struct auth_caller *ret, struct err *err);

/* ---- the authorities that sign device certificates: auth_authority.c ---- */

#define AUTH_AUTHORITIES_MAX 25 /* as on IoT Hub */

/* Registers the first certificate of the PEM text; it may be there already. Azure also wants a
 * proof that one has its private key. The sandbox does not: who may add an authority here may
 * create any device anyway. ERR_INVALID: not the certificate of an authority. */
int auth_authority_add(struct store *store, const char *pem, size_t len, struct tls_cert_info *ret,
                       struct err *err);
/* The one with this SHA-256 thumbprint, in small or capital letters. ERR_NOT_FOUND. */
int auth_authority_remove(struct store *store, const char *thumbprint, struct err *err);
int auth_authority_each(struct store *store,
                        void (*fn)(void *arg, const struct tls_cert_info *info), void *arg,
                        struct err *err);
/* All of them as one PEM text, appended; nothing where there are none. */
int auth_authorities(struct store *store, struct buf *ret, struct err *err);

#endif
