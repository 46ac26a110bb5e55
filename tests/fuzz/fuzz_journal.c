/* Any bytes as a job's journal: bounded, terminated, no crash. A refusal tells rubbish (removed at
 * the next start) from another version's journal (kept). */
#include "core/engine/journal.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal_replay r = {0};
    struct err err = {0};
    uint64_t took = 0;
    if (journal_parse((const char *)data, size, &r, &err) < 0)
        return err.kind == ERR_PROTOCOL || err.kind == ERR_UNSUPPORTED ? 0 : (abort(), 0);
    if (r.n_steps > MODEL_STEPS_MAX || !*r.head.id || !*r.head.kind)
        abort();
    for (size_t i = 0; i < r.n_steps; i++)
        if (journal_progress_of(&r, r.steps[i].name, &took) == JOURNAL_STEP_NONE)
            abort();
    journal_replay_done(&r);
    return 0;
}
