/* Restart, start and stop of a module, the same from the list and from its own screen. */
#ifndef BERTH_TUI_MODULE_ACT_H
#define BERTH_TUI_MODULE_ACT_H

#include "tui/ui.h"

bool module_act(struct ui *ui, const struct module_status *m,
                enum action_id id); /* true: it was one */
bool module_act_possible(const struct module_status *m, enum action_id id);

#endif
