/* Bars: "####------" for a share, "[####----]" for a step at work. Pure. */
#ifndef BERTH_TUI_PROGRESS_H
#define BERTH_TUI_PROGRESS_H

#include "tui/surface.h"

/* W columns; percent < 0 (unknown): dashes. The style tells how full is too full. */
void progress_share(struct surface *s, int y, int x, int w, double percent);
void progress_step(struct surface *s, int y, int x, int w, int percent);

#endif
