/* For tests: the two sides of the Device Provisioning Service of a hub of one's own. */
#ifndef BERTH_TESTS_DPS_CLIENT_H
#define BERTH_TESTS_DPS_CLIENT_H

#include "tests/hub_client.h"

#include "core/azure/derive.h"
#include "vm/guest/hub/store.h"

#include <ctype.h>
#include <strings.h>

static char dps_scope[32], dps_key[128];

/* What sandbox.json says of the service. */
static inline bool dps_read_record(const struct test_hub *h)
{
    char path[100];
    auto_buf struct buf text = {0};

    snprintf(path, sizeof(path), "%s/sandbox.json", h->dir);
    if (file_read(path, 65536, &text, NULL) < 0)
        return false;

    auto_json cJSON *record = json_parse(text.data, text.len, NULL);
    const cJSON *dps = record ? json_get(record, "dps") : NULL;
    const char *key = dps ? strstr(json_str(dps, "serviceConnectionString", ""),
                                   "SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=")
                          : NULL;

    if (!key || !str_eq(json_str(dps, "host", ""), HUB_HOST))
        return false;
    snprintf(dps_scope, sizeof(dps_scope), "%s", json_str(dps, "idScope", ""));
    snprintf(dps_key, sizeof(dps_key), "%s", strstr(key, "SharedAccessKey=") + 16);
    return true;
}

/* ------------------------------------------------------------------------------------------
 * requests */

struct answer {
    int status; /* 0: none came */
    struct buf head;
    cJSON *body;
};

static inline void answer_done(struct answer *a)
{
    buf_done(&a->head);
    cJSON_Delete(a->body);
    *a = (struct answer){0};
}
#define auto_answer ATTR_CLEANUP(answer_done)

/* The value of a header of the answer, in TO; "" where it is not there. */
static inline const char *answer_header(const struct answer *a, const char *name, char *to,
                                        size_t size)
{
    size_t len = strlen(name);

    to[0] = '\0';
    for (const char *at = strstr(buf_str(&a->head), "\r\n"); at; at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, name, len) == 0 && at[2 + len] == ':')
            snprintf(to, size, "%.*s", (int)strcspn(at + 4 + len, "\r"), at + 4 + len);
    return to;
}

/* For a failed report. */
static inline const char *answer_text(const struct answer *a)
{
    static char text[600];
    auto_buf struct buf body = {0};

    if (a->body)
        json_print(&body, a->body);
    snprintf(text, sizeof(text), "%d %s", a->status, buf_str(&body));
    return text;
}

/* CERT NULL: none. AUTH "": none. */
static inline void dps_call_as(const struct test_hub *h, const char *cert, const char *key,
                               const char *auth, const char *method, const char *target,
                               const char *headers, const char *body, struct answer *ret)
{
    struct link l;

    answer_done(ret);
    if (!link_open_as(&l, h, h->https_port, cert, key))
        return;
    rest_ask(&l, h, auth, method, target, headers, body);
    (void)link_ends(&l);

    const char *end = strstr(buf_str(&l.in), "\r\n\r\n");

    if (end && str_starts(l.in.data, "HTTP/1.1 ")) {
        ret->status = (int)strtol(l.in.data + 9, NULL, 10);
        buf_append(&ret->head, l.in.data, (size_t)(end + 2 - l.in.data));
        if (end[4])
            ret->body = json_parse(end + 4, strlen(end + 4), NULL);
    }
    link_close(&l);
}

/* With the owner's token. */
static inline int service(const struct test_hub *h, const char *method, const char *target,
                          const char *headers, const char *body, struct answer *ret)
{
    auto_secret struct secret token = {0};

    (void)sas_make(HUB_HOST, dps_key, clock_wall_ms() / 1000 + 60, "provisioningserviceowner",
                   &token, NULL);
    dps_call_as(h, NULL, NULL, token.data, method, target, headers, body, ret);
    return ret->status;
}

/* A device: its registration, and what it proves itself with. */
struct device {
    const char *id;
    const char *key;             /* NULL: no token */
    const char *cert, *cert_key; /* PEM files */
    const char *sr, *skn;        /* NULL: the right ones; skn "": none */
    int64_t expires_in_s;        /* 0: in a minute */
};

/* WHAT is behind "/SCOPE/registrations/ID". */
static inline int device_call(const struct test_hub *h, const struct device *d, const char *method,
                              const char *what, const char *body, struct answer *ret)
{
    auto_secret struct secret token = {0};
    char target[500], sr[300];
    uint64_t now = clock_wall_ms() / 1000;
    const char *skn = d->skn ? d->skn : "registration";

    snprintf(sr, sizeof(sr), "%s/registrations/%s", dps_scope, d->id);
    snprintf(target, sizeof(target), "/%s/registrations/%s%s", dps_scope, d->id, what);
    if (d->key)
        (void)sas_make(d->sr ? d->sr : sr, d->key,
                       now + (uint64_t)(d->expires_in_s ? d->expires_in_s : 60),
                       skn[0] ? skn : NULL, &token, NULL);
    dps_call_as(h, d->cert, d->cert_key, d->key ? token.data : "", method, target, NULL, body, ret);
    return ret->status;
}

static inline int device_register(const struct test_hub *h, const struct device *d,
                                  const char *body, struct answer *ret)
{
    return device_call(h, d, "PUT", "/register", body ? body : "{}", ret);
}

/* Registers and asks how it went; RET is that answer. Its status, or of what went wrong before. */
static inline int device_provision(const struct test_hub *h, const struct device *d,
                                   const char *body, struct answer *ret)
{
    char what[200];

    if (device_register(h, d, body, ret) != 202 || !ret->body)
        return ret->status;
    snprintf(what, sizeof(what), "/operations/%s", json_str(ret->body, "operationId", ""));
    return device_call(h, d, "GET", what, "{}", ret);
}

/* A member of the registration state in an answer. */
static inline const char *state_text(const struct answer *a, const char *key)
{
    const cJSON *state = a->body ? json_get(a->body, "registrationState") : NULL;

    return state ? json_str(state, key, "") : "";
}

/* Creates an enrolment with keys of the service's making; the primary one into KEY (may be NULL).
 * MORE: further members, with a comma in front, or "". */
static inline bool enrol_key(const struct test_hub *h, bool group, const char *id, const char *more,
                             char key[128])
{
    char target[200], body[2000];
    auto_answer struct answer a = {0};

    snprintf(target, sizeof(target), "/%s/%s", group ? "enrollmentGroups" : "enrollments", id);
    snprintf(body, sizeof(body), "{\"attestation\":{\"type\":\"symmetricKey\"}%s}", more);
    if (service(h, "PUT", target, NULL, body, &a) != 200 || !a.body)
        return report("enrolment is created", false, answer_text(&a));
    if (key)
        snprintf(
            key, 128, "%s",
            json_str(json_get(json_get(a.body, "attestation"), "symmetricKey"), "primaryKey", ""));
    return true;
}

/* A part of what the hub shows of a device. */
static inline cJSON *hub_shows(const struct test_hub *h, const char *what, const char *device)
{
    char target[200];
    cJSON *out = NULL;

    snprintf(target, sizeof(target), "/%s/%s", what, device);
    (void)rest(h, NULL, "GET", target, NULL, NULL, &out);
    return out;
}

#endif
