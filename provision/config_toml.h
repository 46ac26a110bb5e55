/* Writes /etc/aziot/config.toml from plain values. Pure; any thread. */
#ifndef BERTH_PROVISION_CONFIG_TOML_H
#define BERTH_PROVISION_CONFIG_TOML_H

#include "core/base/buf.h"
#include "core/base/err.h"

#include <stddef.h>

struct config_toml {
    const char *connection_string; /* a secret: the caller wipes OUT */
    const char *trust_bundle;      /* path in the guest of a PEM file; NULL: none */
};

/* Appends the file. ERR_INVALID where a value is no UTF-8 text, which TOML cannot hold. */
int config_toml_write(const struct config_toml *config, struct buf *out, struct err *err);

/* Appends TEXT as a TOML basic string with its quotes. ERR_INVALID (nothing is appended) where it
 * is not UTF-8. */
int config_toml_string(const char *text, size_t len, struct buf *out, struct err *err);

#endif
