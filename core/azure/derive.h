/* Keys made from keys: a device's from its enrolment group's, a module's from the runtime's master
 * key. Pure; any thread. */
#ifndef BERTH_AZURE_DERIVE_H
#define BERTH_AZURE_DERIVE_H

#include "core/base/err.h"
#include "core/base/secret.h"

#include <stddef.h>

#define DERIVE_BYTES 32

/* HMAC-SHA256 of DATA with the raw bytes of KEY. */
int derive_hmac(const void *key, size_t key_len, const void *data, size_t len,
                unsigned char ret[DERIVE_BYTES], struct err *err);

/* base64( HMAC-SHA256( base64-decoded KEY, TEXT ) ) */
int derive_key(const char *key_base64, const char *text, struct secret *ret_key_base64,
               struct err *err);

/* A new key: the base64 of so many random bytes. */
void derive_random(struct secret *ret_key_base64);

#endif
