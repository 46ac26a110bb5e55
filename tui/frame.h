/* What is the same on every screen: row 1 with host, title and the three states, the row of tabs,
 * the key hints at the bottom, and the three lines shown where a window is too small. Pure. */
#ifndef BERTH_TUI_FRAME_H
#define BERTH_TUI_FRAME_H

#include "tui/ui.h"

#define FRAME_HEIGHT_MIN 24
#define FRAME_WIDTH_MIN  80

/* The rows above the body; returns the area left for it. */
struct area frame_top(const struct view *view, const struct screen *screen, const void *state,
                      struct surface *s);
/* The rule with the last message, and the hints. Drawn after the body, whose state says what is
 * possible. */
void frame_bottom(const struct view *view, const struct screen *screen, const void *state,
                  struct surface *s);
void frame_too_small(const struct view *view, struct surface *s);
/* One or two rows of hints into AREA for the actions that are possible now; returns the rows a
 * wider area would have needed. */
int frame_hints(const struct view *view, const struct screen *screen, const void *state,
                struct surface *s, struct area a);

#endif
