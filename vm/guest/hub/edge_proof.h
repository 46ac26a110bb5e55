/* What a client of the edge hub shows to prove who it is, and whether it fits an identity. Pure but
 * for reading the clock; any thread. */
#ifndef BERTH_HUB_EDGE_PROOF_H
#define BERTH_HUB_EDGE_PROOF_H

#include "core/azure/sas.h"
#include "core/io/tls_cert.h"
#include "vm/guest/hub/edge_auth.h"
#include "vm/guest/hub/edge_scope.h"

struct edge_proof {
    bool module; /* whose it is: a module's */
    bool token;  /* else a certificate */
    struct sas sas;
    struct tls_cert_info cert;
    struct err chain; /* why its certificate does not lead to the trust bundle; ERR_NONE: it does */
};

/* Takes it from CLAIM. ERR_AUTH: it cannot be good for anybody: it is malformed, expired, or meant
 * for somebody else. TRUST: PEM, "" not known. */
int edge_proof_read(const struct edge_claim *claim, const struct edge_settings *settings,
                    const char *trust, struct edge_proof *ret, struct err *err);

/* Whether a token for RESOURCE ("HOST/devices/D[/modules/M]", host and ids in any case) is meant
 * for this hub and this client; a module may also show one for its device. */
bool edge_proof_meant_for(const char *resource, const struct edge_settings *settings,
                          const char *device, const char *module);

/* DEVICE, and of a module MODULE: as the scope has them, or NULL. ERR_AUTH. */
int edge_proof_fits(const struct edge_proof *p, const struct edge_identity *device,
                    const struct edge_identity *module, struct err *err);

#endif
