/* What berth-edged takes from /etc/aziot/config.toml, the same file that Microsoft's runtime reads
 * ("super-config"). Keys that neither runtime knows are ignored; those that are known are checked,
 * also where this runtime has no use for them, and refused with line and name. */
#ifndef BERTH_EDGED_CONFIG_H
#define BERTH_EDGED_CONFIG_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH_DEFAULT    "/etc/aziot/config.toml"
#define CONFIG_NETWORK_DEFAULT "azure-iot-edge"
#define CONFIG_PATH_MAX        512
#define CONFIG_SOCKET_MAX      108
#define CONFIG_CERT_MAX        (256U << 10) /* of a certificate's file */
#define CONFIG_PAYLOAD_MAX     (64U << 10)

/* How the device comes to its hub. */
enum config_method {
    CONFIG_CONNECTION_STRING,
    CONFIG_MANUAL_KEY,
    CONFIG_MANUAL_X509,
    CONFIG_DPS_KEY,
    CONFIG_DPS_X509,
    CONFIG_DPS_TPM,
    CONFIG_METHOD_COUNT
};
const char *config_method_name(enum config_method method); /* "dps.x509", as systeminfo has it */
static inline bool config_method_dps(enum config_method m)
{
    return m == CONFIG_DPS_KEY || m == CONFIG_DPS_X509 || m == CONFIG_DPS_TPM;
}
static inline bool config_method_x509(enum config_method m)
{
    return m == CONFIG_MANUAL_X509 || m == CONFIG_DPS_X509;
}

struct config_provisioning {
    enum config_method method;
    char hub[254];       /* manual: the hub's host name */
    uint16_t port;       /* manual: of MQTT, where one was given (a sandbox's) */
    char device_id[130]; /* manual */
    char dps[264];       /* dps: "HOST:PORT" of global_endpoint */
    char id_scope[64];
    char registration_id[130];      /* dps; for x509 by default the certificate's common name */
    char payload[CONFIG_PATH_MAX];  /* JSON file for the register call; empty: none */
    struct secret key;              /* raw bytes, inline; empty: key_file, or the method has none */
    char key_file[CONFIG_PATH_MAX]; /* raw bytes */
    char cert[CONFIG_PATH_MAX];     /* x509: PEM, leaf first */
    char cert_key[CONFIG_PATH_MAX]; /* x509: PEM */
};

/* auto_reprovisioning_mode: when a device of the provisioning service asks it anew. Each of them
 * asks where the hub refuses what was known. */
enum config_reprovisioning {
    CONFIG_DYNAMIC,           /* also when the hub refuses a connection while running */
    CONFIG_ALWAYS_ON_STARTUP, /* also at each start */
    CONFIG_ON_ERROR_ONLY,
    CONFIG_REPROVISIONING_COUNT
};

/* When a certificate is renewed, and how often a renewal that failed is tried again: a share of its
 * life, or a time before its end. */
struct config_span {
    uint32_t percent; /* 0: seconds counts */
    uint64_t seconds;
};

/* The authority that signs modules' certificates. */
struct config_edge_ca {
    char cert[CONFIG_PATH_MAX]; /* given; empty: one is made (quickstart) */
    char key[CONFIG_PATH_MAX];
    char common_name[65]; /* quickstart; empty: "aziot-edge CA DEVICE" */
    uint64_t days;        /* quickstart */
    bool renew;           /* quickstart: by itself, in time */
    struct config_span threshold, retry;
};

/* image_garbage_collection */
struct config_images {
    bool enabled;
    uint64_t every_s; /* whole days */
    uint64_t age_s;   /* unused for so long: removed */
    uint32_t minute;  /* of the day, UTC */
};

struct config_tpm {
    char tcti[256];                   /* how it is reached: "device:/dev/tpmrm0" */
    uint64_t key_index;               /* where the device's key is kept: 0x81000000 + this */
    struct secret endorsement, owner; /* the hierarchies' passwords; mostly empty */
};

struct config_pair {
    char *name;
    char *value;
};

struct config_pairs {
    struct config_pair *at;
    size_t n;
};

struct config {
    struct config_provisioning provisioning;
    enum config_reprovisioning reprovisioning;
    uint64_t cloud_timeout_s;
    uint64_t cloud_retries;
    bool prefer_cache; /* ask the hub about modules only where nothing is known */
    struct config_tpm tpm;

    char hostname[256];                 /* of this device, for modules; default: the machine's */
    char trust_bundle[CONFIG_PATH_MAX]; /* PEM file with more trusted CAs; empty: none */
    char proxy[512];                    /* https_proxy of [agent.env]; empty: none */
    bool websocket;                     /* UpstreamProtocol of [agent.env] */
    char log_level[16];                 /* RuntimeLogLevel of [agent.env]; empty: not said */
    bool metrics;                       /* MetricsEnabled of [agent.env]; true by default */
    uint64_t metrics_every_s;           /* PerformanceMetricsUpdateFrequency */
    char agent_image[256];              /* [agent.config]; this process stands for it */
    struct config_edge_ca edge_ca;
    struct config_images images;
    struct config_pairs preloaded_keys;  /* id -> file with raw bytes */
    struct config_pairs additional_info; /* for systeminfo */

    char engine_socket[CONFIG_SOCKET_MAX];     /* moby_runtime.uri; empty: the usual one */
    char network[128];                         /* moby_runtime.network */
    char *network_options;                     /* JSON for the engine's create call; NULL: none */
    char management_socket[CONFIG_SOCKET_MAX]; /* listen.management_uri; empty: the usual one */
    char workload_socket[CONFIG_SOCKET_MAX];   /* listen.workload_uri; empty: the usual one */
    uint64_t management_requests, workload_requests; /* at once */
    bool elevated;                                   /* modules may ask for privileges */
};

/* Parses and checks text. ERR_INVALID names line and key; ERR_UNSUPPORTED: what this runtime cannot
 * do. */
int config_parse(const char *text, size_t len, struct config *ret, struct err *err);
/* The same for a file, and checks that what the files it names can be used. */
int config_load(const char *path, struct config *ret, struct err *err);
/* The same for TEXT, which was read from PATH. */
int config_load_text(const char *path, const struct buf *text, struct config *ret, struct err *err);
void config_done(struct config *c); /* wipes the secrets; all zero is fine */
#define auto_config ATTR_CLEANUP(config_done)

/* Whether UpstreamProtocol WORD means HTTPS's port: of AMQP's words the counterpart is taken. */
bool config_wants_websocket(const char *word);

/* Whether HOSTNAME suits a device on a machine of that name. ERR_INVALID: it works, but modules or
 * downstream devices may stumble. */
int config_check_hostname(const char *hostname, const char *machine, struct err *err);

#endif
