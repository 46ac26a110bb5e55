/* What the files of the certificates share: certs.c has the authority, certs_issue.c what it signs,
 * certs_calendar.c when all of it ends. Nobody else includes this. */
#ifndef BERTH_EDGED_CERTS_PRIVATE_H
#define BERTH_EDGED_CERTS_PRIVATE_H

#include "core/io/tls_cert.h"
#include "vm/guest/edged/certs.h"
#include "vm/guest/edged/deployment.h"

#define CERTS_FILE_MAX   65536
#define CERTS_ISSUED_MAX 256

/* What was issued and not forgotten; its file is DIR/MODULE.USE.pem. */
struct certs_issued {
    bool server;
    char module[DEPLOYMENT_NAME_MAX];
    struct tls_cert_info info;
};

struct certs {
    const struct config *config;
    const struct device *device;
    char *dir;
    char *ca, *ca_key; /* of the authority, given or made */
    char *former;      /* the authority before */
    bool made;         /* ours to renew */
    bool ready;        /* the authority is good */
    uint64_t tried_ms; /* the last renewal that failed; 0: none */
    uint64_t retry_ms;
    struct certs_issued *issued;
    size_t n_issued;
};

int certs_read(const char *path, struct tls_cert_info *ret, struct err *err);
void certs_load_issued(struct certs *c);

#endif
