/* For tests: a container engine that takes the time that it is told for each call, any number at
 * once, and remembers when it was asked. A process of its own; its containers are rows in a table.
 */
#ifndef BERTH_TESTS_ENGINE_H
#define BERTH_TESTS_ENGINE_H

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/io/http_server.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENGINE_CONTAINERS 64
#define ENGINE_API        "/v1.41"

/* Shared with the test. */
struct engine_seen {
    _Atomic uint64_t first_us; /* of the first call to change something, or on the way to one */
    _Atomic uint64_t last_us;  /* of the last call of any kind */
    _Atomic unsigned running, there;
};

struct test_engine {
    char path[100];
    uint64_t create_ms, start_ms;
    pid_t pid;
    struct engine_seen *seen;
};

struct engine_container {
    char name[64]; /* "": a free row */
    cJSON *body;   /* of its creation */
    bool running;
    char since[CLOCK_TEXT_MAX];
};

static struct {
    const struct test_engine *engine;
    uv_loop_t loop;
    struct engine_container rows[ENGINE_CONTAINERS];
    struct http_exchange *events; /* the last one to follow them */
} engine_state;

/* A call that is still to be answered. */
struct engine_wait {
    uv_timer_t timer;
    struct http_exchange *x;
    char name[64];
    bool start;
};

static inline uint64_t engine_now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static inline struct engine_container *engine_find(const char *name)
{
    for (size_t i = 0; i < ENGINE_CONTAINERS; i++)
        if (str_eq(engine_state.rows[i].name, name))
            return &engine_state.rows[i];
    return NULL;
}

static inline void engine_reply(struct http_exchange *x, int status, const cJSON *json)
{
    auto_buf struct buf text = {0};

    if (json)
        json_print(&text, json);
    http_reply(x, status, "application/json", buf_str(&text), text.len);
}

/* ---- events ---- */

static inline void engine_on_gone(void *arg)
{
    if (engine_state.events == arg)
        engine_state.events = NULL;
}

static inline void engine_follow(struct http_exchange *x)
{
    http_reply_start(x, 200, "application/json", NULL, NULL);
    http_exchange_on_close(x, engine_on_gone, x);
    engine_state.events = x;
}

static inline void engine_tell(const char *action, const struct engine_container *c)
{
    auto_json cJSON *event = cJSON_CreateObject();
    auto_buf struct buf line = {0};
    cJSON *attributes = NULL;

    json_add_str(event, "Type", "container");
    json_add_str(event, "Action", action);
    attributes = cJSON_Duplicate(json_get(c->body, "Labels"), true);
    json_add_str(attributes, "name", c->name);
    cJSON_AddItemToObject(json_add_obj(event, "Actor"), "Attributes", attributes);
    json_print(&line, event);
    buf_putc(&line, '\n');
    if (engine_state.events)
        (void)http_reply_chunk(engine_state.events, line.data, line.len);
}

/* ---- containers ---- */

static inline void engine_set_running(struct engine_container *c, bool running)
{
    atomic_fetch_add(&engine_state.engine->seen->running, (unsigned)running - c->running);
    c->running = running;
    clock_format(c->since, sizeof(c->since), clock_wall_ms());
}

static inline void engine_list(struct http_exchange *x)
{
    auto_json cJSON *list = cJSON_CreateArray();
    char name[80];

    for (size_t i = 0; i < ENGINE_CONTAINERS; i++) {
        if (!engine_state.rows[i].name[0])
            continue;
        cJSON *item = cJSON_CreateObject();

        (void)str_format(name, sizeof(name), "/%s", engine_state.rows[i].name);
        json_push(json_add_array(item, "Names"), cJSON_CreateString(name));
        json_push(list, item);
    }
    engine_reply(x, 200, list);
}

static inline void engine_inspect(struct http_exchange *x, const struct engine_container *c)
{
    auto_json cJSON *out = cJSON_CreateObject();
    cJSON *state = json_add_obj(out, "State");
    char name[80];

    (void)str_format(name, sizeof(name), "/%s", c->name);
    json_add_str(out, "Id", c->name);
    json_add_str(out, "Name", name);
    json_add_str(out, "Image", json_str(c->body, "Image", ""));
    cJSON_AddItemToObject(json_add_obj(out, "Config"), "Labels",
                          cJSON_Duplicate(json_get(c->body, "Labels"), true));
    json_add_str(state, "Status", c->running ? "running" : "created");
    json_add_str(state, "StartedAt", c->running ? c->since : "0001-01-01T00:00:00Z");
    json_add_str(state, "FinishedAt", "0001-01-01T00:00:00Z");
    engine_reply(x, 200, out);
}

static inline void engine_remove(struct http_exchange *x, struct engine_container *c)
{
    engine_set_running(c, false);
    engine_tell("destroy", c);
    cJSON_Delete(c->body);
    *c = (struct engine_container){0};
    atomic_fetch_sub(&engine_state.engine->seen->there, 1);
    engine_reply(x, 204, NULL);
}

static inline void engine_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static inline void engine_on_time(uv_timer_t *timer)
{
    struct engine_wait *w = timer->data;
    struct engine_container *c = engine_find(w->name);

    if (w->x && c && w->start) {
        engine_set_running(c, true);
        engine_tell("start", c);
        engine_reply(w->x, 204, NULL);
    } else if (w->x && c) {
        auto_json cJSON *out = cJSON_CreateObject();

        json_add_str(out, "Id", c->name);
        atomic_fetch_add(&engine_state.engine->seen->there, 1);
        engine_tell("create", c);
        engine_reply(w->x, 201, out);
    }
    uv_close((uv_handle_t *)timer, engine_on_closed);
}

static inline void engine_on_left(void *arg)
{
    struct engine_wait *w = arg;

    w->x = NULL;
}

static inline void engine_later(struct http_exchange *x, const char *name, bool start)
{
    struct engine_wait *w = xcalloc(1, sizeof(*w));
    const struct test_engine *e = engine_state.engine;

    w->x = x;
    w->start = start;
    STR_SET(w->name, name);
    http_exchange_on_close(x, engine_on_left, w);
    (void)uv_timer_init(&engine_state.loop, &w->timer);
    w->timer.data = w;
    (void)uv_timer_start(&w->timer, engine_on_time, start ? e->start_ms : e->create_ms, 0);
}

static inline void engine_create(struct http_exchange *x)
{
    struct engine_container *c = engine_find("");
    size_t len = 0;
    const char *body = http_exchange_body(x, &len);
    char name[64];

    if (!c || !http_exchange_query(x, "name", name, sizeof(name)) || engine_find(name)) {
        http_reply_message(x, 409, "no room for it");
        return;
    }
    STR_SET(c->name, name);
    c->body = json_parse(body, len, NULL);
    engine_later(x, name, false);
}

static inline void engine_network(struct http_exchange *x)
{
    static const char text[] = "{\"IPAM\":{\"Config\":[{\"Gateway\":\"127.0.0.1\"}]}}";

    http_reply(x, 200, "application/json", text, sizeof(text) - 1);
}

/* ---- calls ---- */

static inline void engine_container_call(struct http_exchange *x, const char *path)
{
    const char *method = http_exchange_method(x);
    size_t n = strcspn(path, "/");
    const char *verb = path + n;
    char name[64];
    struct engine_container *c = NULL;

    (void)str_format(name, sizeof(name), "%.*s", (int)n, path);
    c = n ? engine_find(name) : NULL;
    if (!c) {
        http_reply_message(x, 404, "No such container: %s", name);
    } else if (str_eq(method, "DELETE")) {
        engine_remove(x, c);
    } else if (str_eq(verb, "/start")) {
        engine_later(x, name, true);
    } else if (str_eq(verb, "/stop")) {
        engine_set_running(c, false);
        engine_reply(x, 204, NULL);
    } else if (str_eq(verb, "/json")) {
        engine_inspect(x, c);
    } else {
        http_reply_message(x, 404, "not here");
    }
}

static inline void engine_on_request(struct http_exchange *x, void *arg)
{
    (void)arg;
    struct engine_seen *seen = engine_state.engine->seen;
    const char *path = http_exchange_path(x);
    bool reads = str_eq(http_exchange_method(x), "GET");
    uint64_t none = 0;

    path += str_starts(path, ENGINE_API) ? strlen(ENGINE_API) : 0;
    atomic_store(&seen->last_us, engine_now_us());
    if (!reads || str_starts(path, "/networks/"))
        (void)atomic_compare_exchange_strong(&seen->first_us, &none, engine_now_us());
    if (str_eq(path, "/events"))
        engine_follow(x);
    else if (str_eq(path, "/containers/json"))
        engine_list(x);
    else if (str_eq(path, "/containers/create"))
        engine_create(x);
    else if (str_starts(path, "/containers/"))
        engine_container_call(x, path + strlen("/containers/"));
    else if (str_starts(path, "/networks/"))
        engine_network(x);
    else
        http_reply_message(x, 404, "not here");
}

/* ---- life ---- */

/* Returns once it listens at E->path. */
static inline void engine_start(struct test_engine *e)
{
    char word = 0;
    int ready[2];

    e->seen =
        mmap(NULL, sizeof(*e->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (e->seen == MAP_FAILED || pipe(ready) < 0)
        abort();
    e->pid = fork();
    if (e->pid == 0) {
        struct http_server *s = NULL;

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        engine_state.engine = e;
        (void)uv_loop_init(&engine_state.loop);
        s = http_server_new(&engine_state.loop, &(struct http_limits){0}, engine_on_request, NULL);
        if (http_server_listen_unix(s, e->path, 0600, (uid_t)-1, (gid_t)-1, NULL) < 0 ||
            write(ready[1], "r", 1) != 1)
            _exit(1);
        (void)uv_run(&engine_state.loop, UV_RUN_DEFAULT);
        _exit(0);
    }
    (void)close(ready[1]);
    if (read(ready[0], &word, 1) != 1)
        abort();
    (void)close(ready[0]);
}

static inline void engine_end(struct test_engine *e)
{
    (void)kill(e->pid, SIGKILL);
    (void)waitpid(e->pid, NULL, 0);
    (void)munmap(e->seen, sizeof(*e->seen));
}

#endif
