/* The device API over HTTPS; see dps_register.h. */
#include "vm/guest/hub/dps_register.h"

#include "core/base/random.h"
#include "core/base/str.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static struct dps_request request_of(const struct rest *r)
{
    const char *token = http_exchange_header(r->x, "Authorization");

    return (struct dps_request){
        .id = r->segments[2],
        .proof = {.token = token, .len = token ? strlen(token) : 0, .tls = http_exchange_tls(r->x)},
        .body = r->body,
    };
}

/* The address names this service's id scope; else it is answered. */
static bool in_scope(struct rest *r)
{
    const struct dps *d = r->hub->dps;

    if (strcasecmp(r->segments[0], d->scope) == 0)
        return true;

    auto_json cJSON *body = dps_error_body(DPS_ERR_NO_SCOPE, "there is no such id scope");

    rest_reply_json(r->x, DPS_ERR_NO_SCOPE / 1000, body);
    return false;
}

static void reply(struct rest *r, const struct dps_reply *answer)
{
    char text[64];
    uint64_t random[2];

    random_bytes(random, sizeof(random));
    (void)str_format(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    http_reply_header(r->x, "x-ms-request-id", text);
    if (answer->retry) {
        (void)str_format(text, sizeof(text), "%d", DPS_RETRY_AFTER_S);
        http_reply_header(r->x, "Retry-After", text);
        http_reply_header(r->x, "Location", http_exchange_path(r->x));
    }
    rest_reply_json(r->x, answer->status, answer->body);
}

void dps_device_register(struct rest *r)
{
    struct dps_request q = request_of(r);
    auto_dps_reply struct dps_reply answer = {0};

    if (!in_scope(r))
        return;
    dps_register_device(r->hub->dps, &q, &answer);
    reply(r, &answer);
}

void dps_device_poll(struct rest *r)
{
    struct dps_request q = request_of(r);
    auto_dps_reply struct dps_reply answer = {0};

    if (!in_scope(r))
        return;
    dps_register_poll(r->hub->dps, &q, r->segments[4], &answer);
    reply(r, &answer);
}

void dps_device_lookup(struct rest *r)
{
    struct dps_request q = request_of(r);
    auto_dps_reply struct dps_reply answer = {0};

    if (!in_scope(r))
        return;
    dps_register_lookup(r->hub->dps, &q, &answer);
    reply(r, &answer);
}
