/* The certificates of this edge: its authority (the edge CA), given by the configuration or made
 * here, what that signs for modules, and what modules are to trust. The authority's key is in the
 * key store's folder; modules' keys are given away and not kept. Blocking, a few milliseconds; loop
 * thread. */
#ifndef BERTH_EDGED_CERTS_H
#define BERTH_EDGED_CERTS_H

#include "core/base/buf.h"
#include "core/base/json.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/device.h"

#include <stddef.h>
#include <stdint.h>

struct certs;

/* Makes the folder STATE_DIR/certs; STATE_DIR/keys exists. CONFIG and DEVICE outlive it; DEVICE may
 * be empty still. */
struct certs *certs_new(const struct config *config, const struct device *device,
                        const char *state_dir, struct err *err);
void certs_free(struct certs *c); /* NULL is fine */

/* Once the device is known, and again when certs_keep_ms() have passed: makes the authority, or
 * renews one of our making in time. RET_RENEWED: there was another before, so whoever holds a
 * certificate or the trust bundle needs it anew. */
int certs_keep(struct certs *c, bool *ret_renewed, struct err *err);
/* Until the next look. At most an hour: clocks jump. */
uint64_t certs_keep_ms(const struct certs *c);

/* What a module asks for. */
struct certs_order {
    bool server;             /* to serve as NAME; else to prove which module it is */
    const char *module;      /* "$edgeHub" */
    const char *common_name; /* server: host name or numeric address */
};
struct certs_pair {
    struct buf cert; /* PEM: leaf, then the authority's chain */
    struct buf key;  /* PEM, PKCS #8 */
    uint64_t until_ms;
};
/* ERR_INVALID: the name cannot stand in a certificate. ERR_NOT_FOUND: there is no authority yet. */
int certs_issue(struct certs *c, const struct certs_order *order, struct certs_pair *ret,
                struct err *err);
void certs_pair_done(struct certs_pair *p);
#define auto_certs_pair ATTR_CLEANUP(certs_pair_done)

/* Appends, as PEM: the authority, the one before as long as it is valid, trust_bundle_cert. */
int certs_trust_bundle(const struct certs *c, struct buf *out, struct err *err);

/* The module has gone: what it held need not be watched any more. */
void certs_forget(struct certs *c, const char *module);

/* Every certificate with its end: objects {use, module, subject, notBefore, notAfter, renewal}. */
void certs_calendar(const struct certs *c, cJSON *to);

/* When an authority of our making that is valid from FROM_MS (a day before it was made) to UNTIL_MS
 * is to be renewed. Pure. */
uint64_t certs_renewal_ms(const struct config_edge_ca *ca, uint64_t from_ms, uint64_t until_ms);
/* Whether NAME can be a host's in a certificate: letters, digits, '-', '_' and '.', perhaps "*." in
 * front, or a numeric address. Pure. */
bool certs_host_name(const char *name);

#endif
