/* JSON as text that a terminal may be shown: what would move its cursor, turn its writing direction
 * or draw nothing is written as \uXXXX, so that it is still the same JSON for a program. Pure. */
#ifndef BERTH_BASE_JSON_TEXT_H
#define BERTH_BASE_JSON_TEXT_H

#include "core/base/json.h"

/* Appends VALUE; PRETTY: a member a line, two blanks a level, no line end behind the last. */
void json_text(struct buf *out, const cJSON *value, bool pretty);

#endif
