/* What the runtime tells its edge hub, in a file of its own (0600: a proxy may have a password).
 * Pure but for reading the file; any thread.
 *
 * {"hub":"NAME","mqttPort":8883,"httpsPort":443,            the cloud
 *  "device":"ID","hostname":"NAME",                         who this is, and as whom it serves
 *  "upstreamProtocol":"Mqtt"|"MqttWs","proxy":"URL","caFile":"PATH",
 *  "workload":"PATH",                                       the runtime's socket for the edge hub
 *  "listen":["ADDRESS",...],"mqttListenPort":8883,"httpsListenPort":443,
 *  "socket":"PATH",                                         metrics and state, for the runtime
 *  "maxClients":100}                                                                             */
#ifndef BERTH_HUB_EDGE_SETTINGS_H
#define BERTH_HUB_EDGE_SETTINGS_H

#include "core/base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define EDGE_LISTEN_MAX 8

struct edge_settings {
    char *dir; /* of outbox.db, edge.db, scope.json; from the command line */
    char *hub, *device, *hostname;
    uint16_t mqtt_port, https_port; /* of the cloud */
    bool websocket;                 /* upstream over HTTPS's port */
    char *proxy, *ca_file;          /* "" none */
    char *workload;
    char *listen[EDGE_LISTEN_MAX + 1];            /* numeric, NULL-terminated */
    uint16_t mqtt_listen_port, https_listen_port; /* 0: not */
    char *socket;
    unsigned max_clients;
};

/* TEXT need not be terminated. ERR_INVALID names the member. */
int edge_settings_parse(const char *text, size_t len, const char *dir, struct edge_settings **ret,
                        struct err *err);
int edge_settings_read(const char *path, const char *dir, struct edge_settings **ret,
                       struct err *err);
void edge_settings_free(struct edge_settings *s); /* wipes the proxy; NULL is fine */

#endif
