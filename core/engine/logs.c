/* See logs.h. source -> (docker frames) -> lines -> sanitised entries -> batch -> event.log */
#include "core/engine/logs.h"

#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/path.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/guest.h"
#include "core/engine/log_file.h"
#include "core/engine/server.h"
#include "core/engine/vms.h"
#include "core/rpc/model_json.h"
#include "logs/docker_frames.h"
#include "logs/line_split.h"

#define BATCH_MS    50
#define BATCH_LINES 200
#define BATCH_BYTES (256U << 10) /* of text: twice that on the wire at worst */
#define QUEUE_MAX   (512U << 10) /* bytes that wait for the client: then its source waits */

struct stream {
    struct logs *logs;
    uint64_t id;
    uint64_t client;
    struct guest_call *call; /* the source: either this */
    struct log_file *file;   /* or this */
    struct docker_frames frames;
    struct line_split *split;
    cJSON *batch;
    size_t batch_lines, batch_bytes;
    uint64_t seq;
    uint64_t gap; /* lines that did not get out since the last one that did */
    uv_timer_t timer;
    bool paused;
    bool over;
    struct err error; /* of the end */
};

struct logs {
    struct engine *engine;
    struct stream *list[LOGS_STREAMS_MAX];
    size_t n;
    uint64_t next_id;
};

struct logs *logs_new(struct engine *e)
{
    struct logs *l = xcalloc(1, sizeof(*l));
    l->engine = e;
    l->next_id = 1;
    return l;
}

static void on_stream_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void stream_free(struct stream *s)
{
    struct logs *l = s->logs;
    for (size_t i = 0; i < l->n; i++) {
        if (l->list[i] != s)
            continue;
        l->list[i] = l->list[--l->n];
        break;
    }
    if (s->call)
        guest_call_cancel(s->call);
    log_file_close(s->file);
    line_split_free(s->split);
    cJSON_Delete(s->batch);
    uv_close((uv_handle_t *)&s->timer, on_stream_closed);
}

void logs_free(struct logs *l)
{
    while (l && l->n)
        stream_free(l->list[0]);
    free(l);
}

/* ---- out ---- */

static void stream_flush(struct stream *s)
{
    if (!s->batch_lines && !s->over)
        return;
    size_t lines = s->batch_lines;
    char id[24];
    cJSON *params = cJSON_CreateObject();
    (void)str_format(id, sizeof(id), "%llu", (unsigned long long)s->id);
    json_add_str(params, "stream", id);
    json_add(params, "entries", s->batch ? steal(s->batch) : cJSON_CreateArray());
    s->batch_lines = s->batch_bytes = 0;
    if (s->over) {
        json_add_bool(params, "end", true);
        if (s->error.kind)
            json_add(params, "error", model_json_error(&s->error));
    }
    if (!server_notify(s->logs->engine->server, s->client, "event.log", params))
        s->gap += lines;
}

static void on_entry(void *arg, const struct log_entry *entry)
{
    struct stream *s = arg;
    cJSON *json = cJSON_CreateObject();
    json_add_u64(json, "seq", ++s->seq);
    if (s->gap)
        json_add_u64(json, "gap", s->gap);
    s->gap = 0;
    if (entry->at_ms)
        json_add_u64(json, "at", entry->at_ms);
    if (entry->stream)
        json_add_u64(json, "stream", entry->stream);
    if (entry->cut)
        json_add_bool(json, "cut", true);
    auto_free char *text = xstrndup(entry->text, entry->len);
    json_add_str(json, "text", text);
    if (!s->batch)
        s->batch = cJSON_CreateArray();
    json_push(s->batch, json);
    s->batch_lines++;
    s->batch_bytes += entry->len;
    if (s->batch_lines >= BATCH_LINES || s->batch_bytes >= BATCH_BYTES)
        stream_flush(s);
}

/* The batch's time is up, or the stream is over. */
static void on_timer(uv_timer_t *timer)
{
    struct stream *s = timer->data;
    stream_flush(s);
    if (s->over)
        stream_free(s);
}

/* ---- in ---- */

/* False: the client has enough for now. */
static bool stream_fed(struct stream *s)
{
    if (s->batch_lines && !uv_is_active((uv_handle_t *)&s->timer))
        (void)uv_timer_start(&s->timer, on_timer, BATCH_MS, 0);
    size_t queued = server_queued(s->logs->engine->server, s->client);
    s->paused = queued != SIZE_MAX && queued > QUEUE_MAX;
    return !s->paused;
}

static void stream_end(struct stream *s, const struct err *err)
{
    line_split_end(s->split);
    s->over = true;
    if (err)
        s->error = *err;
    (void)uv_timer_start(&s->timer, on_timer, 0, 0);
}

static bool on_guest_data(void *arg, const char *data, size_t len)
{
    struct stream *s = arg;
    struct err err = {0};
    if (s->over)
        return false;
    if (docker_frames_feed(&s->frames, data, len, &err) < 0) {
        guest_call_cancel(s->call);
        s->call = NULL;
        stream_end(s, &err);
        return false;
    }
    return stream_fed(s);
}

static void on_guest_done(void *arg, const struct err *err)
{
    struct stream *s = arg;
    s->call = NULL;
    if (!s->over)
        stream_end(s, err);
}

static bool on_file_data(void *arg, const char *data, size_t len)
{
    struct stream *s = arg;
    line_split_feed(s->split, 0, false, data, len);
    return stream_fed(s);
}

static void on_file_end(void *arg)
{
    stream_end(arg, NULL);
}

void logs_client_drained(struct logs *l, uint64_t client)
{
    for (size_t i = 0; i < l->n; i++) {
        struct stream *s = l->list[i];
        if (s->client != client || !s->paused)
            continue;
        s->paused = false;
        if (s->call)
            guest_log_resume(s->call);
        else if (s->file)
            log_file_resume(s->file);
    }
}

/* ---- begin and end ---- */

static int open_file_source(struct stream *s, const struct logs_request *request, char *take_path,
                            struct err *err)
{
    auto_free char *path = take_path;
    const struct log_file_options options = {
        .path = path, .tail = request->tail, .follow = request->follow};
    s->file = log_file_open(s->logs->engine->loop, &options, on_file_data, on_file_end, s, err);
    return s->file ? 0 : -1;
}

static int open_module(struct stream *s, const struct logs_request *request, struct err *err)
{
    const struct guest_log_options options = {.tail = request->tail, .follow = request->follow};
    struct guest *guest = vms_guest(s->logs->engine->vms, request->vm, err);
    if (!guest)
        return -1;
    docker_frames_init(&s->frames, DOCKER_MODE_DETECT, line_split_feed, s->split);
    s->call = guest_log(guest, request->module, &options, on_guest_data, on_guest_done, s, err);
    return s->call ? 0 : -1;
}

static int open_source(struct stream *s, const struct logs_request *request, struct err *err)
{
    bool engine = str_eq(request->module, LOGS_ENGINE);
    bool serial = str_eq(request->module, LOGS_SERIAL);
    s->split = line_split_new(&(struct line_split_options){.timestamps = !serial}, on_entry, s);
    if (engine)
        return open_file_source(s, request, path_of(PATH_STATE, "%s", "engine.log"), err);
    if (!vms_find(s->logs->engine->vms, request->vm, err))
        return -1;
    if (serial)
        return open_file_source(s, request, record_path(request->vm, RECORD_CONSOLE), err);
    return open_module(s, request, err);
}

int logs_follow(struct logs *l, const struct logs_request *request, uint64_t *ret_stream,
                struct err *err)
{
    if (l->n == LOGS_STREAMS_MAX) {
        err_set(err, ERR_BUSY, "%d logs are being followed already", LOGS_STREAMS_MAX);
        return err_hint(err, "close some of them");
    }
    struct stream *s = xcalloc(1, sizeof(*s));
    s->logs = l;
    s->id = l->next_id++;
    s->client = request->client;
    (void)uv_timer_init(l->engine->loop, &s->timer);
    s->timer.data = s;
    l->list[l->n++] = s;
    if (open_source(s, request, err) < 0) {
        stream_free(s);
        return -1;
    }
    *ret_stream = s->id;
    return 0;
}

void logs_stop(struct logs *l, uint64_t client, uint64_t stream)
{
    for (size_t i = 0; i < l->n; i++) {
        if (l->list[i]->id != stream || l->list[i]->client != client)
            continue;
        stream_free(l->list[i]);
        return;
    }
}

void logs_client_gone(struct logs *l, uint64_t client)
{
    for (size_t i = l->n; i-- > 0;)
        if (i < l->n && l->list[i]->client == client)
            stream_free(l->list[i]);
}
