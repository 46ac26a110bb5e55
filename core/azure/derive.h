/* Keys made from keys: a device's from its enrolment group's, a module's from the runtime's master
 * key. Pure; any thread. */
#ifndef BERTH_AZURE_DERIVE_H
#define BERTH_AZURE_DERIVE_H

#include "core/base/err.h"
#include "core/base/secret.h"

/* base64( HMAC-SHA256( base64-decoded KEY, TEXT ) ) */
int derive_key(const char *key_base64, const char *text, struct secret *ret_key_base64,
               struct err *err);

/* 32 random bytes as base64. */
void derive_random(struct secret *ret_key_base64);

#endif
