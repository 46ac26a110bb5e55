/* Base64, standard alphabet, through OpenSSL. Pure; any thread. */
#ifndef BERTH_IO_BASE64_H
#define BERTH_IO_BASE64_H

#include "core/base/buf.h"
#include "core/base/err.h"

/* Appends the decoded bytes. Missing padding is tolerated, anything outside the alphabet is
 * ERR_INVALID. */
int base64_decode(const char *text, size_t len, struct buf *out, struct err *err);
void base64_encode(const void *data, size_t len, struct buf *out);

#endif
