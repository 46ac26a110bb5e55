/* What the log screen is asked to show. */
#ifndef BERTH_TUI_LOG_ARG_H
#define BERTH_TUI_LOG_ARG_H

struct log_arg {
    const char *module; /* "@serial": the VM's serial console, "@engine": the engine's own log,
                           "@sandbox": what the sandbox's devices send */
    const char *device; /* with "@sandbox": of this one only; NULL: of all */
};

#endif
