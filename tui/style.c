/* See style.h. */
#include "tui/style.h"

static const struct {
    const char *symbol;
    enum style style;
} looks[] = {
    [LIGHT_UNKNOWN] = {"[?]", STYLE_TEXT}, [LIGHT_OFF] = {"[-]", STYLE_TEXT},
    [LIGHT_TODO] = {"[  ]", STYLE_TEXT},   [LIGHT_BUSY] = {"[..]", STYLE_BUSY},
    [LIGHT_OK] = {"[OK]", STYLE_OK},       [LIGHT_WARN] = {"[!]", STYLE_WARN},
    [LIGHT_BAD] = {"[X]", STYLE_BAD},
};
_Static_assert(ARRAY_LEN(looks) == LIGHT_COUNT, "a look for each light");

const char *light_symbol(enum light light)
{
    return looks[light < LIGHT_COUNT ? light : LIGHT_UNKNOWN].symbol;
}

enum style light_style(enum light light)
{
    return looks[light < LIGHT_COUNT ? light : LIGHT_UNKNOWN].style;
}
