/* See inventory.h. */
#include "vm/inventory.h"

#include "core/base/file.h"
#include "core/base/str.h"
#include "vm/domain.h"
#include "vm/plan.h"
#include "vm/virt.h"

#include <string.h>

/* The entry of that name, made where it is missing; NULL where the list is full. */
static struct inventory_vm *entry_of(struct inventory *inv, const char *name)
{
    for (size_t i = 0; i < inv->n; i++)
        if (str_eq(inv->vms[i].name, name))
            return &inv->vms[i];
    if (inv->n == INVENTORY_MAX)
        return NULL;
    struct inventory_vm *vm = &inv->vms[inv->n++];
    *vm = (struct inventory_vm){0};
    STR_SET(vm->name, name);
    return vm;
}

static void add_folders(struct inventory *inv)
{
    char names[INVENTORY_MAX][MODEL_NAME_MAX];
    size_t n = record_list(names, ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) {
        struct inventory_vm *vm = entry_of(inv, names[i]);
        if (!vm)
            return;
        vm->folder = true;
        /* One that cannot be read counts: it may be of a newer Berth, and its disk is somebody's.
         */
        vm->record = record_exists(names[i]);
    }
}

static void add_domain(struct inventory *inv, virDomainPtr domain)
{
    const char *name = virDomainGetName(domain);
    if (!name || plan_check_name(name, NULL) < 0 || !virt_domain_is_ours(domain))
        return;
    struct inventory_vm *vm = entry_of(inv, name);
    if (!vm)
        return;
    vm->domain = true;
    vm->running = virDomainIsActive(domain) == 1;
}

static int compare_vms(const void *a, const void *b)
{
    return strcmp(((const struct inventory_vm *)a)->name, ((const struct inventory_vm *)b)->name);
}

int inventory_read(struct vm_conn *conn, struct inventory *ret_inventory, struct err *err)
{
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(vm_conn_virt(conn), &domains, 0);
    if (n < 0)
        return virt_err(err, "list the VMs");
    ret_inventory->n = 0;
    add_folders(ret_inventory);
    for (int i = 0; i < n; i++) {
        add_domain(ret_inventory, domains[i]);
        (void)virDomainFree(domains[i]);
    }
    free(domains);
    if (ret_inventory->n)
        qsort(ret_inventory->vms, ret_inventory->n, sizeof(ret_inventory->vms[0]), compare_vms);
    return 0;
}

int inventory_purge(struct vm_conn *conn, const char *name, struct err *err)
{
    struct err why = {0};
    /* A domain of that name that is not ours does not keep our own folder. */
    if ((domain_force_off(conn, name, &why) < 0 || domain_undefine(conn, name, &why) < 0) &&
        why.kind != ERR_EXISTS) {
        if (err)
            *err = why;
        return err_wrap(err, "remove VM %s", name);
    }
    return record_remove(name, err);
}
