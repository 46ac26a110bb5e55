/* Compiler attributes and the cleanup idiom: a value declared with one of the auto_ macros is
 * released when its scope ends; `return steal(p)` hands it to the caller instead. */
#ifndef BERTH_BASE_ATTR_H
#define BERTH_BASE_ATTR_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ATTR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ATTR_NONNULL(...)      __attribute__((nonnull(__VA_ARGS__)))
#define ATTR_MALLOC            __attribute__((malloc, returns_nonnull, warn_unused_result))
#define ATTR_USE_RESULT        __attribute__((warn_unused_result))
#define ATTR_NORETURN          __attribute__((noreturn))
#define ATTR_CLEANUP(fn)       __attribute__((cleanup(fn)))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Takes the pointer out of a variable and leaves NULL behind. */
#define steal(p)                     \
    ({                               \
        typeof(p) steal_value = (p); \
        (p) = NULL;                  \
        steal_value;                 \
    })

/* Defines NAME_freep(), for `ATTR_CLEANUP(NAME_freep) TYPE *x = NULL`. FREE_FN need not take NULL.
 */
#define DEFINE_AUTO(name, type, free_fn)      \
    static inline void name##_freep(type **p) \
    {                                         \
        if (*p)                               \
            free_fn(*p);                      \
    }

static inline void attr_freep(void *p)
{
    free(*(void **)p);
}

static inline void attr_closep(const int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}

#define auto_free  ATTR_CLEANUP(attr_freep)
#define auto_close ATTR_CLEANUP(attr_closep)

#endif
