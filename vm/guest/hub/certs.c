/* See certs.h. A device trusts the authority and not a server certificate, so that only the latter
 * is ever renewed while devices are out there. */
#include "vm/guest/hub/certs.h"

#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/io/tls_cert.h"

#define CA_DAYS     7300
#define SERVER_DAYS 365
#define RENEW_DAYS  30

int certs_prepare(const char *dir, const char *const *names, bool *ret_renewed, struct err *err)
{
    auto_free char *ca = xasprintf("%s/ca.pem", dir);
    auto_free char *ca_key = xasprintf("%s/ca.key", dir);
    auto_free char *cert = xasprintf("%s/server.pem", dir);
    auto_free char *key = xasprintf("%s/server.key", dir);
    bool renew;

    if (!tls_cert_is_good(ca, ca, ca_key, NULL, RENEW_DAYS)) {
        /* A damaged authority is an error: a silent new one would lock out every device that trusts
         * the old. */
        if (file_exists(ca) && file_exists(ca_key)) {
            (void)err_set(err, ERR_INVALID, "%s is damaged or about to expire", ca);
            return err_hint(err, "Remove %s to start with a new, empty sandbox", dir);
        }
        if (tls_cert_make_ca(ca, ca_key, "Berth sandbox CA", CA_DAYS, err) < 0)
            return -1;
    }
    renew = !tls_cert_is_good(ca, cert, key, names, RENEW_DAYS);
    if (renew && tls_cert_make_server(ca, ca_key, cert, key, names, SERVER_DAYS, err) < 0)
        return -1;
    if (ret_renewed)
        *ret_renewed = renew;
    return 0;
}
