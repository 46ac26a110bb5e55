/* See c2d.h. The queue is the store's table; what is kept here is what is in flight, in the order
 * in which it was sent, which is the order in which the locks end. A message that is in flight is
 * still in the table: a hub that dies sends it again. */
#include "vm/guest/hub/c2d.h"

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "vm/guest/hub/clients.h"

#include <string.h>

#define TICK_MAX_MS 60000 /* the wall clock may be set */
#define COMMIT_MS   20    /* a PUBACK may be written down so much later, with others */
#define TOPIC_ROOM  (IDENTITY_ID_MAX + 40)

enum outcome { TAKEN, EXPIRED, UNDELIVERABLE, PURGED };

static const struct {
    const char *status;
    enum c2d_ack wanted; /* the bit of senders who want to hear it */
} outcomes[] = {
    [TAKEN] = {"Success", C2D_ACK_POSITIVE},
    [EXPIRED] = {"Expired", C2D_ACK_NEGATIVE},
    [UNDELIVERABLE] = {"DeliveryCountExceeded", C2D_ACK_NEGATIVE},
    [PURGED] = {"Purged", C2D_ACK_NEGATIVE},
};

struct c2d_flight {
    struct c2d_flight *next, *prev; /* of all, oldest first */
    struct c2d_flight *sibling;     /* of its link */
    struct c2d_link *link;
    uint64_t id;
    uint64_t until_ms; /* loop time */
    uint16_t packet;
};

struct c2d {
    struct hub *hub;
    struct c2d_flight *first, *last;
    bool uncommitted; /* a PUBACK's doing: nothing is sent for it that would take a commit along */
    uv_timer_t timer;
};

static void on_timer(uv_timer_t *timer);

/* ---- flights ---- */

static void queue_append(struct c2d *c, struct c2d_flight *f)
{
    f->until_ms = uv_now(c->hub->loop) + c->hub->c2d_lock_ms;
    f->next = NULL;
    f->prev = c->last;
    *(c->last ? &c->last->next : &c->first) = f;
    c->last = f;
}

static void queue_remove(struct c2d *c, struct c2d_flight *f)
{
    *(f->prev ? &f->prev->next : &c->first) = f->next;
    *(f->next ? &f->next->prev : &c->last) = f->prev;
}

static void flight_add(struct c2d *c, struct c2d_link *link, uint64_t id, uint16_t packet)
{
    struct c2d_flight *f = xcalloc(1, sizeof(*f));

    f->link = link;
    f->id = id;
    f->packet = packet;
    f->sibling = link->flights;
    link->flights = f;
    link->n++;
    queue_append(c, f);
}

static void flight_end(struct c2d *c, struct c2d_flight *f)
{
    struct c2d_flight **at = &f->link->flights;

    while (*at != f)
        at = &(*at)->sibling;
    *at = f->sibling;
    f->link->n--;
    queue_remove(c, f);
    free(f);
}

/* Sets the timer for the first lock or message that ends. */
static void schedule(struct c2d *c)
{
    uint64_t expiry_ms = UINT64_MAX, now_ms = clock_wall_ms(), wait = TICK_MAX_MS;
    uint64_t loop_ms = uv_now(c->hub->loop);

    (void)store_c2d_next_expiry(c->hub->store, &expiry_ms, NULL);
    if (!c->first && expiry_ms == UINT64_MAX && !c->uncommitted) {
        (void)uv_timer_stop(&c->timer);
        return;
    }
    if (expiry_ms <= now_ms)
        wait = 0;
    else if (expiry_ms - now_ms < wait)
        wait = expiry_ms - now_ms;
    if (c->first && (c->first->until_ms <= loop_ms || c->first->until_ms - loop_ms < wait))
        wait = c->first->until_ms <= loop_ms ? 0 : c->first->until_ms - loop_ms;
    if (c->uncommitted && wait > COMMIT_MS)
        wait = COMMIT_MS;
    (void)uv_timer_start(&c->timer, on_timer, wait, 0);
}

/* ---- the end of a message ---- */

static int leave_feedback(struct c2d *c, const struct c2d_row *row, enum outcome outcome,
                          struct err *err)
{
    auto_identity struct identity id = {0};
    struct c2d_feedback f = {.at_ms = clock_wall_ms()};

    if (!(row->ack & outcomes[outcome].wanted))
        return 0;
    (void)store_identity_get(c->hub->store, row->device, "", &id, NULL);
    STR_SET(f.device, row->device);
    STR_SET(f.generation, id.generation);
    STR_SET(f.message_id, row->message_id);
    STR_SET(f.status, outcomes[outcome].status);
    return store_feedback_add(c->hub->store, &f, C2D_FEEDBACK_KEPT, err);
}

/* Out of the queue, for good. */
static int finish(struct c2d *c, const struct c2d_row *row, enum outcome outcome, struct err *err)
{
    if (outcome == EXPIRED || outcome == UNDELIVERABLE)
        log_info("c2d", "message %s for %s was given up: %s", row->message_id, row->device,
                 outcomes[outcome].status);
    if (store_c2d_delete(c->hub->store, row->id, err) < 0)
        return -1;
    return leave_feedback(c, row, outcome, err);
}

/* ---- sending ---- */

static void put_topic(const struct c2d_row *row, struct buf *topic)
{
    buf_printf(topic, "devices/%s/messages/devicebound/%s", row->device, buf_str(&row->bag));
}

/* False where it has to wait for room. */
static bool deliver(struct c2d *c, struct c2d_link *link, const struct c2d_row *row,
                    struct err *err)
{
    auto_buf struct buf topic = {0};
    uint16_t packet;

    put_topic(row, &topic);
    packet = mqtt_conn_publish(link->conn, topic.data, buf_str(&row->body), row->body.len,
                               link->acknowledges ? 1 : 0);
    if (link->acknowledges && packet == 0)
        return false;
    link->last = row->id;
    if (!link->acknowledges)
        return finish(c, row, TAKEN, err) == 0;
    flight_add(c, link, row->id, packet);
    return store_c2d_set_deliveries(c->hub->store, row->id, row->deliveries + 1, err) == 0;
}

/* Sends what waits, as far as there is room. */
static void pump(struct c2d *c, struct c2d_link *link)
{
    struct err err = {0};
    bool go_on = true;

    while (go_on && link->conn && mqtt_conn_has_room(link->conn) && link->n < MQTT_IN_FLIGHT_MAX) {
        auto_c2d_row struct c2d_row row = {0};

        if (store_c2d_next(c->hub->store, link->device, link->last, &row, &err) <= 0)
            break;
        if (row.expiry_ms <= clock_wall_ms())
            go_on = finish(c, &row, EXPIRED, &err) == 0;
        else if (row.deliveries >= C2D_DELIVERIES_MAX)
            go_on = finish(c, &row, UNDELIVERABLE, &err) == 0;
        else
            go_on = deliver(c, link, &row, &err);
    }
    if (err.kind != ERR_NONE)
        log_error("c2d", "messages for %s: %s", link->device, err.msg);
    schedule(c);
}

void c2d_open(struct c2d *c, struct c2d_link *link, const char *device, struct mqtt_conn *conn,
              unsigned qos)
{
    link->acknowledges = qos > 0;
    if (link->conn != conn) {
        link->device = device;
        link->conn = conn;
        link->last = 0;
    }
    pump(c, link);
}

void c2d_close(struct c2d *c, struct c2d_link *link)
{
    link->conn = NULL;
    while (link->flights)
        flight_end(c, link->flights);
}

void c2d_continue(struct c2d *c, struct c2d_link *link)
{
    if (link->conn)
        pump(c, link);
}

void c2d_acknowledged(struct c2d *c, struct c2d_link *link, uint16_t packet)
{
    auto_c2d_row struct c2d_row row = {0};
    struct c2d_flight *f = link->flights;
    struct err err = {0};

    while (f && f->packet != packet)
        f = f->sibling;
    if (f) { /* else it was purged, or expired, meanwhile */
        int found = store_c2d_get(c->hub->store, f->id, &row, &err);

        flight_end(c, f);
        if (found < 0 || (found && finish(c, &row, TAKEN, &err) < 0))
            log_error("c2d", "message %s for %s: %s", row.message_id, link->device, err.msg);
        c->uncommitted = true;
    }
    pump(c, link);
}

/* ---- time ---- */

/* The oldest in flight was not acknowledged in time. */
static int lock_ended(struct c2d *c, struct c2d_flight *f, struct err *err)
{
    auto_c2d_row struct c2d_row row = {0};
    auto_buf struct buf topic = {0};
    struct c2d_link *link = f->link;
    int found = store_c2d_get(c->hub->store, f->id, &row, err);

    if (found <= 0 || row.deliveries >= C2D_DELIVERIES_MAX) {
        flight_end(c, f);
        return found > 0 ? finish(c, &row, UNDELIVERABLE, err) : found;
    }
    queue_remove(c, f);
    queue_append(c, f);
    if (!mqtt_conn_has_room(link->conn))
        return 0; /* it reads nothing: more of it would not help */
    put_topic(&row, &topic);
    mqtt_conn_publish_again(link->conn, f->packet, topic.data, buf_str(&row.body), row.body.len);
    return store_c2d_set_deliveries(c->hub->store, row.id, row.deliveries + 1, err);
}

static int drop_expired(struct c2d *c, struct err *err)
{
    for (;;) {
        auto_c2d_row struct c2d_row row = {0};
        int found = store_c2d_expired(c->hub->store, clock_wall_ms(), &row, err);

        if (found <= 0)
            return found;
        if (finish(c, &row, EXPIRED, err) < 0)
            return -1;
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct c2d *c = timer->data;
    struct err err = {0};
    int status = drop_expired(c, &err);

    while (status == 0 && c->first && c->first->until_ms <= uv_now(c->hub->loop))
        status = lock_ended(c, c->first, &err);
    c->uncommitted = false;
    if (status < 0 || !hub_commit(c->hub)) {
        if (status < 0)
            log_error("c2d", "%s", err.msg);
        (void)uv_timer_start(&c->timer, on_timer, TICK_MAX_MS, 0);
        return;
    }
    schedule(c);
}

/* ---- queue ---- */

int c2d_send(struct c2d *c, const struct c2d_row *message, struct err *err)
{
    struct c2d_link *link = clients_link(c->hub->clients, message->device);
    uint64_t n = 0;

    if (store_c2d_count(c->hub->store, message->device, &n, err) < 0)
        return -1;
    if (n >= C2D_QUEUE_MAX)
        return err_set(err, ERR_NO_SPACE, "%d messages wait for device %s already", C2D_QUEUE_MAX,
                       message->device);
    if (store_c2d_add(c->hub->store, message, err) < 0)
        return -1;
    if (link)
        pump(c, link);
    else
        schedule(c);
    return 0;
}

int c2d_purge(struct c2d *c, const char *device, uint64_t *ret_purged, struct err *err)
{
    struct c2d_link *link = clients_link(c->hub->clients, device);
    uint64_t n = 0;

    for (;; n++) {
        auto_c2d_row struct c2d_row row = {0};
        int found = store_c2d_next(c->hub->store, device, 0, &row, err);

        if (found < 0 || (found && finish(c, &row, PURGED, err) < 0))
            return -1;
        if (found == 0)
            break;
    }
    while (link && link->flights)
        flight_end(c, link->flights);
    schedule(c);
    *ret_purged = n;
    return 0;
}

/* ---- life ---- */

struct c2d *c2d_new(struct hub *hub)
{
    struct c2d *c = xcalloc(1, sizeof(*c));

    c->hub = hub;
    (void)uv_timer_init(hub->loop, &c->timer);
    c->timer.data = c;
    schedule(c);
    return c;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void c2d_free(struct c2d *c)
{
    if (!c)
        return;
    while (c->first)
        flight_end(c, c->first);
    uv_close((uv_handle_t *)&c->timer, on_closed);
}
