/* peak FILE COMMAND [ARGUMENT ...]: runs the command and writes to FILE how long it took, in seconds, and the most memory
 * that it had resident, in KiB.
 *
 * It is the parent that counts: what a process had resident before it executed another program counts as that program's,
 * and of a child of Python's that is Python. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int main(int count, char **arguments) {
    if (count < 3) return 125;
    double started = now();
    pid_t child = fork();
    if (child == 0) {
        execvp(arguments[2], arguments + 2);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    if (child < 0 || wait4(child, &status, 0, &usage) < 0) return 126;
    double seconds = now() - started;
    long unit = 1;
#ifdef __APPLE__
    unit = 1024;
#endif
    FILE *file = fopen(arguments[1], "w");
    if (file == NULL || fprintf(file, "%.6f %ld\n", seconds, usage.ru_maxrss / unit) < 0 || fclose(file)) return 126;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
