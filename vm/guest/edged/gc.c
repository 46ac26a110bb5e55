/* See gc.h. A look every hour finds out what is in use; once a cleanup's time has come, what is due
 * then goes, one image after the other. */
#include "vm/guest/edged/gc.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/edged/gc_images.h"

#define LOOK_MS  3600000
#define FIRST_MS 60000 /* the deployment is worked on first */
#define FILE_MAX (256U << 10)

struct gc {
    struct docker *docker;
    const struct config *config;
    const struct agent *agent;
    char *path;
    uv_timer_t *timer; /* the next look */
    struct docker_call *call;
    cJSON *list; /* of images, while the containers are asked for */
    struct gc_images images;
    size_t at;        /* the next one to be judged; behind the last: none */
    uint64_t next_ms; /* cleanup */
    uint64_t last_ms;
};

static void remove_next(struct gc *g);

/* ------------------------------------------------------------------------------- file */

static void save(struct gc *g)
{
    struct err err;
    auto_buf struct buf text = {0};
    auto_json cJSON *json = cJSON_CreateObject();
    json_add_u64(json, "last", g->last_ms);
    json_add(json, "images", gc_images_json(&g->images));
    json_print(&text, json);
    if (file_write(g->path, text.data, text.len, 0600, &err) < 0)
        log_error("images", "the state could not be saved: %s", err.msg);
}

static void load(struct gc *g)
{
    struct err err;
    auto_buf struct buf text = {0};
    if (!file_exists(g->path))
        return;
    auto_json cJSON *json = file_read(g->path, FILE_MAX, &text, &err) < 0
                                ? NULL
                                : json_parse(buf_str(&text), text.len, &err);
    if (!json) {
        log_warn("images", "when images were last used is not known: %s", err.msg);
        return;
    }
    g->last_ms = json_u64(json, "last", 0);
    gc_images_parse(json_get(json, "images"), &g->images);
}

/* ------------------------------------------------------------------------------- timing */

static void on_timer(uv_timer_t *timer);

/* The timer does not follow the wall clock; so it never sleeps for long. */
static void wait(struct gc *g, uint64_t most_ms)
{
    uint64_t now_ms = clock_wall_ms();
    uint64_t left_ms = g->next_ms > now_ms ? g->next_ms - now_ms : 0;
    (void)uv_timer_start(g->timer, on_timer, left_ms < most_ms ? left_ms : most_ms, 0);
}

static void plan_next(struct gc *g)
{
    const struct config_images *c = &g->config->images;
    g->next_ms = gc_next_ms(clock_wall_ms(), g->last_ms, c->every_s, c->minute);
}

/* ------------------------------------------------------------------------------- removal */

static void cleanup_done(struct gc *g)
{
    g->last_ms = clock_wall_ms();
    save(g);
    plan_next(g);
    wait(g, LOOK_MS);
}

static void on_removed(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status, (void)json;
    struct gc *g = arg;
    const char *id = g->images.at[g->at].id;
    g->call = NULL;
    if (err)
        log_info("images", "%s stays: %s", id, err->msg);
    else
        log_info("images", "%s was not used for long and is removed", id);
    g->at++;
    remove_next(g);
}

static void remove_next(struct gc *g)
{
    auto_buf struct buf target = {0};
    while (g->at < g->images.n &&
           !gc_images_due(&g->images.at[g->at], g->config->images.age_s, clock_wall_ms()))
        g->at++;
    if (g->at == g->images.n) {
        cleanup_done(g);
        return;
    }
    buf_puts(&target, "/images/");
    docker_encode(&target, g->images.at[g->at].id);
    g->call = docker_delete(g->docker, buf_str(&target), on_removed, g);
}

/* ------------------------------------------------------------------------------- look */

/* The engine is away: at the next look again. */
static void look_failed(struct gc *g, const struct err *err)
{
    log_debug("images", "%s", err->msg);
    (void)uv_timer_start(g->timer, on_timer, FIRST_MS, 0);
}

static void on_containers(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status;
    struct gc *g = arg;
    auto_json cJSON *list = steal(g->list);
    uint64_t now_ms = clock_wall_ms();
    g->call = NULL;
    if (err) {
        look_failed(g, err);
        return;
    }
    gc_images_look(&g->images, list, json, agent_deployment(g->agent), now_ms);
    if (now_ms >= g->next_ms) {
        g->at = 0;
        remove_next(g);
        return;
    }
    save(g);
    wait(g, LOOK_MS);
}

static void on_images(void *arg, int status, const cJSON *json, const struct err *err)
{
    (void)status;
    struct gc *g = arg;
    g->call = NULL;
    if (err) {
        look_failed(g, err);
        return;
    }
    g->list = cJSON_Duplicate(json, true);
    g->call = docker_get(g->docker, "/containers/json?all=true", on_containers, g);
}

static void on_timer(uv_timer_t *timer)
{
    struct gc *g = timer->data;
    g->call = docker_get(g->docker, "/images/json", on_images, g);
}

/* ------------------------------------------------------------------------------- life */

struct gc *gc_new(uv_loop_t *loop, struct docker *docker, const struct config *config,
                  const struct agent *agent, const char *state_dir)
{
    struct gc *g = xcalloc(1, sizeof(*g));
    g->docker = docker;
    g->config = config;
    g->agent = agent;
    g->path = xasprintf("%s/images.json", state_dir);
    g->timer = xcalloc(1, sizeof(*g->timer));
    (void)uv_timer_init(loop, g->timer);
    g->timer->data = g;
    if (config->images.enabled) {
        load(g);
        plan_next(g);
        wait(g, FIRST_MS);
    }
    return g;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void gc_free(struct gc *g)
{
    if (!g)
        return;
    docker_cancel(g->call);
    uv_close((uv_handle_t *)g->timer, on_closed);
    cJSON_Delete(g->list);
    free(g->path);
    free(g);
}
