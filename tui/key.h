/* What a person pressed. Characters are their code points (control keys 1..31), named keys lie
 * behind Unicode. */
#ifndef BERTH_TUI_KEY_H
#define BERTH_TUI_KEY_H

#include <stddef.h>
#include <stdint.h>

enum keysym {
    KEYSYM_NONE = 0,
    KEYSYM_CTRL_C = 3,
    KEYSYM_CTRL_G = 7,
    KEYSYM_TAB = 9,
    KEYSYM_CTRL_L = 12,
    KEYSYM_ENTER = 13,
    KEYSYM_CTRL_U = 21,
    KEYSYM_CTRL_V = 22,
    KEYSYM_ESC = 27,
    KEYSYM_SPACE = 32,
    KEYSYM_FIRST = 0x110000,
    KEYSYM_UP = KEYSYM_FIRST,
    KEYSYM_DOWN,
    KEYSYM_LEFT,
    KEYSYM_RIGHT,
    KEYSYM_PAGE_UP,
    KEYSYM_PAGE_DOWN,
    KEYSYM_HOME,
    KEYSYM_END,
    KEYSYM_BACKTAB,
    KEYSYM_BACKSPACE,
    KEYSYM_DELETE,
    KEYSYM_F1,
    KEYSYM_PASTE, /* a whole pasted text, in `paste` */
};

struct key {
    uint32_t sym;
    const char *paste; /* KEYSYM_PASTE: the bytes, borrowed for the call */
    size_t paste_len;
};

#endif
