/* What berth-edged takes from /etc/aziot/config.toml, the same file that Microsoft's runtime reads
 * ("super-config"). Keys that this runtime has no use for are ignored, as there; those it knows are
 * checked, and refused with line and name. */
#ifndef BERTH_EDGED_CONFIG_H
#define BERTH_EDGED_CONFIG_H

#include "core/azure/connstr.h"
#include "core/base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_PATH_DEFAULT    "/etc/aziot/config.toml"
#define CONFIG_NETWORK_DEFAULT "azure-iot-edge"

struct config {
    struct connstr hub;      /* where to and who: host, port, device, key */
    char hostname[256];      /* of this device, for modules; default: the machine's */
    char trust_bundle[512];  /* PEM file with more trusted CAs; empty: none */
    char proxy[512];         /* https_proxy of [agent.env]; empty: none */
    char engine_socket[108]; /* moby_runtime.uri without its scheme */
    char network[128];       /* moby_runtime.network */
    bool elevated;           /* modules may ask for privileges */
};

/* Parses and checks text. ERR_INVALID names line and key; ERR_UNSUPPORTED: a method this runtime
 * does not know. */
int config_parse(const char *text, size_t len, struct config *ret, struct err *err);
/* The same for a file, and checks that the files it names can be read. */
int config_load(const char *path, struct config *ret, struct err *err);
void config_done(struct config *c); /* wipes the key */
#define auto_config ATTR_CLEANUP(config_done)

#endif
