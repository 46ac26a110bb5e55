/* The JSON that a hub's service REST is sent: from plain structs to text. Pure; any thread. */
#ifndef BERTH_PROVISION_HUB_BODY_H
#define BERTH_PROVISION_HUB_BODY_H

#include "core/base/buf.h"
#include "core/base/err.h"
#include "core/base/model_sandbox.h"

struct hub_device_options {
    const char *id;
    enum sandbox_auth auth;
    bool edge;
    const char *thumbprint, *thumbprint2; /* hex; NULL: none */
    const char *parent_scope;             /* what hub_read_scope() gave; NULL: none */
};
/* The hub makes the keys. */
void hub_body_device(const struct hub_device_options *o, struct buf *out);

/* TEXT, a device as the hub shows it, with only its status changed. OUT holds its keys: wipe it. */
int hub_body_device_status(const char *text, size_t len, bool enabled, struct buf *out,
                           struct err *err);

struct hub_enrolment_options {
    const char *id;
    bool group, edge;
    enum sandbox_auth auth;  /* SAS, X509_SELF_SIGNED (one device's), X509_CA (a group's), TPM */
    const char *key;         /* SAS: base64; a secret */
    const char *certificate; /* X.509: PEM */
    const char *endorsement; /* TPM: base64 */
    const char *device;      /* NULL: named as the registration */
    const char *hub;         /* NULL: any of them */
};
/* OUT holds the key: wipe it. */
void hub_body_enrolment(const struct hub_enrolment_options *o, struct buf *out);

/* A certificate authority; PEM is checked to hold a certificate and no private key. */
int hub_body_authority(const char *pem, struct buf *out, struct err *err);

/* A configuration from a FILE's text: a whole configuration, or a manifest alone. What is given
 * here wins over what the text says; RET_ID (SANDBOX_ID_MAX bytes) gets its id. ERR_INVALID names
 * what is missing. */
struct hub_configuration_options {
    const char *id, *target; /* NULL: as the text says */
    const int *priority;     /* NULL: as the text says, else 10 */
};
int hub_body_configuration(const char *text, size_t len, const struct hub_configuration_options *o,
                           char *ret_id, struct buf *out, struct err *err);

/* A change of a twin's tags and desired properties, from a patch or from a whole twin as it was
 * shown. RET_ETAG (64 bytes): the one that the text names, "". */
int hub_body_twin(const char *text, size_t len, char *ret_etag, struct buf *out, struct err *err);

#endif
