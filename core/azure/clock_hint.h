/* A wrong clock makes services refuse good keys and certificates look bad: says so where it is
 * seen. Pure but for reading the clock; any thread. */
#ifndef BERTH_AZURE_CLOCK_HINT_H
#define BERTH_AZURE_CLOCK_HINT_H

#include "core/base/err.h"

/* DATE: an answer's Date header. Where this machine's clock is more than the services' allowance
 * away from it, ERR's hint says by how much and which way. */
void clock_hint_answer(const char *date, struct err *err);

/* Where ERR is about a certificate's time, its hint shows what time this machine believes it is. */
void clock_hint_tls(struct err *err);

#endif
