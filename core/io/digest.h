/* SHA-256 through OpenSSL's EVP, incrementally or at once. Any thread, one digest a thread. */
#ifndef BERTH_IO_DIGEST_H
#define BERTH_IO_DIGEST_H

#include "core/base/attr.h"
#include "core/base/err.h"

#include <stddef.h>

#define DIGEST_HEX_SIZE 65 /* 64 lower-case hex digits and the end */

struct digest;

/* Failure inside OpenSSL (no such algorithm, no memory) aborts: SHA-256 is part of every build. */
struct digest *digest_new(void);
void digest_free(struct digest *d); /* NULL is fine */
DEFINE_AUTO(digest, struct digest, digest_free)
#define auto_digest ATTR_CLEANUP(digest_freep)

void digest_update(struct digest *d, const void *data, size_t len);

/* The result; D then only takes digest_free(). */
void digest_finish(struct digest *d, char ret_hex[DIGEST_HEX_SIZE]);

/* All at once. */
void digest_sha256(const void *data, size_t len, char ret_hex[DIGEST_HEX_SIZE]);

#define DIGEST_SHA1_BASE64_SIZE 29

/* SHA-1 as base64: what a WebSocket's handshake is made of. Not for security. */
void digest_sha1_base64(const void *data, size_t len, char ret[DIGEST_SHA1_BASE64_SIZE]);

/* A whole file. Blocking. */
int digest_file(const char *path, char ret_hex[DIGEST_HEX_SIZE], struct err *err);

#endif
