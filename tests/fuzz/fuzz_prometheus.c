/* Any bytes: no crash, every field terminated, counts consistent. */
#include "logs/prometheus.h"

#include <stdlib.h>
#include <string.h>

static void check(void *arg, const struct prometheus_sample *s)
{
    ++*(size_t *)arg;
    if (!s->name[0] || !memchr(s->name, '\0', sizeof(s->name)) ||
        s->n_labels > PROMETHEUS_LABELS_MAX)
        abort();
    for (size_t i = 0; i < s->n_labels; i++)
        if (!s->labels[i].name[0] || !memchr(s->labels[i].value, '\0', sizeof(s->labels[i].value)))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t seen = 0;
    struct prometheus_report report = prometheus_parse((const char *)data, size, check, &seen);
    if (report.samples != seen || (report.wrong == 0) != (report.first.kind == ERR_NONE))
        abort();
    return 0;
}
