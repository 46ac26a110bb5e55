/* createOptions: a container's wishes as a JSON object, which a twin carries as a string cut into
 * chunks, and which becomes the body of the engine's create call. Pure. */
#ifndef BERTH_EDGED_CREATE_OPTIONS_H
#define BERTH_EDGED_CREATE_OPTIONS_H

#include "core/base/err.h"
#include "core/base/json.h"

#include <stdbool.h>
#include <stddef.h>

struct module_spec;

/* Joins createOptions, createOptions01, ... of a module's settings and returns the object as
 * compact JSON ("{}" by default). A gap in the numbers, or text that is no object, is ERR_INVALID.
 */
int create_options_join(const cJSON *settings, char **ret_text, struct err *err);

/* Appends the chunks of TEXT to SETTINGS as a twin wants them. */
void create_options_add_chunks(cJSON *settings, const char *text);

/* What every module's container gets besides. All borrowed. */
struct create_context {
    const char *device_id;
    const char *hub;      /* IoT hub's host name */
    const char *hostname; /* of this device */
    const char *network;
    const char *network_options; /* JSON, for when it has to be made; NULL: none */
    const char *log_options;     /* the deployment's loggingOptions; "" none */
    const char *workload_folder; /* of the module's socket on this machine; NULL: none */
    bool elevated;               /* false: privileges are stripped */
};

#define CREATE_LABEL_OWNER "net.azure-devices.edge.owner"
#define CREATE_OWNER       "Microsoft.Azure.Devices.Edge.Agent"
#define CREATE_LABEL_IMAGE "net.azure-devices.edge.original-image"
#define CREATE_LABEL_HASH  "berth.spec"

/* The body of POST /containers/create for SPEC. The caller frees it. */
cJSON *create_options_body(const struct module_spec *spec, const struct create_context *context);
/* Lets the container in BODY find the edge hub: by HOSTNAME and by the names of the runtime's
 * modules, which are at ADDRESS, or right here where it shares the machine's network. What
 * createOptions says about a name stays. */
void create_options_add_hosts(cJSON *body, const char *hostname, const char *address);
/* Tells the container in BODY the generation of its module's identity. */
void create_options_add_generation(cJSON *body, const char *generation);

#endif
