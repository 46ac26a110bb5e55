/* Runs the steps of a provisioning method one at a time. See provision.h. */
#include "provision/provision_private.h"

#include "core/base/mem.h"
#include "core/base/str.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- the end of a step ---- */

/* Drops whatever the step had under way. */
static void step_drop(struct provision *p)
{
    if (p->call)
        p->guest->cancel(steal(p->call));
    hub_rest_free(steal(p->rest));
    child_cancel(steal(p->child));
    uv_timer_stop(&p->again);
}

static void on_turn(uv_timer_t *timer)
{
    struct provision *p = timer->data;
    step_drop(p);
    p->busy = p->ending = false;
    struct err why = p->why;
    p->events->on_step(p->arg, p->failed ? &why : NULL);
}

void provision_end(struct provision *p, const struct err *err)
{
    if (!p->busy || p->ending || p->freed)
        return;
    p->ending = true;
    p->failed = err != NULL;
    if (err)
        p->why = *err;
    uv_timer_stop(&p->again);
    uv_timer_start(&p->turn, on_turn, 0, 0);
}

void provision_say(struct provision *p, int percent, const char *fmt, ...)
{
    char text[160];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (p->events->on_progress && !p->freed)
        p->events->on_progress(p->arg, percent, text);
}

int provision_need_sandbox(struct provision *p, struct err *err)
{
    sandbox_record_done(&p->sandbox);
    p->has_sandbox = false;
    if (sandbox_load_running(&p->sandbox, err) < 0)
        return -1;
    p->has_sandbox = true;
    return 0;
}

/* ---- what the owner calls ---- */

void provision_apply(struct provision *p, size_t step)
{
    assert(!p->busy && step < p->method->n_steps);
    p->busy = true;
    p->failed = false;
    p->method->steps[step].apply(p);
}

void provision_undo(struct provision *p, size_t step)
{
    assert(!p->busy && step < p->method->n_steps);
    p->busy = true;
    p->failed = false;
    if (p->method->steps[step].undo)
        p->method->steps[step].undo(p);
    else
        provision_end(p, NULL);
}

void provision_cancel(struct provision *p)
{
    struct err err;
    err_set(&err, ERR_CANCELLED, "cancelled");
    provision_end(p, &err);
}

int provision_set_string(struct provision *p, const char *text, size_t len, struct err *err)
{
    struct connstr c = {0};
    if (connstr_parse(text, len, &c, err) < 0 || connstr_check_device(&c, err) < 0) {
        connstr_done(&c);
        return -1;
    }
    connstr_done(&p->device);
    p->device = c;
    secret_set(&p->string, text, len);
    /* Surrounding white space is not part of it. */
    char *trimmed = str_trim(p->string.data);
    memmove(p->string.data, trimmed, strlen(trimmed) + 1);
    p->string.len = strlen(p->string.data);
    return 0;
}

void provision_set_sandbox(struct provision *p, const struct provision_sandbox_options *options)
{
    STR_SET(p->device_id, options->device_id);
    STR_SET(p->host_ip, options->host_ip);
    free(p->sample);
    p->sample = options->sample ? xstrdup(options->sample) : NULL;
}

struct provision *provision_new(uv_loop_t *loop, const struct provision_method *method,
                                const struct provision_guest *guest,
                                const struct provision_events *events, void *arg)
{
    struct provision *p = xcalloc(1, sizeof(*p));
    p->loop = loop;
    p->method = method;
    p->guest = guest;
    p->events = events;
    p->arg = arg;
    (void)uv_timer_init(loop, &p->turn);
    (void)uv_timer_init(loop, &p->again);
    p->turn.data = p->again.data = p;
    p->handles = 2;
    return p;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct provision *p = handle->data;
    if (--p->handles)
        return;
    free(p->sample);
    free(p);
}

void provision_free(struct provision *p)
{
    if (!p || p->freed)
        return;
    p->freed = true;
    step_drop(p);
    secret_wipe(&p->string);
    connstr_done(&p->device);
    sandbox_record_done(&p->sandbox);
    uv_close((uv_handle_t *)&p->turn, on_handle_closed);
    uv_close((uv_handle_t *)&p->again, on_handle_closed);
}
