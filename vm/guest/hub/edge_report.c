/* See edge_report.h. */
#include "vm/guest/hub/edge_report.h"

#include "core/base/clock.h"
#include "core/base/str.h"
#include "core/base/version.h"
#include "vm/guest/hub/twin_json.h"

#include <stdlib.h>
#include <string.h>

#define ROOM 1024 /* of a twin, for what is there besides the clients */

cJSON *edge_report_new(const struct edge_report *report)
{
    cJSON *out = cJSON_CreateObject();
    cJSON *version, *status;

    json_add_str(out, "schemaVersion", "1.0"); /* whatever the desired properties have */
    version = json_add_obj(out, "version");
    json_add_str(version, "version", BERTH_VERSION);
    json_add_str(version, "build", "");
    json_add_str(version, "commit", "");
    if (report->desired_version == 0)
        return out;
    json_add_u64(out, "lastDesiredVersion", report->desired_version);
    status = json_add_obj(out, "lastDesiredStatus");
    json_add_u64(status, "code", report->code);
    json_add_str(status, "description", report->description);
    return out;
}

char *edge_report_key(const char *device, const char *module)
{
    struct buf key = {0};

    buf_printf(&key, "%s%s%s", device, module[0] ? "/" : "", module);

    struct buf escaped = {0};

    for (const char *c = key.data; *c; c++)
        if (*c == '.')
            buf_puts(&escaped, "%2E");
        else if (*c == '$')
            buf_puts(&escaped, "%24");
        else if (*c == ' ')
            buf_puts(&escaped, "%20");
        else
            buf_putc(&escaped, *c);
    buf_done(&key);
    return buf_steal(&escaped);
}

/* ---- clients ---- */

static uint64_t last_ms(const struct edge_report_client *c)
{
    return c->connected_ms > c->disconnected_ms ? c->connected_ms : c->disconnected_ms;
}

static int compare(const void *x, const void *y)
{
    const struct edge_report_client *a = x, *b = y;

    if (a->connected != b->connected)
        return a->connected ? -1 : 1;
    return (last_ms(a) < last_ms(b)) - (last_ms(a) > last_ms(b));
}

/* Left out where it never was: a null would be something else. */
static void add_time(cJSON *client, const char *key, uint64_t wall_ms)
{
    char text[CLOCK_TEXT_MAX];

    if (wall_ms == 0)
        return;
    clock_format(text, sizeof(text), wall_ms);
    json_add_str(client, key, text);
}

static cJSON *client_new(const struct edge_report_client *c)
{
    cJSON *client = cJSON_CreateObject();

    json_add_str(client, "status", c->connected ? "Connected" : "Disconnected");
    add_time(client, "lastConnectedTimeUtc", c->connected_ms);
    add_time(client, "lastDisconnectedTimeUtc", c->disconnected_ms);
    return client;
}

void edge_report_clients(cJSON *report, struct edge_report_client *clients, size_t n)
{
    cJSON *out = json_add_obj(report, "clients");
    size_t used = ROOM;

    if (n > 0)
        qsort(clients, n, sizeof(*clients), compare);
    for (size_t i = 0; i < n; i++) {
        cJSON *client = client_new(&clients[i]);

        used += strlen(clients[i].key) + twin_json_size(client);
        if (used > TWIN_SECTION_MAX) {
            cJSON_Delete(client);
            return;
        }
        json_add(out, clients[i].key, client);
    }
}
