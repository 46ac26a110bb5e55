/* See edge_upstream_private.h: the messages to the cloud, from the outbox. As many as may wait for
 * their PUBACK are sent ahead; what the connection took with it comes again, in order.
 *
 * A message that the cloud never takes ends each connection that it is sent on. To find it, one at
 * a time is sent once the same message was the first to be lost twice in a row. When it has ended
 * STUCK_MAX connections, it is held back for the one behind it: where that arrives, it is given up,
 * since everything behind it would wait for ever; where not, it was not the message. */
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/str.h"
#include "core/io/mqtt_packet.h"
#include "vm/guest/hub/edge_upstream_private.h"

#include <inttypes.h>
#include <string.h>

#define STUCK_MAX 10

static uint64_t queued(const struct edge_link *l)
{
    uint64_t n = 0;

    for (unsigned p = 0; l->endpoint && p < ROUTE_PRIORITIES; p++)
        n += outbox_count(l->upstream->edge->outbox, l->endpoint->number, p);
    return n;
}

bool edge_link_queued(const struct edge_link *l)
{
    return queued(l) > 0;
}

/* ---- out ---- */

static void give_up(struct edge_link *l, const struct outbox_ref *ref, size_t size,
                    struct meter *dropped, const char *why)
{
    log_error("upstream", "%s: message %" PRIu64 " (%zu bytes) is given up: %s", l->id, ref->id,
              size, why);
    meter_add(dropped, 1);
    outbox_done(l->upstream->edge->outbox, ref);
}

static struct meter *dropped_series(const struct edge_link *l, const char *output)
{
    const char *const labels[] = {"not_accepted", l->id, output};

    return edge_metrics_series(l->upstream->edge->metrics, EDGE_MESSAGES_DROPPED, labels);
}

/* Whether the item is the one that is suspected, and there is another to try. */
static bool hold(struct edge_link *l, const struct outbox_item *item)
{
    if (l->stuck < STUCK_MAX || item->ref.id != l->stuck_id || queued(l) < 2)
        return false;
    l->holding = true;
    l->held = item->ref;
    l->held_size = item->message.len;
    l->held_dropped = dropped_series(l, item->message.output);
    return true;
}

static void convict(struct edge_link *l)
{
    l->holding = false;
    l->stuck = 0;
    l->stuck_id = 0;
    give_up(l, &l->held, l->held_size, l->held_dropped,
            "the cloud ended the connection each time it was sent");
}

static void count_later(struct edge_link *l, struct edge_link_flight *f, const char *output)
{
    struct meters *m = l->upstream->edge->metrics;
    const char *priority = edge_metrics_priority(f->ref.priority);
    const char *const sent[] = {l->id, "upstream", output, "", priority};
    const char *const send[] = {l->id, "upstream", output, ""};
    const char *const process[] = {l->id, "upstream", priority};

    f->sent = edge_metrics_series(m, EDGE_MESSAGES_SENT, sent);
    f->send_duration = edge_metrics_series(m, EDGE_SEND_DURATION, send);
    f->process_duration = edge_metrics_series(m, EDGE_PROCESS_DURATION, process);
}

static int send_item(struct edge_link *l, const struct outbox_item *item, struct err *err)
{
    const struct edge_message *m = &item->message;
    struct edge_link_flight *f = &l->flight[l->n_flight];
    auto_buf struct buf topic = {0};

    buf_printf(&topic, "devices/%s%s%s/messages/events/", l->device,
               l->module[0] ? "/modules/" : "", l->module);

    size_t start = topic.len;

    edge_message_bag(m, true, &topic);
    if (topic.len > MQTT_TEXT_MAX || topic.len - start + m->len > MQTT_PAYLOAD_MAX) {
        give_up(l, &item->ref, m->len, dropped_series(l, m->output),
                "it is larger than the cloud takes");
        return 0;
    }
    if (hold(l, item))
        return 0;
    *f = (struct edge_link_flight){.ref = item->ref,
                                   .size = topic.len + m->len,
                                   .sent_ms = clock_mono_ms(),
                                   .created_ms = m->created_ms};
    count_later(l, f, m->output);
    if (mqtt_client_publish(l->mqtt, topic.data, m->body, m->len, 1, &f->token, err) < 0)
        return -1;
    l->flight_bytes += f->size;
    l->n_flight++;
    return 0;
}

void edge_link_pump(struct edge_link *l)
{
    struct outbox *o = l->upstream->edge->outbox;
    unsigned window = l->stuck >= 2 ? 1 : EDGE_LINK_WINDOW;
    bool was_empty = l->n_flight == 0;
    struct outbox_item item;
    struct err err;

    while (l->step == LINK_ONLINE && l->endpoint && l->n_flight < window &&
           l->flight_bytes < EDGE_LINK_BYTES) {
        int got = outbox_next(o, l->endpoint->number, &item, &err);

        if (got == 0)
            break;
        if (got < 0 || send_item(l, &item, &err) < 0) {
            edge_link_lost(l, &err);
            return;
        }
    }
    if (was_empty && l->n_flight > 0)
        edge_link_settle(l);
}

/* ---- acknowledged, or lost ---- */

void edge_link_delivered(struct edge_link *l, uint16_t token)
{
    uint64_t now = clock_mono_ms(), wall = clock_wall_ms();
    unsigned i = 0;

    while (i < l->n_flight && l->flight[i].token != token)
        i++;
    if (i == l->n_flight)
        return;

    struct edge_link_flight f = l->flight[i];

    l->n_flight--;
    memmove(&l->flight[i], &l->flight[i + 1], (l->n_flight - i) * sizeof(f));
    l->flight_bytes -= f.size;
    l->failures = 0;
    if (f.ref.id == l->stuck_id)
        l->stuck = 0;
    if (l->holding)
        convict(l);
    outbox_done(l->upstream->edge->outbox, &f.ref);
    meter_add(f.sent, 1);
    meter_observe(f.send_duration, (double)(now - f.sent_ms) / 1000, now);
    meter_observe(f.process_duration,
                  wall > f.created_ms ? (double)(wall - f.created_ms) / 1000 : 0, now);
    edge_link_pump(l);
    if (l->n_flight == 0)
        edge_link_settle(l);
}

void edge_link_unsend(struct edge_link *l, bool by_peer)
{
    struct err err;

    if (by_peer && l->n_flight > 0 && !l->holding) {
        if (l->flight[0].ref.id != l->stuck_id)
            l->stuck = 0;
        l->stuck_id = l->flight[0].ref.id;
        l->stuck++;
    }
    l->n_flight = 0;
    l->flight_bytes = 0;
    l->holding = false;
    if (l->endpoint && outbox_rewind(l->upstream->edge->outbox, l->endpoint->number, &err) < 0)
        log_error("upstream", "%s: %s", l->id, err.msg);
}
