/* See secret.h. */
#include "core/base/secret.h"

#include "core/base/mem.h"

#include <string.h>

void secret_set(struct secret *s, const void *data, size_t len)
{
    char *copy = xmalloc(len + 1);
    memcpy(copy, data, len);
    copy[len] = '\0';
    secret_wipe(s);
    *s = (struct secret){.data = copy, .len = len};
}

void secret_wipe(struct secret *s)
{
    if (s->data)
        explicit_bzero(s->data, s->len);
    free(s->data);
    *s = (struct secret){0};
}

void secret_free(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}
