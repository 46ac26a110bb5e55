/* What the sandbox holds, as plain structs: see model.h for what that means. None of them has a
 * secret in it. */
#ifndef BERTH_BASE_MODEL_SANDBOX_H
#define BERTH_BASE_MODEL_SANDBOX_H

#include "core/base/model.h"

#define SANDBOX_ID_MAX    130 /* of a device, a module, an enrolment */
#define SANDBOX_LIST_MAX  1000
#define SANDBOX_PRINT_MAX 65 /* hex of SHA-256 and its end */

/* How a device or an enrolment proves who it is. */
enum sandbox_auth {
    SANDBOX_AUTH_NONE, /* it cannot connect */
    SANDBOX_AUTH_SAS,
    SANDBOX_AUTH_X509_SELF_SIGNED,
    SANDBOX_AUTH_X509_CA,
    SANDBOX_AUTH_TPM, /* enrolments only */
    SANDBOX_AUTH_COUNT
};
/* "none", "sas", "x509-self-signed", "x509-ca", "tpm": on the command line and in JSON. */
const char *sandbox_auth_name(enum sandbox_auth auth);
enum sandbox_auth sandbox_auth_parse(const char *name); /* NONE where not known */

/* A device, or a module of one. */
struct sandbox_device {
    char id[SANDBOX_ID_MAX];
    char module[SANDBOX_ID_MAX]; /* "": the device itself */
    char parent[SANDBOX_ID_MAX]; /* the edge device that it is a child of; "": none */
    char thumbprint[SANDBOX_PRINT_MAX], thumbprint2[SANDBOX_PRINT_MAX];
    enum sandbox_auth auth;
    bool edge, enabled, connected;
    int modules;          /* -1: not counted */
    uint32_t waiting;     /* messages to it that it has not taken yet */
    uint64_t activity_ms; /* when it was last heard of */
    uint64_t changed_ms;  /* since when it is connected, or not */
};

/* "[OK] connected", "[-] not connected", "[!] disabled". */
enum light sandbox_device_light(const struct sandbox_device *d);
const char *sandbox_device_word(const struct sandbox_device *d);

/* A registration that the provisioning service accepts: one device's, or a group's. */
struct sandbox_enrolment {
    char id[SANDBOX_ID_MAX];
    char device[SANDBOX_ID_MAX]; /* the device it becomes; "": named as the registration */
    char thumbprint[SANDBOX_PRINT_MAX];
    char hub[SANDBOX_ID_MAX]; /* that it was assigned to last; "": none yet */
    enum sandbox_auth auth;
    bool group, edge, enabled;
};

/* A certificate authority whose device certificates are accepted. */
struct sandbox_authority {
    char thumbprint[SANDBOX_PRINT_MAX];
    char subject[256];
    uint64_t until_ms; /* its certificate's end */
};

/* A deployment that the sandbox applies by itself to every device that fits. */
struct sandbox_configuration {
    char id[SANDBOX_ID_MAX];
    char target[512]; /* condition: "tags.site='a'" */
    int priority;
    int targeted, applied; /* devices; -1: not counted */
    uint64_t updated_ms;
};

#endif
