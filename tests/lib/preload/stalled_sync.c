/* A disk that holds up what is synced: loaded into a server with LD_PRELOAD, in a test alone.
 * SPDX-License-Identifier: Apache-2.0
 *
 * While the file that REIN_TEST_STALL names is there, fsync and fdatasync do not return; for a minute at most. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int fdatasync(int fd);
EXPORT int fsync(int fd);

static void wait_while_stalled(void)
{
    const char *path = getenv("REIN_TEST_STALL");
    struct timespec pause = {0, 5000000};
    for (int i = 0; path != NULL && i < 12000 && access(path, F_OK) == 0; i++)
        nanosleep(&pause, NULL);
}

int fdatasync(int fd)
{
    wait_while_stalled();
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    wait_while_stalled();
    return (int)syscall(SYS_fsync, fd);
}
