/* For tests: the inside of a hub, a store with registry, twins and configurations, without sockets.
 * One hub or two ("first", "second"). */
#ifndef BERTH_TESTS_HUB_INSIDE_H
#define BERTH_TESTS_HUB_INSIDE_H

#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "vm/guest/hub/clients.h"
#include "vm/guest/hub/configuration.h"
#include "vm/guest/hub/registry.h"
#include "vm/guest/hub/twins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct hub_inside {
    struct hub hub;
    const char *names[3];
    uv_loop_t loop;
    char dir[40];
};

static inline void hub_inside_init(struct hub_inside *h)
{
    char path[60];
    struct err err = {0};

    log_set_level(LOG_LEVEL_ERROR);
    *h = (struct hub_inside){.names = {"first", "second", NULL}};
    (void)snprintf(h->dir, sizeof(h->dir), "/tmp/berth-inside-XXXXXX");
    (void)uv_loop_init(&h->loop);
    h->hub = (struct hub){.loop = &h->loop, .host = "first", .hubs = h->names};
    h->hub.clients = clients_new(&h->hub);
    if (!mkdtemp(h->dir))
        abort();
    (void)snprintf(path, sizeof(path), "%s/hub.db", h->dir);
    if (store_open(path, &h->hub.store, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        abort();
    }
}

static inline void hub_inside_done(struct hub_inside *h)
{
    store_close(h->hub.store);
    clients_free(h->hub.clients);
    (void)uv_run(&h->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&h->loop);
    (void)file_remove_tree(h->dir, NULL);
}

static inline cJSON *hub_inside_json(const char *text)
{
    cJSON *value = json_parse(text, strlen(text), NULL);

    if (!value) {
        (void)fprintf(stderr, "not JSON: %s\n", text);
        abort();
    }
    return value;
}

/* Creates (IF_MATCH NULL) or updates an identity from BODY. */
static inline int hub_inside_put(struct hub_inside *h, const char *device, const char *module,
                                 const char *body, const char *if_match, struct err *err)
{
    auto_identity struct identity id = {0};
    auto_json cJSON *json = hub_inside_json(body);

    return registry_put(&h->hub, device, module, json, if_match, &id, err);
}

static inline int hub_inside_twin(struct hub_inside *h, const char *device, const char *module,
                                  const char *body, struct err *err)
{
    auto_json cJSON *json = hub_inside_json(body);

    return twins_change(&h->hub, device, module, json, false, NULL, err);
}

/* The twin, and the JSON text of what is at PATH ("properties.desired.a"; "" for all) in it. */
static inline const char *hub_inside_at(struct hub_inside *h, const char *device,
                                        const char *module, const char *path)
{
    static char text[4000];
    auto_json cJSON *twin = NULL;
    auto_buf struct buf out = {0};
    const cJSON *at;

    if (twins_show(&h->hub, device, module, &twin, NULL) < 0)
        return "no twin";
    at = twin;
    while (at && *path) {
        char name[200];
        size_t len = strcspn(path, ".");

        (void)snprintf(name, sizeof(name), "%.*s", (int)len, path);
        at = json_get(at, name);
        path += len + (path[len] == '.');
    }
    if (!at)
        return "nothing";
    auto_json cJSON *copy = cJSON_Duplicate(at, true);
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "$metadata");
    cJSON_DeleteItemFromObjectCaseSensitive(copy, "$version");
    json_print(&out, copy);
    (void)snprintf(text, sizeof(text), "%s", out.data);
    return text;
}

#endif
