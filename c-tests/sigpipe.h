/*
 * A witness that SIGPIPE is raised in no thread, for programs whose brokers close connections while they are written to.
 */
#ifndef SIGPIPE_H
#define SIGPIPE_H

#include "test.h"

#include <dirent.h>
#include <signal.h>

static volatile sig_atomic_t raised;

static void on_sigpipe(int number) {
    (void)number;
    raised = 1;
}

/* Whether the signal is pending in some thread: those of the library block signals. Linux tells; elsewhere the handler
 * alone is the witness. */
static int pending_somewhere(void) {
    int found = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 0;
    struct dirent *task;
    while ((task = readdir(tasks)) != NULL) {
        char path[300], line[256];
        unsigned long long bits = 0;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        if (!status)
            continue;
        while (fgets(line, sizeof line, status)) {
            if (sscanf(line, "SigPnd: %llx", &bits) == 1 || sscanf(line, "ShdPnd: %llx", &bits) == 1)
                found |= (bits >> (SIGPIPE - 1) & 1) != 0;
        }
        fclose(status);
    }
    closedir(tasks);
    return found;
}

#endif
