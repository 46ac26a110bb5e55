/* The terminal: the only place that knows curses. Colours by meaning, glyphs by what the terminal
 * can, keys as enum keysym, pastes in one piece. One terminal a process; loop thread only. */
#ifndef BERTH_TUI_TERM_H
#define BERTH_TUI_TERM_H

#include "core/base/err.h"
#include "tui/key.h"
#include "tui/surface.h"

#include <stdbool.h>

/* Takes over standard input and output. ERR_UNSUPPORTED with a hint where they are no terminal that
 * can place the cursor. */
int term_open(struct err *err);
void term_close(void);   /* everything as it was before */
void term_suspend(void); /* Ctrl-Z: as it was before, for now */
void term_resume(void);

int term_fd(void); /* to wait for keys on */
void term_size(int *ret_h, int *ret_w);
void term_resize(void); /* after SIGWINCH: takes on the window's size */

/* Writes what differs from the last frame. ACK: also ask the terminal to answer when it has drawn
 * that (term_next_key then takes the answer). Returns false where the frame was the same and
 * nothing was written. */
bool term_draw(const struct surface *s, bool ack);
void term_repaint(void); /* the next frame is written whole */
bool term_can_ack(void); /* the terminal is one that answers */

enum term_event { TERM_NOTHING, TERM_KEY, TERM_ACK, TERM_GONE };

/* The next thing that came in. TEXT: a text field has the focus, so a burst of characters is a
 * paste, not commands. A paste in *RET_KEY is borrowed until the next call, and wiped then. */
enum term_event term_next_key(bool text, struct key *ret_key);

#endif
