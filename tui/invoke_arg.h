/* Whose method the invoke screen calls. */
#ifndef BERTH_TUI_INVOKE_ARG_H
#define BERTH_TUI_INVOKE_ARG_H

struct invoke_arg {
    const char *device;
    const char *module; /* "": the device itself */
};

#endif
