/* How this device proves to the provisioning service and to the hub that it is itself: by a key of
 * the key store, by a certificate, or by its TPM. Loop thread only. */
#ifndef BERTH_EDGED_CREDENTIAL_H
#define BERTH_EDGED_CREDENTIAL_H

#include "core/azure/dps_client.h"
#include "core/io/stream.h"
#include "vm/guest/edged/config.h"
#include "vm/guest/edged/keys.h"

#include <uv.h>

struct credential;

/* Moves an inline key of CONFIG into the key store and wipes it there. CONFIG and KEYS outlive the
 * credential, and whatever a worker still does when the loop cannot be closed. */
struct credential *credential_new(uv_loop_t *loop, struct config *config, const struct keys *keys,
                                  struct err *err);
void credential_free(struct credential *c); /* NULL is fine */

/* Opens HTTPS connections, with the certificate where there is one. Asking is rare: what TLS needs
 * lives only while somebody uses it. ERR_INVALID: the trust bundle or the certificate cannot be
 * used. */
struct dialer *credential_use(struct credential *c, struct err *err);
void credential_unuse(struct credential *c); /* once for each use that succeeded */

/* What proves the device to the provisioning service; NULL each where that is something else. */
const struct sas_signer *credential_signer(const struct credential *c);
const struct dps_tpm *credential_tpm(const struct credential *c);
const char *credential_word(const struct credential *c); /* "key", "certificate", "TPM" */

/* ERR came of showing the proof: where its certificate has run out, says so in front. */
void credential_explain(const struct credential *c, struct err *err);

/* TOKEN is good for the call only; NULL where none is needed (a certificate proves it). ERR as of
 * the key store or the TPM: ERR_NOT_FOUND: the key is gone. Comes once, never from inside. */
typedef void (*credential_fn)(void *arg, const struct secret *token, const struct err *err);
struct credential_wait *credential_token(struct credential *c, const char *resource,
                                         credential_fn fn, void *arg);
void credential_cancel(struct credential_wait *wait); /* FN does not come; NULL is fine */

#endif
