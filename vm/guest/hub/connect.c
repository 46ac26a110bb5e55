/* See connect.h. */
#include "vm/guest/hub/connect.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#define WILL_MAX 65536

int connect_read_user(const struct mqtt_packet *p, struct topic_user *ret, struct err *err)
{
    char expected[2 * IDENTITY_ID_MAX];

    if (!p->user.at)
        return err_set(err, ERR_AUTH, "no user name");
    if (topic_parse_user(p->user.at, p->user.len, ret, err) < 0)
        return -1;
    (void)str_format(expected, sizeof(expected), "%s%s%s", ret->device, ret->module[0] ? "/" : "",
                     ret->module);
    if (!topic_span_is((struct topic_span){p->client_id.at, p->client_id.len}, expected))
        return err_set(err, ERR_AUTH, "the client id does not fit the user name");
    return 0;
}

int connect_read_will(const struct mqtt_packet *p, const struct topic_user *user, struct will **ret,
                      struct err *err)
{
    struct topic topic;
    struct will *will;

    *ret = NULL;
    if (!p->has_will)
        return 0;
    if (topic_parse(p->will_topic.at, p->will_topic.len, &topic, err) < 0 ||
        topic.kind != TOPIC_TELEMETRY || !topic_span_is(topic.device, user->device) ||
        !topic_span_is(topic.module, user->module) || p->will_payload.len > WILL_MAX)
        return err_set(err, ERR_INVALID, "its will is not for its telemetry topic");
    will = xcalloc(1, sizeof(*will));
    will->bag = xstrndup(topic.bag.at, topic.bag.len);
    will->retain = p->will_retain;
    buf_append(&will->payload, p->will_payload.at, p->will_payload.len);
    *ret = will;
    return 0;
}

void will_free(struct will *w)
{
    if (!w)
        return;
    free(w->bag);
    buf_done(&w->payload);
    free(w);
}
