/* Looking things up in what is known (struct view, ui.h). Pure. */
#include "core/base/str.h"
#include "tui/ui.h"

const struct vm_status *view_vm(const struct view *view)
{
    for (size_t i = 0; i < view->snap.n_vms; i++)
        if (str_eq(view->snap.vms[i].name, view->vm))
            return &view->snap.vms[i];
    return view->snap.n_vms ? &view->snap.vms[0] : NULL;
}

const struct job_status *view_job(const struct view *view, const char *id)
{
    for (size_t i = 0; i < view->snap.n_jobs; i++)
        if (str_eq(view->snap.jobs[i].id, id))
            return &view->snap.jobs[i];
    return NULL;
}

const struct job_status *view_running_job(const struct view *view)
{
    for (size_t i = 0; i < view->snap.n_jobs; i++)
        if (!job_state_ended(view->snap.jobs[i].state))
            return &view->snap.jobs[i];
    return NULL;
}

const struct module_status *view_module(const struct view *view, const char *name)
{
    const struct vm_status *vm = view_vm(view);
    for (size_t i = 0; vm && i < vm->n_modules; i++)
        if (str_eq(vm->modules[i].name, name))
            return &vm->modules[i];
    return NULL;
}
