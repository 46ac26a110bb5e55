/* Which enrolment lets a device register, by key, certificate or TPM. Loop thread only. */
#ifndef BERTH_HUB_DPS_AUTH_H
#define BERTH_HUB_DPS_AUTH_H

#include "vm/guest/hub/dps_private.h"

/* What a device that proved who it is gets on its hub. */
struct dps_grant {
    struct dps_enrolment enrolment;
    uint64_t expiry_s;                                /* of its token; UINT64_MAX: it has none */
    char keys[DPS_BOTH][STORE_KEY_MAX];               /* by symmetric key: its own */
    char thumbprints[DPS_BOTH][STORE_THUMBPRINT_MAX]; /* by X.509; "": none */
    bool has_cert;
    struct tls_cert_info cert; /* by X.509: that it showed */
};

void dps_grant_done(struct dps_grant *g); /* wipes */
#define auto_dps_grant ATTR_CLEANUP(dps_grant_done)

/* Whether PROOF is good for registration ID; fills RET (empty). ERR_AUTH says why not, for the log.
 */
int dps_auth_device(struct dps *d, const struct auth_proof *proof, const char *id,
                    struct dps_grant *ret, struct err *err);

/* A TPM that is enrolled as ID shows its public keys (the member "tpm" of a registration): the
 * base64 of the challenge to it, appended. ERR_AUTH: no such TPM is enrolled. */
int dps_auth_challenge(struct dps *d, const char *id, const cJSON *tpm, struct buf *ret,
                       struct err *err);
/* The base64 of KEY (base64), wrapped for the TPM that was challenged last under enrolment E;
 * appended. URI: what the key is for. */
int dps_auth_wrap(struct dps *d, const struct dps_enrolment *e, const char *key, const char *uri,
                  struct buf *ret, struct err *err);

#endif
