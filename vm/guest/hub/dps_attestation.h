/* How the devices of an enrolment prove who they are: keys, certificates, a TPM. With its JSON.
 * Pure; any thread. */
#ifndef BERTH_HUB_DPS_ATTESTATION_H
#define BERTH_HUB_DPS_ATTESTATION_H

#include "core/io/tls_cert.h"
#include "vm/guest/hub/dps_json.h"
#include "vm/guest/hub/store_dps.h"

enum dps_proof { DPS_PROOF_KEY, DPS_PROOF_X509, DPS_PROOF_TPM };

/* Which certificates an X.509 attestation names. */
enum dps_x509 { DPS_X509_CLIENT, DPS_X509_SIGNING, DPS_X509_CA };

struct dps_cert {
    char *pem; /* NULL: none */
    struct tls_cert_info info;
};

enum { DPS_PRIMARY, DPS_SECONDARY, DPS_BOTH };

struct dps_attestation {
    enum dps_proof proof;
    char keys[DPS_BOTH][STORE_KEY_MAX];
    enum dps_x509 x509;
    struct dps_cert certs[DPS_BOTH];             /* client, signing */
    char authorities[DPS_BOTH][IDENTITY_ID_MAX]; /* thumbprint or name; "": none */
    char *endorsement_key, *storage_root_key;    /* base64; NULL: any */
};

void dps_attestation_done(struct dps_attestation *a); /* wipes */

/* The word of the API: "symmetricKey", "x509", "tpm". */
const char *dps_proof_word(enum dps_proof proof);

/* How much of it a caller may see. */
enum dps_show {
    DPS_SHOW_PUBLIC, /* no keys; what certificates say */
    DPS_SHOW_KEYS,   /* with keys */
    DPS_SHOW_STORED, /* with keys and certificates: for the database */
};

/* Reads the member "attestation" of BODY into RET (empty). Keys that are missing are made. OLD
 * (NULL: none) is what the enrolment had: where BODY only repeats what a GET showed, its keys and
 * certificates stay. ERR_INVALID names the path. */
int dps_attestation_read(const cJSON *body, bool group, const struct dps_attestation *old,
                         struct dps_attestation *ret, struct err *err);
/* For the caller. */
cJSON *dps_attestation_show(const struct dps_attestation *a, enum dps_show what);
/* What a certificate says, as the API shows it; for the caller. */
cJSON *dps_cert_show(const struct tls_cert_info *info);

#endif
