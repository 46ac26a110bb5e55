/* Shared access signatures. Pure; any thread. */
#ifndef BERTH_AZURE_SAS_H
#define BERTH_AZURE_SAS_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SAS_SKEW_S 300 /* a token is still good this long after its end: clocks differ */

/* Makes "SharedAccessSignature sr=...&sig=...&se=...[&skn=...]" for RESOURCE (not yet encoded),
 * signed with the base64 KEY, good until EXPIRY_S. */
int sas_make(const char *resource, const char *key_base64, uint64_t expiry_s, const char *policy,
             struct secret *ret_token, struct err *err);

/* Who signs: a key in memory, in a key store, in a TPM. SIGN gives HMAC-SHA256 of TEXT. */
struct sas_signer {
    int (*sign)(const void *arg, const void *text, size_t len, unsigned char ret[32],
                struct err *err);
    const void *arg;
};
int sas_make_with(const struct sas_signer *signer, const char *resource, uint64_t expiry_s,
                  const char *policy, struct secret *ret_token, struct err *err);

/* Where the signer answers later: what it is to sign, appended, and the token of the same values
 * with its SIGNATURE. */
void sas_text(const char *resource, uint64_t expiry_s, struct buf *out);
void sas_make_signed(const char *resource, uint64_t expiry_s, const char *policy,
                     const unsigned char signature[32], struct secret *ret_token);

struct sas {
    char resource[600]; /* decoded sr */
    char sr[900];       /* literally as received: what was signed */
    char policy[130];   /* skn; empty where none */
    unsigned char signature[32];
    uint64_t expiry_s;
};

/* Takes a token apart; field order is free. */
int sas_parse(const char *token, size_t len, struct sas *ret, struct err *err);

/* True when the signature fits the base64 KEY (constant time). */
bool sas_signed_by(const struct sas *s, const char *key_base64);
/* The same where the key is elsewhere: what was signed, appended, and whether HMAC of it is the
 * token's signature (constant time). */
void sas_signed_text(const struct sas *s, struct buf *out);
bool sas_has_signature(const struct sas *s, const unsigned char hmac[32]);
/* True when RESOURCE of the token is TARGET or a whole-segment prefix of it, ignoring case. */
bool sas_covers(const struct sas *s, const char *target);
bool sas_expired(const struct sas *s, uint64_t now_s);

#endif
