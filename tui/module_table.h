/* The table of modules as dashboard and module list show it: worst first, then the runtime's own,
 * then by name. Pure. */
#ifndef BERTH_TUI_MODULE_TABLE_H
#define BERTH_TUI_MODULE_TABLE_H

#include "tui/ui.h"

/* Fills ORDER with indices into vm->modules. */
void module_order(const struct vm_status *vm, size_t order[MODEL_MODULES_MAX]);
void module_table_head(struct surface *s, struct area a);
void module_table_row(struct surface *s, struct area a, int y, const struct view *view,
                      const struct module_status *m);
/* "5 running, 1 failed". */
void module_counts(const struct vm_status *vm, char *to, size_t size);

#endif
