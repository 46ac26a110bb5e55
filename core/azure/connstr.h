/* Azure connection strings: "HostName=...;DeviceId=...;SharedAccessKey=...". Pure; any thread. */
#ifndef BERTH_AZURE_CONNSTR_H
#define BERTH_AZURE_CONNSTR_H

#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdint.h>

#define CONNSTR_MAX 4096

struct connstr {
    char host[254]; /* HostName without port */
    uint16_t port;  /* from HostName=host:port; 0 where none was given */
    char device_id[130];
    char module_id[130];
    char key_name[130]; /* SharedAccessKeyName: service strings */
    char gateway[254];  /* GatewayHostName */
    struct secret key;  /* SharedAccessKey, base64 text as given */
};

/* Parses any of them leniently: unknown parts are kept out, no part is required. White space and
 * line ends around the whole are cut. */
int connstr_parse(const char *text, size_t len, struct connstr *ret, struct err *err);
void connstr_done(struct connstr *c);
#define auto_connstr ATTR_CLEANUP(connstr_done)

/* What a device needs: HostName, DeviceId, SharedAccessKey (valid base64), no ModuleId, no
 * SharedAccessKeyName. Each failure says in a technician's words which part is wrong, and for a
 * hub-owner or module string what was pasted instead. */
int connstr_check_device(const struct connstr *c, struct err *err);

#endif
