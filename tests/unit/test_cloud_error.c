/* Errors of the cloud in a technician's words. */
#include "core/azure/cloud_error.h"
#include "core/base/str.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

struct seen {
    char text[120];
    char id[24];
};

ParameterizedTestParameters(cloud_error, explains_what_runtimes_say)
{
    static struct seen rows[] = {
        {"CONNACK 5: not authorized", "key_refused"},
        {"HTTP 401 {\"errorCode\":401003}", "key_refused"},
        {"Bad user name or password", "key_refused"},
        {"404001 DeviceNotFound", "device_unknown"},
        {"Connection refused (ECONNREFUSED)", "refused"},
        {"getaddrinfo: Name or service not known", "dns"},
        {"SSL: certificate verify failed: self-signed certificate in certificate chain",
         "tls_issuer"},
        {"certificate verify failed: certificate has expired", "tls_expired"},
        {"certificate verify failed: certificate is not yet valid", "tls_clock"},
        {"proxy answered 407", "proxy_login"},
        {"IoT Hub answered 503", "hub_busy"},
        {"the provisioning service refused the device's key or certificate (401, 401002: no)",
         "dps_refused"},
        {"the device's certificate expired on 2026-01-01: TLS: alert certificate expired",
         "own_cert_expired"},
        {"h.example knows no IoT Edge device d1", "device_unknown"},
        {"request 14013 failed by magic", ""},
        {"", ""},
    };
    return cr_make_param_array(struct seen, rows, sizeof(rows) / sizeof(rows[0]), NULL);
}

ParameterizedTest(struct seen *row, cloud_error, explains_what_runtimes_say)
{
    const struct cloud_error *e = cloud_error_find(row->text);
    cr_assert_str_eq(e ? e->id : "", row->id, "'%s' was taken for %s", row->text,
                     e ? e->id : "nothing");
}

Test(cloud_error, has_a_meaning_and_a_next_step_in_every_row)
{
    for (size_t i = 0; cloud_error_at(i); i++) {
        const struct cloud_error *e = cloud_error_at(i);
        cr_assert(e->meaning[0] && e->causes[0] && e->next[0], "%s", e->id);
        for (const char *p = e->match; *p; p++)
            cr_assert(*p < 'A' || *p > 'Z', "%s matches lower case only", e->id);
        for (size_t k = 0; k < i; k++)
            cr_assert_str_neq(cloud_error_at(k)->id, e->id);
    }
}

/* A reason that was explained once ("meaning (what was said)") is still known for what it is. */
Test(cloud_error, is_found_again_in_its_own_explanation)
{
    for (size_t i = 0; cloud_error_at(i); i++) {
        const struct cloud_error *e = cloud_error_at(i);
        char text[300];
        (void)str_format(text, sizeof(text), "%s (%.*s)", e->meaning, (int)strcspn(e->match, "|"),
                         e->match);
        const struct cloud_error *found = cloud_error_find(text);
        cr_assert_str_eq(found ? found->id : "", e->id, "'%s'", text);
    }
}
