/* See module_act.h. */
#include "tui/module_act.h"

#include "core/base/str.h"
#include "tui/dialog.h"
#include "tui/log_arg.h"
#include "tui/request.h"

static void stop_sure(struct ui *ui, const char *vm, const char *module)
{
    request_module(ui, "stop", vm, module);
}

static void ask_stop(struct ui *ui, const struct vm_status *vm, const struct module_status *m)
{
    char title[120], cli[160];
    (void)str_format(title, sizeof(title), "Stop module %s?", m->name);
    (void)str_format(cli, sizeof(cli), "berth module stop %s", m->name);
    const struct dialog_arg ask = {
        .title = title,
        .text = "It stays off until it is started here or until the VM or the runtime restarts.\n"
                "The deployment in the cloud is not changed.",
        .yes = "Stop it",
        .cli = cli,
        .subject = vm->name,
        .object = m->name,
        .on_yes = stop_sure,
    };
    ui_push(ui, &screen_dialog, &ask);
}

bool module_act(struct ui *ui, const struct module_status *m, enum action_id id)
{
    const struct vm_status *vm = view_vm(ui_view(ui));
    const struct log_arg log = {.module = m ? m->name : ""};
    if (!vm || !m)
        return false;
    if (id == ACTION_MODULE_RESTART)
        request_module(ui, "restart", vm->name, m->name);
    else if (id == ACTION_MODULE_START)
        request_module(ui, "start", vm->name, m->name);
    else if (id == ACTION_MODULE_STOP)
        ask_stop(ui, vm, m);
    else if (id == ACTION_LOG)
        ui_push(ui, &screen_log, &log);
    else
        return false;
    return true;
}

bool module_act_possible(const struct module_status *m, enum action_id id)
{
    switch ((int)id) {
    case ACTION_MODULE_START:
        return m && m->state != MODULE_STATE_RUNNING;
    case ACTION_MODULE_STOP:
        return m && m->state == MODULE_STATE_RUNNING && !m->system;
    case ACTION_MODULE_RESTART:
    case ACTION_LOG:
    case ACTION_DETAIL:
        return m != NULL;
    default:
        return true;
    }
}
