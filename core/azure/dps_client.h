/* The Device Provisioning Service's device side over HTTPS: registers, waits for the assignment,
 * and tells where the device belongs. Proof is a key, a TPM, or the client certificate of the
 * dialer. Loop thread only. */
#ifndef BERTH_AZURE_DPS_CLIENT_H
#define BERTH_AZURE_DPS_CLIENT_H

#include "core/azure/dps_answer.h"
#include "core/azure/sas.h"
#include "core/base/buf.h"
#include "core/io/stream.h"

#include <uv.h>

/* A TPM 2.0. The calls block, for seconds where the chip is slow, and run on a worker thread; ARG
 * outlives them. */
struct dps_tpm {
    /* The public parts of endorsement and storage root key, as the TPM marshals them. */
    int (*keys)(const void *arg, struct buf *ret_endorsement, struct buf *ret_storage,
                struct err *err);
    /* Opens BLOB, which only this TPM can, and signs TEXT with the key in it. */
    int (*answer)(const void *arg, const struct secret *blob, const void *text, size_t len,
                  unsigned char ret[32], struct err *err);
    /* Keeps the key in BLOB: from now on it is the device's. */
    int (*import)(const void *arg, const struct secret *blob, struct err *err);
    const void *arg;
};

struct dps_options {
    const char *host; /* "NAME:PORT" of the service */
    const char *id_scope;
    const char *registration_id;
    const char *payload;             /* JSON for the allocation; NULL: none */
    struct dialer *dialer;           /* borrowed; shows the certificate where that is the proof */
    const struct sas_signer *signer; /* key: signs at once; else NULL */
    const struct dps_tpm *tpm;       /* else NULL */
    uint64_t call_ms;                /* for one answer */
    unsigned retries;                /* of a call that got none, or "busy" */
    uint64_t total_ms;               /* for the whole registration */
};

struct dps_client;

/* The end, once, never from inside dps_register; the client is gone after it. ERR as of
 * dps_answer_parse, and what the dialer says of the connection. */
typedef void (*dps_fn)(void *arg, const struct dps_device *device, const struct err *err);

/* Everything but the dialer is copied. */
struct dps_client *dps_register(uv_loop_t *loop, const struct dps_options *options, dps_fn fn,
                                void *arg);
void dps_cancel(struct dps_client *c); /* FN does not come; NULL is fine */

#endif
