/* The sandbox's devices as rows of a table. Pure. */
#ifndef BERTH_TUI_DEVICE_TABLE_H
#define BERTH_TUI_DEVICE_TABLE_H

#include "tui/ui.h"

void device_table_head(struct surface *s, struct area a);
void device_table_row(struct surface *s, struct area a, int y, const struct view *view,
                      const struct sandbox_device *d);

#endif
