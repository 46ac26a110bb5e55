/* Steps that act in the guest, through its helper's verbs. */
#include "provision/provision_private.h"

#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/str.h"
#include "provision/config_toml.h"

#include <stdio.h>

#define VERB_KEEP     "config-keep"
#define VERB_UNDO     "config-undo tried"
#define VERB_UNDO_OLD "config-undo"
#define ADMIN_MS      60000
#define LOOK_AGAIN_MS 1000
#define PATIENCE_MS   60000
#define HUB_MQTT_PORT 8883
#define TRUST_BUNDLE  "/var/lib/berth/sandbox/ca.pem" /* where the helper's sandbox-set puts it */
#define CA_MAX        (64U << 10)

/* ---- before anything is changed ---- */

void step_check_string(struct provision *p)
{
    struct err err;
    if (!p->string.len) {
        err_set(&err, ERR_INVALID, "the connection string is no longer there");
        err_hint(&err, "Secrets are not kept over a restart: enter the connection string again.");
        provision_end(p, &err);
        return;
    }
    provision_end(p, connstr_check_device(&p->device, &err) < 0 ? &err : NULL);
}

static void on_info(void *arg, const char *text, const struct buf *body, const struct err *err)
{
    struct provision *p = arg;
    (void)text;
    (void)body;
    p->call = NULL;
    provision_end(p, err);
}

static void on_find_again(uv_timer_t *timer)
{
    struct provision *p = timer->data;
    struct err err;
    p->call = p->guest->admin(p->guest->arg, "info", NULL, 0, ADMIN_MS, on_info, p, &err);
    if (p->call)
        uv_timer_stop(timer);
    else
        provision_say(p, -1, "waiting for the VM: %s", err.msg);
}

/* The step's limit ends the waiting. */
void step_find_guest(struct provision *p)
{
    uv_timer_start(&p->again, on_find_again, 0, LOOK_AGAIN_MS);
}

static void on_reached(void *arg, const struct err *err)
{
    struct provision *p = arg;
    p->call = NULL;
    struct err why;
    if (err) {
        why = *err;
        err_wrap(&why, "%s cannot be reached from inside the VM", p->device.host);
        if (!why.hint[0])
            err_hint(&why, "Check the HostName, and that the network lets port 8883 out.");
        err = &why;
    }
    provision_end(p, err);
}

void step_reach_hub(struct provision *p)
{
    struct err err;
    uint16_t port = p->device.port ? p->device.port : HUB_MQTT_PORT;
    p->call = p->guest->reach(p->guest->arg, p->device.host, port, on_reached, p, &err);
    if (!p->call)
        provision_end(p, &err);
}

/* ---- changes ---- */

static void on_config_written(void *arg, const char *text, const struct buf *body,
                              const struct err *err)
{
    struct provision *p = arg;
    (void)body;
    p->call = NULL;
    p->config_unchanged = !err && str_eq(text, "unchanged");
    p->config_applied = !err && !p->config_unchanged;
    struct err why;
    if (err) {
        why = *err;
        err_wrap(&why, "the VM did not take the configuration");
        err = &why;
    }
    provision_end(p, err);
}

void step_write_config(struct provision *p)
{
    struct err err;
    if (!p->string.len) {
        step_check_string(p); /* says what happened */
        return;
    }
    /* What is known before, to tell the new connection from an old one. */
    p->before = (struct vm_status){0};
    (void)p->guest->look(p->guest->arg, &p->before);
    p->config_unchanged = p->config_applied = false;

    auto_wiped_buf struct buf text = {0};
    /* The sandbox's CA is trusted for the sandbox only, whichever way its string came. */
    bool sandbox = str_eq(p->device.host, SANDBOX_HOST);
    struct config_toml config = {.connection_string = p->string.data,
                                 .trust_bundle = sandbox ? TRUST_BUNDLE : NULL};
    if (config_toml_write(&config, &text, &err) == 0)
        p->call = p->guest->admin(p->guest->arg, "config-apply", text.data, text.len, ADMIN_MS,
                                  on_config_written, p, &err);
    if (!p->call)
        provision_end(p, &err);
}

static void on_ask(uv_timer_t *timer);

/* A verb that ends the step, and is worth waiting for where the VM is away for a moment: it starts
 * anew, or this process has just done that. */
static void ask_patiently(struct provision *p, const char *verb)
{
    p->verb = verb;
    p->until_ms = clock_mono_ms() + PATIENCE_MS;
    uv_timer_start(&p->again, on_ask, 0, 0);
}

/* The image of a VM may be older than this program. Its helper takes what it applies as kept, and
 * its undo brings back the configuration before, whatever came of this one: so only what this
 * process saw applied is undone there. */
static bool is_older(const struct provision *p, const struct err *err)
{
    return (str_eq(p->verb, VERB_KEEP) && str_eq(err->msg, "unknown verb")) ||
           (str_eq(p->verb, VERB_UNDO) && str_eq(err->msg, "config-undo takes no arguments"));
}

static void end_older(struct provision *p)
{
    if (str_eq(p->verb, VERB_UNDO) && p->config_applied)
        ask_patiently(p, VERB_UNDO_OLD);
    else
        provision_end(p, NULL);
}

/* Neither the helper's own word nor that of one who knows that there is no such VM. */
static void asked_in_vain(struct provision *p, const struct err *why)
{
    if (why->kind == ERR_REMOTE || why->kind == ERR_NOT_FOUND || clock_mono_ms() > p->until_ms) {
        provision_end(p, why);
        return;
    }
    provision_say(p, -1, "waiting for the VM: %s", why->msg);
    uv_timer_start(&p->again, on_ask, LOOK_AGAIN_MS, 0);
}

static void on_answer(void *arg, const char *text, const struct buf *body, const struct err *err)
{
    struct provision *p = arg;
    (void)text;
    (void)body;
    p->call = NULL;
    if (!err)
        provision_end(p, NULL);
    else if (is_older(p, err))
        end_older(p);
    else
        asked_in_vain(p, err);
}

static void on_ask(uv_timer_t *timer)
{
    struct provision *p = timer->data;
    struct err err;
    p->call = p->guest->admin(p->guest->arg, p->verb, NULL, 0, ADMIN_MS, on_answer, p, &err);
    if (!p->call)
        asked_in_vain(p, &err);
}

/* The helper knows what is tried and not kept, also where this process is not the one that began
 * it: an undo too many takes nothing back. */
void step_undo_config(struct provision *p)
{
    if (p->config_unchanged)
        provision_end(p, NULL);
    else
        ask_patiently(p, VERB_UNDO);
}

void step_keep_config(struct provision *p)
{
    ask_patiently(p, VERB_KEEP);
}

static void on_trusted(void *arg, const char *text, const struct buf *body, const struct err *err)
{
    struct provision *p = arg;
    (void)text;
    (void)body;
    /* A guest that was the sandbox's before keeps its trust, whatever becomes of this run. */
    p->sandbox_set = !err && !str_eq(p->before.hub, SANDBOX_HOST);
    p->call = NULL;
    provision_end(p, err);
}

void step_trust_sandbox(struct provision *p)
{
    struct err err;
    char line[128];
    auto_buf struct buf ca = {0};
    (void)p->guest->look(p->guest->arg, &p->before);
    unsigned registry = p->sandbox.registry_port;
    (void)snprintf(line, sizeof(line), "sandbox-set %s %u %u %u", p->host_ip, p->sandbox.mqtt_port,
                   p->sandbox.https_port, registry ? registry : SANDBOX_REGISTRY_PORT);
    if (file_read(p->sandbox.ca_file, CA_MAX, &ca, &err) == 0)
        p->call =
            p->guest->admin(p->guest->arg, line, ca.data, ca.len, ADMIN_MS, on_trusted, p, &err);
    if (!p->call)
        provision_end(p, &err);
}

void step_undo_trust(struct provision *p)
{
    if (p->sandbox_set) {
        p->sandbox_set = false;
        ask_patiently(p, "sandbox-clear");
    } else {
        provision_end(p, NULL);
    }
}
