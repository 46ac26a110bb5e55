/* Random numbers from the kernel, good enough for keys. Any thread. They cannot fail: only a
 * machine that starts makes them wait, and a kernel without any aborts, since nothing could be done
 * safely. */
#ifndef BERTH_BASE_RANDOM_H
#define BERTH_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *to, size_t size);

/* Less than N, which is not 0: to spread what must not happen everywhere at once. */
uint64_t random_below(uint64_t n);

#endif
