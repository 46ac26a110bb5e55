/* See cloud.h: direct methods, as they come from the hub and are answered. */
#include "vm/guest/edged/cloud_private.h"

#include "core/base/log.h"
#include "core/base/percent.h"

#include <string.h>

/* "$iothub/methods/POST/NAME/?$rid=RID" */
bool cloud_method_message(struct cloud *c, const char *topic, const char *data, size_t len)
{
    static const char prefix[] = "$iothub/methods/POST/", mark[] = "/?$rid=";
    char name[CLOUD_METHOD_NAME_MAX], rid[CLOUD_METHOD_RID_MAX];
    if (!str_starts(topic, prefix))
        return false;
    const char *from = topic + strlen(prefix);
    const char *at = strstr(from, mark);
    if (!at || !percent_decode(from, (size_t)(at - from), name, sizeof(name)) ||
        !str_copy(rid, sizeof(rid), at + strlen(mark)) || !*rid || strpbrk(rid, "/+#")) {
        log_warn("cloud", "the hub asked for a method in a way that is not understood");
        return true;
    }
    c->events->on_method(c->arg, name, rid, data, len);
    return true;
}

void cloud_answer(struct cloud *c, const char *rid, int status, const char *body, size_t len)
{
    struct err err;
    auto_buf struct buf topic = {0};
    buf_printf(&topic, "$iothub/methods/res/%d/?$rid=%s", status, rid);
    if (c->step == STEP_ONLINE &&
        mqtt_client_publish(c->mqtt, buf_str(&topic), body, len, 0, NULL, &err) < 0)
        log_warn("cloud", "%s", err.msg);
}
