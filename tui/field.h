/* One line that a person types or pastes into. A secret one shows its length, never its bytes,
 * unless asked to; its memory is wiped. Pure. */
#ifndef BERTH_TUI_FIELD_H
#define BERTH_TUI_FIELD_H

#include "tui/key.h"
#include "tui/surface.h"

#define FIELD_MAX 4096

struct field {
    char text[FIELD_MAX + 1];
    size_t len;
    size_t at;     /* byte offset of the cursor */
    size_t max;    /* bytes it takes; 0: FIELD_MAX */
    bool secret;   /* also: pasted text loses its line breaks and blanks */
    bool shown;    /* a secret that is shown for now */
    bool digits;   /* takes digits only */
    bool overflow; /* the last paste did not fit and was refused */
};

void field_set(struct field *f, const char *text);
void field_wipe(struct field *f);                       /* empties and overwrites */
bool field_key(struct field *f, const struct key *key); /* true: taken */
/* "[text      ]" in W columns. FOCUSED puts the cursor there. */
void field_draw(struct surface *s, int y, int x, int w, const struct field *f, bool focused);

#endif
