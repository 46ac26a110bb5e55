/* A TPM 2.0: names itself to the provisioning service, takes the key that it gives, and signs with
 * it. Each call opens the TPM, does its work and closes it; it blocks, for seconds where the chip
 * is slow or has to make a key. Any thread. ERR_UNSUPPORTED: there is none that can be used. */
#ifndef BERTH_EDGED_TPM_H
#define BERTH_EDGED_TPM_H

#include "core/azure/dps_client.h"
#include "vm/guest/edged/config.h"

/* ARG is a const struct config_tpm. */
int tpm_keys(const void *arg, struct buf *ret_endorsement, struct buf *ret_storage,
             struct err *err);
int tpm_answer(const void *arg, const struct secret *blob, const void *text, size_t len,
               unsigned char ret[32], struct err *err);
int tpm_import(const void *arg, const struct secret *blob, struct err *err);
/* With the key that was imported. ERR_NOT_FOUND: there is none. */
int tpm_sign(const void *arg, const void *text, size_t len, unsigned char ret[32], struct err *err);

#endif
