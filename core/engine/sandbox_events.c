/* See sandbox_events.h. long poll -> hub_event -> entry -> batch -> event.sandbox
 *
 * The sandbox numbers its events from 1 for as long as it runs. A stream knows the number of the
 * last one it saw: a hole in the numbers is what was lost, another process begins anew. */
#include "core/engine/sandbox_events.h"

#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/engine/engine.h"
#include "core/engine/sandbox_entry.h"
#include "core/engine/server.h"
#include "core/rpc/model_json.h"
#include "provision/hub_rest.h"

#include <inttypes.h>

#define STREAMS_MAX   16
#define POLL_LIMIT_MS 30000 /* then it does not answer */
#define POLL_S        20    /* the sandbox waits so long for an event */
#define AGAIN_MS      1000  /* to look again for a sandbox that is gone, or that does not wait */
#define ANSWER_MAX    (8U << 20)       /* what it sends at once is about 1.5 MiB */
#define QUEUE_MAX     (512U << 10)     /* bytes that wait for the client: then its stream waits */
#define BATCH_BYTES   (256U << 10)     /* of entries; more goes out in several messages */
#define NEWEST        (UINT64_MAX / 4) /* behind every event: asks for the number of the last one */

enum stream_trouble { TROUBLE_NONE, TROUBLE_GONE, TROUBLE_SILENT };

struct stream {
    struct sandbox_events *all;
    char id[SANDBOX_STREAM_MAX];
    uint64_t client;
    char device[130];
    uint64_t tail;
    bool follow;

    struct hub_rest *rest;
    pid_t pid; /* the sandbox that the numbers are of */
    uint64_t pid_start;
    uint64_t after; /* number of the last event seen */
    uint64_t asked_ms;
    bool placed; /* it is known where to begin */
    bool counts; /* a hole in the numbers is a loss */
    enum stream_trouble trouble;

    cJSON *batch;
    size_t batch_bytes;
    uint64_t seq; /* of entries */
    uint64_t gap; /* events lost since the last entry */
    uv_timer_t timer;
    bool paused; /* until the client has read */
    bool over;
    struct err error; /* of the end */
};

struct sandbox_events {
    struct engine *engine;
    struct stream *list[STREAMS_MAX];
    size_t n;
    uint64_t next_id;
};

static void poll_start(struct stream *s);
static void on_timer(uv_timer_t *timer);

struct sandbox_events *sandbox_events_new(struct engine *e)
{
    struct sandbox_events *s = xcalloc(1, sizeof(*s));
    s->engine = e;
    s->next_id = 1;
    return s;
}

static void on_stream_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void stream_free(struct stream *s)
{
    struct sandbox_events *all = s->all;
    for (size_t i = 0; i < all->n; i++) {
        if (all->list[i] != s)
            continue;
        all->list[i] = all->list[--all->n];
        break;
    }
    hub_rest_free(s->rest);
    cJSON_Delete(s->batch);
    uv_close((uv_handle_t *)&s->timer, on_stream_closed);
}

void sandbox_events_free(struct sandbox_events *s)
{
    while (s && s->n)
        stream_free(s->list[0]);
    free(s);
}

/* ---- out ---- */

static void stream_flush(struct stream *s)
{
    if (!s->batch && !s->over)
        return;
    uint64_t entries = (uint64_t)cJSON_GetArraySize(s->batch);
    cJSON *params = cJSON_CreateObject();
    json_add_str(params, "stream", s->id);
    json_add(params, "entries", s->batch ? steal(s->batch) : cJSON_CreateArray());
    s->batch_bytes = 0;
    if (s->over) {
        json_add_bool(params, "end", true);
        if (s->error.kind)
            json_add(params, "error", model_json_error(&s->error));
    }
    if (!server_notify(s->all->engine->server, s->client, "event.sandbox", params))
        s->gap += entries;
}

static void stream_push(struct stream *s, cJSON *take_entry)
{
    auto_buf struct buf text = {0};
    json_print(&text, take_entry);
    if (s->batch_bytes && s->batch_bytes + text.len > BATCH_BYTES)
        stream_flush(s);
    s->batch_bytes += text.len;
    json_add_u64(take_entry, "seq", ++s->seq);
    if (s->gap)
        json_add_u64(take_entry, "gap", s->gap);
    s->gap = 0;
    if (!s->batch)
        s->batch = cJSON_CreateArray();
    json_push(s->batch, take_entry);
}

static void stream_say(struct stream *s, const char *mark, const char *text)
{
    stream_push(s, sandbox_entry_mark(mark, text));
    stream_flush(s);
}

static void again_in(struct stream *s, uint64_t ms)
{
    (void)uv_timer_start(&s->timer, on_timer, ms, 0);
}

/* The stream is over with the loop's next turn. */
static void stream_end(struct stream *s, const struct err *err)
{
    s->over = true;
    if (err)
        s->error = *err;
    again_in(s, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct stream *s = timer->data;
    if (!s->over) {
        poll_start(s);
        return;
    }
    stream_flush(s);
    stream_free(s);
}

/* ---- in ---- */

/* Entries are numbered with the lost ones counted, so that a client sees the hole. */
static void lose(struct stream *s, uint64_t events)
{
    s->gap += events;
    s->seq += events;
}

static void on_event(void *arg, const struct hub_event *e)
{
    struct stream *s = arg;
    if (e->sequence <= s->after)
        return; /* not what was asked for */
    if (s->counts)
        lose(s, e->sequence - s->after - 1);
    s->counts = true;
    s->after = e->sequence;
    if (!s->device[0] || str_eq(s->device, e->device))
        stream_push(s, sandbox_entry_json(e));
}

/* Where to begin: at the newest events, or at those that are kept of them. */
static void place(struct stream *s, uint64_t last)
{
    s->placed = true;
    s->after = s->tail < last ? last - s->tail : 0;
    s->counts = s->tail == 0; /* what came before is no loss */
}

/* What a poll brought. True: there may be more at once. */
static bool take_answer(struct stream *s, const char *text, size_t len, struct err *err)
{
    uint64_t before = s->after;
    uint64_t last = 0;
    if (hub_read_events(text, len, on_event, s, &last, err) < 0)
        return false;
    if (!s->placed) {
        place(s, last);
        return true;
    }
    if (last < s->after) { /* it numbers anew, and find_sandbox() has not seen it yet */
        s->after = 0;
        s->counts = false;
        return true;
    }
    if (s->after == before && last > s->after) { /* too large for it to keep */
        if (s->counts)
            lose(s, last - s->after);
        s->after = last;
    }
    return s->after > before;
}

static void trouble_say(struct stream *s, enum stream_trouble trouble, const struct err *err)
{
    char text[400];
    if (s->trouble == trouble)
        return;
    s->trouble = trouble;
    if (trouble == TROUBLE_GONE) {
        stream_say(s, "stopped", "the sandbox is not running; events go on when it is started");
        return;
    }
    (void)str_format(text, sizeof(text), "the sandbox does not answer: %s", err->msg);
    stream_say(s, "silent", text);
}

static void poll_failed(struct stream *s, const struct err *err)
{
    bool passing = err->kind != ERR_UNSUPPORTED && err->kind != ERR_AUTH;
    if (!s->follow || !passing) {
        stream_end(s, err);
        return;
    }
    if (err->kind != ERR_UNREACHABLE) /* else the process has probably ended: looking tells */
        trouble_say(s, TROUBLE_SILENT, err);
    again_in(s, AGAIN_MS);
}

static void on_polled(void *arg, const char *text, size_t len, const struct err *err)
{
    struct stream *s = arg;
    struct err bad = {0};
    bool more = !err && take_answer(s, text, len, &bad);
    if (err || bad.kind) {
        poll_failed(s, err ? err : &bad);
        return;
    }
    stream_flush(s);
    s->trouble = TROUBLE_NONE;
    if (more)
        again_in(s, 0);
    else if (!s->follow)
        stream_end(s, NULL);
    else
        again_in(s, clock_mono_ms() - s->asked_ms < AGAIN_MS ? AGAIN_MS : 0);
}

static const char again_text[] =
    "the sandbox was started again; its last events before that may be missing";

/* Makes the stream one of the sandbox that runs now. */
static int find_sandbox(struct stream *s, struct err *err)
{
    auto_sandbox_record struct sandbox_record record = {0};
    if (sandbox_load_running(&record, err) < 0)
        return -1;
    if (s->rest && record.pid == s->pid && record.pid_start == s->pid_start)
        return 0;
    if (s->pid) {
        stream_say(s, "restarted", again_text);
        s->after = 0;
        s->placed = true;
        s->counts = false;
    }
    s->pid = record.pid;
    s->pid_start = record.pid_start;
    hub_rest_free(s->rest);
    s->rest = hub_rest_new(s->all->engine->loop, &record, NULL, err);
    return s->rest ? 0 : -1;
}

static void poll_start(struct stream *s)
{
    struct err err = {0};
    char query[64];
    size_t queued = server_queued(s->all->engine->server, s->client);
    s->paused = queued != SIZE_MAX && queued > QUEUE_MAX;
    if (s->paused)
        return;
    if (find_sandbox(s, &err) < 0) {
        if (!s->follow || err.kind != ERR_UNREACHABLE) {
            stream_end(s, &err);
            return;
        }
        trouble_say(s, TROUBLE_GONE, NULL);
        again_in(s, AGAIN_MS);
        return;
    }
    (void)str_format(query, sizeof(query), "after=%" PRIu64 "&wait=%d",
                     s->placed ? s->after : NEWEST, s->placed && s->follow ? POLL_S : 0);
    s->asked_ms = clock_mono_ms();
    const struct hub_rest_request request = {.method = "GET",
                                             .path = "sandbox/events",
                                             .query = query,
                                             .body_max = ANSWER_MAX,
                                             .timeout_ms = POLL_LIMIT_MS};
    hub_rest_send(s->rest, &request, on_polled, s);
}

/* ---- begin and end ---- */

int sandbox_events_open(struct sandbox_events *all, const struct sandbox_events_request *request,
                        char *ret_id, struct err *err)
{
    auto_sandbox_record struct sandbox_record record = {0};
    if (sandbox_load_running(&record, err) < 0)
        return -1;
    if (all->n == STREAMS_MAX) {
        err_set(err, ERR_BUSY, "%d streams of events are open already", STREAMS_MAX);
        return err_hint(err, "close some of them");
    }
    struct stream *s = xcalloc(1, sizeof(*s));
    s->all = all;
    s->client = request->client;
    s->tail = request->tail;
    s->follow = request->follow;
    s->placed = request->tail == UINT64_MAX;
    STR_SET(s->device, request->device);
    (void)str_format(s->id, sizeof(s->id), "sandbox-%" PRIu64, all->next_id++);
    (void)uv_timer_init(all->engine->loop, &s->timer);
    s->timer.data = s;
    all->list[all->n++] = s;
    (void)str_copy(ret_id, SANDBOX_STREAM_MAX, s->id);
    again_in(s, 0);
    return 0;
}

void sandbox_events_close(struct sandbox_events *all, uint64_t client, const char *id)
{
    for (size_t i = 0; i < all->n; i++) {
        if (all->list[i]->client != client || !str_eq(all->list[i]->id, id))
            continue;
        stream_free(all->list[i]);
        return;
    }
}

void sandbox_events_client_gone(struct sandbox_events *all, uint64_t client)
{
    for (size_t i = all->n; i-- > 0;)
        if (all->list[i]->client == client)
            stream_free(all->list[i]);
}

void sandbox_events_client_drained(struct sandbox_events *all, uint64_t client)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i]->client == client && all->list[i]->paused)
            again_in(all->list[i], 0);
}
