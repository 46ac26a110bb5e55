/* Who sits at this console, for the record of a job: "anna", or "anna from 10.20.4.8" over SSH. */
#ifndef BERTH_TUI_WHO_H
#define BERTH_TUI_WHO_H

#include <stddef.h>

void who_describe(char *to, size_t size);

#endif
