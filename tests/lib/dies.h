/* Does a call end in an assertion? It is made in a child process. SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_DIES_H
#define TESTS_DIES_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

/* True if act(arg) fails an assertion; false if it returns or ends in any other way. */
static inline bool dies_of_assertion(void (*act)(void *arg), void *arg)
{
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 2);
        signal(SIGABRT, SIG_DFL); /* the test program's own handler would go on with other tests */
        alarm(60);
        act(arg);
        _exit(0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

#endif
