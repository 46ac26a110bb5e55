/* Looks by meaning: a screen says what a cell means, only term.c knows which colour that is. A
 * state is always shown as symbol + word; colour repeats what they say. */
#ifndef BERTH_TUI_STYLE_H
#define BERTH_TUI_STYLE_H

#include "core/base/model.h"

enum style {
    STYLE_TEXT,
    STYLE_STRONG,   /* what the eye should find first */
    STYLE_TITLE,    /* row 1 */
    STYLE_RULE,     /* lines between parts */
    STYLE_KEY,      /* the key in a key hint */
    STYLE_SELECTED, /* the focused row; such a row also carries ">" */
    STYLE_FIELD,    /* where one types */
    STYLE_MATCH,    /* a search hit */
    STYLE_OK,
    STYLE_WARN,
    STYLE_BAD,
    STYLE_BUSY,
    STYLE_COUNT
};

#define LIGHT_SYMBOL_WIDTH 4

const char *light_symbol(enum light light); /* "[OK]", "[!]", ... static */
enum style light_style(enum light light);

#endif
