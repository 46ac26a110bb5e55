/* What the Device Provisioning Service answers over HTTPS, read into plain values and, where it
 * says no, into words. Pure; any thread. */
#ifndef BERTH_AZURE_DPS_ANSWER_H
#define BERTH_AZURE_DPS_ANSWER_H

#include "core/base/err.h"
#include "core/base/secret.h"

#include <stdbool.h>
#include <stdint.h>

/* Where the service put the device. */
struct dps_device {
    char hub[254];   /* host name */
    uint16_t port;   /* of MQTT, where the name came with one (a sandbox's); else 0 */
    char id[130];    /* device id on that hub */
    char detail[64]; /* substatus: "initialAssignment", "deviceDataMigrated", ...; may be empty */
};

enum dps_answer_kind {
    DPS_ASSIGNING, /* ask again for `operation` */
    DPS_ASSIGNED,
    DPS_CHALLENGE, /* prove that you have the TPM: open `tpm_key` */
};

struct dps_answer {
    enum dps_answer_kind kind;
    char operation[256];
    struct dps_device device;
    struct secret tpm_key; /* raw bytes for the TPM; empty where none came */
};

/* ERR: ERR_REMOTE: refused, or the assignment failed; ERR_NOT_FOUND: no such scope or enrolment;
 * ERR_UNREACHABLE: busy or in trouble, may pass; ERR_PROTOCOL: not an answer of this service. */
int dps_answer_parse(int status, const char *body, size_t len, struct dps_answer *ret,
                     struct err *err);
void dps_answer_done(struct dps_answer *a);
#define auto_dps_answer ATTR_CLEANUP(dps_answer_done)

/* Splits "NAME[:PORT]". False where it is no host name or address, or the port is none. */
bool dps_split_host(const char *text, char *to, size_t size, uint16_t *ret_port);

#endif
