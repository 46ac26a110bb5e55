/* See wizard.h. */
#include "tui/wizard.h"

#include "tui/list.h"

struct area wizard_head(struct surface *s, struct area body, enum wizard_page page)
{
    static const char *const names[] = {"1 Check", "2 Plan", "3 Review", "4 Install"};
    int x = 1;
    for (int i = 0; i < WIZARD_PAGES; i++) {
        if (i)
            x += surface_text(s, body.y, x, -1, STYLE_TEXT, " > ");
        x += surface_text(s, body.y, x, -1, i == (int)page ? STYLE_SELECTED : STYLE_TEXT, names[i]);
    }
    surface_rule(s, (struct area){body.y + 1, 0, 1, body.w}, NULL);
    return (struct area){body.y + 2, 0, body.h - 2, body.w};
}

int wizard_checks(struct surface *s, struct area a, const struct host_report *report, size_t marked)
{
    int rows = 0;
    for (size_t i = 0; i < report->n && rows < a.h; i++, rows++) {
        const struct host_check *check = &report->checks[i];
        int y = a.y + rows;
        surface_light(s, y, a.x + 3, 17, check->light, check->label);
        surface_text(s, y, a.x + 21, a.w - 22, STYLE_TEXT, check->text);
        if (i == marked)
            list_mark(s, (struct area){y, a.x, 1, a.w}, y);
    }
    return rows;
}
