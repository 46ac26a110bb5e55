/* See cloud.h: the twin's requests and answers, which share one number each. */
#include "vm/guest/edged/cloud_private.h"

#include "core/base/log.h"

#include <string.h>

#define ANSWER_MS     60000
#define TWIN_RETRY_MS 5000

int cloud_twin_subscribe(struct cloud *c, struct err *err)
{
    static const char *const topics[] = {
        "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#", "$iothub/methods/POST/#"};
    return mqtt_client_subscribe(c->mqtt, topics, ARRAY_LEN(topics), 0, err);
}

void cloud_twin_reset(struct cloud *c)
{
    c->twin_rid = c->report_rid = 0;
    (void)uv_timer_stop(c->answer);
}

static void on_answer_late(uv_timer_t *timer)
{
    struct cloud *c = timer->data;
    bool report = c->report_rid != 0, twin = c->twin_rid != 0;
    c->report_rid = c->twin_rid = 0;
    if (report)
        c->events->on_reported(c->arg, false);
    if (twin)
        cloud_get_twin(c);
}

static unsigned next_rid(struct cloud *c)
{
    c->rid = c->rid == 0xffffff ? 1 : c->rid + 1;
    return c->rid;
}

static bool send_message(struct cloud *c, const char *topic, const void *data, size_t len)
{
    struct err err;
    if (mqtt_client_publish(c->mqtt, topic, data, len, 0, NULL, &err) == 0)
        return true;
    log_warn("cloud", "%s", err.msg);
    return false;
}

void cloud_get_twin(struct cloud *c)
{
    char topic[64];
    if (c->step != STEP_ONLINE)
        return;
    c->twin_rid = next_rid(c);
    (void)str_format(topic, sizeof(topic), "$iothub/twin/GET/?$rid=%u", c->twin_rid);
    (void)send_message(c, topic, " ", 1);
    (void)uv_timer_start(c->answer, on_answer_late, ANSWER_MS, 0);
}

bool cloud_report(struct cloud *c, const char *text, size_t len)
{
    char topic[96];
    if (c->step != STEP_ONLINE || c->report_rid)
        return false;
    unsigned rid = next_rid(c);
    (void)str_format(topic, sizeof(topic), "$iothub/twin/PATCH/properties/reported/?$rid=%u", rid);
    if (!send_message(c, topic, text, len))
        return false;
    c->report_rid = rid;
    (void)uv_timer_start(c->answer, on_answer_late, ANSWER_MS, 0);
    return true;
}

void cloud_report_last(struct cloud *c, const char *text, size_t len)
{
    c->report_rid = 0;
    (void)cloud_report(c, text, len);
}

/* "$iothub/twin/res/STATUS/?$rid=N..." */
static bool parse_answer(const char *topic, unsigned *ret_status, unsigned *ret_rid)
{
    static const char prefix[] = "$iothub/twin/res/";
    char number[16];
    uint64_t status = 0, rid = 0;
    if (!str_starts(topic, prefix))
        return false;
    const char *at = topic + strlen(prefix);
    (void)str_format(number, sizeof(number), "%.*s", (int)strcspn(at, "/"), at);
    const char *query = strstr(at, "$rid=");
    if (!query || !str_to_u64(number, 999, &status))
        return false;
    query += strlen("$rid=");
    (void)str_format(number, sizeof(number), "%.*s", (int)strcspn(query, "&"), query);
    if (!str_to_u64(number, 0xffffff, &rid))
        return false;
    *ret_status = (unsigned)status;
    *ret_rid = (unsigned)rid;
    return true;
}

static void on_twin_answer(struct cloud *c, unsigned status, const char *data, size_t len)
{
    if (status == 200) {
        c->twin_rid = 0;
        c->events->on_twin(c->arg, data, len);
    } else { /* throttled or in trouble: on_answer_late asks again */
        log_warn("cloud", "the hub answered %u to the request for the twin", status);
        (void)uv_timer_start(c->answer, on_answer_late, TWIN_RETRY_MS, 0);
    }
}

static void on_report_answer(struct cloud *c, unsigned status, const char *data, size_t len)
{
    c->report_rid = 0;
    if (status >= 300) {
        char text[200];
        (void)str_format(text, sizeof(text), "%.*s", (int)(len < 190 ? len : 190), data);
        log_warn("cloud", "the hub answered %u to the report: %s", status, text);
    }
    c->events->on_reported(c->arg, status < 300);
}

void cloud_twin_message(void *arg, const char *topic, const char *data, size_t len, uint16_t id)
{
    struct cloud *c = arg;
    (void)id; /* all of QoS 0 */
    unsigned status = 0, rid = 0;
    if (cloud_method_message(c, topic, data, len))
        return;
    if (str_starts(topic, "$iothub/twin/PATCH/properties/desired/")) {
        c->events->on_patch(c->arg, data, len);
        return;
    }
    if (!parse_answer(topic, &status, &rid))
        return;
    if (rid == c->twin_rid)
        on_twin_answer(c, status, data, len);
    else if (rid == c->report_rid)
        on_report_answer(c, status, data, len);
    if (!c->twin_rid && !c->report_rid)
        (void)uv_timer_stop(c->answer);
}
