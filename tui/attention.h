/* What a person should look at first, worst first: the top of the dashboard. Pure. */
#ifndef BERTH_TUI_ATTENTION_H
#define BERTH_TUI_ATTENTION_H

#include "tui/ui.h"

#define ATTENTION_MAX 12

enum attention_about {
    ATTENTION_VM,
    ATTENTION_CLOUD,
    ATTENTION_CONNECT,
    ATTENTION_MODULE,
    ATTENTION_JOB
};

struct attention {
    enum light light;
    enum attention_about about;
    char subject[MODEL_NAME_MAX]; /* module or job id */
    char what[96];                /* "module vision-ai" */
    char text[240];               /* how it is doing and what to do */
};

size_t attention_collect(const struct view *view, struct attention *ret, size_t max);

#endif
