/* The sandbox's certificates in its folder: ca.pem, ca.key, server.pem, server.key. Made where they
 * are missing, the server's renewed in time. */
#ifndef BERTH_HUB_CERTS_H
#define BERTH_HUB_CERTS_H

#include "core/base/err.h"

#include <stdbool.h>

/* NAMES: host names and addresses that the server's certificate is for, NULL-terminated.
 * RET_RENEWED (may be NULL): the server's certificate is new. */
int certs_prepare(const char *dir, const char *const *names, bool *ret_renewed, struct err *err);

#endif
