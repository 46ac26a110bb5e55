/* berth status: one question to the engine, one answer; must stay fast. */
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/rpc/model_json.h"
#include "tui/cli.h"
#include "tui/cli_out.h"
#include "tui/cli_verbs.h"

#include <inttypes.h>
#include <stdio.h>

static void print_modules(const struct vm_status *vm)
{
    static const char *const head[] = {"  MODULE", "STATE", "RESTARTS", "CPU", "MEMORY", "WHY"};
    auto_grid struct cli_grid grid = {.columns = ARRAY_LEN(head)};
    cli_grid_head(&grid, head);
    for (size_t i = 0; i < vm->n_modules; i++) {
        const struct module_status *m = &vm->modules[i];
        char memory[16];
        str_bytes(memory, sizeof(memory), m->memory);
        cli_grid_addf(&grid, "  %s", m->name);
        cli_grid_add(&grid, module_state_name(m->state));
        cli_grid_addf(&grid, "%" PRIu32, m->restarts);
        if (m->cpu_percent < 0)
            cli_grid_add(&grid, "-");
        else
            cli_grid_addf(&grid, "%.1f %%", m->cpu_percent);
        cli_grid_add(&grid, m->memory ? memory : "-");
        cli_grid_add(&grid, m->description);
    }
    cli_grid_show(&grid);
}

static void print_load(const struct vm_status *vm)
{
    char used[16];
    char total[16];
    char disk_used[16];
    char disk_total[16];
    str_bytes(used, sizeof(used), vm->memory_used);
    str_bytes(total, sizeof(total), vm->memory_total);
    str_bytes(disk_used, sizeof(disk_used), vm->disk_used);
    str_bytes(disk_total, sizeof(disk_total), vm->disk_total);
    cli_out_printf("  %-9s cpu ", "load");
    if (vm->cpu_percent >= 0)
        cli_out_printf("%.0f %%", vm->cpu_percent);
    else
        cli_out_printf("-");
    cli_out_printf(", memory %s of %s, disk %s of %s\n", used, total, disk_used, disk_total);
}

static void print_line(const char *label, const char *state, const char *detail)
{
    cli_out_printf("  %-9s %s%s%s\n", label, state, *detail ? ": " : "", detail);
}

static void print_vm(const struct vm_status *vm)
{
    char detail[300];
    cli_out_printf("%s\n", vm->name);
    (void)str_format(detail, sizeof(detail),
                     "%" PRIu32 " cpus, %" PRIu32 " MiB, %" PRIu32 " GiB%s%s%s%s", vm->cpus,
                     vm->memory_mib, vm->disk_gib, vm->accel[0] ? ", " : "", vm->accel,
                     vm->address[0] ? ", " : "", vm->address);
    print_line("vm", vm_state_name(vm->state), vm->reason[0] ? vm->reason : detail);
    if (vm->state == VM_STATE_RUNNING && vm->seen_ms)
        print_load(vm);
    print_line("runtime", runtime_state_name(vm->runtime),
               vm->runtime_reason[0] ? vm->runtime_reason : vm->runtime_version);
    detail[0] = '\0';
    if (vm->device_id[0])
        (void)str_format(detail, sizeof(detail), "device %s at %s", vm->device_id, vm->hub);
    print_line("cloud", cloud_state_name(vm->cloud),
               vm->cloud_reason[0] ? vm->cloud_reason : detail);
    if (vm->n_modules)
        print_modules(vm);
}

static void print_rest(const struct snapshot *s)
{
    if (s->n_vms == 0)
        cli_out_printf("No VM yet: `berth vm create` makes one, `berth` leads through it.\n");
    if (s->sandbox.light == LIGHT_OK)
        cli_out_printf("sandbox runs at %s, %" PRIu32 " devices\n", s->sandbox.host,
                       s->sandbox.devices);
    for (size_t i = 0; i < s->n_jobs; i++) {
        const struct job_status *job = &s->jobs[i];
        if (job_state_ended(job->state))
            continue;
        cli_out_printf("job %s: %s, step %zu of %zu%s%s\n", job->id, job->title, job->step + 1,
                       job->n_steps, job->step < job->n_steps ? ": " : "",
                       job->step < job->n_steps ? job->steps[job->step].name : "");
    }
}

int cli_status(struct cli *cli)
{
    struct err err = {0};
    auto_json cJSON *result = NULL;
    if (cli_call(cli, "snapshot.get", NULL, &result, &err) < 0)
        return cli_fail(cli, &err);
    if (cli->args->json) {
        cli_out_json("Status", steal(result));
        return CLI_EXIT_DONE;
    }
    struct snapshot *s = xcalloc(1, sizeof(*s));
    model_parse_snapshot(result, s);
    for (size_t i = 0; i < s->n_vms; i++)
        print_vm(&s->vms[i]);
    print_rest(s);
    free(s);
    return CLI_EXIT_DONE;
}
