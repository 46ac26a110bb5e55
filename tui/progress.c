/* See progress.h. */
#include "tui/progress.h"

static int filled(int w, double percent)
{
    if (!(percent > 0))
        return 0;
    int n = (int)(percent * w / 100 + 0.5);
    return n > w ? w : n;
}

void progress_share(struct surface *s, int y, int x, int w, double percent)
{
    int n = filled(w, percent);
    enum style style = percent >= 95 ? STYLE_BAD : percent >= 85 ? STYLE_WARN : STYLE_OK;
    for (int i = 0; i < w; i++)
        surface_raw(s, y, x + i, 1, i < n ? style : STYLE_TEXT, i < n ? "#" : "-", 1);
}

void progress_step(struct surface *s, int y, int x, int w, int percent)
{
    if (w < 3)
        return;
    int n = filled(w - 2, percent);
    surface_raw(s, y, x, 1, STYLE_TEXT, "[", 1);
    for (int i = 0; i < w - 2; i++)
        surface_raw(s, y, x + 1 + i, 1, STYLE_BUSY, i < n ? "#" : "-", 1);
    surface_raw(s, y, x + w - 1, 1, STYLE_TEXT, "]", 1);
}
