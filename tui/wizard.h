/* What the pages of the first-run wizard share. Pure. */
#ifndef BERTH_TUI_WIZARD_H
#define BERTH_TUI_WIZARD_H

#include "tui/ui.h"

enum wizard_page { WIZARD_CHECK, WIZARD_PLAN, WIZARD_REVIEW, WIZARD_INSTALL, WIZARD_PAGES };

/* The path "1 Check > 2 Plan > ..." with the current page marked, and a rule; returns what is left
 * of BODY. */
struct area wizard_head(struct surface *s, struct area body, enum wizard_page page);
/* The list of checks; MARKED < n gets the mark. Returns the rows used. */
int wizard_checks(struct surface *s, struct area a, const struct host_report *report,
                  size_t marked);

#endif
