/* See attention.h. */
#include "tui/attention.h"

#include "core/base/str.h"
#include "tui/format.h"
#include "tui/words.h"

struct collector {
    struct attention *items;
    size_t n, max;
};

static struct attention *add(struct collector *c, enum light light, enum attention_about about)
{
    static struct attention spill;
    struct attention *item = c->n < c->max ? &c->items[c->n++] : &spill;
    *item = (struct attention){.light = light, .about = about};
    return item;
}

static void collect_vm(struct collector *c, const struct vm_status *vm)
{
    struct attention *item;
    if (vm->state == VM_STATE_RUNNING)
        return;
    item = add(c, vm_state_light(vm->state), ATTENTION_VM);
    (void)str_format(item->what, sizeof(item->what), "VM %s", vm->name);
    (void)str_format(item->text, sizeof(item->text), "%s%s%s", words_vm(vm->state),
                     vm->reason[0] ? ": " : "", vm->reason);
    if (!vm->reason[0] && vm->state == VM_STATE_OFF)
        STR_SET(item->text, "off; Enter, then A starts it");
    if (!vm->reason[0] && vm->state == VM_STATE_UNKNOWN)
        STR_SET(item->text, "not known yet; the engine is asking");
    if (!vm->reason[0] && vm->state == VM_STATE_STARTING)
        STR_SET(item->text, "starting; waiting until it answers");
}

static void collect_share(struct collector *c, const char *what, uint64_t used, uint64_t total)
{
    double percent = total ? (double)used * 100 / (double)total : 0;
    if (percent < 90)
        return;
    struct attention *item = add(c, percent >= 97 ? LIGHT_BAD : LIGHT_WARN, ATTENTION_VM);
    STR_SET(item->what, what);
    (void)str_format(item->text, sizeof(item->text), "%.0f %% used", percent);
}

static void collect_cloud(struct collector *c, const struct vm_status *vm)
{
    struct attention *item;
    if (vm->state != VM_STATE_RUNNING)
        return;
    if (vm->runtime == RUNTIME_STATE_FAILED) {
        item = add(c, LIGHT_BAD, ATTENTION_VM);
        STR_SET(item->what, "IoT Edge");
        STR_SET(item->text, vm->runtime_reason[0] ? vm->runtime_reason : "does not answer");
    } else if (vm->runtime == RUNTIME_STATE_UNPROVISIONED) {
        item = add(c, LIGHT_WARN, ATTENTION_CONNECT);
        STR_SET(item->what, "not connected");
        STR_SET(item->text, "press C to connect it to Azure or to the sandbox");
        return;
    }
    if (vm->cloud == CLOUD_STATE_REFUSED || vm->cloud == CLOUD_STATE_DISCONNECTED) {
        item = add(c, cloud_state_light(vm->cloud), ATTENTION_CLOUD);
        STR_SET(item->what, "cloud");
        (void)str_format(item->text, sizeof(item->text), "%s%s%s", cloud_state_name(vm->cloud),
                         vm->cloud_reason[0] ? ": " : "", vm->cloud_reason);
    }
}

static void collect_module(struct collector *c, const struct view *view,
                           const struct module_status *m)
{
    char ago[32], again[48] = "";
    enum light light = module_state_light(m->state);
    if (light != LIGHT_BAD && light != LIGHT_WARN)
        return;
    struct attention *item = add(c, light, ATTENTION_MODULE);
    STR_SET(item->subject, m->name);
    (void)str_format(item->what, sizeof(item->what), "module %s", m->name);
    format_ago(ago, sizeof(ago), view->now_ms, m->exited_ms);
    if (m->restarts)
        (void)str_format(again, sizeof(again), ", restarted %u times", m->restarts);
    if (m->exited_ms)
        (void)str_format(item->text, sizeof(item->text), "%s (exit %d) %s%s",
                         words_module(m->state), m->exit_code, ago, again);
    else
        (void)str_format(item->text, sizeof(item->text), "%s%s%s", words_module(m->state),
                         m->description[0] ? ": " : "", m->description);
}

static void collect_jobs(struct collector *c, const struct view *view)
{
    for (size_t i = 0; i < view->snap.n_jobs; i++) {
        const struct job_status *job = &view->snap.jobs[i];
        if (job_state_ended(job->state))
            continue;
        struct attention *item = add(c, LIGHT_BUSY, ATTENTION_JOB);
        STR_SET(item->subject, job->id);
        STR_SET(item->what, job->title);
        (void)str_format(item->text, sizeof(item->text), "step %zu of %zu, %s; Enter shows it",
                         job->step + 1, job->n_steps,
                         job->step < job->n_steps ? job->steps[job->step].name : "");
    }
}

static int rank(enum light light)
{
    return light == LIGHT_BAD ? 0 : light == LIGHT_WARN ? 1 : light == LIGHT_UNKNOWN ? 2 : 3;
}

/* Stable: what was found first stays first among equals. */
static void sort_worst_first(struct attention *items, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j && rank(items[j].light) < rank(items[j - 1].light); j--) {
            struct attention swap = items[j];
            items[j] = items[j - 1];
            items[j - 1] = swap;
        }
}

size_t attention_collect(const struct view *view, struct attention *ret, size_t max)
{
    struct collector c = {ret, 0, max};
    const struct vm_status *vm = view_vm(view);
    if (vm) {
        collect_vm(&c, vm);
        collect_cloud(&c, vm);
        collect_share(&c, "memory of the VM", vm->memory_used, vm->memory_total);
        collect_share(&c, "disk of the VM", vm->disk_used, vm->disk_total);
        for (size_t i = 0; i < vm->n_modules; i++)
            collect_module(&c, view, &vm->modules[i]);
    }
    collect_jobs(&c, view);
    sort_worst_first(ret, c.n);
    return c.n;
}
