/* See certs.h: when everything ends. What others may change at any time is read when it is asked
 * for. */
#include "vm/guest/edged/certs_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/str.h"

#include <string.h>

#define BUNDLE_MAX 64 /* certificates of a bundle that are listed */

static cJSON *add(cJSON *to, const char *use, const char *module, const struct tls_cert_info *info)
{
    char text[CLOCK_TEXT_MAX];
    cJSON *one = cJSON_CreateObject();
    json_add_str(one, "use", use);
    if (*module)
        json_add_str(one, "module", module);
    json_add_str(one, "subject", info->subject);
    clock_format(text, sizeof(text), info->not_before_ms);
    json_add_str(one, "notBefore", text);
    clock_format(text, sizeof(text), info->not_after_ms);
    json_add_str(one, "notAfter", text);
    json_push(to, one);
    return one;
}

static void add_authority(const struct certs *c, cJSON *to)
{
    char text[CLOCK_TEXT_MAX];
    struct tls_cert_info info;
    if (certs_read(c->ca, &info, NULL) < 0)
        return;
    cJSON *one = add(to, "edge-ca", "", &info);
    if (!c->made || !c->config->edge_ca.renew)
        return;
    clock_format(text, sizeof(text),
                 certs_renewal_ms(&c->config->edge_ca, info.not_before_ms, info.not_after_ms));
    json_add_str(one, "renewal", text);
}

/* Each certificate of a PEM file, of the first only where ALL is false. */
static void add_file(cJSON *to, const char *use, const char *path, bool all)
{
    static const char end[] = "-----END CERTIFICATE-----";
    auto_buf struct buf text = {0};
    struct tls_cert_info info;
    if (!*path || file_read(path, CERTS_FILE_MAX, &text, NULL) < 0)
        return;
    const char *at = buf_str(&text), *next = NULL;
    for (int i = 0; i < (all ? BUNDLE_MAX : 1) && (next = strstr(at, end)); i++) {
        next += strlen(end);
        if (tls_cert_read(at, (size_t)(next - at), &info, NULL) == 0)
            (void)add(to, use, "", &info);
        at = next;
    }
}

void certs_calendar(const struct certs *c, cJSON *to)
{
    add_authority(c, to);
    add_file(to, "device-identity", c->config->provisioning.cert, false);
    add_file(to, "trust-bundle", c->config->trust_bundle, true);
    for (size_t i = 0; i < c->n_issued; i++) {
        const struct certs_issued *one = &c->issued[i];
        (void)add(to, one->server ? "module-server" : "module-identity", one->module, &one->info);
    }
}
